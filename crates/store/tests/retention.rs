//! How long artifacts are kept, and that they are what was stored.
#![expect(clippy::unwrap_used, reason = "a failure is a failed test")]

mod common;
mod nouns;

use std::{fs, path::PathBuf};

use bytes::Bytes;
use common::{House, house, number};
use domain::{
    JobId, RunId,
    authz::{Category, Permit, Read, Runs, SystemTask, Write},
    run::Outcome,
};
use nouns::{Owner, admin};
use sea_orm::ConnectionTrait as _;
use store::{DebugLog, StoreError};

const DAY: i64 = 24 * 60 * 60;

/// A run that left these and ended so.
async fn left(ada: &Owner, job: JobId, paths: &[&str], outcome: Outcome) -> RunId {
    let lease = ada.begin(job).await;
    let (run, runner) = (lease.run, ada.runner().await);
    for path in paths {
        let text = format!("{path} of {run}");
        ada.store.put_artifact(&runner, &lease, 1, path, text.as_bytes()).await.unwrap();
    }
    ada.finish(&lease, outcome).await;
    run
}

async fn get(ada: &Owner, run: RunId, path: &str) -> Result<Bytes, StoreError> {
    let permit: Permit<Read, Runs> = ada.permit().await;
    ada.store.artifact(&permit, run, path, None).await?.bytes().await
}

/// Removes what ended more than so many days ago; gives of how many runs.
async fn prune(house: &House, days: i64) -> usize {
    let permit: Permit<Write, Runs> = house.task(SystemTask::Keeper).await;
    let before = house.clock.now().plus_seconds(-DAY * days);
    house.store.prune_artifacts(&permit, before).await.unwrap()
}

fn wait(house: &House, days: i64) {
    house.clock.set(house.clock.now().plus_seconds(DAY * days));
}

/// Where the bytes of a run lie.
fn folder(house: &House, run: RunId) -> PathBuf {
    let artifacts = house.store.data_dir().artifacts();
    artifacts.join(house.account.to_string()).join(run.to_string())
}

#[tokio::test]
async fn old_artifacts_go_with_their_bytes_and_say_so_and_what_others_build_on_stays() {
    let house = house().await;
    let ada = admin(&house);
    let of = ada.furnish("sales", Category::Staging).await;
    let docs = left(&ada, of.job, &["catalog.json"], Outcome::Success).await;
    let sources = left(&ada, of.job, &["sources.json"], Outcome::Error).await;
    let good = left(&ada, of.job, &["manifest.json"], Outcome::Success).await;
    let failed = left(&ada, of.job, &["manifest.json"], Outcome::Error).await;
    wait(&house, 7);
    let young = left(&ada, of.job, &["manifest.json"], Outcome::Error).await;
    assert_eq!(prune(&house, 8).await, 0);
    assert_eq!(prune(&house, 7).await, 0, "they are as old, and not older");
    wait(&house, 1);

    // The furnished run, and the failed one: neither is the newest of a kind.
    assert_eq!(prune(&house, 7).await, 2);
    assert_eq!(prune(&house, 7).await, 0);
    for run in [of.run, failed] {
        let gone = get(&ada, run, "manifest.json").await;
        let Err(StoreError::Missing(reason)) = gone else { panic!("{gone:?}") };
        assert_eq!(reason, "removed by retention at 2026-12-01T12:00:00.000000+00:00");
        assert!(!folder(&house, run).exists(), "{run}");
        let permit: Permit<Read, Runs> = ada.permit().await;
        assert!(ada.store.artifacts(&permit, run).await.unwrap().is_empty());
    }
    for (run, path) in [
        (docs, "catalog.json"),
        (sources, "sources.json"),
        (good, "manifest.json"),
        (young, "manifest.json"),
    ] {
        assert_eq!(get(&ada, run, path).await.unwrap(), format!("{path} of {run}"));
    }
    // Of a run that keeps its artifacts, one that is not there is just that.
    assert!(matches!(get(&ada, good, "none.json").await, Err(StoreError::NotFound)));
    house.records().await;
}

#[tokio::test]
async fn the_keeper_alone_removes_and_in_its_own_account() {
    let house = house().await;
    let ada = admin(&house);
    let of = ada.furnish("sales", Category::Staging).await;
    left(&ada, of.job, &["manifest.json"], Outcome::Success).await;
    let bob = nouns::neighbour(&house).await;
    let theirs = bob.furnish("hr", Category::Staging).await;
    left(&bob, theirs.job, &["manifest.json"], Outcome::Success).await;
    wait(&house, 1);
    let permit: Permit<Write, Runs> = ada.permit().await;
    let refused = house.store.prune_artifacts(&permit, house.clock.now()).await;
    assert!(matches!(refused, Err(StoreError::Denied(_))), "{refused:?}");
    assert_eq!(prune(&house, 0).await, 1);
    assert!(folder(&house, of.run).parent().unwrap().exists());
    assert!(get(&bob, theirs.run, "manifest.json").await.is_ok());
}

#[tokio::test]
async fn bytes_that_a_stopped_server_left_are_swept_by_the_next() {
    let house = house().await;
    let ada = admin(&house);
    let of = ada.furnish("sales", Category::Staging).await;
    left(&ada, of.job, &["manifest.json"], Outcome::Success).await;
    wait(&house, 1);
    assert_eq!(prune(&house, 0).await, 1);
    // As if it had stopped between the rows and the bytes.
    let place = folder(&house, of.run).join("1");
    fs::create_dir_all(&place).unwrap();
    fs::write(place.join("manifest.json"), "left").unwrap();
    let raw = house.raw().await;
    raw.execute_unprepared("UPDATE artifact_prunings SET swept = 0").await.unwrap();
    assert!(matches!(get(&ada, of.run, "manifest.json").await, Err(StoreError::Missing(_))));

    assert_eq!(prune(&house, 0).await, 0);
    assert!(!place.join("manifest.json").exists());
    assert_eq!(number(&raw, "SELECT COUNT(*) FROM artifact_prunings WHERE swept = 1").await, 1);
}

#[tokio::test]
async fn an_artifact_that_is_not_what_was_stored_is_not_given() {
    let house = house().await;
    let ada = admin(&house);
    let of = ada.furnish("sales", Category::Staging).await;
    let run = left(&ada, of.job, &["manifest.json"], Outcome::Success).await;
    let file = folder(&house, run).join("1/manifest.json");
    assert_eq!(fs::read_to_string(&file).unwrap(), format!("manifest.json of {run}"));
    fs::write(&file, format!("manifest.json of {}", run.get() + 1)).unwrap();
    let damaged = get(&ada, run, "manifest.json").await;
    assert!(matches!(damaged, Err(StoreError::Corrupt(_))), "{damaged:?}");
    // One from before there were digests is given as it is.
    let raw = house.raw().await;
    raw.execute_unprepared("UPDATE artifacts SET sha256 = NULL").await.unwrap();
    assert!(get(&ada, run, "manifest.json").await.is_ok());
}

#[tokio::test]
async fn bytes_without_a_row_are_no_artifact() {
    let house = house().await;
    let ada = admin(&house);
    let of = ada.furnish("sales", Category::Staging).await;
    let place = folder(&house, of.run).join("1");
    fs::write(place.join("half.json"), "half").unwrap();
    assert!(matches!(get(&ada, of.run, "half.json").await, Err(StoreError::NotFound)));
    let permit: Permit<Read, Runs> = ada.permit().await;
    let listed = ada.store.artifacts(&permit, of.run).await.unwrap();
    assert!(!listed.iter().any(|artifact| artifact.path == "half.json"));
}

#[tokio::test]
async fn old_leases_are_forgotten_and_their_runs_still_tell_who_executed_them() {
    let house = house().await;
    let ada = admin(&house);
    let of = ada.furnish("sales", Category::Staging).await;
    let old = left(&ada, of.job, &[], Outcome::Success).await;
    wait(&house, 20);
    let young = left(&ada, of.job, &[], Outcome::Success).await;
    let open = ada.begin(of.job).await;
    let (before, raw) = (house.clock.now().plus_seconds(-DAY * 10), house.raw().await);

    let refused = house.store.forget_leases(&ada.permit().await, before).await;
    assert!(matches!(refused, Err(StoreError::Denied(_))), "{refused:?}");
    let permit: Permit<Write, Runs> = house.task(SystemTask::Keeper).await;
    // The furnished run is as old.
    assert_eq!(house.store.forget_leases(&permit, before).await.unwrap(), 2);
    assert_eq!(house.store.forget_leases(&permit, before).await.unwrap(), 0);

    let leases = async |run: RunId| {
        number(&raw, &format!("SELECT count(*) FROM run_leases WHERE run_id = {run}")).await
    };
    assert_eq!([leases(old).await, leases(young).await, leases(open.run).await], [0, 1, 1]);
    let run = ada.run(old).await;
    assert_eq!(run.worker.as_deref(), Some(common::worker().name.as_str()));
    assert!(run.heartbeat_at.is_some());
    ada.finish(&open, Outcome::Success).await;
}

#[tokio::test]
async fn dbts_own_logs_go_with_the_artifacts() {
    let house = house().await;
    let ada = admin(&house);
    // It has an artifact and both logs.
    let of = ada.furnish("sales", Category::Staging).await;
    left(&ada, of.job, &["manifest.json"], Outcome::Success).await;
    let permit: Permit<Read, Runs> = ada.permit().await;
    let found = async || house.store.run_step(&permit, of.step, DebugLog::Whole).await.unwrap();
    assert!(found().await.debug_log.is_some());
    wait(&house, 1);

    assert_eq!(prune(&house, 0).await, 1);

    let found = found().await;
    assert_eq!((found.debug_log, found.log.as_str()), (None, "done\n"));
}
