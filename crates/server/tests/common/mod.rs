//! An account with a project whose jobs can run, for the tests of jobs and runs.
#![allow(
    dead_code,
    clippy::allow_attributes,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "each test file uses its part of it, and a failure here is a failed test"
)]

pub(crate) mod browser;
pub(crate) mod everything;
pub(crate) mod mail_server;
pub(crate) mod receiver;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use domain::{
    EnvironmentId, Name, RunId,
    authz::{Caller, Category, Permit, Runs, SystemTask, Write, authorize},
    environment::EnvironmentSpec,
    lease::{Lease, Worker},
    run::{Outcome, RunStep},
};
use serde_json::{Value, json};
use testkit::{TestAccount, TestApp, TestProject};

pub(crate) struct House {
    pub(crate) app: TestApp,
    pub(crate) acme: TestAccount,
    pub(crate) sales: TestProject,
    pub(crate) production: EnvironmentId,
    leases: Mutex<BTreeMap<RunId, Lease>>,
}

/// A worker that is never taken for dead, however far a test sets its clock.
pub(crate) fn worker() -> Worker {
    Worker { name: "a test".to_owned(), lease: Duration::from_hours(100_000) }
}

impl House {
    pub(crate) async fn new() -> Self {
        Self::on(TestApp::new().await).await
    }

    /// The same on a server of one's own.
    pub(crate) async fn on(app: TestApp) -> Self {
        let acme = app.account("acme").await;
        let sales = acme.project("sales").await;
        let production = environment(&app, &acme, &sales, Category::Production).await;
        Self { app, acme, sales, production, leases: Mutex::default() }
    }

    pub(crate) async fn environment(
        &self,
        project: &TestProject,
        category: Category,
    ) -> EnvironmentId {
        environment(&self.app, &self.acme, project, category).await
    }

    /// The body of a job in production.
    pub(crate) fn body(&self, name: &str) -> Value {
        json!({
            "name": name,
            "project_id": self.sales.id.get(),
            "environment_id": self.production.get(),
        })
    }

    /// A job in production.
    pub(crate) async fn job(&self, name: &str) -> i64 {
        self.job_of(self.body(name)).await
    }

    pub(crate) async fn job_of(&self, body: Value) -> i64 {
        let made = self.acme.admin.post(&self.acme.v2("/jobs/"), body).await;
        assert_eq!(made.status(), 201, "{}", made.text());
        made.id()
    }

    /// A queued run of the job.
    pub(crate) async fn run(&self, job: i64) -> i64 {
        let path = self.acme.v2(&format!("/jobs/{job}/run/"));
        let made = self.acme.admin.post(&path, json!({ "cause": "a test" })).await;
        assert_eq!(made.status(), 200, "{}", made.text());
        made.id()
    }

    /// What the runner shows the store.
    pub(crate) async fn runner(&self) -> Permit<Write, Runs> {
        let caller: Arc<Caller> = self.app.system(SystemTask::Runner, self.acme.id).await;
        authorize(&caller, self.acme.id).unwrap()
    }

    /// The account's oldest queued run, claimed, started, and with steps of these names.
    pub(crate) async fn begin(&self, steps: &[&str]) -> (RunId, Vec<RunStep>) {
        let (store, permit) = (&self.app.store, self.runner().await);
        let claimed = store.claim_run(&permit, &worker()).await.unwrap();
        let lease = claimed.expect("a run is queued").lease;
        let names: Vec<_> = steps.iter().map(|name| (*name).to_owned()).collect();
        let steps = store.plan_steps(&permit, &lease, &names).await.unwrap();
        store.start_run(&permit, &lease).await.unwrap();
        let run = lease.run;
        self.leases.lock().unwrap().insert(run, lease);
        (run, steps)
    }

    /// The lease of a run that was begun.
    pub(crate) fn lease(&self, run: RunId) -> Lease {
        self.leases.lock().unwrap().get(&run).cloned().expect("the run was begun")
    }

    /// Does one step and writes its log.
    pub(crate) async fn step(&self, step: &RunStep, log: &str, outcome: Outcome) {
        let (store, permit) = (&self.app.store, self.runner().await);
        let lease = self.lease(step.run);
        store.begin_step(&permit, &lease, step.id).await.unwrap();
        store.append_log(&permit, &lease, step.id, log).await.unwrap();
        store.finish_step(&permit, &lease, step.id, outcome).await.unwrap();
    }

    pub(crate) async fn finish(&self, run: RunId, outcome: Outcome) {
        let permit = self.runner().await;
        self.app.store.finish_run(&permit, &self.lease(run), outcome, "").await.unwrap();
    }

    /// Lets the clock go on.
    pub(crate) fn wait(&self, seconds: i64) {
        self.app.clock.set(self.app.clock.now().plus_seconds(seconds));
    }

    /// How many statements a request takes.
    pub(crate) async fn statements_of(&self, path: &str) -> u64 {
        let before = self.app.store.statements();
        let answer = self.acme.admin.get(path).await;
        assert_eq!(answer.status(), 200, "{}", answer.text());
        self.app.store.statements() - before
    }
}

async fn environment(
    app: &TestApp,
    account: &TestAccount,
    project: &TestProject,
    category: Category,
) -> EnvironmentId {
    let permit = authorize(&account.admin_caller().await, account.id).unwrap();
    let name = Name::parse(category.key()).unwrap();
    let spec = EnvironmentSpec { category, ..EnvironmentSpec::named(name) };
    app.store.create_environment(&permit, project.id, spec).await.unwrap().id
}
