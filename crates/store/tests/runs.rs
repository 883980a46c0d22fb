//! Jobs and runs: who may write where, the queue, and what a run leaves.
#![expect(clippy::unwrap_used, reason = "a failure is a failed test")]

mod common;

use common::{House, house, name};
use domain::{
    EnvironmentId, JobId, ProjectId,
    authz::{
        Categories, Category, Denied, Environments, Grant, Jobs, Permit, PrincipalId,
        ProjectCreate, Projects, Read, Runs, SystemTask, Write,
    },
    environment::EnvironmentSpec,
    job::JobSpec,
    lease::Lease,
    list::{Filter, ListQuery, Test},
    project::ProjectSpec,
    run::{Outcome, Run, RunStatus, StepState, Trigger},
    secret::TokenSecret,
};
use store::{AccountChange, StoreError};

/// A project with an environment of a category and a job in it.
async fn job_in(house: &House, project: ProjectId, category: Category) -> (EnvironmentId, JobId) {
    let mut spec = EnvironmentSpec::named(name(category.key()));
    spec.category = category;
    let permit: Permit<Write, Environments> = house.permit().await;
    let environment = house.store.create_environment(&permit, project, spec).await.unwrap().id;
    let permit: Permit<Write, Jobs> = house.permit().await;
    let spec = JobSpec::named(project, environment, name("nightly"));
    (environment, house.store.create_job(&permit, spec).await.unwrap().id)
}

async fn project(house: &House, named: &str) -> ProjectId {
    let permit: Permit<Write, ProjectCreate> = house.permit().await;
    house.store.create_project(&permit, ProjectSpec::named(name(named))).await.unwrap().id
}

async fn trigger(house: &House, job: JobId) -> Run {
    let permit: Permit<Write, Runs> = house.permit().await;
    house.store.trigger_run(&permit, job, because(house)).await.unwrap()
}

async fn claim(house: &House, runner: &Permit<Write, Runs>) -> Option<Lease> {
    let claimed = house.store.claim_run(runner, &common::worker()).await.unwrap();
    claimed.map(|claimed| claimed.lease)
}

fn because(house: &House) -> Trigger {
    Trigger::plain(PrincipalId::User(house.user), "a test".to_owned())
}

async fn on(house: &House, grant: Grant, seed: u64) -> TokenSecret {
    house.token("t", vec![grant], seed).await.1
}

fn held(set: &str, project: ProjectId) -> Grant {
    Grant::new(set.parse().unwrap(), Projects::only([project]).unwrap()).unwrap()
}

#[tokio::test]
async fn a_raised_set_starts_runs_in_its_categories_and_projects_alone() {
    let house = house().await;
    let (sales, hr) = (project(&house, "sales").await, project(&house, "hr").await);
    let (_, staging) = job_in(&house, sales, Category::Staging).await;
    let (_, production) = job_in(&house, sales, Category::Production).await;
    let (_, elsewhere) = job_in(&house, hr, Category::Staging).await;
    let raised = Categories::NONE.with(Category::Staging);
    let secret = on(&house, held("analyst", sales).raising(raised), 5).await;
    let permit: Permit<Write, Runs> = house.permit_of(&secret).await;

    assert!(house.store.trigger_run(&permit, staging, because(&house)).await.is_ok());
    let refused = house.store.trigger_run(&permit, production, because(&house)).await;
    assert!(matches!(refused, Err(StoreError::Denied(Denied::NoGrantHere { .. }))), "{refused:?}");
    let hidden = house.store.trigger_run(&permit, elsewhere, because(&house)).await;
    assert!(matches!(hidden, Err(StoreError::Denied(Denied::OutsideScope(_)))), "{hidden:?}");
}

#[tokio::test]
async fn a_job_moves_only_between_environments_that_are_both_covered() {
    let house = house().await;
    let sales = project(&house, "sales").await;
    let (staging, job) = job_in(&house, sales, Category::Staging).await;
    let (production, _) = job_in(&house, sales, Category::Production).await;
    let raised = Categories::NONE.with(Category::Staging);
    let secret = on(&house, held("developer", sales).raising(raised), 6).await;
    let permit: Permit<Write, Jobs> = house.permit_of(&secret).await;

    let moved = house
        .store
        .update_job(&permit, job, |spec| {
            Ok::<_, StoreError>(JobSpec { environment: production, ..spec })
        })
        .await;
    assert!(matches!(moved, Err(StoreError::Denied(Denied::NoGrantHere { .. }))), "{moved:?}");
    let read: Permit<Read, Jobs> = house.permit().await;
    assert_eq!(house.store.job(&read, job).await.unwrap().spec.environment, staging);
    let renamed = house
        .store
        .update_job(&permit, job, |spec| {
            Ok::<_, StoreError>(JobSpec { name: name("hourly"), ..spec })
        })
        .await;
    assert_eq!(renamed.unwrap().spec.name, name("hourly"));
}

#[tokio::test]
async fn a_job_may_not_name_an_environment_of_another_project() {
    let house = house().await;
    let (sales, hr) = (project(&house, "sales").await, project(&house, "hr").await);
    let (theirs, _) = job_in(&house, hr, Category::Other).await;
    let permit: Permit<Write, Jobs> = house.permit().await;
    let made = house.store.create_job(&permit, JobSpec::named(sales, theirs, name("x"))).await;
    assert!(matches!(made, Err(StoreError::Invalid { field: "environment_id", .. })), "{made:?}");
}

#[tokio::test]
async fn runs_are_claimed_in_order_as_slots_allow_and_one_at_a_time_a_job() {
    let house = house().await;
    let sales = project(&house, "sales").await;
    let (_, a) = job_in(&house, sales, Category::Staging).await;
    let (_, b) = job_in(&house, sales, Category::Production).await;
    let settings = house.permit().await;
    let two = AccountChange { run_slots: Some(2), ..AccountChange::default() };
    house.store.update_account(&settings, two).await.unwrap();
    let queued = [a, a, b, b].map(|job| trigger(&house, job));
    let mut ids = Vec::new();
    for run in queued {
        ids.push(run.await.id);
    }
    let worker: Permit<Write, Runs> = house.task(SystemTask::Runner).await;
    let claim = async || claim(&house, &worker).await;

    // The second run of `a` waits for the first; then both slots are taken.
    let first = claim().await.unwrap();
    assert_eq!(first.run, ids[0]);
    assert_eq!(claim().await.unwrap().run, ids[2]);
    assert_eq!(claim().await, None);
    house.store.finish_run(&worker, &first, Outcome::Success, "").await.unwrap();
    assert_eq!(claim().await.unwrap().run, ids[1]);
    assert_eq!(claim().await, None);
}

#[tokio::test]
async fn runs_for_pull_requests_do_not_wait_for_each_other() {
    let house = house().await;
    let sales = project(&house, "sales").await;
    let (_, job) = job_in(&house, sales, Category::Staging).await;
    let permit: Permit<Write, Runs> = house.permit().await;
    for number in [7, 8] {
        let trigger = Trigger { github_pull_request: Some(number), ..because(&house) };
        house.store.trigger_run(&permit, job, trigger).await.unwrap();
    }
    let worker: Permit<Write, Runs> = house.task(SystemTask::Runner).await;
    assert!(claim(&house, &worker).await.is_some());
    assert!(claim(&house, &worker).await.is_some());
}

#[tokio::test]
async fn a_run_is_cancelled_in_every_state_but_the_last() {
    let house = house().await;
    let sales = project(&house, "sales").await;
    let (_, job) = job_in(&house, sales, Category::Staging).await;
    let permit: Permit<Write, Runs> = house.permit().await;
    let worker: Permit<Write, Runs> = house.task(SystemTask::Runner).await;

    let queued = trigger(&house, job).await;
    let cancelled = house.store.cancel_run(&permit, queued.id).await.unwrap();
    assert_eq!(cancelled.state.status(), RunStatus::CANCELLED);
    let again = house.store.cancel_run(&permit, queued.id).await;
    assert!(matches!(again, Err(StoreError::Conflict(_))), "{again:?}");

    let run = trigger(&house, job).await;
    let lease = claim(&house, &worker).await.unwrap();
    let asked = house.store.cancel_run(&permit, run.id).await.unwrap();
    assert!(asked.cancel_requested);
    assert_eq!(asked.state.status(), RunStatus::STARTING);
    house.store.start_run(&worker, &lease).await.unwrap();
    let ended = house.store.finish_run(&worker, &lease, Outcome::Cancelled, "").await.unwrap();
    assert!(ended.state.finished_at().is_some());
    let again = house.store.finish_run(&worker, &lease, Outcome::Success, "").await;
    assert!(matches!(again, Err(StoreError::LeaseLost)), "{again:?}");
    house.records().await;
}

#[tokio::test]
async fn steps_keep_their_text_and_end_with_their_run() {
    let house = house().await;
    let sales = project(&house, "sales").await;
    let (_, job) = job_in(&house, sales, Category::Staging).await;
    let run = trigger(&house, job).await.id;
    let worker: Permit<Write, Runs> = house.task(SystemTask::Runner).await;
    let lease = claim(&house, &worker).await.unwrap();
    let names = ["one", "two", "three"].map(str::to_owned);
    let store = &house.store;
    let steps = store.plan_steps(&worker, &lease, &names).await.unwrap();
    store.start_run(&worker, &lease).await.unwrap();
    store.begin_step(&worker, &lease, steps[0].id).await.unwrap();
    store.append_log(&worker, &lease, steps[0].id, "first\n").await.unwrap();
    store.append_log(&worker, &lease, steps[0].id, "second\n").await.unwrap();
    store.finish_step(&worker, &lease, steps[0].id, Outcome::Success).await.unwrap();
    store.begin_step(&worker, &lease, steps[1].id).await.unwrap();
    store.finish_run(&worker, &lease, Outcome::Error, "two failed").await.unwrap();

    let read: Permit<Read, Runs> = house.permit().await;
    let after = house.store.run_steps(&read, &[run]).await.unwrap();
    let words: Vec<_> = after.iter().map(|step| step.state.status().1).collect();
    assert_eq!(words, ["Success", "Error", "Skipped"]);
    assert_eq!(after[2].state, StepState::Skipped);
    let logs = house.store.step_logs(&read, &[steps[0].id]).await.unwrap();
    assert_eq!(logs[&steps[0].id], "first\nsecond\n");
    assert_eq!(house.store.run(&read, run).await.unwrap().message, "two failed");
}

#[tokio::test]
async fn an_artifact_is_of_the_last_step_that_has_it_unless_one_is_named() {
    let house = house().await;
    let sales = project(&house, "sales").await;
    let (_, job) = job_in(&house, sales, Category::Staging).await;
    let run = trigger(&house, job).await.id;
    let worker: Permit<Write, Runs> = house.task(SystemTask::Runner).await;
    let lease = claim(&house, &worker).await.unwrap();
    let put = async |step: u32, path: &str, text: &'static str| {
        house.store.put_artifact(&worker, &lease, step, path, text.as_bytes()).await
    };
    put(4, "manifest.json", "old").await.unwrap();
    put(5, "manifest.json", "new").await.unwrap();
    put(5, "compiled/shop/a.sql", "select 1").await.unwrap();
    for path in ["../x", "/x", "a//b", "a/../b", "", "a\\b", "a\nb", "./a"] {
        let refused = put(5, path, "x").await;
        assert!(matches!(refused, Err(StoreError::Invalid { field: "path", .. })), "{path:?}");
    }
    let read: Permit<Read, Runs> = house.permit().await;
    let get =
        async |step| house.store.artifact(&read, run, "manifest.json", step).await?.bytes().await;
    assert_eq!(get(None).await.unwrap(), "new");
    assert_eq!(get(Some(4)).await.unwrap(), "old");
    assert!(matches!(get(Some(9)).await, Err(StoreError::NotFound)));
    let listed = house.store.artifacts(&read, run).await.unwrap();
    assert_eq!(listed.len(), 3);
    assert_eq!(listed[1].path, "compiled/shop/a.sql");
}

#[tokio::test]
async fn lists_and_objects_are_confined_to_the_projects_of_the_permit() {
    let house = house().await;
    let (sales, hr) = (project(&house, "sales").await, project(&house, "hr").await);
    let (_, ours) = job_in(&house, sales, Category::Staging).await;
    let (_, theirs) = job_in(&house, hr, Category::Staging).await;
    let (seen, unseen) = (trigger(&house, ours).await.id, trigger(&house, theirs).await.id);
    let secret = on(&house, held("job_admin", sales), 7).await;
    let all = ListQuery::first_page();

    let jobs: Permit<Read, Jobs> = house.permit_of(&secret).await;
    let listed = house.store.jobs(&jobs, &all).await.unwrap();
    assert_eq!(listed.rows.iter().map(|job| job.id).collect::<Vec<_>>(), [ours]);
    assert_eq!(listed.total, 1);
    assert!(house.store.job(&jobs, theirs).await.is_err());
    let runs: Permit<Read, Runs> = house.permit_of(&secret).await;
    let listed = house.store.runs(&runs, &all).await.unwrap();
    assert_eq!(listed.rows.iter().map(|run| run.id).collect::<Vec<_>>(), [seen]);
    assert!(house.store.run(&runs, unseen).await.is_err());
    assert!(house.store.artifacts(&runs, unseen).await.is_err());
    assert!(house.store.run_steps(&runs, &[unseen]).await.unwrap().is_empty());
    let latest = house.store.latest_runs(&runs, &[ours, theirs]).await.unwrap();
    assert_eq!(latest.keys().collect::<Vec<_>>(), [&ours]);
    let projects: Permit<Read, domain::authz::kinds::Projects> = house.permit_of(&secret).await;
    assert_eq!(house.store.projects(&projects, &all).await.unwrap().total, 1);
}

#[tokio::test]
async fn runs_are_filtered_by_status_job_and_time() {
    let house = house().await;
    let sales = project(&house, "sales").await;
    let (_, a) = job_in(&house, sales, Category::Staging).await;
    let (_, b) = job_in(&house, sales, Category::Production).await;
    let (first, second) = (trigger(&house, a).await.id, trigger(&house, b).await.id);
    let worker: Permit<Write, Runs> = house.task(SystemTask::Runner).await;
    let lease = claim(&house, &worker).await.unwrap();
    assert_eq!(lease.run, first);
    house.clock.set(common::noon().plus_seconds(60));
    house.store.finish_run(&worker, &lease, Outcome::Success, "").await.unwrap();
    let read: Permit<Read, Runs> = house.permit().await;
    let ids = async |field: &str, test: Test| {
        let mut query = ListQuery::first_page();
        query.filters.push(Filter { field: field.to_owned(), test });
        let page = house.store.runs(&read, &query).await.unwrap();
        page.rows.into_iter().map(|run| run.id).collect::<Vec<_>>()
    };
    let texts = |values: &[&str]| Test::In(values.iter().map(ToString::to_string).collect());
    assert_eq!(ids("status", texts(&["1", "2", "3"])).await, [second]);
    assert_eq!(ids("status", texts(&["10"])).await, [first]);
    assert_eq!(ids("job_definition_id", Test::Is(b.to_string())).await, [second]);
    let (noon, later) = (common::noon(), common::noon().plus_seconds(61));
    assert_eq!(ids("finished_at", Test::Between(noon, later)).await, [first]);
    assert_eq!(ids("created_at", Test::Between(noon, noon)).await, [first, second]);
    assert_eq!(ids("id", Test::Above(first.to_string())).await, [second]);
}

#[tokio::test]
async fn a_project_takes_what_belongs_to_it_along_and_waits_for_runs_under_way() {
    let house = house().await;
    let sales = project(&house, "sales").await;
    let (environment, job) = job_in(&house, sales, Category::Staging).await;
    trigger(&house, job).await;
    let worker: Permit<Write, Runs> = house.task(SystemTask::Runner).await;
    let lease = claim(&house, &worker).await.unwrap();
    let permit = house.permit().await;
    let early = house.store.delete_project(&permit, sales).await;
    assert!(matches!(early, Err(StoreError::Conflict(_))), "{early:?}");
    house.store.finish_run(&worker, &lease, Outcome::Error, "").await.unwrap();
    let queued = trigger(&house, job).await.id;

    house.store.delete_project(&permit, sales).await.unwrap();

    let jobs: Permit<Read, Jobs> = house.permit().await;
    assert!(matches!(house.store.job(&jobs, job).await, Err(StoreError::NotFound)));
    let environments: Permit<Read, Environments> = house.permit().await;
    let gone = house.store.environment(&environments, environment).await;
    assert!(matches!(gone, Err(StoreError::NotFound)));
    let again = house.store.delete_project(&permit, sales).await;
    assert!(matches!(again, Err(StoreError::NotFound)));
    let runs: Permit<Read, Runs> = house.permit().await;
    let run = house.store.run(&runs, queued).await.unwrap();
    assert_eq!(run.state.status(), RunStatus::CANCELLED);
    house.records().await;
}

#[tokio::test]
async fn a_project_has_one_production_environment_and_keeps_what_jobs_run_in() {
    let house = house().await;
    let sales = project(&house, "sales").await;
    let (environment, job) = job_in(&house, sales, Category::Production).await;
    let permit: Permit<Write, Environments> = house.permit().await;
    let mut second = EnvironmentSpec::named(name("second"));
    second.category = Category::Production;
    let made = house.store.create_environment(&permit, sales, second).await;
    assert!(matches!(made, Err(StoreError::Invalid { field: "deployment_type", .. })), "{made:?}");
    let early = house.store.delete_environment(&permit, environment).await;
    assert!(matches!(early, Err(StoreError::Conflict(_))), "{early:?}");
    let jobs: Permit<Write, Jobs> = house.permit().await;
    house.store.delete_job(&jobs, job).await.unwrap();
    house.store.delete_environment(&permit, environment).await.unwrap();
}
