//! Runs that defer to an earlier one: the real dbt on the example project.

use domain::{
    RunId,
    run::{Outcome, Run},
};
use serde_json::Value;

use crate::{
    house::{House, real_dbt},
    shop::shop,
};

/// What ran in a step, by its own `run_results.json`.
async fn ran(house: &House, run: RunId, step: u32) -> Vec<String> {
    let found = house.store.artifact(&house.permit(), run, "run_results.json", Some(step)).await;
    let bytes = found.unwrap().bytes().await.unwrap();
    let results: Value = serde_json::from_slice(&bytes).unwrap();
    let id = |row: &Value| row["unique_id"].as_str().unwrap().to_owned();
    let mut ids: Vec<_> = results["results"].as_array().unwrap().iter().map(id).collect();
    ids.sort();
    ids
}

async fn succeeded(house: &House, run: RunId) -> Run {
    let ended = house.ended(run).await;
    assert_eq!(ended.state.status(), Outcome::Success.into(), "{}", house.logs(run).await);
    ended
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_defers_to_another_builds_what_was_modified_since_and_nothing_else() {
    let house = House::new().await;
    let place = shop(&house).await;
    let whole = house.job(place, &["dbt seed", "dbt run"]).await;
    let steps = ["dbt run --select state:modified"];
    let slim = house.job_with(place, &steps, |job| job.echoed.deferring_job = Some(whole)).await;
    let runner = house.runner(real_dbt()).await;
    let first = house.trigger(whole).await;
    succeeded(&house, first).await;

    let changed = "select 1 as customer_id, 2 as customers";
    house.commit("shop", &[("models/marts/one_more.sql", changed)]);
    let run = house.trigger(slim).await;
    let ended = succeeded(&house, run).await;

    assert_eq!(ended.deferring, Some(first));
    assert_eq!(ran(&house, run, 4).await, ["model.shop.one_more"]);
    assert!(house.log(run, 2).await.contains(&format!("defers to run {first}")));

    // By the environment: its newest run that went well, which is the last one.
    let by_environment = house
        .job_with(place, &["dbt ls --select state:modified"], |job| {
            job.echoed.deferring_environment = Some(place.environment);
        })
        .await;
    let run_by = house.trigger(by_environment).await;
    assert_eq!(succeeded(&house, run_by).await.deferring, Some(run));
    runner.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_are_given_the_state_that_they_take_and_say_something_of_it_themselves() {
    let house = House::new().await;
    let place = house.scripted_place().await;
    let write = "mkdir -p target; echo '{}' > target/manifest.json; echo \"<$*>\"";
    let runner = house.runner(house.script(write)).await;
    let steps = [
        "dbt build -s a",
        "dbt seed",
        "dbt docs generate",
        "dbt run --no-defer",
        "dbt test --state mine",
    ];
    let of_itself = house.job(place, &steps).await;
    let defer = |mut spec: domain::job::JobSpec| {
        spec.echoed.deferring_job = Some(of_itself);
        Ok::<_, store::StoreError>(spec)
    };
    house.store.update_job(&house.permit(), of_itself, defer).await.unwrap();
    let said = async |run| {
        let mut said = Vec::new();
        for index in 4..9 {
            said.push(house.log(run, index).await.trim().to_owned());
        }
        said
    };

    let first = house.trigger(of_itself).await;
    assert_eq!(succeeded(&house, first).await.deferring, None);
    assert!(house.log(first, 2).await.contains("defers to nothing"));
    let plain = [
        "<build -s a>",
        "<seed>",
        "<docs generate --static>",
        "<run --no-defer>",
        "<test --state mine>",
    ];
    assert_eq!(said(first).await, plain);

    let second = house.trigger(of_itself).await;
    assert_eq!(succeeded(&house, second).await.deferring, Some(first));
    let said = said(second).await;
    assert!(said[0].starts_with("<build -s a --defer --state /"), "{said:?}");
    assert!(said[0].ends_with("/state>"), "{said:?}");
    assert!(said[1].starts_with("<seed --state /"), "{said:?}");
    assert_eq!(said[2..], plain[2..]);
    runner.stop().await;
}
