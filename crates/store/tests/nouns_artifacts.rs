//! Artifacts: where they lie, which one is meant, and what is refused.
#![expect(clippy::unwrap_used, reason = "a failure is a failed test")]

mod artifact_place;
mod common;
mod nouns;

use std::{collections::BTreeSet, fs, path::Path, sync::Arc};

use artifact_place::holds_artifacts;
use bytes::Bytes;
use common::{house, number};
use domain::{
    RunId,
    authz::{Category, Jobs, Permit, Read, Runs},
    lease::Lease,
    run::Outcome,
};
use nouns::{Owner, admin};
use object_store::local::LocalFileSystem;
use sea_orm::ConnectionTrait as _;
use store::{Keyring, Store, StoreError};

async fn put(
    owner: &Owner,
    lease: &Lease,
    step: u32,
    path: &str,
    text: &str,
) -> Result<(), StoreError> {
    let runner = owner.runner().await;
    owner.store.put_artifact(&runner, lease, step, path, text.as_bytes()).await
}

async fn get(
    owner: &Owner,
    run: RunId,
    path: &str,
    step: Option<u32>,
) -> Result<Bytes, StoreError> {
    let permit: Permit<Read, Runs> = owner.permit().await;
    owner.store.artifact(&permit, run, path, step).await?.bytes().await
}

/// Every file below a folder.
fn files(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(
            |path| {
                if path.is_dir() { files(&path) } else { [path.display().to_string()].into() }
            },
        )
        .collect()
}

#[tokio::test]
async fn the_last_step_that_has_it_is_meant_unless_one_is_named() {
    let house = house().await;
    let ada = admin(&house);
    let of = ada.furnish("sales", Category::Staging).await;
    let lease = ada.begin(of.job).await;
    put(&ada, &lease, 1, "manifest.json", "{}").await.unwrap();
    put(&ada, &lease, 4, "manifest.json", "four").await.unwrap();
    put(&ada, &lease, 10, "manifest.json", "ten").await.unwrap();
    put(&ada, &lease, 11, "run_results.json", "eleven").await.unwrap();

    let manifest = async |step| get(&ada, lease.run, "manifest.json", step).await;
    assert_eq!(manifest(None).await.unwrap(), "ten", "by number, not by text");
    assert_eq!(manifest(Some(4)).await.unwrap(), "four");
    assert_eq!(manifest(Some(1)).await.unwrap(), "{}");
    assert!(matches!(manifest(Some(11)).await, Err(StoreError::NotFound)));
    put(&ada, &lease, 10, "manifest.json", "once more").await.unwrap();
    assert_eq!(manifest(None).await.unwrap(), "once more");

    let permit: Permit<Read, Runs> = ada.permit().await;
    let listed = house.store.artifacts(&permit, lease.run).await.unwrap();
    let listed: Vec<_> = listed.iter().map(|a| (a.step, a.path.as_str(), a.size)).collect();
    assert_eq!(
        listed,
        [
            (1, "manifest.json", 2),
            (4, "manifest.json", 4),
            (10, "manifest.json", 9),
            (11, "run_results.json", 6),
        ]
    );
}

#[tokio::test]
async fn a_folder_holds_artifacts_whole_or_not_at_all_and_gives_them_as_they_were_stored() {
    let house = house().await;
    let folder = house.store.data_dir().artifacts();
    let raw = LocalFileSystem::new_with_prefix(folder).unwrap();
    holds_artifacts(&house, Arc::new(raw)).await;
}

#[tokio::test]
async fn a_jobs_artifact_is_of_its_latest_successful_run() {
    let house = house().await;
    let ada = admin(&house);
    let of = ada.furnish("sales", Category::Staging).await;
    let older = ada.begin(of.job).await;
    put(&ada, &older, 1, "catalog.json", "of an older run").await.unwrap();
    ada.finish(&older, Outcome::Success).await;
    let latest = ada.begin(of.job).await;
    put(&ada, &latest, 1, "manifest.json", "latest").await.unwrap();
    ada.finish(&latest, Outcome::Success).await;
    // One that failed, and one that is under way, do not count.
    for outcome in [Some(Outcome::Error), None] {
        let lease = ada.begin(of.job).await;
        put(&ada, &lease, 1, "manifest.json", "no").await.unwrap();
        if let Some(outcome) = outcome {
            ada.finish(&lease, outcome).await;
        }
    }

    let permit: Permit<Read, Runs> = ada.permit().await;
    let fetch =
        async |path: &str| house.store.job_artifact(&permit, of.job, path).await?.bytes().await;
    assert_eq!(fetch("manifest.json").await.unwrap(), "latest");
    assert!(matches!(fetch("catalog.json").await, Err(StoreError::NotFound)));
}

#[tokio::test]
async fn what_a_job_of_an_earlier_version_left_can_be_deferred_to() {
    let house = house().await;
    let ada = admin(&house);
    let of = ada.furnish("sales", Category::Staging).await;
    let other = ada.job(of.project, of.environment).await;
    let raw = house.raw().await;
    for statement in [
        "ALTER TABLE jobs DROP COLUMN \"deferrable\"",
        "ALTER TABLE runs DROP COLUMN used_clone",
        "ALTER TABLE runs DROP COLUMN counts",
        "ALTER TABLE run_usage DROP COLUMN counts",
        "DELETE FROM seaql_migrations WHERE version LIKE 'm0100%'",
    ] {
        raw.execute_unprepared(statement).await.unwrap();
    }
    raw.close().await.unwrap();
    house.store.close().await.unwrap();
    let dir = house.store.data_dir();
    let keyring = Keyring::load_or_create(&dir.keyring()).unwrap();
    let store = Store::open(dir, keyring, house.clock.clone()).await.unwrap();
    let ada = Owner { store, account: ada.account, secret: house.secret.clone() };

    let permit: Permit<Read, Jobs> = ada.permit().await;
    for (job, deferrable) in [(of.job, true), (other, false)] {
        assert_eq!(ada.store.job(&permit, job).await.unwrap().deferrable, deferrable);
    }
}

#[tokio::test]
async fn a_path_that_leads_elsewhere_is_refused_and_leaves_nothing() {
    let house = house().await;
    let ada = admin(&house);
    let of = ada.furnish("sales", Category::Staging).await;
    let lease = ada.begin(of.job).await;
    let before = files(house.folder.path());
    let (long, part) = (format!("{}/x", "d/".repeat(512)), "n".repeat(241));
    let paths = [
        "",
        "/",
        "/etc/passwd",
        "..",
        "../x",
        "a/../../x",
        "a/..",
        "./a",
        "a/./b",
        "a//b",
        "a/",
        "a\\..\\b",
        "a\0b",
        "a\nb",
        &long,
        &part,
    ];
    for path in paths {
        let refused = put(&ada, &lease, 1, path, "x").await;
        let invalid = matches!(refused, Err(StoreError::Invalid { field: "path", .. }));
        assert!(invalid, "{path:?}: {refused:?}");
        let read = get(&ada, lease.run, path, None).await;
        assert!(matches!(read, Err(StoreError::NotFound)), "{path:?}: {read:?}");
    }
    assert_eq!(files(house.folder.path()), before);
    assert_eq!(number(&house.raw().await, "SELECT count(*) FROM artifacts").await, 1);
}

#[tokio::test]
async fn paths_that_look_alike_are_different_files() {
    let house = house().await;
    let ada = admin(&house);
    let of = ada.furnish("sales", Category::Staging).await;
    let lease = ada.begin(of.job).await;
    let paths = [
        "a b.sql",
        "a%20b.sql",
        "a+b.sql",
        "A b.sql",
        "ä.sql",
        "a#1",
        "a~",
        "a:b",
        "...",
        "a*?",
        "run/a b.sql",
        "%2E%2E/x",
    ];
    for path in paths {
        put(&ada, &lease, 2, path, path).await.unwrap();
    }
    for path in paths {
        assert_eq!(get(&ada, lease.run, path, None).await.unwrap(), path.as_bytes(), "{path}");
    }
    let root = house.store.data_dir().artifacts();
    let ours = format!("{}/{}/{}/2/", root.display(), house.account, lease.run);
    let under = files(&root).into_iter().filter(|file| file.starts_with(&ours)).count();
    assert_eq!(under, paths.len(), "each is its own file, in the step's folder");
}

#[tokio::test]
async fn nothing_is_listed_whose_bytes_are_not_there() {
    let house = house().await;
    let ada = admin(&house);
    let of = ada.furnish("sales", Category::Staging).await;
    let lease = ada.begin(of.job).await;
    // The folder that the bytes would go to is a file.
    let run = house.store.data_dir().artifacts().join(format!("{}/{}", house.account, lease.run));
    let step = run.join("7");
    fs::create_dir(&run).unwrap();
    fs::write(&step, "in the way").unwrap();

    let stored = put(&ada, &lease, 7, "manifest.json", "x").await;

    assert!(matches!(stored, Err(StoreError::Unavailable(_))), "{stored:?}");
    let rows = "SELECT count(*) FROM artifacts WHERE step = 7";
    assert_eq!(number(&house.raw().await, rows).await, 0);
    let nobodys =
        put(&ada, &Lease { run: RunId::new(999).unwrap(), ..lease }, 1, "manifest.json", "x").await;
    assert!(matches!(nobodys, Err(StoreError::NotFound)), "{nobodys:?}");
    let place = house.store.data_dir().artifacts().join(format!("{}/999", house.account));
    assert!(!place.exists());
}
