//! Leases: one worker a run, and nothing written by one that is taken for dead.
#![expect(clippy::unwrap_used, reason = "a failure is a failed test")]

mod common;
mod nouns;

use std::{collections::BTreeMap, sync::Mutex};

use common::{House, house, noon, number};
use domain::{
    RunId,
    authz::{Category, Permit, Runs, Write},
    lease::{Lease, Reaped, Worker},
    run::{Outcome, Progress, RunState, RunStatus, Trigger},
};
use nouns::{Owner, admin, because};
use store::{AccountChange, StoreError};

const HALF: Progress = Progress { done: 1, total: 2 };

/// A worker with a lease of the usual length.
fn mortal(pid: u32) -> Worker {
    Worker::of_process(pid, noon())
}

fn seconds(seconds: i64) -> domain::Timestamp {
    noon().plus_seconds(seconds)
}

async fn claim(owner: &Owner, worker: &Worker) -> Option<Lease> {
    let claimed = owner.store.claim_run(&owner.runner().await, worker).await.unwrap();
    claimed.map(|claimed| claimed.lease)
}

/// A run of a job of its own, claimed by a worker that can die.
async fn claimed(house: &House) -> (Owner, Lease) {
    let ada = admin(house);
    let of = ada.furnish("sales", Category::Staging).await;
    ada.trigger(of.job).await;
    let lease = claim(&ada, &mortal(1)).await.unwrap();
    (ada, lease)
}

/// Reaps what has run out; gives what became of each.
async fn reap(owner: &Owner) -> Vec<(RunId, Reaped)> {
    let (store, runner) = (&owner.store, owner.runner().await);
    let mut reaped = Vec::new();
    for lease in store.expired_leases(&runner).await.unwrap() {
        let fate = store.reap_run(&runner, &lease).await.unwrap();
        reaped.extend(fate.map(|fate| (lease.run, fate)));
    }
    reaped
}

/// Everything that a worker writes about a run, once.
async fn write_all(owner: &Owner, lease: &Lease) -> BTreeMap<&'static str, Result<(), StoreError>> {
    let (store, runner) = (&owner.store, owner.runner().await);
    let step = store.run_steps(&owner.permit().await, &[lease.run]).await.unwrap();
    let step = step.first().map_or(domain::StepId::new(999).unwrap(), |step| step.id);
    [
        ("renew", store.renew_lease(&runner, lease).await),
        ("return", store.return_run(&runner, lease).await),
        ("duckdb", store.take_duckdb(&runner, lease, "x.duckdb").await.map(|_| ())),
        ("plan", store.plan_steps(&runner, lease, &["x".to_owned()]).await.map(|_| ())),
        ("start", store.start_run(&runner, lease).await.map(|_| ())),
        ("checkout", store.note_checkout(&runner, lease, "abc", (None, false)).await),
        ("begin", store.begin_step(&runner, lease, step).await),
        ("log", store.append_log(&runner, lease, step, "x").await),
        ("debug log", store.append_debug_log(&runner, lease, step, "x").await),
        ("progress", store.note_progress(&runner, lease, step, HALF).await),
        ("artifact", store.put_artifact(&runner, lease, 1, "manifest.json", "x".as_bytes()).await),
        ("end", store.finish_step(&runner, lease, step, Outcome::Success).await),
        ("finish", store.finish_run(&runner, lease, Outcome::Success, "").await.map(|_| ())),
    ]
    .into()
}

fn all_lost(written: &BTreeMap<&'static str, Result<(), StoreError>>) {
    assert_eq!(written.len(), 13);
    for (what, answer) in written {
        assert!(matches!(answer, Err(StoreError::LeaseLost)), "{what}: {answer:?}");
    }
}

#[tokio::test]
async fn a_worker_whose_lease_ran_out_writes_nothing_also_before_anybody_found_that() {
    let house = house().await;
    let (ada, lease) = claimed(&house).await;
    let (store, runner) = (&house.store, ada.runner().await);
    let steps = store.plan_steps(&runner, &lease, &["one".to_owned()]).await.unwrap();
    store.start_run(&runner, &lease).await.unwrap();
    store.begin_step(&runner, &lease, steps[0].id).await.unwrap();
    house.clock.set(seconds(20));

    all_lost(&write_all(&ada, &lease).await);

    let raw = house.raw().await;
    assert_eq!(number(&raw, "SELECT count(*) FROM artifacts WHERE run_id = 2").await, 0);
    assert_eq!(ada.run(lease.run).await.state.status(), RunStatus::RUNNING);
}

#[tokio::test]
async fn a_run_that_has_begun_ends_as_an_error_that_says_since_when_its_worker_is_silent() {
    let house = house().await;
    let (ada, lease) = claimed(&house).await;
    let (store, runner) = (&house.store, ada.runner().await);
    let steps = store.plan_steps(&runner, &lease, &["one".to_owned()]).await.unwrap();
    store.start_run(&runner, &lease).await.unwrap();
    store.begin_step(&runner, &lease, steps[0].id).await.unwrap();
    store.append_log(&runner, &lease, steps[0].id, "so far\n").await.unwrap();
    house.clock.set(seconds(15));
    store.renew_lease(&runner, &lease).await.unwrap();
    house.clock.set(seconds(34));
    assert_eq!(reap(&ada).await, [], "it was renewed");

    house.clock.set(seconds(35));
    assert_eq!(reap(&ada).await, [(lease.run, Reaped::Ended)]);

    let run = ada.run(lease.run).await;
    assert_eq!(run.state.status(), RunStatus::ERROR);
    let reason = "the worker that ran it stopped answering at 2026-11-23T12:00:15.000000+00:00";
    assert_eq!(run.message, reason);
    let logs = store.step_logs(&ada.permit().await, &[steps[0].id]).await.unwrap();
    assert_eq!(logs[&steps[0].id], "so far\n");
    assert_eq!(reap(&ada).await, []);
    all_lost(&write_all(&ada, &lease).await);
    house.records().await;
}

#[tokio::test]
async fn a_run_of_which_nothing_had_begun_is_taken_again_by_another_worker() {
    let house = house().await;
    let (ada, first) = claimed(&house).await;
    let store = &house.store;
    store.plan_steps(&ada.runner().await, &first, &["one".to_owned()]).await.unwrap();
    house.clock.set(seconds(21));
    assert_eq!(claim(&ada, &mortal(2)).await, None, "it is not queued yet");

    assert_eq!(reap(&ada).await, [(first.run, Reaped::Queued)]);
    assert_eq!(ada.run(first.run).await.state, RunState::Queued);
    let second = claim(&ada, &mortal(2)).await.unwrap();

    assert_eq!(second.run, first.run);
    assert!(second.id > first.id, "the fencing number grows");
    all_lost(&write_all(&ada, &first).await);
    let runner = ada.runner().await;
    store.plan_steps(&runner, &second, &["one".to_owned()]).await.unwrap();
    store.start_run(&runner, &second).await.unwrap();
    ada.finish(&second, Outcome::Success).await;
    assert_eq!(store.run_steps(&ada.permit().await, &[first.run]).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_run_that_was_to_be_cancelled_or_whose_job_is_gone_is_not_taken_again() {
    let house = house().await;
    let ada = admin(&house);
    let slots = AccountChange { run_slots: Some(5), ..AccountChange::default() };
    house.store.update_account(&ada.permit().await, slots).await.unwrap();
    let of = ada.furnish("sales", Category::Staging).await;
    let other = ada.job(of.project, of.environment).await;
    let (cancelled, deleted) = (ada.trigger(of.job).await.id, ada.trigger(other).await.id);
    for _ in 0..2 {
        claim(&ada, &mortal(1)).await.unwrap();
    }
    house.store.cancel_run(&ada.permit().await, cancelled).await.unwrap();
    house.store.delete_job(&ada.permit().await, other).await.unwrap();
    house.clock.set(seconds(21));

    assert_eq!(reap(&ada).await, [(cancelled, Reaped::Ended), (deleted, Reaped::Ended)]);

    for (run, message) in
        [(cancelled, "cancelled before it began"), (deleted, "the job was deleted")]
    {
        let run = ada.run(run).await;
        assert_eq!((run.state.status(), &*run.message), (RunStatus::CANCELLED, message));
    }
}

#[tokio::test]
async fn a_worker_that_stops_gives_back_what_has_not_begun_and_nothing_else() {
    let house = house().await;
    let (ada, lease) = claimed(&house).await;
    let (store, runner) = (&house.store, ada.runner().await);
    store.return_run(&runner, &lease).await.unwrap();
    assert_eq!(ada.run(lease.run).await.state, RunState::Queued);
    all_lost(&write_all(&ada, &lease).await);

    let again = claim(&ada, &mortal(2)).await.unwrap();
    assert_eq!(again.run, lease.run);
    store.start_run(&runner, &again).await.unwrap();
    let late = store.return_run(&runner, &again).await;
    assert!(matches!(late, Err(StoreError::Conflict(_))), "{late:?}");
    assert_eq!(ada.run(lease.run).await.state.status(), RunStatus::RUNNING);
}

#[tokio::test]
async fn a_duckdb_file_is_one_runs_until_its_lease_ends_and_another_file_anothers() {
    let house = house().await;
    let ada = admin(&house);
    let slots = AccountChange { run_slots: Some(5), ..AccountChange::default() };
    house.store.update_account(&ada.permit().await, slots).await.unwrap();
    let of = ada.furnish("sales", Category::Staging).await;
    let mut leases = Vec::new();
    for _ in 0..3 {
        let job = ada.job(of.project, of.environment).await;
        ada.trigger(job).await;
        leases.push(claim(&ada, &mortal(1)).await.unwrap());
    }
    let runner = ada.runner().await;
    let take = async |lease: usize, file: &str| {
        house.store.take_duckdb(&runner, &leases[lease], file).await.unwrap()
    };
    assert!(take(0, "a.duckdb").await && take(0, "a.duckdb").await);
    assert!(!take(1, "a.duckdb").await && take(1, "b.duckdb").await);
    assert!(!take(2, "a.duckdb").await);
    house.clock.set(seconds(10));
    for lease in &leases[1..] {
        house.store.renew_lease(&runner, lease).await.unwrap();
    }
    house.clock.set(seconds(20));
    assert!(!take(2, "a.duckdb").await, "a dead worker's dbt may be at it still");
    assert_eq!(reap(&ada).await.len(), 1);
    assert!(take(2, "a.duckdb").await);
}

/// Lets the clock go on for longer than a lease; two at once do not turn it back.
fn later(clock: &store::Clock) {
    static ONE_BY_ONE: Mutex<()> = Mutex::new(());
    let _turn = ONE_BY_ONE.lock().unwrap();
    clock.set(clock.now().plus_seconds(21));
}

/// Workers that die, sleep, wake up and go on, at random, with the fencing numbers as witnesses.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_two_workers_ever_execute_one_run() {
    let house = house().await;
    let ada = admin(&house);
    let slots = AccountChange { run_slots: Some(4), ..AccountChange::default() };
    house.store.update_account(&ada.permit().await, slots).await.unwrap();
    let of = ada.furnish("sales", Category::Staging).await;
    for number in 0..40 {
        let trigger = Trigger { github_pull_request: Some(number), ..because() };
        house.store.trigger_run(&ada.permit().await, of.job, trigger).await.unwrap();
    }
    // Each worker: claims; every third then sleeps past its lease and goes on as if nothing was.
    let worker = async |pid: u32, store: store::Store, runner: Permit<Write, Runs>| {
        let mut executed = Vec::new();
        for round in 0..40_u32 {
            let Some(claimed) = store.claim_run(&runner, &mortal(pid)).await.unwrap() else {
                continue;
            };
            let lease = claimed.lease;
            if (pid + round).is_multiple_of(3) {
                later(store.clock());
                for lease in store.expired_leases(&runner).await.unwrap() {
                    store.reap_run(&runner, &lease).await.unwrap();
                }
            }
            // What a worker does: it goes on unless it is refused.
            let names = ["one".to_owned()];
            let Ok(steps) = store.plan_steps(&runner, &lease, &names).await else { continue };
            let Ok(_) = store.start_run(&runner, &lease).await else { continue };
            let Ok(()) = store.begin_step(&runner, &lease, steps[0].id).await else { continue };
            executed.push(lease.run);
            let _ = store.finish_run(&runner, &lease, Outcome::Success, "").await;
        }
        executed
    };
    let mut workers = Vec::new();
    for pid in 0..4 {
        workers.push(tokio::spawn(worker(pid, house.store.clone(), ada.runner().await)));
    }
    let mut executed = Vec::new();
    for worker in workers {
        executed.extend(worker.await.unwrap());
    }

    let runs = executed.len();
    executed.sort_unstable();
    executed.dedup();
    assert_eq!(executed.len(), runs, "a run was executed twice");
    let raw = house.raw().await;
    let taken_again = "SELECT count(*) FROM run_leases WHERE ending = 'expired'";
    assert!(number(&raw, taken_again).await > 0, "some did run out");
    let overlapping = "SELECT count(*) FROM run_leases a JOIN run_leases b
        ON a.run_id = b.run_id AND a.id < b.id AND (a.ended_at IS NULL OR a.ended_at > b.taken_at)";
    assert_eq!(number(&raw, overlapping).await, 0);
    house.records().await;
}

#[tokio::test]
async fn runs_that_an_earlier_version_left_under_way_are_found_too() {
    use sea_orm::ConnectionTrait as _;
    let house = house().await;
    let (ada, lease) = claimed(&house).await;
    house.store.start_run(&ada.runner().await, &lease).await.unwrap();
    let raw = house.raw().await;
    // As it was before there were leases.
    for statement in
        ["DROP TABLE run_leases", "DELETE FROM seaql_migrations WHERE version LIKE 'm0010%'"]
    {
        raw.execute_unprepared(statement).await.unwrap();
    }
    raw.close().await.unwrap();
    house.store.close().await.unwrap();
    let dir = house.store.data_dir();
    let keyring = store::Keyring::load_or_create(&dir.keyring()).unwrap();
    let store = store::Store::open(dir, keyring, house.clock.clone()).await.unwrap();
    let ada = Owner { store, account: ada.account, secret: house.secret.clone() };

    assert_eq!(reap(&ada).await, [(lease.run, Reaped::Ended)]);

    assert_eq!(ada.run(lease.run).await.state.status(), RunStatus::ERROR);
}
