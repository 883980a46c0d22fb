//! Rotation never widens, never lengthens, and locks nobody out. SECURITY lines 26 and 27.

mod common;

use common::{House, everywhere, house, number};
use domain::{
    Timestamp,
    authz::{Origin, Permit, ServiceTokens, SystemTask, Write},
    secret::{TokenKind, TokenSecret},
    service_token::{ServiceToken, TokenState},
    token_policy::End,
    token_rotation::{ReplayKey, Rotation},
};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use sea_orm::ConnectionTrait as _;
use store::{ImportedToken, StoreError, TokenChange};

fn how(overlap: u32, after: Option<u32>) -> Rotation {
    Rotation { overlap_minutes: Some(overlap), minutes_after_first_use: after }
}

async fn rotate(
    house: &House,
    token: &ServiceToken,
    how: Rotation,
    seed: u64,
) -> Result<(ServiceToken, TokenSecret), StoreError> {
    let (permit, new) = (house.permit().await, common::secret(TokenKind::Service, seed));
    let rotated = house.store.rotate_service_token(&permit, token.id, how, new, None).await?;
    Ok((rotated.token, rotated.secret))
}

async fn opens(house: &House, secret: &TokenSecret) -> bool {
    house.caller(secret).await.is_some()
}

/// A house whose admin's token does not end by itself, however far a test sets the clock.
async fn lasting_house() -> House {
    let house = house().await;
    let db = house.raw().await;
    db.execute_unprepared("UPDATE personal_tokens SET expires_at = NULL").await.expect("it lasts");
    house
}

/// How many rotations there are in the ordinary tests; `NARROWGATE_ROTATIONS` says another number.
fn rotations() -> u64 {
    let said = std::env::var("NARROWGATE_ROTATIONS").ok();
    said.map_or(100, |text| text.parse().expect("a number"))
}

/// The client presents the old secret until a random moment of the overlap, then the new one; uses
/// are written down at random moments, and each rotation ends in its own way.
#[tokio::test]
async fn a_client_that_swaps_at_a_random_moment_of_the_overlap_is_never_refused() {
    let house = lasting_house().await;
    let mut rng = StdRng::seed_from_u64(7);
    let (mut token, mut old) = house.token("nightly", vec![everywhere("job_admin")], 2).await;
    let (mut uses, rotations) = (0_u64, rotations());
    for seed in 0..rotations {
        let (overlap, after) = (rng.random_range(1..=600), rng.random_range(1..=60));
        let chosen = how(overlap, rng.random_bool(0.5).then_some(after));
        let (rotated, new) = rotate(&house, &token, chosen, 1_000 + seed).await.unwrap();
        let swap = rng.random_range(0..i64::from(overlap) * 60);
        let begun = house.clock.now();
        let mut moments: Vec<i64> = (0..3).map(|_| rng.random_range(0..=swap)).collect();
        moments.sort_unstable();
        for moment in moments {
            house.clock.set(begun.plus_seconds(moment));
            assert!(opens(&house, &old).await, "{chosen:?}: the old secret after {moment} s");
            uses += 1;
        }
        house.clock.set(begun.plus_seconds(swap));
        for secret in [&old, &new] {
            assert!(opens(&house, secret).await, "{chosen:?}: at the swap, after {swap} s");
            uses += 1;
        }
        if rng.random_bool(0.3) {
            house.store.flush_last_used().await.unwrap();
        }
        house.clock.set(begun.plus_seconds(i64::from(overlap) * 60));
        assert!(!opens(&house, &old).await, "{chosen:?}: the old secret after its end");
        assert!(opens(&house, &new).await);
        (token, old) = (rotated, new);
    }
    println!("{rotations} rotations, {uses} uses, 0 refused");
    let known = "SELECT count(*) FROM service_token_credentials";
    assert!(number(&house.raw().await, known).await <= 10, "a token has a bounded number of them");
}

#[tokio::test]
async fn an_old_secret_ends_so_long_after_the_new_ones_first_use_and_at_its_deadline_at_the_latest()
{
    let house = house().await;
    let (token, old) = house.token("nightly", vec![], 2).await;
    let begun = house.clock.now();
    let (_, new) = rotate(&house, &token, how(60, Some(10)), 3).await.unwrap();

    house.clock.set(begun.plus_seconds(1_200));
    assert!(opens(&house, &new).await);
    house.clock.set(begun.plus_seconds(1_210));
    assert!(opens(&house, &new).await, "a later use changes nothing");
    house.store.flush_last_used().await.unwrap();
    house.clock.set(begun.plus_seconds(1_799));
    assert!(opens(&house, &old).await);
    house.clock.set(begun.plus_seconds(1_800));
    assert!(!opens(&house, &old).await);

    let begun = house.clock.now();
    let (_, newest) = rotate(&house, &token, how(60, Some(10)), 4).await.unwrap();
    house.clock.set(begun.plus_seconds(3_599));
    assert!(opens(&house, &new).await && opens(&house, &newest).await);
    house.store.flush_last_used().await.unwrap();
    house.clock.set(begun.plus_seconds(3_600));
    assert!(!opens(&house, &new).await, "the deadline comes first");
}

#[tokio::test]
async fn without_an_overlap_the_old_secret_ends_with_the_answer_and_what_it_was_doing_is_not_done()
{
    let house = house().await;
    let (token, old) = house.token("leaked", vec![everywhere("account_admin")], 2).await;
    let late: Permit<Write, ServiceTokens> = house.permit_of(&old).await;

    let (_, new) = rotate(&house, &token, how(0, None), 3).await.unwrap();

    assert!(!opens(&house, &old).await);
    assert!(opens(&house, &new).await);
    let change = common::named(common::name("late"));
    let written = house.store.update_service_token(&late, token.id, change).await;
    assert!(matches!(written, Err(StoreError::CredentialChanged)), "{written:?}");
}

/// What a token holds, when its secrets end, and what its state is.
type Reach = (Vec<domain::authz::Grant>, Vec<Option<Timestamp>>, TokenState);

async fn reach(house: &House, token: &ServiceToken) -> Reach {
    let token = house.read(token.id).await.expect("it is there");
    let ends = token.credentials.iter().map(|one| one.life.ends_at()).collect();
    (token.granted(), ends, token.state)
}

/// An end that is not later than another; `None` is never.
fn not_later(end: Option<Timestamp>, other: Option<Timestamp>) -> bool {
    other.is_none_or(|other| end.is_some_and(|end| end <= other))
}

#[tokio::test]
async fn no_rotation_widens_a_token_or_lengthens_a_secret() {
    let house = lasting_house().await;
    let mut rng = StdRng::seed_from_u64(11);
    let sets = ["job_admin", "job_viewer", "metadata_only", "account_admin"];
    for case in 0..60_u64 {
        let grants: Vec<_> =
            sets.iter().filter(|_| rng.random_bool(0.5)).map(|set| everywhere(set)).collect();
        let (token, _) = house.token("any", grants, 10_000 + case * 10).await;
        if rng.random_bool(0.5) {
            let end = End::At(house.clock.now().plus_seconds(rng.random_range(1..20_000)));
            let change = TokenChange { end: Some(end), ..TokenChange::default() };
            house
                .store
                .update_service_token(&house.permit().await, token.id, change)
                .await
                .unwrap();
        }
        for step in 1..6 {
            let before = reach(&house, &token).await;
            let chosen = how(rng.random_range(0..=200), rng.random_bool(0.5).then_some(1));
            let seed = 10_000 + case * 10 + step;
            let done = match rng.random_range(0..3) {
                0 => house.store.cancel_rotation(&house.permit().await, token.id).await.is_ok(),
                _ => rotate(&house, &token, chosen, seed).await.is_ok(),
            };
            let after = reach(&house, &token).await;
            assert_eq!(after.0, before.0, "the grants are the same");
            assert!(after.2 == before.2);
            if !done {
                assert_eq!(after, before);
            }
            // No secret, old or new, outlives what the token had before: of one that ends, none is
            // without an end.
            let latest = house.read(token.id).await.unwrap().credentials[0].life.expires_at;
            for end in &after.1 {
                assert!(not_later(*end, latest), "{before:?} {after:?}");
            }
            // A rotation takes from the secrets that there were, and never gives.
            if done && after.1.len() > before.1.len() {
                for (end, was) in after.1.iter().zip(&before.1) {
                    assert!(not_later(*end, *was), "{before:?} {after:?}");
                }
            }
            let gone = rng.random_range(0..8_000);
            house.clock.set(house.clock.now().plus_seconds(gone));
        }
        house.revoke(token.id).await;
    }
}

#[tokio::test]
async fn a_token_is_rotated_only_by_who_holds_what_it_holds_and_only_while_it_works() {
    let house = house().await;
    let (token, _) = house.token("nightly", vec![everywhere("job_admin")], 2).await;
    let importer: Permit<Write, ServiceTokens> = house.task(SystemTask::Importer).await;
    let new = common::secret(TokenKind::Service, 3);
    let less = house.store.rotate_service_token(&importer, token.id, how(1, None), new, None).await;
    assert!(matches!(less, Err(StoreError::Exceeds(_))), "{less:?}");

    let permit: Permit<Write, ServiceTokens> = house.permit().await;
    let change = async |change| {
        house.store.update_service_token(&permit, token.id, change).await.unwrap();
    };
    let said = async |seed| {
        let refused = rotate(&house, &token, how(1, None), seed).await.unwrap_err();
        assert!(matches!(refused, StoreError::Conflict(_)), "{refused:?}");
        refused.to_string()
    };
    change(TokenChange { disabled: Some(true), ..TokenChange::default() }).await;
    assert!(said(4).await.contains("is disabled"));
    change(TokenChange { disabled: Some(false), ..TokenChange::default() }).await;
    rotate(&house, &token, how(1, None), 5).await.unwrap();
    assert!(said(6).await.contains("already"));
    let end = End::At(house.clock.now().plus_seconds(60));
    change(TokenChange { end: Some(end), ..TokenChange::default() }).await;
    house.clock.set(house.clock.now().plus_seconds(60));
    assert!(said(7).await.contains("has expired"));
    house.revoke(token.id).await;
    let gone = rotate(&house, &token, how(1, None), 8).await;
    assert!(matches!(gone, Err(StoreError::NotFound)), "{gone:?}");
}

#[tokio::test]
async fn an_imported_token_opens_what_it_was_granted_once_it_is_rotated_and_is_advised_no_more() {
    let house = house().await;
    let old = ImportedToken {
        name: common::name("old"),
        grants: vec![everywhere("job_admin")],
        created_at: Timestamp::parse("2023-07-18").unwrap(),
        last_used: None,
    };
    let permit = house.task(SystemTask::Importer).await;
    let made = house.store.import_service_tokens(&permit, vec![old]).await.unwrap();
    assert!(made[0].advisory().is_some());

    let (token, secret) = rotate(&house, &made[0], Rotation::default(), 3).await.unwrap();

    assert!(token.advisory().is_none());
    assert_eq!(token.state, TokenState::Active);
    assert_eq!(token.created_at, made[0].created_at);
    let caller = house.caller(&secret).await.unwrap();
    assert_eq!(caller.principal().grants(), [everywhere("job_admin")]);
}

#[tokio::test]
async fn a_cancelled_rotation_leaves_the_old_secret_as_it_was_and_the_new_one_nothing() {
    let house = house().await;
    let (token, old) = house.token("nightly", vec![], 2).await;
    let before = house.read(token.id).await.unwrap().credentials;
    let (_, new) = rotate(&house, &token, how(60, Some(1)), 3).await.unwrap();
    assert!(opens(&house, &new).await);

    let cancelled = house.store.cancel_rotation(&house.permit().await, token.id).await.unwrap();

    assert_eq!(cancelled.credentials, before);
    assert!(!opens(&house, &new).await);
    house.clock.set(house.clock.now().plus_seconds(1_000_000));
    assert!(opens(&house, &old).await);
    let again = house.store.cancel_rotation(&house.permit().await, token.id).await;
    assert!(matches!(again, Err(StoreError::Conflict(_))), "{again:?}");
    rotate(&house, &token, how(0, None), 4).await.unwrap();
    let late = house.store.cancel_rotation(&house.permit().await, token.id).await;
    assert!(matches!(late, Err(StoreError::Conflict(_))), "nobody is locked out: {late:?}");
}

#[tokio::test]
async fn a_shorter_life_of_a_token_ends_its_old_secret_too_and_a_longer_one_does_not_prolong_it() {
    let house = house().await;
    let (token, old) = house.token("nightly", vec![], 2).await;
    let begun = house.clock.now();
    let (_, new) = rotate(&house, &token, how(10_080, None), 3).await.unwrap();
    let ends = async |seconds| {
        let end = Some(End::At(begun.plus_seconds(seconds)));
        let change = TokenChange { end, ..TokenChange::default() };
        house.store.update_service_token(&house.permit().await, token.id, change).await.unwrap();
    };
    ends(60).await;
    ends(600).await;

    house.clock.set(begun.plus_seconds(60));
    assert!(!opens(&house, &old).await);
    assert!(opens(&house, &new).await);
}

#[tokio::test]
async fn an_answer_is_kept_sealed_and_wiped_after_ten_minutes() {
    let house = house().await;
    let (token, _) = house.token("nightly", vec![], 2).await;
    let key = ReplayKey::parse("a-key").unwrap();
    let again = async |seed| {
        let (permit, new) = (house.permit().await, common::secret(TokenKind::Service, seed));
        house.store.rotate_service_token(&permit, token.id, how(60, None), new, Some(key)).await
    };
    let first = again(3).await.unwrap();
    assert!(again(4).await.unwrap().secret == first.secret);
    let db = house.raw().await;
    let kept = "SELECT count(*) FROM token_rotations";
    assert_eq!(number(&db, kept).await, 1);
    let plain = format!(
        "SELECT count(*) FROM token_rotations WHERE instr(secret, '{}')",
        first.secret.reveal()
    );
    assert_eq!(number(&db, &plain).await, 0);

    house.clock.set(house.clock.now().plus_seconds(600));
    house.store.forget_answers().await.unwrap();
    assert_eq!(number(&db, kept).await, 0);
    assert!(matches!(again(5).await, Err(StoreError::Conflict(_))));
}

#[tokio::test]
async fn who_sends_an_old_secret_is_listed_and_in_the_audit_once_it_is_over() {
    let house = house().await;
    let (token, old) = house.token("nightly", vec![], 2).await;
    rotate(&house, &token, how(1, None), 3).await.unwrap();
    let send = async |address: &str, agent: &str| {
        let address = Some(address.parse().unwrap());
        let origin = Origin { address, agent: agent.to_owned(), request_id: String::new() };
        let found = house.store.authenticate_from(&old, &origin).await.unwrap();
        house.store.flush_last_used().await.unwrap();
        found.is_some()
    };
    let before = house.records().await;
    assert!(send("192.0.2.1", "cron").await);
    assert_eq!(house.records().await, before, "during the overlap it is no event");

    house.clock.set(house.clock.now().plus_seconds(60));
    for _ in 0..3 {
        assert!(!send("192.0.2.1", "cron").await);
    }
    assert!(!send("2001:db8::7", "forgotten").await);

    assert_eq!(house.records().await, before + 2, "one for each sender");
    let query = domain::list::ListQuery::first_page();
    let permit = house.permit().await;
    let listed = house.store.token_credentials(&permit, &query).await.unwrap().rows;
    let senders = &listed.iter().find(|(_, one, _)| one.life.retires_at.is_some()).unwrap().2;
    let told: Vec<_> =
        senders.iter().map(|one| (one.agent.as_str(), one.refused, one.address)).collect();
    assert_eq!(told.len(), 2);
    assert!(told.contains(&("cron", true, Some("192.0.2.1".parse().unwrap()))));
    assert!(told.contains(&("forgotten", true, Some("2001:db8::7".parse().unwrap()))));
}

#[tokio::test]
async fn senders_of_an_old_secret_are_bounded() {
    let house = house().await;
    let (token, old) = house.token("nightly", vec![], 2).await;
    rotate(&house, &token, how(0, None), 3).await.unwrap();
    for agent in 0..150 {
        let origin = Origin { agent: agent.to_string(), ..Origin::local() };
        assert!(house.store.authenticate_from(&old, &origin).await.unwrap().is_none());
    }
    house.store.flush_last_used().await.unwrap();
    let kept = "SELECT count(*) FROM old_secret_uses";
    assert_eq!(number(&house.raw().await, kept).await, 100);
}
