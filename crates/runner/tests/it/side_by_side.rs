//! Runs at the same time.

use std::fs;

use domain::{
    RunId,
    run::{Outcome, RunStatus},
};

use crate::house::{House, eventually};

/// A dbt that notes when it begins and when it ends.
const NOTED: &str = "echo + >> \"$HERE/noted\"; sleep 0.5; echo - >> \"$HERE/noted\"";

/// The most that were under way at once.
fn most_at_once(house: &House) -> usize {
    let noted = fs::read_to_string(house.path("noted")).unwrap();
    let (mut now, mut most) = (0_usize, 0);
    for line in noted.lines() {
        now = if line == "+" { now + 1 } else { now - 1 };
        most = most.max(now);
    }
    most
}

async fn all_succeed(house: &House, runs: &[RunId]) {
    for run in runs {
        let ended = house.ended(*run).await;
        assert_eq!(ended.state.status(), Outcome::Success.into(), "{}", ended.message);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_accounts_run_slots_bound_how_many_runs_are_under_way() {
    let house = House::new().await;
    house.set_run_slots(2).await;
    let place = house.scripted_place().await;
    let mut runs = Vec::new();
    for _ in 0..5 {
        let job = house.job(place, &["dbt build"]).await;
        runs.push(house.trigger(job).await);
    }

    // Each waits for a second one, so that two are under way at once if two may be.
    let script = "echo + >> \"$HERE/noted\"\n\
                  for _ in {1..400}; do [ $(grep -c + \"$HERE/noted\") -ge 2 ] && break; sleep 0.05; done\n\
                  sleep 0.3; echo - >> \"$HERE/noted\"";
    let runner = house.runner(house.script(script)).await;

    all_succeed(&house, &runs).await;
    assert_eq!(most_at_once(&house), 2);
    let mut begun = Vec::new();
    for run in &runs {
        begun.push((house.run(*run).await.state.dequeued_at(), *run));
    }
    assert!(begun.is_sorted(), "in the order of the queue: {begun:?}");
    runner.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_of_one_job_are_under_way_one_after_another() {
    let house = House::new().await;
    let place = house.scripted_place().await;
    let job = house.job(place, &["dbt build"]).await;
    let runs = [house.trigger(job).await, house.trigger(job).await, house.trigger(job).await];

    let runner = house.runner(house.script(NOTED)).await;

    all_succeed(&house, &runs).await;
    assert_eq!(most_at_once(&house), 1);
    runner.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_on_one_duckdb_file_take_turns() {
    let house = House::new().await;
    let remote = house.repository("scripted", &[("dbt_project.yml", "name: scripted")]);
    let place = house.place(&remote).await;
    let (one, other) = (house.job(place, &["dbt run"]).await, house.job(place, &["dbt run"]).await);
    let runs = [house.trigger(one).await, house.trigger(other).await];

    let script = "echo + >> \"$HERE/noted\"; while [ ! -e \"$HERE/go\" ]; do sleep 0.05; done; \
                  echo - >> \"$HERE/noted\"";
    let runner = house.runner(house.script(script)).await;

    eventually("one waits for the other", async || {
        let logs = [house.log(runs[0], 2).await, house.log(runs[1], 2).await].concat();
        logs.contains("another run uses this DuckDB file").then_some(())
    })
    .await;
    fs::write(house.path("go"), "").unwrap();
    all_succeed(&house, &runs).await;
    assert_eq!(most_at_once(&house), 1);
    runner.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_can_be_read_while_its_step_runs() {
    let house = House::new().await;
    let place = house.scripted_place().await;
    let job = house.job(place, &["dbt build"]).await;
    let script = "echo first; echo error >&2; while [ ! -e \"$HERE/go\" ]; do sleep 0.05; done; \
                  echo -n last";
    let runner = house.runner(house.script(script)).await;
    let run = house.trigger(job).await;

    let log = eventually("the log has come", async || {
        let log = house.log(run, 4).await;
        log.contains("error").then_some(log)
    });
    assert_eq!(log.await, "first\nerror\n");
    assert_eq!(house.run(run).await.state.status(), RunStatus::RUNNING);

    fs::write(house.path("go"), "").unwrap();
    all_succeed(&house, &[run]).await;
    assert_eq!(house.log(run, 4).await, "first\nerror\nlast\n");
    runner.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queued_run_whose_environment_was_deleted_does_not_keep_others_waiting() {
    let house = House::new().await;
    let (gone, place) = (house.scripted_place().await, house.scripted_place().await);
    let deleted = house.job(gone, &["dbt build"]).await;
    let stranded = house.trigger(deleted).await;
    house.store.delete_job(&house.permit(), deleted).await.unwrap();
    house.store.delete_environment(&house.permit(), gone.environment).await.unwrap();
    let job = house.job(place, &["dbt build"]).await;
    let run = house.trigger(job).await;

    let runner = house.runner(house.script("echo built")).await;

    all_succeed(&house, &[run]).await;
    assert!(house.ended(stranded).await.state.is_finished());
    runner.stop().await;
}
