//! What runs left becomes what is known of an environment.
#![expect(clippy::unwrap_used, reason = "a failure is a failed test")]

mod common;
mod nouns;

use std::sync::Arc;

use common::{House, house};
use domain::{
    EnvironmentId, RunId,
    artifact::{Catalog, Manifest, RunResults, Sources, Status},
    authz::{Category, Metadata, Permit, Read, Runs, SystemTask, Write},
    discovery::{Fold, Invocation, ProjectState},
    run::Outcome,
};
use nouns::{Furnished, Owner, admin, holder, on};
use serde_json::Value;
use store::{DataDir, Keyring, Store, StoreError};

const MANIFEST: &[u8] = include_bytes!("../../domain/tests/artifacts/manifest.json");
const RESULTS: &[u8] = include_bytes!("../../domain/tests/artifacts/run_results.json");
const SOURCES: &[u8] = include_bytes!("../../domain/tests/artifacts/sources.json");
const CATALOG: &[u8] = include_bytes!("../../domain/tests/artifacts/catalog.json");
const LATER: [(&str, &[u8]); 2] = [
    ("manifest.json", include_bytes!("../../domain/tests/artifacts/run2_error/manifest.json")),
    (
        "run_results.json",
        include_bytes!("../../domain/tests/artifacts/run2_error/run_results.json"),
    ),
];

/// An artifact that is left: its path and its bytes.
type Left<'a> = (&'a str, &'a [u8]);

/// The steps of a whole run.
fn whole() -> [Vec<(&'static str, &'static [u8])>; 3] {
    [
        vec![("manifest.json", MANIFEST), ("run_results.json", RESULTS)],
        vec![("sources.json", SOURCES)],
        vec![("manifest.json", MANIFEST), ("catalog.json", CATALOG)],
    ]
}

/// A run with such steps, and what was said of them.
async fn left(
    ada: &Owner,
    of: &Furnished,
    steps: &[Vec<(&str, &[u8])>],
    outcome: Outcome,
) -> (RunId, Vec<String>) {
    let (lease, runner) = (ada.begin(of.job).await, ada.runner().await);
    let mut notes = Vec::new();
    for (step, artifacts) in (1..).zip(steps) {
        for (path, bytes) in artifacts {
            ada.store.put_artifact(&runner, &lease, step, path, *bytes).await.unwrap();
        }
        notes.extend(ada.store.fold_step(&runner, &lease, step, None).await.unwrap());
    }
    ada.finish(&lease, outcome).await;
    (lease.run, notes)
}

async fn state(of: &Owner, id: EnvironmentId) -> Result<Arc<ProjectState>, StoreError> {
    let permit: Permit<Read, Metadata> = of.permit().await;
    of.store.project_state(&permit, id).await
}

/// The same, folded without a database.
fn folded(of: &Furnished, first: RunId, later: RunId) -> ProjectState {
    let mut fold = Fold::default();
    for (run, step, path, bytes) in [
        (first, 1, "run_results.json", RESULTS),
        (first, 2, "sources.json", SOURCES),
        (first, 3, "catalog.json", CATALOG),
        (later, 1, LATER[0].0, LATER[0].1),
        (later, 1, LATER[1].0, LATER[1].1),
    ] {
        let at = (run, step);
        match path {
            "manifest.json" => {
                let read = Manifest::parse(bytes).unwrap();
                fold.manifest(Invocation::new(at, of.job, &read.metadata), read);
            }
            "catalog.json" => {
                let read = Catalog::parse(bytes).unwrap();
                fold.catalog(Invocation::new(at, of.job, &read.metadata), read);
            }
            "sources.json" => {
                let read = Sources::parse(bytes).unwrap();
                fold.sources(Invocation::new(at, of.job, &read.metadata), read);
            }
            _ => {
                let read = RunResults::parse(bytes).unwrap();
                fold.results(Invocation::of_results(at, of.job, &read), read);
            }
        }
    }
    fold.finish()
}

/// As text, but for seconds: the database keeps whole microseconds.
fn told(state: &ProjectState) -> String {
    let seconds = ["execution_time: Some(", "elapsed_time: Some("];
    seconds.iter().fold(format!("{state:?}"), |text, key| {
        let mut parts = text.split(key);
        let mut told = vec![parts.next().unwrap().to_owned()];
        told.extend(parts.map(|part| {
            let (number, rest) = part.split_once(')').unwrap();
            format!("{:.6}){rest}", number.parse::<f64>().unwrap())
        }));
        told.join(key)
    })
}

async fn reopened(house: &House) -> Store {
    let dir = DataDir::new(house.folder.path().join("data"));
    let keyring = Keyring::load_or_create(&dir.keyring()).unwrap();
    Store::open(&dir, keyring, house.clock.clone()).await.unwrap()
}

#[tokio::test]
async fn what_runs_left_is_known_whatever_their_outcome_and_after_a_restart() {
    let house = house().await;
    let ada = admin(&house);
    let of = ada.furnish("sales", Category::Production).await;
    assert_eq!(state(&ada, of.environment).await.unwrap().all().count(), 0);

    let (first, notes) = left(&ada, &of, &whole(), Outcome::Success).await;
    assert!(notes.is_empty(), "{notes:?}");
    let before = state(&ada, of.environment).await.unwrap();
    assert_eq!(before.defined_by().unwrap().run, first);
    let again = state(&ada, of.environment).await.unwrap();
    assert!(Arc::ptr_eq(&before, &again), "it is kept");

    let (later, _) = left(&ada, &of, &[LATER.to_vec()], Outcome::Error).await;
    let after = state(&ada, of.environment).await.unwrap();
    assert_eq!(told(&after), told(&folded(&of, first, later)));
    let broken = after.find("model.shop.broken_margin").unwrap();
    assert_eq!(after.execution(broken).unwrap().status, Status::Error);

    let other = Owner { store: reopened(&house).await, ..admin(&house) };
    let rebuilt = state(&other, of.environment).await.unwrap();
    assert_eq!(format!("{rebuilt:?}"), format!("{after:?}"));
}

#[tokio::test]
async fn requests_that_come_together_have_a_state_built_once() {
    let house = house().await;
    let ada = admin(&house);
    let of = ada.furnish("sales", Category::Production).await;
    left(&ada, &of, &whole(), Outcome::Success).await;
    let permit: Permit<Read, Metadata> = ada.permit().await;
    let all = (0..8).map(|_| ada.store.project_state(&permit, of.environment));
    let all = futures_util::future::join_all(all).await;
    let first = all.first().unwrap().as_ref().unwrap();
    assert!(all.iter().all(|one| Arc::ptr_eq(one.as_ref().unwrap(), first)));
}

#[tokio::test]
async fn bad_artifacts_are_said_and_change_nothing() {
    let house = house().await;
    let ada = admin(&house);
    let of = ada.furnish("sales", Category::Production).await;
    left(&ada, &of, &whole(), Outcome::Success).await;
    let before = state(&ada, of.environment).await.unwrap();
    let mut foreign: Value = serde_json::from_slice(MANIFEST).unwrap();
    foreign["metadata"]["project_name"] = "other".into();
    let foreign = serde_json::to_vec(&foreign).unwrap();
    let (cut, _) = MANIFEST.split_at(MANIFEST.len() / 2);
    let bad: [(&[Left], &str); 4] = [
        (&[("manifest.json", b"no json")], "manifest.json, line 1"),
        (&[("manifest.json", cut)], "EOF"),
        (&[("manifest.json", &foreign), ("run_results.json", RESULTS)], "`other`, not of `shop`"),
        (&[("run_results.json", b"{}"), ("catalog.json", b"[]")], "run_results.json"),
    ];
    for (artifacts, said) in bad {
        let (_, notes) = left(&ada, &of, &[artifacts.to_vec()], Outcome::Success).await;
        assert!(notes.iter().any(|note| note.contains(said)), "{said}: {notes:?}");
        let now = state(&ada, of.environment).await.unwrap();
        assert_eq!(format!("{now:?}"), format!("{before:?}"), "{said}");
    }
}

#[tokio::test]
async fn executions_are_remembered_newest_first_until_they_are_too_old() {
    let house = house().await;
    let ada = admin(&house);
    let of = ada.furnish("sales", Category::Production).await;
    let (first, _) = left(&ada, &of, &whole(), Outcome::Success).await;
    house.clock.set(house.clock.now().plus_seconds(1000));
    let (later, _) = left(&ada, &of, &[LATER.to_vec()], Outcome::Error).await;
    let history = async |node: &str, most| {
        let permit: Permit<Read, Metadata> = ada.permit().await;
        let found = ada.store.node_history(&permit, of.environment, node, most).await.unwrap();
        found.iter().map(|execution| execution.of.run).collect::<Vec<_>>()
    };
    assert_eq!(history("model.shop.fct_orders", 10).await, [later, first]);
    assert_eq!(history("model.shop.fct_orders", 1).await, [later]);
    assert_eq!(history("seed.shop.raw_orders", 10).await, [first]);

    let keeper: Permit<Write, Runs> = house.task(SystemTask::Keeper).await;
    let now = house.clock.now();
    let gone = house.store.prune_node_executions(&keeper, now).await.unwrap();
    let results = |bytes: &[u8]| -> Vec<String> {
        let file: Value = serde_json::from_slice(bytes).unwrap();
        let results = file["results"].as_array().unwrap().iter();
        results.map(|it| it["unique_id"].as_str().unwrap().to_owned()).collect()
    };
    let newer = results(LATER[1].1);
    let replaced = results(RESULTS).into_iter().filter(|node| newer.contains(node)).count();
    assert_eq!(usize::try_from(gone).unwrap(), replaced);
    assert_eq!(history("model.shop.fct_orders", 10).await, [later]);
    assert_eq!(history("seed.shop.raw_orders", 10).await, [first], "the newest of a node stays");
    let runner = ada.runner().await;
    let refused = house.store.prune_node_executions(&runner, now).await;
    assert!(matches!(refused, Err(StoreError::Denied(_))), "{refused:?}");
}

#[tokio::test]
async fn an_environment_of_another_project_is_not_there() {
    let house = house().await;
    let ada = admin(&house);
    let of = ada.furnish("sales", Category::Production).await;
    let other = ada.furnish("hr", Category::Production).await;
    left(&ada, &of, &whole(), Outcome::Success).await;
    let reader = holder(&house, on("metadata_only", other.project)).await;
    assert!(state(&reader, other.environment).await.is_ok());
    let unseen = state(&reader, of.environment).await;
    assert!(matches!(unseen, Err(StoreError::NotFound)), "{unseen:?}");
    let permit: Permit<Read, Metadata> = reader.permit().await;
    let unseen = house.store.node_history(&permit, of.environment, "x", 1).await;
    assert!(matches!(unseen, Err(StoreError::NotFound)), "{unseen:?}");
}
