//! Restrictions of service tokens whose rows somebody had in their hands, and what they cost to
//! read. SECURITY line 34.
#![expect(clippy::unwrap_used, reason = "a failure is a failed test")]

mod common;

use common::{everywhere, house, secret};
use domain::{
    authz::{License, Origin, Restrictions},
    ip_restriction::Cidr,
    networks::Networks,
    secret::TokenKind,
};
use sea_orm::ConnectionTrait as _;
use store::{NewServiceToken, StoreError};

fn office() -> Restrictions {
    let cidr = Cidr::parse("192.0.2.0/24").unwrap();
    Restrictions { addresses: Some(Networks::new([cidr])), ..Restrictions::default() }
}

#[tokio::test]
async fn a_token_whose_restrictions_cannot_be_read_opens_nothing() {
    let house = house().await;
    let (token, secret) = house.token("nightly", vec![everywhere("job_admin")], 7).await;
    let permit = house.permit().await;
    let set = house.store.replace_token_restrictions(&permit, token.id, office(), false).await;
    assert_eq!(set.unwrap(), office());
    let raw = house.raw().await;
    let here = &Origin { address: Some("192.0.2.7".parse().unwrap()), ..Origin::local() };
    for (round, spoilt) in [
        "",
        "no JSON",
        "{\"addresses\":[\"192.0.2.0/24\",\"10.0.0.0/99\"]}",
        "{\"adresses\":[\"192.0.2.0/24\"]}",
        "{\"jobs\":[0]}",
    ]
    .into_iter()
    .enumerate()
    {
        // A change of rights has principals read anew, as 2 s would.
        house.user(&format!("{round}@example.com"), License::ReadOnly, vec![]).await;
        assert!(house.store.authenticate_from(&secret, here).await.is_ok(), "{round}");
        let sql = format!("UPDATE service_token_restrictions SET restrictions = '{spoilt}'");
        raw.execute_unprepared(&sql).await.unwrap();
        house.user(&format!("again-{round}@example.com"), License::ReadOnly, vec![]).await;
        let refused = house.store.authenticate_from(&secret, here).await;
        assert!(matches!(refused, Err(StoreError::Corrupt(_))), "{spoilt}: {refused:?}");
        let whole = "UPDATE service_token_restrictions SET restrictions = \
                     '{\"addresses\":[\"192.0.2.0/24\"]}'";
        raw.execute_unprepared(whole).await.unwrap();
        house.user(&format!("mended-{round}@example.com"), License::ReadOnly, vec![]).await;
    }
}

#[tokio::test]
async fn who_is_restricted_and_has_no_address_comes_in_by_no_face_and_all_is_one_statement() {
    let house = house().await;
    let secret = secret(TokenKind::Service, 7);
    let new = NewServiceToken {
        name: common::name("nightly"),
        grants: vec![everywhere("job_admin"), everywhere("metadata_only")],
        end: None,
    };
    let permit = house.permit().await;
    let made = house.store.create_restricted_token(&permit, new, (office(), false), &secret).await;
    assert!(made.is_ok(), "{made:?}");
    let refused = house.store.authenticate_from(&secret, &Origin::local()).await;
    assert!(matches!(refused, Err(StoreError::AddressRestricted)), "{refused:?}");
    house.user("grace@example.com", License::ReadOnly, vec![]).await;
    let before = house.store.statements();
    let found = house.store.authenticate(&secret).await.unwrap().unwrap();
    assert_eq!(house.store.statements() - before, 1);
    assert_eq!((found.restrictions(), found.grants().len()), (&office(), 2));
}
