//! Jobs.

use std::collections::BTreeMap;

use axum::extract::State;
use domain::{
    EnvironmentId, JobId, ProjectId,
    authz::{AccountRecord, Identity, Jobs, Permit, Read, Runs, Write},
    job::Job as DomainJob,
    list::{ListQuery, Paged, StateFilter},
    run::Run as DomainRun,
};
use store::LatestRuns;
use wire::{
    Include, ListParams,
    v2::{Account, Environment, Job, JobBody, Run},
    v3::{EnvironmentVariable, Project},
};

use super::related;
use crate::{
    admin::v3::same_account,
    answer::{Created, Object, Page},
    app::App,
    error::ApiError,
    extract::{At, Body, Query},
};

/// `GET /api/v2/accounts/{account_id}/jobs/`
pub(crate) async fn list(
    permit: Permit<Read, Jobs>,
    State(app): State<App>,
    Query(params): Query,
) -> Result<Page<Job>, ApiError> {
    let page = app.store.jobs(&permit, &params.query).await?;
    let jobs = with_related(&app, &permit, &params.include, &page.rows).await?;
    let rows = with_states(&app, &permit, &params, jobs).await?;
    Ok(Page(params, Paged { rows, total: page.total }))
}

/// `GET /api/v2/accounts/{account_id}/jobs/{job_id}/`
pub(crate) async fn show(
    permit: Permit<Read, Jobs>,
    State(app): State<App>,
    At(id): At<JobId>,
    Query(params): Query,
) -> Result<Object<Job>, ApiError> {
    let job = app.store.job(&permit, id).await?;
    let jobs = with_related(&app, &permit, &params.include, &[job]).await?;
    jobs.into_iter().next().map(Object).ok_or(ApiError::NotFound)
}

/// `POST /api/v2/accounts/{account_id}/jobs/`
pub(crate) async fn create(
    permit: Permit<Write, Jobs>,
    State(app): State<App>,
    Body(body): Body<JobBody>,
) -> Result<Created<Job>, ApiError> {
    same_account(&permit, &body.account_id)?;
    let job = app.store.create_job(&permit, body.create()?).await?;
    Ok(Created(plain(&app, &job)))
}

/// `POST /api/v2/accounts/{account_id}/jobs/{job_id}/`: what the body names, or state 2.
pub(crate) async fn update(
    permit: Permit<Write, Jobs>,
    State(app): State<App>,
    At(id): At<JobId>,
    Body(body): Body<JobBody>,
) -> Result<Object<Job>, ApiError> {
    same_account(&permit, &body.account_id)?;
    if body.deletes()? {
        return delete(permit, State(app), At(id)).await;
    }
    let change = body.change()?;
    let job = app.store.update_job(&permit, id, |spec| Ok::<_, ApiError>(change(spec))).await?;
    Ok(Object(plain(&app, &job)))
}

/// `DELETE /api/v2/accounts/{account_id}/jobs/{job_id}/`: gives what it was, at state 2.
pub(crate) async fn delete(
    permit: Permit<Write, Jobs>,
    State(app): State<App>,
    At(id): At<JobId>,
) -> Result<Object<Job>, ApiError> {
    let job = app.store.delete_job(&permit, id).await?;
    Ok(Object(plain(&app, &job).deleted()))
}

fn plain(app: &App, job: &DomainJob) -> Job {
    Job::new(job, app.store.clock().now())
}

/// Deleted jobs are listed only where the caller asks for them, and say so.
async fn with_states(
    app: &App,
    permit: &Permit<Read, Jobs>,
    params: &ListParams,
    jobs: Vec<Job>,
) -> Result<Vec<Job>, ApiError> {
    let active: Vec<i64> = match params.query.state {
        None | Some(StateFilter::Active) => return Ok(jobs),
        Some(StateFilter::Deleted) => Vec::new(),
        Some(StateFilter::All) => {
            let these = ListQuery::first_page().with_in("id", jobs.iter().map(|job| job.id));
            app.store.jobs(permit, &these).await?.rows.iter().map(|job| job.id.get()).collect()
        }
    };
    let told = |job: Job| if active.contains(&job.id) { job } else { job.deleted() };
    Ok(jobs.into_iter().map(told).collect())
}

/// Jobs with what the caller wants along, as far as it may read that.
async fn with_related(
    app: &App,
    permit: &Permit<Read, Jobs>,
    include: &Include,
    jobs: &[DomainJob],
) -> Result<Vec<Job>, ApiError> {
    let related = Related::of(app, permit, include, jobs).await?;
    let now = app.store.clock().now();
    let run = |run: &DomainRun| Run::new(run, &app.public_url, now);
    let whole = jobs.iter().map(|job| {
        let runs = related.runs.get(&job.id);
        let latest = runs.and_then(|runs| runs.latest.as_ref());
        let completed = runs.and_then(|runs| runs.latest_completed.as_ref());
        Job {
            account: related.account.clone(),
            project: related.projects.get(&job.spec.project).cloned(),
            environment: related.environments.get(&job.spec.environment).cloned(),
            custom_environment_variables: related
                .variables
                .as_ref()
                .map(|found| found.get(&job.id.get()).cloned().unwrap_or_default()),
            most_recent_run: latest.filter(|_| include.has("most_recent_run")).map(run),
            most_recent_completed_run: completed
                .filter(|_| include.has("most_recent_completed_run"))
                .map(run),
            ..plain(app, job)
        }
    });
    Ok(whole.collect())
}

/// What belongs to a page of jobs.
#[derive(Default)]
struct Related {
    account: Option<Account>,
    projects: BTreeMap<ProjectId, Project>,
    environments: BTreeMap<EnvironmentId, Environment>,
    variables: Option<BTreeMap<i64, Vec<EnvironmentVariable>>>,
    runs: BTreeMap<JobId, LatestRuns>,
}

impl Related {
    async fn of(
        app: &App,
        permit: &Permit<Read, Jobs>,
        include: &Include,
        jobs: &[DomainJob],
    ) -> Result<Self, ApiError> {
        let mut related = Self::default();
        if jobs.is_empty() {
            return Ok(related);
        }
        if include.has("account") && permit.also::<Read, AccountRecord>().is_ok() {
            let identity = permit.also::<Read, Identity>()?;
            let account = app.store.own_account(&identity).await?;
            related.account = Some(Account::new(&account, false));
        }
        if include.has("project") {
            let ids = jobs.iter().map(|job| job.spec.project);
            related.projects = related::projects(app, permit, ids).await?;
        }
        if include.has("environment") {
            let ids = jobs.iter().map(|job| job.spec.environment);
            related.environments = related::environments(app, permit, ids).await?;
        }
        if include.has("custom_environment_variables") {
            let ids = jobs.iter().map(|job| job.id.get()).collect();
            related.variables = related::variables(app, permit, "job_definition_id", ids).await?;
        }
        let wants_runs = include.has("most_recent_run") || include.has("most_recent_completed_run");
        if let (true, Ok(permit)) = (wants_runs, permit.also::<Read, Runs>()) {
            let ids: Vec<_> = jobs.iter().map(|job| job.id).collect();
            related.runs = app.store.latest_runs(&permit, &ids).await?;
        }
        Ok(related)
    }
}
