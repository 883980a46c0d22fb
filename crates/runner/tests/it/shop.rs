//! The example project with the real dbt on DuckDB.

use std::{fs, path::Path};

use domain::run::Outcome;
use insta::assert_snapshot;
use serde_json::Value;

use crate::house::{House, Place, git, real_dbt};

/// The example project, in a git repository of its own.
pub(crate) async fn shop(house: &House) -> Place {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/shop");
    let copy = house.path("shop");
    copy_folder(&example, &copy);
    git(&copy, &["init", "-q", "-b", "main"]);
    house.commit("shop", &[]);
    house.place(copy.to_str().unwrap()).await
}

pub(crate) fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name();
        if entry.file_type().unwrap().is_dir() {
            // What someone may have left there by trying the example.
            if !["target", "logs", "dbt_packages"].iter().any(|made| name == *made) {
                copy_folder(&entry.path(), &to.join(&name));
            }
        } else {
            fs::copy(entry.path(), to.join(&name)).unwrap();
        }
    }
}

/// How many results are in a step's own `run_results.json`.
async fn results(house: &House, run: domain::RunId, step: u32) -> usize {
    let found = house.store.artifact(&house.permit(), run, "run_results.json", Some(step)).await;
    let bytes = found.unwrap().bytes().await.unwrap();
    let results: Value = serde_json::from_slice(&bytes).unwrap();
    results["results"].as_array().unwrap().len()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_seeds_and_builds_succeeds_and_keeps_the_artifacts_of_each_step() {
    let house = House::new().await;
    let place = shop(&house).await;
    let steps = ["dbt seed", "dbt build --exclude positive_column_agg_daily_revenue_revenue"];
    let job = house.job_with(place, &steps, |job| job.generate_docs = true).await;

    let runner = house.runner(real_dbt()).await;
    let run = house.trigger(job).await;
    let ended = house.ended(run).await;

    assert_eq!(ended.message, "", "{}", house.logs(run).await);
    assert_snapshot!(house.story(run).await, @r"
    Clone git repository: Success
    Create profile from connection Warehouse: Success
    Invoke dbt with `dbt deps`: Success
    Invoke dbt with `dbt seed`: Success
    Invoke dbt with `dbt build --exclude positive_column_agg_daily_revenue_revenue`: Success
    Invoke dbt with `dbt docs generate`: Success
    ");
    assert_eq!(ended.git_branch.as_deref(), Some("main"));
    assert_eq!(ended.git_sha, Some(git(&house.path("shop"), &["rev-parse", "HEAD"])));

    let kept = house.store.artifacts(&house.permit(), run).await.unwrap();
    let has = |step, path| kept.iter().any(|found| found.step == step && found.path == path);
    assert!(!kept.iter().any(|found| found.step < 4), "{kept:?}");
    for step in [4, 5] {
        assert!(has(step, "run_results.json") && has(step, "manifest.json"), "{kept:?}");
    }
    assert!(has(5, "compiled/shop/models/marts/fct_orders.sql"), "{kept:?}");
    assert!(has(5, "semantic_manifest.json") && has(6, "catalog.json"), "{kept:?}");
    assert_eq!(results(&house, run, 4).await, 4);
    assert!(results(&house, run, 5).await > 30);

    assert!(house.log(run, 5).await.contains("Completed"));
    let warehouses = house.store.data_dir().warehouses();
    assert!(warehouses.join(house.account.to_string()).join("shop.duckdb").is_file());
    assert_eq!(house.working_copies(), Vec::<std::path::PathBuf>::new());
    runner.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_test_that_fails_ends_the_run_with_the_step_and_its_artifacts() {
    let house = House::new().await;
    let place = shop(&house).await;
    let job = house.job(place, &["dbt build", "dbt run"]).await;

    let runner = house.runner(real_dbt()).await;
    let run = house.trigger(job).await;
    let ended = house.ended(run).await;

    assert_eq!(ended.state.status(), Outcome::Error.into());
    assert_snapshot!(ended.message, @"step 4, Invoke dbt with `dbt build`, failed: dbt ended with code 1: what it ran has failed, its log says where");
    assert_snapshot!(house.story(run).await, @r"
    Clone git repository: Success
    Create profile from connection Warehouse: Success
    Invoke dbt with `dbt deps`: Success
    Invoke dbt with `dbt build`: Error
    Invoke dbt with `dbt run`: Skipped
    ");
    assert!(house.log(run, 4).await.contains("FAIL 1 positive_column_agg_daily_revenue_revenue"));
    assert_eq!(results(&house, run, 4).await, 38);
    assert_eq!(house.working_copies(), Vec::<std::path::PathBuf>::new());
    runner.stop().await;
}

#[test]
fn the_real_dbt_says_its_version() {
    let version = runner::check_dbt(&real_dbt()).unwrap();
    assert!(version.starts_with("1."), "{version}");
}
