//! Ids that a body names: of the same account and project, alive, or refused by the field's name.
#![expect(clippy::unwrap_used, reason = "a failure is a failed test")]

mod common;
mod nouns;

use common::{House, house, name};
use domain::{
    authz::{Category, Denied, Permit, Read, Runs, Write},
    environment::EnvironmentSpec,
    job::{CompletionCondition, JobSpec},
    project::ProjectSpec,
    run::RunStatus,
};
use nouns::{Furnished, Owner, admin, holder, neighbour, on};
use store::StoreError;

/// The field that an answer complains of.
fn field<T: std::fmt::Debug>(answer: Result<T, StoreError>) -> &'static str {
    match answer {
        Err(StoreError::Invalid { field, message }) => {
            assert!(message.contains("within reach"), "{message}");
            field
        }
        other => panic!("{other:?}"),
    }
}

async fn set_project(
    owner: &Owner,
    of: &Furnished,
    change: impl FnOnce(&mut ProjectSpec) + Send,
) -> Result<(), StoreError> {
    let change = |mut spec: ProjectSpec| {
        change(&mut spec);
        Ok::<_, StoreError>(spec)
    };
    owner.store.update_project(&owner.permit().await, of.project, change).await.map(drop)
}

async fn set_environment(
    owner: &Owner,
    of: &Furnished,
    change: impl FnOnce(&mut EnvironmentSpec) + Send,
) -> Result<(), StoreError> {
    let change = |mut spec: EnvironmentSpec| {
        change(&mut spec);
        Ok::<_, StoreError>(spec)
    };
    owner.store.update_environment(&owner.permit().await, of.environment, change).await.map(drop)
}

async fn set_job(
    owner: &Owner,
    of: &Furnished,
    change: impl FnOnce(&mut JobSpec) + Send,
) -> Result<(), StoreError> {
    let change = |mut spec: JobSpec| {
        change(&mut spec);
        Ok::<_, StoreError>(spec)
    };
    owner.store.update_job(&owner.permit().await, of.job, change).await.map(drop)
}

/// Every field of `ours` that can name something, naming what is `theirs`; a connection belongs to
/// the account, and is refused only if it is another's.
async fn refused(owner: &Owner, ours: &Furnished, theirs: &Furnished, elsewhere: bool) {
    let answer = set_project(owner, ours, |spec| spec.repository = Some(theirs.repository)).await;
    assert_eq!(field(answer), "repository_id");
    let answer = set_project(owner, ours, |spec| spec.docs_job = Some(theirs.job)).await;
    assert_eq!(field(answer), "docs_job_id");
    let answer = set_project(owner, ours, |spec| spec.freshness_job = Some(theirs.job)).await;
    assert_eq!(field(answer), "freshness_job_id");
    let answer =
        set_environment(owner, ours, |spec| spec.credential = Some(theirs.credential)).await;
    assert_eq!(field(answer), "credentials_id");
    let answer = set_job(owner, ours, |spec| spec.environment = theirs.environment).await;
    assert_eq!(field(answer), "environment_id");
    let environment = Some(theirs.environment);
    let answer = set_job(owner, ours, |spec| spec.echoed.deferring_environment = environment).await;
    assert_eq!(field(answer), "deferring_environment_id");
    let answer = set_job(owner, ours, |spec| spec.echoed.deferring_job = Some(theirs.job)).await;
    assert_eq!(field(answer), "deferring_job_definition_id");
    let lie = CompletionCondition { job: theirs.job, project: ours.project, statuses: vec![10] };
    let answer = set_job(owner, ours, |spec| spec.echoed.completion_condition = Some(lie)).await;
    assert_eq!(field(answer), "job_completion_trigger_condition");

    if elsewhere {
        let connection = Some(theirs.connection);
        let answer = set_project(owner, ours, |spec| spec.connection = connection).await;
        assert_eq!(field(answer), "connection_id");
        let answer = set_environment(owner, ours, |spec| spec.connection = connection).await;
        assert_eq!(field(answer), "connection_id");
        let statuses = vec![10];
        let told = CompletionCondition { job: theirs.job, project: theirs.project, statuses };
        let answer =
            set_job(owner, ours, |spec| spec.echoed.completion_condition = Some(told)).await;
        assert_eq!(field(answer), "job_completion_trigger_condition");
    }
}

/// What is written down of the nouns.
async fn written(house: &House) -> Vec<String> {
    use sea_orm::{ConnectionTrait as _, Statement};
    let db = house.raw().await;
    let sql = "SELECT spec FROM projects UNION ALL SELECT spec FROM environments
               UNION ALL SELECT spec FROM jobs";
    let rows = db.query_all_raw(Statement::from_string(db.get_database_backend(), sql)).await;
    rows.unwrap().into_iter().map(|row| row.try_get_by_index(0).unwrap()).collect()
}

#[tokio::test]
async fn no_field_takes_what_belongs_to_another_project_or_account_and_nothing_is_written() {
    let house = house().await;
    let (ada, bob) = (admin(&house), neighbour(&house).await);
    let sales = ada.furnish("sales", Category::Staging).await;
    let hr = ada.furnish("hr", Category::Staging).await;
    let theirs = bob.furnish("theirs", Category::Staging).await;
    let (records, before) = (house.records().await, written(&house).await);

    refused(&ada, &sales, &hr, false).await;
    refused(&ada, &sales, &theirs, true).await;

    assert_eq!(house.records().await, records);
    assert_eq!(written(&house).await, before);
    // Connections are the account's: any project may use them.
    set_environment(&ada, &sales, |spec| spec.connection = Some(hr.connection)).await.unwrap();
    set_project(&ada, &sales, |spec| spec.connection = Some(hr.connection)).await.unwrap();
}

#[tokio::test]
async fn a_new_project_can_name_nothing_of_a_project() {
    let house = house().await;
    let ada = admin(&house);
    let of = ada.furnish("sales", Category::Staging).await;
    let make = async |change: &dyn Fn(&mut ProjectSpec)| {
        let mut spec = ProjectSpec::named(name("second"));
        change(&mut spec);
        house.store.create_project(&ada.permit().await, spec).await
    };
    let taken = make(&|spec| spec.repository = Some(of.repository)).await;
    assert_eq!(field(taken), "repository_id");
    let taken = make(&|spec| spec.docs_job = Some(of.job)).await;
    assert_eq!(field(taken), "docs_job_id");
    assert!(make(&|spec| spec.connection = Some(of.connection)).await.is_ok());
}

#[tokio::test]
async fn a_job_waits_for_jobs_of_other_projects_only_if_they_can_be_read() {
    let house = house().await;
    let ada = admin(&house);
    let sales = ada.furnish("sales", Category::Staging).await;
    let hr = ada.furnish("hr", Category::Staging).await;
    let token = holder(&house, on("admin", sales.project)).await;
    let condition = CompletionCondition { job: hr.job, project: hr.project, statuses: vec![10] };
    let wait = |spec: &mut JobSpec| spec.echoed.completion_condition = Some(condition);

    let hidden = set_job(&token, &sales, wait.clone()).await;
    assert_eq!(field(hidden), "job_completion_trigger_condition");
    set_job(&ada, &sales, wait).await.unwrap();
    // What stands already is no hindrance to whoever changes something else.
    set_job(&token, &sales, |spec| spec.name = name("hourly")).await.unwrap();
}

#[tokio::test]
async fn what_is_gone_can_no_longer_be_named_and_does_not_block_other_changes() {
    let house = house().await;
    let ada = admin(&house);
    let of = ada.furnish("sales", Category::Staging).await;
    let other = ada.job(of.project, of.environment).await;
    set_job(&ada, &of, |spec| spec.echoed.deferring_job = Some(other)).await.unwrap();
    set_project(&ada, &of, |spec| spec.freshness_job = Some(other)).await.unwrap();
    house.store.delete_job(&ada.permit().await, other).await.unwrap();

    let again = set_project(&ada, &of, |spec| spec.docs_job = Some(other)).await;
    assert_eq!(field(again), "docs_job_id");
    let of_another = Furnished { job: ada.job(of.project, of.environment).await, ..of };
    let again = set_job(&ada, &of_another, |spec| spec.echoed.deferring_job = Some(other)).await;
    assert_eq!(field(again), "deferring_job_definition_id");
    set_project(&ada, &of, |spec| spec.name = name("renamed")).await.unwrap();
    set_job(&ada, &of, |spec| spec.name = name("renamed")).await.unwrap();
}

#[tokio::test]
async fn a_job_keeps_its_project_for_good() {
    let house = house().await;
    let ada = admin(&house);
    let sales = ada.furnish("sales", Category::Staging).await;
    let hr = ada.furnish("hr", Category::Staging).await;
    let moved = set_job(&ada, &sales, |spec| {
        spec.project = hr.project;
        spec.environment = hr.environment;
    })
    .await;
    assert!(matches!(moved, Err(StoreError::Invalid { field: "project_id", .. })), "{moved:?}");
}

#[tokio::test]
async fn a_project_out_of_reach_is_not_found_before_its_environments_are_told_of() {
    let house = house().await;
    let ada = admin(&house);
    let sales = ada.furnish("sales", Category::Staging).await;
    let hr = ada.furnish("hr", Category::Staging).await;
    let token = holder(&house, on("job_admin", sales.project)).await;
    let permit = token.permit().await;
    let make = async |project, environment| {
        let spec = JobSpec::named(project, environment, name("x"));
        house.store.create_job(&permit, spec).await
    };
    for environment in [hr.environment, sales.environment] {
        let answer = make(hr.project, environment).await;
        let out = matches!(answer, Err(StoreError::Denied(Denied::OutsideScope(_))));
        assert!(out, "{answer:?}");
    }
    assert_eq!(field(make(sales.project, hr.environment).await), "environment_id");
}

#[tokio::test]
async fn who_started_a_run_is_whoever_holds_the_permit() {
    let house = house().await;
    let ada = admin(&house);
    let of = ada.furnish("sales", Category::Staging).await;
    let permit: Permit<Write, Runs> = ada.permit().await;
    // The trigger itself names the runner.
    let run = ada.trigger(of.job).await;
    assert_eq!(run.trigger.by, permit.author());
    let read: Permit<Read, Runs> = ada.permit().await;
    let run = house.store.run(&read, run.id).await.unwrap();
    assert_eq!((run.trigger.by, run.state.status()), (permit.author(), RunStatus::QUEUED));
}
