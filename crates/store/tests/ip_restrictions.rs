//! IP restrictions whose rows somebody had in their hands. SECURITY line 34.

mod common;

use std::net::IpAddr;

use common::{house, name};
use domain::{
    authz::{License, Origin},
    ip_restriction::{Cidr, IpRestriction, RuleType},
};
use sea_orm::ConnectionTrait as _;
use store::StoreError;

const OFFICE: &str = "192.0.2.7";

fn from(address: Option<IpAddr>) -> Origin {
    Origin { address, ..Origin::local() }
}

#[tokio::test]
async fn a_list_that_cannot_be_read_refuses_everybody_and_one_that_can_is_taken_up_at_once() {
    let house = house().await;
    let permit = house.permit().await;
    let rule = IpRestriction {
        name: name("office"),
        r#type: RuleType::Allow,
        description: None,
        cidrs: vec![Cidr::parse("192.0.2.0/24").unwrap()],
        created_by: permit.author(),
    };
    house.store.create_ip_restriction(&permit, rule, Some(true)).await.unwrap();
    let office: IpAddr = OFFICE.parse().unwrap();
    // A change of rights has principals read anew, as 2 s would.
    let enter = async |change: &str| {
        house.user(&format!("{change}@example.com"), License::ReadOnly, vec![]).await;
        house.store.authenticate_from(&house.secret, &from(Some(office))).await
    };
    assert!(enter("first").await.unwrap().is_some());
    let raw = house.raw().await;
    let specs =
        [("empty", "{}"), ("no-json", "not JSON"), ("wide", r#"{"cidrs":["192.0.2.0/240"]}"#)];
    for (change, spec) in specs {
        let spoil = format!(
            "UPDATE kept SET spec = '{spec}'; \
             UPDATE accounts SET ip_rules_revision = ip_rules_revision + 1"
        );
        raw.execute_unprepared(&spoil).await.unwrap();
        let refused = enter(change).await;
        assert!(matches!(refused, Err(StoreError::AddressRefused { .. })), "{spec}: {refused:?}");
    }
    let mend = r"UPDATE kept SET spec = json_object('name', 'office', 'type', 1, 'description', NULL,
        'cidrs', json_array('192.0.2.0/24'), 'created_by', json_object('user', 1));
        UPDATE accounts SET ip_rules_revision = ip_rules_revision + 1";
    raw.execute_unprepared(mend).await.unwrap();
    assert!(enter("mended").await.unwrap().is_some());
}

#[tokio::test]
async fn who_has_no_address_is_refused_once_there_are_rules_and_the_process_itself_is_not() {
    let house = house().await;
    let permit = house.permit().await;
    let rule = IpRestriction {
        name: name("nowhere"),
        r#type: RuleType::Deny,
        description: None,
        cidrs: vec![Cidr::parse("203.0.113.0/24").unwrap()],
        created_by: permit.author(),
    };
    house.store.create_ip_restriction(&permit, rule, Some(true)).await.unwrap();
    let refused = house.store.authenticate_from(&house.secret, &from(None)).await;
    assert!(matches!(refused, Err(StoreError::AddressRefused { .. })), "{refused:?}");
    assert!(house.store.authenticate(&house.secret).await.unwrap().is_some());
}
