//! Scheduled jobs: due in time, once, across restarts and changes.
#![expect(clippy::unwrap_used, reason = "a failure is a failed test")]

mod common;
mod nouns;

use common::{house, name};
use domain::{
    Timestamp,
    authz::{Category, Permit, Runs, Write},
    job::{JobSpec, Schedule, ScheduleDate, ScheduleTime, Triggers},
};
use nouns::admin;
use store::{Keyring, Store, StoreError};

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

fn hourly() -> Schedule {
    Schedule { date: ScheduleDate::EveryDay, time: ScheduleTime::EveryHour(1) }
}

fn scheduled(spec: JobSpec, schedule: Schedule) -> JobSpec {
    JobSpec { schedule, triggers: Triggers { schedule: true, ..Triggers::default() }, ..spec }
}

#[tokio::test]
async fn a_job_runs_once_at_each_of_its_times_and_not_before() {
    let house = house().await;
    let ada = admin(&house);
    let of = ada.furnish("sales", Category::Production).await;
    let permit: Permit<Write, Runs> = ada.runner().await;
    house.store.clock().set(at("2026-11-24T12:10:00Z"));
    let spec = scheduled(JobSpec::named(of.project, of.environment, name("nightly")), hourly());
    let job = house.store.create_job(&ada.permit().await, spec).await.unwrap();
    let due = async || house.store.trigger_due(&permit).await.unwrap();

    assert!(due().await.is_empty());
    house.store.clock().set(at("2026-11-24T12:59:59Z"));
    assert!(due().await.is_empty());
    house.store.clock().set(at("2026-11-24T13:00:00Z"));
    let [first] = <[_; 1]>::try_from(due().await).unwrap();
    assert_eq!((first.job, first.trigger.cause.as_str()), (job.id, "scheduled"));
    assert!(due().await.is_empty(), "a time is run once");
    house.store.clock().set(at("2026-11-24T14:00:01Z"));
    assert!(due().await.is_empty(), "the first still waits: a second one would pile up");
    house.store.cancel_run(&ada.permit().await, first.id).await.unwrap();
    house.store.clock().set(at("2026-11-24T15:00:01Z"));
    assert_eq!(due().await.len(), 1);
}

#[tokio::test]
async fn times_missed_while_nobody_looked_are_run_once_and_the_run_says_so() {
    let house = house().await;
    let ada = admin(&house);
    let of = ada.furnish("sales", Category::Production).await;
    let permit: Permit<Write, Runs> = ada.runner().await;
    house.store.clock().set(at("2026-11-24T12:10:00Z"));
    let spec = scheduled(JobSpec::named(of.project, of.environment, name("nightly")), hourly());
    house.store.create_job(&ada.permit().await, spec).await.unwrap();
    assert!(house.store.trigger_due(&permit).await.unwrap().is_empty(), "planned for 13:00");

    // The plan is a row: whoever opens the folder after a restart goes by it.
    house.store.clock().set(at("2026-11-25T12:10:00Z"));
    let dir = house.store.data_dir();
    let keyring = Keyring::load_or_create(&dir.keyring()).unwrap();
    let store = Store::open(dir, keyring, house.clock.clone()).await.unwrap();
    let late = store.trigger_due(&permit).await.unwrap();
    let causes: Vec<_> = late.iter().map(|run| run.trigger.cause.as_str()).collect();
    let cause = "scheduled for 2026-11-24T13:00:00.000000+00:00; run late, and once for all times \
                 missed until 2026-11-25T12:10:00.000000+00:00";
    assert_eq!(causes, [cause]);
    assert!(store.trigger_due(&permit).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_changed_schedule_counts_from_its_change_and_one_switched_off_not_at_all() {
    let house = house().await;
    let ada = admin(&house);
    let of = ada.furnish("sales", Category::Production).await;
    let permit: Permit<Write, Runs> = ada.runner().await;
    house.store.clock().set(at("2026-11-24T12:10:00Z"));
    let spec = scheduled(JobSpec::named(of.project, of.environment, name("nightly")), hourly());
    let job = house.store.create_job(&ada.permit().await, spec).await.unwrap();
    let due = async || house.store.trigger_due(&permit).await.unwrap().len();
    assert_eq!(due().await, 0);
    let switch = async |on: bool| {
        let change = |spec: JobSpec| {
            let triggers = Triggers { schedule: on, ..spec.triggers };
            Ok::<_, StoreError>(JobSpec { triggers, ..spec })
        };
        house.store.update_job(&ada.permit().await, job.id, change).await.unwrap();
    };
    switch(false).await;
    house.store.clock().set(at("2026-11-24T18:30:00Z"));
    assert_eq!(due().await, 0);
    switch(true).await;
    assert_eq!(due().await, 0, "what passed while it was off is not made up for");
    house.store.clock().set(at("2026-11-24T19:00:00Z"));
    assert_eq!(due().await, 1);
    house.store.delete_job(&ada.permit().await, job.id).await.unwrap();
    house.store.clock().set(at("2026-11-24T23:00:00Z"));
    assert_eq!(due().await, 0);
}
