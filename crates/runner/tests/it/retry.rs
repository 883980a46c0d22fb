//! A failed run that is taken up where it failed, with the real dbt on DuckDB.

use domain::run::Outcome;
use insta::assert_snapshot;
use serde_json::Value;

use crate::house::{House, real_dbt};

const PROJECT: &str = "
name: retry
version: '1.0'
profile: narrowgate
model-paths: [models]
flags: {send_anonymous_usage_stats: false}
";

const WRONG: &str =
    "{{ config(materialized='table') }} select 1 as id, cast('no number' as integer) as amount";

/// What ran in a step, by its own `run_results.json`: `model.retry.orders success`.
async fn ran(house: &House, run: domain::RunId, step: u32) -> Vec<String> {
    let found = house.store.artifact(&house.permit(), run, "run_results.json", Some(step)).await;
    let bytes = found.unwrap().bytes().await.unwrap();
    let results: Value = serde_json::from_slice(&bytes).unwrap();
    let line = |row: &Value| {
        format!("{} {}", row["unique_id"].as_str().unwrap(), row["status"].as_str().unwrap())
    };
    let mut lines: Vec<_> = results["results"].as_array().unwrap().iter().map(line).collect();
    lines.sort();
    lines
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_runs_what_failed_and_what_was_skipped_and_nothing_else() {
    let house = House::new().await;
    let files = [
        ("dbt_project.yml", PROJECT),
        ("models/customers.sql", "select 1 as id"),
        ("models/orders.sql", WRONG),
        ("models/revenue.sql", "select sum(amount) as total from {{ ref('orders') }}"),
        ("models/later/report.sql", "select * from {{ ref('revenue') }}"),
    ];
    let remote = house.repository("retry", &files);
    let place = house.place(&remote).await;
    let steps = ["dbt run --exclude report", "dbt run --select report"];
    let job = house.job(place, &steps).await;
    let runner = house.runner(real_dbt()).await;

    let first = house.trigger(job).await;
    let failed = house.ended(first).await;
    assert_eq!(failed.state.status(), Outcome::Error.into(), "{}", house.logs(first).await);
    assert_eq!(
        ran(&house, first, 4).await,
        [
            "model.retry.customers success",
            "model.retry.orders error",
            "model.retry.revenue skipped"
        ]
    );
    assert_eq!(failed.retry_step(), Ok(4));

    // Not mended yet: the retry fails, and can be taken up in turn.
    let second = house.store.retry_run(&house.permit(), first).await.unwrap().id;
    let failed = house.ended(second).await;
    assert_eq!(failed.state.status(), Outcome::Error.into(), "{}", house.logs(second).await);
    assert_eq!(
        ran(&house, second, 4).await,
        ["model.retry.orders error", "model.retry.revenue skipped"]
    );
    assert_eq!(house.run(first).await.retry_step(), Err(domain::run::NoRetry::RetryNotLatestRun));

    house.commit("retry", &[("models/orders.sql", "select 1 as id, 5 as amount")]);
    let third = house.store.rerun_job(&house.permit(), job).await.unwrap().id;
    let ended = house.ended(third).await;

    assert_eq!(ended.message, "", "{}", house.logs(third).await);
    assert_eq!(ended.trigger.retry.as_ref().map(|retry| retry.run), Some(second));
    assert_snapshot!(house.story(third).await, @r"
    Clone git repository: Success
    Create profile from connection Warehouse: Success
    Invoke dbt with `dbt deps`: Success
    Invoke dbt with `dbt retry`: Success
    Invoke dbt with `dbt run --select report`: Success
    ");
    assert_eq!(
        ran(&house, third, 4).await,
        ["model.retry.orders success", "model.retry.revenue success"]
    );
    assert_eq!(ran(&house, third, 5).await, ["model.retry.report success"]);
    assert!(house.log(third, 4).await.contains(&format!("what step 4 of run {second} left")));
    runner.stop().await;
}
