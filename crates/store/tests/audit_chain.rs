//! The audit chain: whole under many writers, and broken by whatever is done to it from outside.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failure is a failed test")]

mod common;

use common::{everywhere, house, name, number, secret};
use domain::{
    audit::BrokenChain,
    authz::{AuditLogs, Permit, Read, SystemTask},
    secret::TokenKind,
};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use sea_orm::{ConnectionTrait as _, DatabaseConnection};
use store::{AuditError, NewServiceToken, StoreError};

/// What somebody may do to the table: each gives the statements.
const COLUMNS: [&str; 11] = [
    "at = at + 1",
    "actor = actor || '0'",
    "event = 'x.' || event",
    "object = replace(object, ':', ':1')",
    "project_id = coalesce(project_id, 0) + 1",
    "change = replace(change, '\"before\":null', '\"before\": null')",
    "change = replace(change, 'Acme', 'Bcme') || ' '",
    "address = '10.0.0.' || seq",
    "agent = agent || ' '",
    "request_id = 'r' || seq",
    "hash = randomblob(32)",
];

fn tamper(rng: &mut StdRng, last: i64) -> String {
    let place = rng.random_range(1..=last);
    let other = (place % last) + 1;
    match rng.random_range(0..12) {
        0..6 => {
            let change = COLUMNS[rng.random_range(0..COLUMNS.len())];
            format!("UPDATE audit_records SET {change} WHERE account_id = 1 AND seq = {place}")
        }
        6 => format!("DELETE FROM audit_records WHERE account_id = 1 AND seq = {place}"),
        // The last record, or the last few.
        7 => format!("DELETE FROM audit_records WHERE account_id = 1 AND seq >= {place}"),
        // The same, with the head moved back to where the chain now ends.
        8 => format!(
            "DELETE FROM audit_records WHERE account_id = 1 AND seq > {};
             UPDATE audit_heads SET seq = {}, hash = (SELECT hash FROM audit_records
                WHERE account_id = 1 AND seq = {}) WHERE account_id = 1",
            last - 1,
            last - 1,
            last - 1
        ),
        // Two records change places.
        9 => format!(
            "UPDATE audit_records SET seq = -1 WHERE account_id = 1 AND seq = {place};
             UPDATE audit_records SET seq = {place} WHERE account_id = 1 AND seq = {other};
             UPDATE audit_records SET seq = {other} WHERE account_id = 1 AND seq = -1"
        ),
        // A record goes over to another account.
        10 => format!(
            "UPDATE audit_records SET account_id = 2, seq = 1000 WHERE account_id = 1 AND seq = {place}"
        ),
        _ => "UPDATE audit_heads SET mac = randomblob(32) WHERE account_id = 1".to_owned(),
    }
}

#[tokio::test]
async fn each_of_a_thousand_random_edits_drops_and_swaps_is_found() {
    let house = house().await;
    for round in 0..20 {
        let (token, _) = house.token("nightly", vec![everywhere("job_admin")], 100 + round).await;
        let renamed = name(&format!("nightly {round}"));
        let permit = house.permit().await;
        house.store.update_service_token(&permit, token.id, common::named(renamed)).await.unwrap();
        house.revoke(token.id).await;
    }
    let last = house.records().await;
    assert_eq!(last, 6 + 60, "six of the account's making, three a token");

    let db = house.raw().await;
    let keep = "CREATE TABLE kept_records AS SELECT * FROM audit_records;
                CREATE TABLE kept_heads AS SELECT * FROM audit_heads";
    let restore = "DELETE FROM audit_records; INSERT INTO audit_records SELECT * FROM kept_records;
                   DELETE FROM audit_heads; INSERT INTO audit_heads SELECT * FROM kept_heads";
    db.execute_unprepared(keep).await.unwrap();

    let permit: Permit<Read, AuditLogs> = house.task(SystemTask::Auditor).await;
    let mut rng = StdRng::seed_from_u64(7);
    let mut done = 0;
    while done < 1_000 {
        let sql = tamper(&mut rng, last);
        db.execute_unprepared(&sql).await.unwrap();
        let same = "SELECT (SELECT count(*) FROM (SELECT * FROM audit_records EXCEPT SELECT * FROM kept_records))
                         + (SELECT count(*) FROM (SELECT * FROM kept_records EXCEPT SELECT * FROM audit_records))
                         + (SELECT count(*) FROM (SELECT * FROM audit_heads EXCEPT SELECT * FROM kept_heads))";
        if number(&db, same).await > 0 {
            done += 1;
            let found = house.store.verify_audit(&permit).await;
            assert!(matches!(found, Err(AuditError::Broken(_))), "{sql}: {found:?}");
        }
        db.execute_unprepared(restore).await.unwrap();
    }
    assert_eq!(house.records().await, last);
}

async fn found_after(sql: &str) -> BrokenChain {
    let house = house().await;
    house.token("nightly", vec![], 2).await;
    house.raw().await.execute_unprepared(sql).await.unwrap();
    let permit = house.task(SystemTask::Auditor).await;
    match house.store.verify_audit(&permit).await {
        Err(AuditError::Broken(broken)) => broken,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_first_bad_record_is_named() {
    let changed = found_after("UPDATE audit_records SET actor = 'user:9' WHERE seq = 2").await;
    let dropped = found_after("DELETE FROM audit_records WHERE seq = 3").await;
    let cut = found_after("DELETE FROM audit_records WHERE seq = 7").await;
    let beheaded = found_after("DELETE FROM audit_heads").await;
    let wiped = found_after("DELETE FROM audit_heads; DELETE FROM audit_records").await;

    assert_eq!(changed.to_string(), "record 2 of account 1 was changed");
    assert_eq!(dropped.to_string(), "record 3 of account 1 is missing: 4 stands in its place");
    assert!(cut.to_string().contains("should end with record 7, and ends with 6"));
    assert!(matches!(beheaded, BrokenChain::WrongEnd { found: 7, .. }), "{beheaded}");
    assert!(matches!(wiped, BrokenChain::WrongEnd { expected: 1, found: 0, .. }), "{wiped}");
}

#[tokio::test]
async fn nothing_is_built_upon_a_head_that_is_not_ours() {
    let house = house().await;
    let cut = "DELETE FROM audit_records WHERE seq = 3;
               UPDATE audit_heads SET seq = 2, hash = (SELECT hash FROM audit_records WHERE seq = 2)";
    house.raw().await.execute_unprepared(cut).await.unwrap();

    let new = NewServiceToken { name: name("nightly"), grants: vec![], end: None };
    let secret = secret(TokenKind::Service, 2);
    let made = house.store.create_service_token(&house.permit().await, new, &secret).await;

    assert!(matches!(made, Err(StoreError::Corrupt(_))), "{made:?}");
}

async fn counts(db: &DatabaseConnection) -> Vec<i64> {
    let mut counts = Vec::new();
    let tables = ["service_tokens", "service_token_permissions", "events", "audit_records"];
    for table in tables {
        counts.push(number(db, &format!("SELECT count(*) FROM {table}")).await);
    }
    counts
}

#[tokio::test]
async fn a_token_change_whose_audit_record_cannot_be_written_leaves_nothing() {
    let house = house().await;
    let (token, secret_of_token) = house.token("kept", vec![everywhere("job_viewer")], 2).await;
    let db = house.raw().await;
    let before = counts(&db).await;
    let refuse = "CREATE TRIGGER refuse BEFORE INSERT ON audit_records
                  BEGIN SELECT RAISE(ABORT, 'the disk is full'); END";
    db.execute_unprepared(refuse).await.unwrap();

    let permit = house.permit().await;
    let store = &house.store;
    let unwritten = secret(TokenKind::Service, 3);
    let new =
        NewServiceToken { name: name("lost"), grants: vec![everywhere("job_admin")], end: None };
    let created = store.create_service_token(&permit, new, &unwritten).await.map(drop);
    let replaced = store.replace_grants(&permit, token.id, vec![]).await.map(drop);
    let renamed =
        store.update_service_token(&permit, token.id, common::named(name("lost"))).await.map(drop);
    let revoked = store.revoke_service_token(&permit, token.id).await.map(drop);

    for outcome in [created, replaced, renamed, revoked] {
        assert!(matches!(outcome, Err(StoreError::Unavailable(_))), "{outcome:?}");
    }
    assert_eq!(counts(&db).await, before);
    assert_eq!(house.read(token.id).await.unwrap(), token);
    assert!(house.caller(&secret_of_token).await.is_some());
    assert!(house.caller(&unwritten).await.is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn writers_at_the_same_time_queue_and_the_chain_stays_whole() {
    let house = house().await;
    let permit = house.permit().await;
    let before = house.records().await;

    let writers = (0..32).map(|writer| {
        let (store, permit) = (house.store.clone(), permit.clone());
        tokio::spawn(async move {
            for round in 0..5 {
                let new = NewServiceToken { name: name("nightly"), grants: vec![], end: None };
                let secret = secret(TokenKind::Service, 1_000 + writer * 5 + round);
                store.create_service_token(&permit, new, &secret).await.unwrap();
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }

    assert_eq!(house.records().await, before + 32 * 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_writer_that_goes_away_half_way_leaves_a_whole_chain_and_blocks_nobody() {
    let house = house().await;
    let permit = house.permit().await;
    for round in 0..100 {
        let (store, permit) = (house.store.clone(), permit.clone());
        let writer = tokio::spawn(async move {
            let new = NewServiceToken { name: name("nightly"), grants: vec![], end: None };
            let secret = secret(TokenKind::Service, 5_000 + round);
            store.create_service_token(&permit, new, &secret).await
        });
        tokio::time::sleep(std::time::Duration::from_micros(100 * round)).await;
        writer.abort();
    }

    house.token("the last", vec![], 2).await;

    let records = house.records().await;
    let tokens = number(&house.raw().await, "SELECT count(*) FROM service_tokens").await;
    assert_eq!(records, tokens + 6, "a record for each token, and six of the account's making");
    assert!((2..101).contains(&tokens), "some were made and some were not: {tokens}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_processes_on_one_folder_write_one_chain() {
    let house = house().await;
    let dir = house.store.data_dir().clone();
    let keyring = store::Keyring::load_or_create(&dir.keyring()).unwrap();
    let other = store::Store::open(&dir, keyring, house.clock.clone()).await.unwrap();
    let permit = house.permit().await;
    let before = house.records().await;

    let write = async |store: store::Store, from: u64| {
        for seed in from..from + 25 {
            let new = NewServiceToken { name: name("nightly"), grants: vec![], end: None };
            let secret = secret(TokenKind::Service, seed);
            store.create_service_token(&permit, new, &secret).await.unwrap();
        }
    };
    tokio::join!(write(house.store.clone(), 2_000), write(other, 3_000));

    assert_eq!(house.records().await, before + 50);
}

#[tokio::test]
async fn records_say_who_what_before_and_after() {
    let house = house().await;
    let (token, _) = house.token("nightly", vec![everywhere("job_viewer")], 2).await;
    let permit = house.permit().await;
    let wider = vec![everywhere("job_admin")];
    house.store.replace_grants(&permit, token.id, wider).await.unwrap();

    let records = house.store.audit_records(&house.permit().await, 6, 10).await.unwrap();

    let [created, replaced] = records.as_slice() else { panic!("{records:?}") };
    assert_eq!((created.actor.as_str(), created.object.as_str()), ("user:1", "service_token:1"));
    assert_eq!(created.event, "service_token.created");
    assert_eq!(created.change["before"], serde_json::Value::Null);
    assert_eq!(replaced.event, "service_token.grants_replaced");
    assert_eq!(replaced.change["before"]["grants"][0]["permission_set"], "job_viewer");
    let expected = serde_json::json!([{
        "permission_set": "job_admin",
        "project_id": null,
        "writable_environment_categories": [],
    }]);
    assert_eq!(replaced.change["after"]["grants"], expected);
}
