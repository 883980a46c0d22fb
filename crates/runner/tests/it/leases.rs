//! Several runners on one data folder, and workers that die.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::process::CommandExt as _,
    process::{Child, Command, Stdio},
    time::Duration,
};

use domain::{
    lease::{Lease, Reaped, Worker},
    run::{Outcome, RunState},
};
use insta::assert_snapshot;
use runner::{Runner, RunnerConfig};
use store::{Clock, Keyring, Store};
use tokio::time::Instant;

use crate::house::{House, eventually, is_alive};

/// A worker with a short life.
fn short_lived() -> Worker {
    Worker { name: "dead".to_owned(), lease: Duration::from_secs(1) }
}

/// Does what a runner does until it is killed: claims the run.
async fn claimed(house: &House) -> Lease {
    let permit = house.runners_permit().await;
    house.store.claim_run(&permit, &short_lived()).await.unwrap().unwrap().lease
}

/// The same: begins it and writes to its log.
async fn begun(house: &House) -> Lease {
    let (store, permit, lease) = (&house.store, house.runners_permit().await, claimed(house).await);
    let names = ["Clone git repository", "Invoke dbt with `dbt build`"].map(str::to_owned);
    let steps = store.plan_steps(&permit, &lease, &names).await.unwrap();
    store.start_run(&permit, &lease).await.unwrap();
    store.begin_step(&permit, &lease, steps[0].id).await.unwrap();
    store.append_log(&permit, &lease, steps[0].id, "cloning\n").await.unwrap();
    lease
}

/// A process of the dead worker, in a group of its own, and its working copy.
fn left_behind(house: &House, lease: &Lease) -> (Child, std::path::PathBuf) {
    let data = house.store.data_dir().path().canonicalize().unwrap();
    let folder = data.join("work").join(format!("run-{}-{}", lease.run, lease.id));
    fs::create_dir_all(folder.join("profiles")).unwrap();
    let mut process = Command::new("sleep");
    process.arg("600").env("NARROWGATE_LEASE_ID", lease.id.to_string());
    process.env("NARROWGATE_DATA_DIR", &data).process_group(0).stdout(Stdio::null());
    (process.spawn().unwrap(), folder)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_dead_worker_left_is_ended_cleared_up_and_the_next_run_goes_on() {
    let house = House::new().await;
    let place = house.scripted_place().await;
    let job = house.job(place, &["dbt build"]).await;
    house.trigger(job).await;
    let lease = begun(&house).await;
    let (mut process, folder) = left_behind(&house, &lease);
    let pid = process.id().to_string();

    let runner = house.runner(house.script("echo built")).await;

    let ended = house.ended(lease.run).await;
    assert_eq!(ended.state.status(), Outcome::Error.into());
    let reason = "the worker that ran it stopped answering at ";
    assert!(ended.message.starts_with(reason), "{}", ended.message);
    assert_eq!(house.log(lease.run, 1).await, "cloning\n");
    assert_snapshot!(house.story(lease.run).await, @r"
    Clone git repository: Error
    Invoke dbt with `dbt build`: Skipped
    ");
    assert!(!folder.exists());
    eventually("the process is gone", async || (!is_alive(&pid)).then_some(())).await;
    process.wait().unwrap();
    let next = house.trigger(job).await;
    assert_eq!(house.ended(next).await.state.status(), Outcome::Success.into());
    runner.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_worker_died_before_anything_began_is_taken_again() {
    let house = House::new().await;
    let place = house.scripted_place().await;
    let job = house.job(place, &["dbt build"]).await;
    let run = house.trigger(job).await;
    claimed(&house).await;

    let runner = house.runner(house.script("echo built")).await;

    let ended = house.ended(run).await;
    assert_eq!(ended.state.status(), Outcome::Success.into(), "{}", ended.message);
    assert_eq!(house.steps(run).await.len(), 4, "its steps are there once");
    runner.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_a_runner_ends_what_a_dead_worker_left() {
    let house = House::new().await;
    let place = house.scripted_place().await;
    let job = house.job(place, &["dbt build"]).await;
    house.trigger(job).await;
    let lease = begun(&house).await;

    let watch = Runner::watch(&house.store).await.unwrap();

    let ended = house.ended(lease.run).await;
    assert!(ended.message.contains("stopped answering"), "{}", ended.message);
    let waiting = house.trigger(job).await;
    watch.stop().await;
    assert_eq!(house.run(waiting).await.state, RunState::Queued, "it executes nothing");
}

/// Another process's view of the same data folder.
async fn beside(house: &House, clock: Clock) -> Store {
    let dir = house.store.data_dir();
    let keyring = Keyring::load_or_create(&dir.keyring()).unwrap();
    Store::open(dir, keyring, clock).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_runners_share_the_work_and_starting_one_harms_no_run_of_the_other() {
    let house = House::new().await;
    house.set_run_slots(8).await;
    let place = house.scripted_place().await;
    let mut runs = Vec::new();
    for _ in 0..4 {
        let job = house.job(place, &["dbt build"]).await;
        runs.push(house.trigger(job).await);
    }
    let dbt = house.script(
        "echo $NARROWGATE_RUN_ID >> \"$HERE/begun\"; \
         while [ ! -e \"$HERE/go\" ]; do sleep 0.05; done",
    );
    let config = RunnerConfig { dbt, workers: 2, ..RunnerConfig::default() };
    let first = Runner::start(house.store.clone(), config.clone()).await.unwrap();
    let begun = |count: usize| {
        let file = house.path("begun");
        eventually("runs have begun", async move || {
            let text = fs::read_to_string(&file).ok()?;
            (text.lines().count() == count).then_some(text)
        })
    };
    begun(2).await;
    let second = Runner::start(beside(&house, Clock::System).await, config).await.unwrap();
    let noted = begun(4).await;
    fs::write(house.path("go"), "").unwrap();

    for run in &runs {
        let ended = house.ended(*run).await;
        assert_eq!(ended.state.status(), Outcome::Success.into(), "{}", ended.message);
    }
    let once: BTreeSet<_> = noted.lines().collect();
    assert_eq!(once.len(), 4, "{noted}");
    first.stop().await;
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_loses_its_hold_ends_its_programs_and_writes_nothing_more() {
    let house = House::new().await;
    let place = house.scripted_place().await;
    let job = house.job(place, &["dbt build"]).await;
    let dbt = house
        .script("echo $$ > \"$HERE/pid.new\"; mv \"$HERE/pid.new\" \"$HERE/pid\"; exec sleep 600");
    let config = RunnerConfig { dbt, lease: Duration::from_secs(4), ..RunnerConfig::default() };
    let runner = Runner::start(house.store.clone(), config).await.unwrap();
    let run = house.trigger(job).await;
    let file = house.path("pid");
    let pid = eventually("it runs", async || fs::read_to_string(&file).ok()).await;

    // Another process, whose clock is ahead, takes it for dead.
    let asked = Instant::now();
    let hour = house.store.clock().now().plus_seconds(3600);
    let (ahead, permit) = (beside(&house, Clock::fixed(hour)).await, house.runners_permit().await);
    for lease in ahead.expired_leases(&permit).await.unwrap() {
        assert_eq!(ahead.reap_run(&permit, &lease).await.unwrap(), Some(Reaped::Ended));
    }

    eventually("its program is gone", async || (!is_alive(&pid)).then_some(())).await;
    assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
    let ended = house.ended(run).await;
    assert!(ended.message.contains("stopped answering"), "{}", ended.message);
    eventually("its folder is gone", async || house.working_copies().is_empty().then_some(()))
        .await;
    runner.stop().await;
}
