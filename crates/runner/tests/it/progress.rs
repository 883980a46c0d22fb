//! How far dbt is, while it runs.

use std::fs;

use domain::{
    NodeCounts, NodeEnds,
    environment_variable::Place,
    run::{Outcome, Progress},
};
use serde_json::json;

use crate::{
    house::{House, eventually, real_dbt},
    shop::shop,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_dbt_that_is_half_way_shows_half() {
    let house = House::new().await;
    let place = house.scripted_place().await;
    let job = house.job(place, &["dbt build"]).await;
    let event = |name: &str, index: u32| {
        let (data, ts) = (json!({ "index": index, "total": 2 }), "2026-11-24T12:00:00Z");
        let info = json!({ "name": name, "ts": ts, "level": "info", "msg": "m" });
        format!("echo '{}' >> \"$DBT_LOG_PATH/dbt.log\"\n", json!({ "data": data, "info": info }))
    };
    let (begun, done) = ("LogStartLine", "LogModelResult");
    let script = [
        "mkdir \"$DBT_LOG_PATH\"\n".to_owned(),
        [event(begun, 1), event(done, 1), event(begun, 2)].concat(),
        "while [ ! -e \"$HERE/go\" ]; do sleep 0.05; done\n".to_owned(),
        event("SkippingDetails", 2),
    ]
    .concat();
    let runner = house.runner(house.script(&script)).await;
    let run = house.trigger(job).await;

    let progress = async || house.steps(run).await.get(3)?.progress;
    let half = eventually("a node is done", async || progress().await).await;
    assert_eq!(half, Progress { done: 1, total: 2 });
    fs::write(house.path("go"), "").unwrap();

    assert_eq!(house.ended(run).await.state.status(), Outcome::Success.into());
    assert_eq!(progress().await, Some(Progress { done: 2, total: 2 }));
    assert_eq!(house.steps(run).await[0].progress, None);
    runner.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_of_the_shop_ends_with_all_its_nodes_done_whatever_became_of_them() {
    let house = House::new().await;
    let place = shop(&house).await;
    let job = house.job(place, &["dbt build"]).await;
    let runner = house.runner(real_dbt()).await;
    let run = house.trigger(job).await;

    let ended = house.ended(run).await;

    // One test of the example fails on purpose.
    assert_eq!(ended.state.status(), Outcome::Error.into());
    let built = house.steps(run).await[3].progress.unwrap();
    assert_eq!(built, Progress { done: 38, total: 38 }, "{}", house.logs(run).await);
    let models = NodeEnds { passed: 9, ..NodeEnds::default() };
    let tests = NodeEnds { passed: 17, warned: 3, failed: 1, skipped: 0 };
    assert_eq!(ended.counts, Some(NodeCounts { models, tests }));
    runner.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_debug_log_is_dbts_own_whole_and_without_secrets() {
    let house = House::new().await;
    let place = shop(&house).await;
    house.variable(place.project, "DBT_ENV_SECRET_WORD", Place::Project, "abracadabra").await;
    let step = "dbt run --select stg_orders --vars '{word: abracadabra}'";
    let job = house.job(place, &[step]).await;
    let runner = house.runner(real_dbt()).await;
    let run = house.trigger(job).await;
    house.ended(run).await;

    let (console, debug) = (house.log(run, 4).await, house.debug_log(run, 4).await);
    assert!(!console.contains("create view") && debug.contains("create view"), "{debug}");
    for text in ["[debug] [MainThread]: Command `dbt run` ", "[info ] [Thread-1", "*****"] {
        assert!(debug.contains(text), "{text}: {debug}");
    }
    assert!(!debug.contains("abracadabra"), "{debug}");
    assert_eq!(house.debug_log(run, 1).await, "");
    runner.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_debug_log_may_turn_over_and_none_of_it_is_lost() {
    let house = House::new().await;
    let place = house.scripted_place().await;
    let job = house.job(place, &["dbt build"]).await;
    let script = "mkdir \"$DBT_LOG_PATH\"; cd \"$DBT_LOG_PATH\"\n\
                  for part in 1 2 3; do sleep 0.6; mv dbt.log dbt.log.1\n\
                  for line in $(seq 2000); do echo \"part $part line $line\"; done > dbt.log\n\
                  done";
    let runner = house.runner(house.script(script)).await;
    let run = house.trigger(job).await;
    house.ended(run).await;

    let lines = |part| (1..=2000).map(move |line| format!("part {part} line {line}\n"));
    let whole: String = (1..=3).flat_map(lines).collect();
    assert_eq!(house.debug_log(run, 4).await, whole);
    runner.stop().await;
}
