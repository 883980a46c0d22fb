//! A run is cancelled, or out of time, wherever it is.

use std::{fs, time::Duration};

use domain::{
    RunId,
    run::{Outcome, Run, StepState},
};
use insta::assert_snapshot;
use tokio::time::Instant;

use crate::house::{House, Place, eventually, is_alive};

/// A program that notes its pid and that of a child, and goes on whatever it is asked.
const GOES_ON: &str = r#"
sleep 600 &
echo $$ $! > "$HERE/pids.new" && mv "$HERE/pids.new" "$HERE/pids"
wait
"#;

/// Asks the run to stop; gives its end, which is within 10 s.
async fn cancel(house: &House, run: RunId) -> Run {
    let asked = Instant::now();
    house.store.cancel_run(&house.permit(), run).await.unwrap();
    let ended = house.ended(run).await;
    assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
    assert_eq!(ended.state.status(), Outcome::Cancelled.into(), "{}", ended.message);
    ended
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_waits_in_the_queue_is_cancelled_and_never_begins() {
    let house = House::new().await;
    house.set_run_slots(1).await;
    let place = house.scripted_place().await;
    let (first, second) =
        (house.job(place, &["dbt build"]).await, house.job(place, &["dbt build"]).await);
    let runner =
        house.runner(house.script("while [ ! -e \"$HERE/go\" ]; do sleep 0.05; done")).await;
    let holds = house.trigger(first).await;
    let waits = house.trigger(second).await;
    eventually("the first begins", async || {
        house.run(holds).await.state.started_at().is_some().then_some(())
    })
    .await;

    let ended = cancel(&house, waits).await;

    assert_eq!(ended.state.started_at(), None);
    assert!(house.steps(waits).await.is_empty());
    fs::write(house.path("go"), "").unwrap();
    assert_eq!(house.ended(holds).await.state.status(), Outcome::Success.into());
    runner.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_checks_its_code_out_is_cancelled_with_gits_whole_process_group() {
    let house = House::new().await;
    let place = house.scripted_place().await;
    let job = house.job(place, &["dbt build"]).await;
    let git = house.program("git", GOES_ON);
    let runner = house.runner_with(house.script("echo built"), git).await;
    let run = house.trigger(job).await;
    let file = house.path("pids");
    let pids = eventually("git runs", async || fs::read_to_string(&file).ok()).await;

    let ended = cancel(&house, run).await;

    assert_eq!(ended.message, "the run was cancelled");
    assert!(!pids.split_whitespace().any(is_alive), "{pids}");
    assert_snapshot!(house.story(run).await, @r"
    Clone git repository: Cancelled
    Create profile from connection Warehouse: Skipped
    Invoke dbt with `dbt deps`: Skipped
    Invoke dbt with `dbt build`: Skipped
    ");
    runner.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_cancelled_also_where_its_steps_are_too_short_to_be_hit() {
    let house = House::new().await;
    let place = house.scripted_place().await;
    let job = house.job(place, &["dbt run"; 100]).await;
    // Whatever it is asked: a step goes well, and the run goes on to the next.
    let runner = house.runner(house.script("trap '' TERM; echo built")).await;
    let run = house.trigger(job).await;
    eventually("some steps are done", async || {
        let done = |step: &domain::run::RunStep| {
            matches!(step.state, StepState::Finished { outcome: Outcome::Success, .. })
        };
        (house.steps(run).await.iter().filter(|step| done(step)).count() > 5).then_some(())
    })
    .await;

    cancel(&house, run).await;

    let steps = house.steps(run).await;
    assert_eq!(steps.last().unwrap().state, StepState::Skipped);
    runner.stop().await;
}

/// Two jobs on one DuckDB file: the first holds it, the second waits.
async fn one_waits(house: &House, place: Place, seconds: Option<u32>) -> [RunId; 2] {
    let (first, second) =
        (house.job(place, &["dbt run"]).await, house.job(place, &["dbt run"]).await);
    let holds = house.trigger(first).await;
    eventually("the first has the file", async || {
        house.log(holds, 2).await.contains("wrote the profile").then_some(())
    })
    .await;
    let waits =
        house.trigger_with(second, |trigger| trigger.timeout_seconds_override = seconds).await;
    [holds, waits]
}

async fn duckdb_place(house: &House) -> Place {
    let remote = house.repository("scripted", &[("dbt_project.yml", "name: scripted")]);
    house.place(&remote).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_waits_for_its_duckdb_file_is_cancelled_and_harms_not_the_one_that_has_it() {
    let house = House::new().await;
    let place = duckdb_place(&house).await;
    let runner =
        house.runner(house.script("while [ ! -e \"$HERE/go\" ]; do sleep 0.05; done")).await;
    let [holds, waits] = one_waits(&house, place, None).await;
    eventually("the second waits", async || {
        house.log(waits, 2).await.contains("waiting for its end").then_some(())
    })
    .await;

    cancel(&house, waits).await;

    assert_snapshot!(house.story(waits).await, @r"
    Clone git repository: Success
    Create profile from connection Warehouse: Cancelled
    Invoke dbt with `dbt deps`: Skipped
    Invoke dbt with `dbt run`: Skipped
    ");
    fs::write(house.path("go"), "").unwrap();
    assert_eq!(house.ended(holds).await.state.status(), Outcome::Success.into());
    runner.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_out_of_time_also_while_it_waits_for_its_duckdb_file() {
    let house = House::new().await;
    let place = duckdb_place(&house).await;
    let runner =
        house.runner(house.script("while [ ! -e \"$HERE/go\" ]; do sleep 0.05; done")).await;
    let [holds, waits] = one_waits(&house, place, Some(2)).await;

    let ended = house.ended(waits).await;

    assert_eq!(ended.state.status(), Outcome::Error.into());
    assert_eq!(ended.message, "timed out after 2 seconds");
    fs::write(house.path("go"), "").unwrap();
    assert_eq!(house.ended(holds).await.state.status(), Outcome::Success.into());
    runner.stop().await;
}
