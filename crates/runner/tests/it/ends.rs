//! How runs end that do not end by themselves.

use std::{fs, time::Duration};

use domain::run::Outcome;
use insta::assert_snapshot;
use tokio::time::Instant;

use crate::house::{House, eventually, is_alive};

/// A dbt that does not end when it is asked to, and neither does its child. Both pids are in a
/// file, and it has said and written something by then.
const STUBBORN: &str = r#"
trap '' TERM
mkdir -p target && echo '{"results": []}' > target/run_results.json
echo begun
bash -c 'trap "" TERM; while true; do sleep 0.2; done' &
echo $$ $! > "$HERE/pids.new" && mv "$HERE/pids.new" "$HERE/pids"
while true; do sleep 0.2; done
"#;

/// Waits until the stubborn dbt runs; gives its pids.
async fn pids(house: &House) -> Vec<String> {
    let file = house.path("pids");
    let text = eventually("the script runs", async || fs::read_to_string(&file).ok()).await;
    let pids: Vec<_> = text.split_whitespace().map(str::to_owned).collect();
    assert_eq!(pids.len(), 2);
    assert!(pids.iter().all(|pid| is_alive(pid)));
    pids
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_run_ends_within_10_seconds_with_its_whole_process_group() {
    let house = House::new().await;
    let place = house.scripted_place().await;
    let job = house.job(place, &["dbt build", "dbt run"]).await;
    let runner = house.runner(house.script(STUBBORN)).await;
    let run = house.trigger(job).await;
    let pids = pids(&house).await;

    let asked = Instant::now();
    house.store.cancel_run(&house.permit(), run).await.unwrap();
    let ended = house.ended(run).await;

    assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
    assert!(!pids.iter().any(|pid| is_alive(pid)));
    assert_eq!(ended.state.status(), Outcome::Cancelled.into());
    assert_eq!(ended.message, "the run was cancelled");
    assert_snapshot!(house.story(run).await, @r"
    Clone git repository: Success
    Create profile from connection Warehouse: Success
    Invoke dbt with `dbt deps`: Success
    Invoke dbt with `dbt build`: Cancelled
    Invoke dbt with `dbt run`: Skipped
    ");
    assert_eq!(house.log(run, 4).await, "begun\nthe run was cancelled\n");
    let kept = house.store.artifacts(&house.permit(), run).await.unwrap();
    assert_eq!(
        kept.iter().map(|kept| kept.path.as_str()).collect::<Vec<_>>(),
        ["run_results.json"]
    );
    assert!(house.working_copies().is_empty());
    runner.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_takes_too_long_is_ended_as_an_error() {
    let house = House::new().await;
    let place = house.scripted_place().await;
    let job = house.job_with(place, &["dbt build"], |job| job.timeout_seconds = 60).await;
    let runner = house.runner(house.script("echo begun; sleep 600")).await;
    let run = house.trigger_with(job, |trigger| trigger.timeout_seconds_override = Some(5)).await;
    let ended = house.ended(run).await;

    assert_eq!(ended.state.status(), Outcome::Error.into());
    assert_eq!(ended.message, "timed out after 5 seconds");
    assert_eq!(house.log(run, 4).await, "begun\ntimed out after 5 seconds\n");
    runner.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runner_that_stops_ends_its_runs_and_waits_for_that() {
    let house = House::new().await;
    let place = house.scripted_place().await;
    let job = house.job(place, &["dbt build"]).await;
    let runner = house.runner(house.script(STUBBORN)).await;
    let run = house.trigger(job).await;
    let pids = pids(&house).await;

    runner.stop().await;

    assert!(!pids.iter().any(|pid| is_alive(pid)));
    let ended = house.run(run).await;
    assert_eq!(ended.state.status(), Outcome::Error.into());
    assert_eq!(ended.message, "the server was stopped");
    assert!(house.working_copies().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_left_its_group_does_not_outlive_the_run() {
    let house = House::new().await;
    let place = house.scripted_place().await;
    let job = house.job(place, &["dbt build"]).await;
    let script = "setsid bash -c 'echo $$ > \"$0/pid\"; exec sleep 600' \"$HERE\" &\n\
                  while [ ! -s \"$HERE/pid\" ]; do sleep 0.05; done; echo done";
    let runner = house.runner(house.script(script)).await;
    let run = house.trigger(job).await;

    let ended = house.ended(run).await;

    assert_eq!(ended.state.status(), Outcome::Success.into());
    assert_eq!(house.log(run, 4).await, "done\n");
    let pid = fs::read_to_string(house.path("pid")).unwrap();
    eventually("the process is gone", async || (!is_alive(&pid)).then_some(())).await;
    runner.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_freshness_that_fails_does_not_end_the_run() {
    let house = House::new().await;
    let place = house.scripted_place().await;
    let job = house.job_with(place, &["dbt build"], |job| job.run_generate_sources = true).await;
    let runner = house.runner(house.script("[ \"$1\" != source ]")).await;
    let run = house.trigger(job).await;

    let ended = house.ended(run).await;

    assert_eq!(ended.state.status(), Outcome::Success.into());
    assert_snapshot!(house.story(run).await, @r"
    Clone git repository: Success
    Create profile from connection Warehouse: Success
    Invoke dbt with `dbt deps`: Success
    Invoke dbt with `dbt source freshness`: Error
    Invoke dbt with `dbt build`: Success
    ");
    runner.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_dbt_fails_the_run_and_not_the_runner() {
    let house = House::new().await;
    let place = house.scripted_place().await;
    let job = house.job(place, &["dbt build"]).await;
    let runner = house.runner("/nowhere/dbt".into()).await;
    let run = house.trigger(job).await;

    let ended = house.ended(run).await;

    assert_snapshot!(ended.message, @"step 3, Invoke dbt with `dbt deps`, failed: the program `/nowhere/dbt` is not there");
    assert_eq!(house.log(run, 3).await, "the program `/nowhere/dbt` is not there\n");
    runner.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_step_that_never_stops_talking_the_beginning_and_the_end_are_kept() {
    let house = House::new().await;
    let place = house.scripted_place().await;
    let job = house.job(place, &["dbt build"]).await;
    // 64 MiB in lines, 1 MiB without an end, then bytes that are no text.
    let script = "[ \"$1\" = deps ] && exit 0\n\
                  echo begun; yes 'one line of very many' | head -c 67108864\n\
                  head -c 1048576 /dev/zero | tr '\\0' x; printf 'a\\xff\\0b\\n'; echo ended";
    let runner = house.runner(house.script(script)).await;
    let run = house.trigger(job).await;

    let ended = house.ended(run).await;

    assert_eq!(ended.state.status(), Outcome::Success.into());
    let log = house.log(run, 4).await;
    assert!(log.starts_with("begun\none line of very many\n"));
    assert!(log.ends_with("xxxxa\u{fffd}\u{fffd}b\nended\n"));
    assert!(((15 << 20)..(16 << 20) + 200).contains(&log.len()), "{}", log.len());
    let notes: Vec<_> = log.lines().filter(|line| line.starts_with('[')).collect();
    assert_eq!(notes.len(), 2, "{notes:?}");
    assert!(notes[0].starts_with("[cut here: "), "{notes:?}");
    assert!(notes[1].starts_with("[left out: ") && notes[1].ends_with(" bytes]"), "{notes:?}");
    runner.stop().await;
}
