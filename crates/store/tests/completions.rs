//! Jobs that start when another one ends.
#![expect(clippy::unwrap_used, reason = "a failure is a failed test")]

mod common;
mod nouns;

use common::{House, house, name};
use domain::{
    JobId, RunId,
    authz::{Category, PrincipalId, SystemTask},
    job::{CompletionCondition, Job, JobSpec},
    list::{ListQuery, Test},
    run::{Outcome, Run},
};
use nouns::{Furnished, Owner, admin, filter, on};
use store::{AccountChange, StoreError};

/// A job that waits for another.
fn after(of: &Furnished, job: JobId, statuses: &[u8]) -> JobSpec {
    let mut spec = JobSpec::named(of.project, of.environment, name("after"));
    let (project, statuses) = (of.project, statuses.to_vec());
    spec.echoed.completion_condition = Some(CompletionCondition { job, project, statuses });
    spec
}

async fn create(owner: &Owner, spec: JobSpec) -> Job {
    owner.store.create_job(&owner.permit().await, spec).await.unwrap()
}

/// Has the job wait for another.
async fn wait_for(owner: &Owner, job: JobId, of: &Furnished, on: JobId) -> Result<Job, StoreError> {
    let wanted = after(of, on, &[10]).echoed.completion_condition;
    let change = |mut spec: JobSpec| {
        spec.echoed.completion_condition = wanted;
        Ok::<_, StoreError>(spec)
    };
    owner.store.update_job(&owner.permit().await, job, change).await
}

async fn runs_of(owner: &Owner, job: JobId) -> Vec<Run> {
    let query = filter("job_definition_id", Test::Is(job.to_string()));
    owner.store.runs(&owner.permit().await, &query).await.unwrap().rows
}

async fn world() -> (House, Owner, Furnished) {
    let house = house().await;
    let ada = admin(&house);
    let of = ada.furnish("sales", Category::Production).await;
    (house, ada, of)
}

/// A run of the job that ends so.
async fn ran(owner: &Owner, job: JobId, outcome: Outcome) -> RunId {
    let lease = owner.begin(job).await;
    owner.finish(&lease, outcome).await;
    lease.run
}

#[tokio::test]
async fn a_job_starts_when_the_one_that_it_waits_for_ends_as_it_is_to_and_says_why() {
    let (house, ada, of) = world().await;
    let good = create(&ada, after(&of, of.job, &[10])).await.id;
    let bad = create(&ada, after(&of, of.job, &[20, 30])).await.id;
    let records = house.records().await;

    let run = ran(&ada, of.job, Outcome::Success).await;

    assert!(runs_of(&ada, bad).await.is_empty());
    let [started] = <[Run; 1]>::try_from(runs_of(&ada, good).await).unwrap();
    assert_eq!(started.trigger.by, PrincipalId::System(SystemTask::Runner));
    assert_eq!((started.trigger.after, started.trigger.token), (Some(run), None));
    assert_eq!(started.trigger.cause, format!("run {run} of job {} ended: success", of.job));
    let said = house.store.audit_records(&house.permit().await, records, 100).await.unwrap();
    let of_it = format!("run:{}", started.id);
    let said = said.iter().find(|record| record.object == of_it).unwrap();
    assert_eq!((&*said.event, &*said.actor), ("run.triggered", "system:runner"));

    let lease = ada.claim().await.unwrap();
    ada.finish(&lease, Outcome::Success).await;
    ran(&ada, of.job, Outcome::Error).await;
    assert_eq!((runs_of(&ada, good).await.len(), runs_of(&ada, bad).await.len()), (1, 1));
}

#[tokio::test]
async fn a_run_that_is_cancelled_in_the_queue_starts_those_that_wait_for_that_by_the_system() {
    let (house, ada, of) = world().await;
    let next = create(&ada, after(&of, of.job, &[30])).await.id;
    let queued = ada.trigger(of.job).await.id;
    let records = house.records().await;

    house.store.cancel_run(&ada.permit().await, queued).await.unwrap();

    let [started] = <[Run; 1]>::try_from(runs_of(&ada, next).await).unwrap();
    let said = house.store.audit_records(&house.permit().await, records, 100).await.unwrap();
    let who = |event: &str, run: RunId| {
        let object = format!("run:{run}");
        let mut found = said.iter().filter(|said| said.event == event && said.object == object);
        found.next().unwrap().actor.clone()
    };
    assert_eq!(who("run.finished", queued), format!("user:{}", house.user));
    assert_eq!(who("run.triggered", started.id), "system:runner");
    house.records().await;
}

#[tokio::test]
async fn a_locked_account_or_a_deleted_job_starts_nothing() {
    let (house, ada, of) = world().await;
    let (kept, gone) = (
        create(&ada, after(&of, of.job, &[10])).await,
        create(&ada, after(&of, of.job, &[10])).await,
    );
    house.store.delete_job(&ada.permit().await, gone.id).await.unwrap();
    let lock = async |locked| {
        let change = AccountChange { locked: Some(locked), ..AccountChange::default() };
        house.store.update_account(&ada.permit().await, change).await.unwrap();
    };
    let lease = ada.begin(of.job).await;
    lock(true).await;
    ada.finish(&lease, Outcome::Success).await;
    lock(false).await;
    assert!(runs_of(&ada, kept.id).await.is_empty() && runs_of(&ada, gone.id).await.is_empty());

    // One whose job is deleted while it is under way starts nothing either.
    let lease = ada.begin(of.job).await;
    house.store.delete_job(&ada.permit().await, of.job).await.unwrap();
    ada.finish(&lease, Outcome::Success).await;
    assert!(runs_of(&ada, kept.id).await.is_empty());
}

#[tokio::test]
async fn a_project_that_is_deleted_with_its_queue_starts_nothing() {
    let (house, ada, of) = world().await;
    create(&ada, after(&of, of.job, &[30])).await;
    let queued = ada.trigger(of.job).await.id;

    house.store.delete_project(&ada.permit().await, of.project).await.unwrap();

    assert!(ada.run(queued).await.state.is_finished());
    assert_eq!(ada.claim().await, None);
    let all = house.store.runs(&ada.permit().await, &ListQuery::first_page()).await.unwrap();
    assert!(all.rows.iter().all(|run| run.state.is_finished()), "{:?}", all.rows);
}

#[tokio::test]
async fn jobs_do_not_wait_for_each_other_in_a_circle() {
    let (_house, ada, of) = world().await;
    let second = create(&ada, after(&of, of.job, &[10])).await.id;
    let third = create(&ada, after(&of, second, &[10])).await.id;
    let field = |answer: Result<Job, StoreError>| match answer {
        Err(StoreError::Invalid { field, .. }) => field,
        other => panic!("{other:?}"),
    };

    for waits_for in [of.job, second, third] {
        let refused = wait_for(&ada, of.job, &of, waits_for).await;
        assert_eq!(field(refused), "job_completion_trigger_condition");
    }
    // What is no circle is fine, and the chain runs to its end.
    wait_for(&ada, third, &of, of.job).await.unwrap();
    wait_for(&ada, third, &of, second).await.unwrap();
    ran(&ada, of.job, Outcome::Success).await;
    for job in [second, third] {
        let lease = ada.claim().await.unwrap();
        assert_eq!(runs_of(&ada, job).await.last().map(|run| run.id), Some(lease.run));
        ada.finish(&lease, Outcome::Success).await;
    }
    assert_eq!(ada.claim().await, None);
}

/// An earlier version kept what clients sent, circles too.
#[tokio::test]
async fn a_circle_that_an_earlier_version_let_pass_stands_still() {
    use sea_orm::ConnectionTrait as _;
    let (house, ada, of) = world().await;
    let second = create(&ada, after(&of, of.job, &[10])).await.id;
    let third = create(&ada, after(&of, second, &[10])).await.id;
    let circle = format!(
        "UPDATE jobs SET after_job_id = {third}, spec = json_set(spec,
         '$.echoed.completion_condition',
         json('{{\"job\": {third}, \"project\": {}, \"statuses\": [10]}}')) WHERE id = {}",
        of.project, of.job
    );
    house.raw().await.execute_unprepared(&circle).await.unwrap();

    ran(&ada, of.job, Outcome::Success).await;

    assert_eq!(ada.claim().await, None, "none of a circle starts another");
}

#[tokio::test]
async fn a_run_says_by_which_token_it_was_started_also_in_the_audit_log() {
    let (house, ada, of) = world().await;
    let (token, secret) = house.token("t", vec![on("job_admin", of.project)], 50).await;
    let service = Owner { store: house.store.clone(), account: house.account, secret };
    let records = house.records().await;

    let (by_token, by_user) = (service.trigger(of.job).await, ada.trigger(of.job).await);

    assert_eq!(by_token.trigger.by, PrincipalId::ServiceToken(token.id));
    assert_eq!(by_token.trigger.token.as_deref(), Some(&*token.uid));
    assert_eq!(by_user.trigger.by, PrincipalId::User(house.user));
    let uid = by_user.trigger.token.clone().unwrap();
    assert_ne!(uid, token.uid);
    let said = house.store.audit_records(&house.permit().await, records, 100).await.unwrap();
    let told: Vec<_> =
        said.iter().map(|record| record.change["after"]["trigger"]["token"].clone()).collect();
    assert_eq!(told, [token.uid, uid]);
}
