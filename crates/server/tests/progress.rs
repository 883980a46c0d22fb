//! How far a run is, and how long it will still take.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failure is a failed test")]

mod common;

use common::House;
use domain::{
    RunId,
    run::{Outcome, Progress, RunStep},
};
use serde_json::{Value, json};

const STEPS: [&str; 2] = ["Invoke dbt with `dbt deps`", "Invoke dbt with `dbt build`"];

impl House {
    /// A run of the job whose second step is under way since now.
    async fn building(&self, job: i64) -> (RunId, RunStep) {
        self.run(job).await;
        let (run, steps) = self.begin(&STEPS).await;
        self.step(&steps[0], "deps\n", Outcome::Success).await;
        let permit = self.runner().await;
        self.app.store.begin_step(&permit, &self.lease(run), steps[1].id).await.unwrap();
        (run, steps[1].clone())
    }

    async fn is_at(&self, step: &RunStep, done: u32, total: u32) {
        let (permit, lease) = (self.runner().await, self.lease(step.run));
        let progress = Progress { done, total };
        self.app.store.note_progress(&permit, &lease, step.id, progress).await.unwrap();
    }

    async fn shown(&self, path: &str) -> Value {
        self.acme.admin.get(&self.acme.v2(path)).await.data()
    }

    /// A run that took so many seconds.
    async fn took(&self, job: i64, seconds: i64, outcome: Outcome) {
        let (run, _) = self.building(job).await;
        self.wait(seconds);
        self.finish(run, outcome).await;
    }
}

#[tokio::test]
async fn a_run_and_its_steps_tell_how_many_nodes_are_done_while_it_is_under_way() {
    let house = House::new().await;
    let job = house.job("Nightly").await;
    let (run, step) = house.building(job).await;
    let path = format!("/runs/{run}/?include_related=run_steps");
    assert_eq!(house.shown(&path).await["nodes_total"], Value::Null);

    house.is_at(&step, 19, 38).await;

    let shown = house.shown(&path).await;
    assert_eq!((&shown["nodes_done"], &shown["nodes_total"]), (&json!(19), &json!(38)));
    let steps = &shown["run_steps"];
    assert_eq!((&steps[0]["nodes_done"], &steps[0]["nodes_total"]), (&Value::Null, &Value::Null));
    assert_eq!((&steps[1]["nodes_done"], &steps[1]["nodes_total"]), (&json!(19), &json!(38)));
    let listed = house.shown("/runs/").await;
    assert_eq!((&listed[0]["nodes_done"], &listed[0]["nodes_total"]), (&json!(19), &json!(38)));

    house.finish(run, Outcome::Error).await;
    let ended = house.shown(&path).await;
    assert_eq!(ended["nodes_total"], Value::Null);
    assert_eq!(ended["run_steps"][1]["nodes_done"], 19);
}

#[tokio::test]
async fn what_remains_is_estimated_by_the_median_of_runs_of_the_same_job_that_went_well() {
    let house = House::new().await;
    let (job, other) = (house.job("Nightly").await, house.job("Other").await);
    let (run, _) = house.building(job).await;
    let remaining = async |run: RunId| {
        house.shown(&format!("/runs/{run}/")).await["estimated_remaining_seconds"].clone()
    };
    assert_eq!(remaining(run).await, Value::Null);
    house.finish(run, Outcome::Cancelled).await;

    for seconds in [100, 300, 110] {
        house.took(job, seconds, Outcome::Success).await;
    }
    house.took(job, 5, Outcome::Error).await;
    house.took(other, 5000, Outcome::Success).await;
    let (run, _) = house.building(job).await;
    for (waited, left) in [(0, 110), (30, 80), (80, 0), (60, 0)] {
        house.wait(waited);
        assert_eq!(remaining(run).await, left);
    }
    house.finish(run, Outcome::Success).await;
    assert_eq!(remaining(run).await, Value::Null);
}

#[tokio::test]
async fn a_run_tells_who_executes_it_when_they_were_heard_of_and_what_it_waits_for() {
    let house = House::new().await;
    let (job, other) = (house.job("Nightly").await, house.job("Other").await);
    let first = house.run(job).await;
    let path = format!("/runs/{first}/");
    let queued = house.shown(&path).await;
    assert_eq!(
        (&queued["executed_by_thread_id"], &queued["last_heartbeat_at"]),
        (&Value::Null, &Value::Null)
    );
    let (run, _) = house.begin(&STEPS).await;
    let (second, free) = (house.run(job).await, house.run(other).await);

    house.wait(4);
    let heard = house.app.clock.now().to_string();
    let runner = house.runner().await;
    house.app.store.renew_lease(&runner, &house.lease(run)).await.unwrap();
    house.wait(3);

    let shown = house.shown(&path).await;
    assert_eq!(
        (&shown["executed_by_thread_id"], &shown["owner_thread_id"]),
        (&json!("a test"), &json!("a test"))
    );
    for field in ["last_heartbeat_at", "last_checked_at"] {
        assert_eq!(shown[field], heard, "{field}");
    }
    assert_eq!(house.shown(&format!("/runs/{second}/")).await["blocked_by"], json!([first]));
    let listed = house.shown("/runs/").await;
    let blocked = |run: i64| {
        let row = listed.as_array().unwrap().iter().find(|row| row["id"] == run).unwrap();
        row["blocked_by"].clone()
    };
    assert_eq!(
        [blocked(first), blocked(second), blocked(free)],
        [json!([]), json!([first]), json!([])]
    );

    house.finish(run, Outcome::Success).await;
    let ended = house.shown(&path).await;
    assert_eq!(
        (&ended["executed_by_thread_id"], &ended["owner_thread_id"]),
        (&json!("a test"), &Value::Null)
    );
    assert_eq!(
        (&ended["last_heartbeat_at"], &ended["notifications_sent"]),
        (&json!(heard), &json!(false))
    );
    assert_eq!(house.shown(&format!("/runs/{second}/")).await["blocked_by"], json!([]));
}
