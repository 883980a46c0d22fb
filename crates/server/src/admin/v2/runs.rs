//! Runs: listed, shown, triggered, cancelled.

use std::collections::BTreeMap;

use axum::extract::State;
use domain::{
    EnvironmentId, JobId, ProjectId, RunId,
    authz::{Permit, Read, Runs, Write},
    list::Paged,
    run::Run as DomainRun,
};
use store::StoreError;
use wire::{
    Include,
    v2::{Environment, Job, Run, RunAudit, RunFailureDetails, RunTrigger, TriggerBody},
    v3::Repository,
};

use super::{related, steps};
use crate::{
    answer::{Object, Page},
    app::App,
    error::ApiError,
    extract::{At, Body, Query},
};

/// `GET /api/v2/accounts/{account_id}/runs/`
pub(crate) async fn list(
    permit: Permit<Read, Runs>,
    State(app): State<App>,
    Query(params): Query,
) -> Result<Page<Run>, ApiError> {
    let page = app.store.runs(&permit, &params.query).await?;
    let mut rows = with_related(&app, &permit, &params.include, &page.rows).await?;
    if wants_steps(&params.include) {
        let ids: Vec<_> = page.rows.iter().map(|run| run.id).collect();
        let mut steps = steps::of_page(&app, &permit, &ids).await?;
        for (row, id) in rows.iter_mut().zip(ids) {
            row.run_steps = steps.remove(&id).unwrap_or_default();
        }
    }
    let mut outlooks = app.store.outlooks(&permit, &page.rows).await?;
    let rows = rows.into_iter().zip(&page.rows);
    let rows = rows.map(|(row, run)| match outlooks.remove(&run.id) {
        Some(outlook) => row.with_outlook(outlook),
        None => row,
    });
    let rows = rows.collect();
    Ok(Page(params, Paged { rows, total: page.total }))
}

/// `GET /api/v2/accounts/{account_id}/runs/{run_id}/`
pub(crate) async fn show(
    permit: Permit<Read, Runs>,
    State(app): State<App>,
    At(id): At<RunId>,
    Query(params): Query,
) -> Result<Object<Run>, ApiError> {
    let run = app.store.run(&permit, id).await?;
    let outlook = app.store.outlook(&permit, &run).await?;
    let runs = with_related(&app, &permit, &params.include, &[run]).await?;
    let mut run = runs.into_iter().next().ok_or(ApiError::NotFound)?;
    if wants_steps(&params.include) {
        run.run_steps = steps::of_run(&app, &permit, &params.include, id).await?;
    }
    Ok(Object(run.with_outlook(outlook)))
}

/// `POST /api/v2/accounts/{account_id}/jobs/{job_id}/run/`: the new run, queued.
pub(crate) async fn trigger(
    permit: Permit<Write, Runs>,
    State(app): State<App>,
    At(job): At<JobId>,
    Body(body): Body<TriggerBody>,
) -> Result<Object<Run>, ApiError> {
    let trigger = body.read(permit.author())?;
    let run = app.store.trigger_run(&permit, job, trigger).await?;
    Ok(Object(Run { trigger: Some(RunTrigger::from(&run)), ..plain(&app, &run) }))
}

/// `POST`, or `GET` (Terraform), `/api/v2/accounts/{account_id}/runs/{run_id}/cancel/`
///
/// A run that has finished is a 400, not a 409, as clients know it.
pub(crate) async fn cancel(
    permit: Permit<Write, Runs>,
    State(app): State<App>,
    At(id): At<RunId>,
) -> Result<Object<Run>, ApiError> {
    let run = app.store.cancel_run(&permit, id).await.map_err(|error| match error {
        StoreError::Conflict(why) => ApiError::field("status", format!("does not allow it: {why}")),
        error => error.into(),
    })?;
    Ok(Object(plain(&app, &run)))
}

/// `GET /api/v2/accounts/{account_id}/runs/{run_id}/retry/`: what a retry would do again.
pub(crate) async fn failure(
    permit: Permit<Read, Runs>,
    State(app): State<App>,
    At(id): At<RunId>,
) -> Result<Object<RunFailureDetails>, ApiError> {
    let run = app.store.run(&permit, id).await?;
    let failed = run.retry_step().map_err(StoreError::NoRetry)?;
    let steps = app.store.run_steps(&permit, &[id]).await?;
    Ok(Object(RunFailureDetails::new(&steps, failed)))
}

/// `POST /api/v2/accounts/{account_id}/runs/{run_id}/retry/`: the new run, queued.
pub(crate) async fn retry(
    permit: Permit<Write, Runs>,
    State(app): State<App>,
    At(id): At<RunId>,
) -> Result<Object<Run>, ApiError> {
    let run = app.store.retry_run(&permit, id).await?;
    Ok(Object(Run { trigger: Some(RunTrigger::from(&run)), ..plain(&app, &run) }))
}

/// `POST /api/v2/accounts/{account_id}/jobs/{job_id}/rerun/`: a retry of the job's newest run if
/// that can be, else a plain run.
pub(crate) async fn rerun(
    permit: Permit<Write, Runs>,
    State(app): State<App>,
    At(job): At<JobId>,
) -> Result<Object<Run>, ApiError> {
    let run = app.store.rerun_job(&permit, job).await?;
    Ok(Object(Run { trigger: Some(RunTrigger::from(&run)), ..plain(&app, &run) }))
}

fn plain(app: &App, run: &DomainRun) -> Run {
    Run::new(run, &app.public_url, app.store.clock().now())
}

fn wants_steps(include: &Include) -> bool {
    include.has("run_steps") || include.has("debug_logs")
}

/// Runs with what the caller wants along, but for their steps, as far as it may read that.
async fn with_related(
    app: &App,
    permit: &Permit<Read, Runs>,
    include: &Include,
    runs: &[DomainRun],
) -> Result<Vec<Run>, ApiError> {
    let mut related = Related::of(app, permit, include, runs).await?;
    let whole = runs.iter().map(|run| Run {
        trigger: include.has("trigger").then(|| RunTrigger::from(run)),
        audit: include.has("audit").then(|| RunAudit::from(run)),
        job: related.jobs.get(&run.job).cloned().map(Box::new),
        environment: related.environments.get(&run.environment).cloned(),
        repository: related.repositories.get(&run.project).cloned(),
        run_retries: related.retries.as_mut().map(|of| of.remove(&run.id).unwrap_or_default()),
        ..plain(app, run)
    });
    Ok(whole.collect())
}

/// What belongs to a page of runs.
#[derive(Default)]
struct Related {
    jobs: BTreeMap<JobId, Job>,
    environments: BTreeMap<EnvironmentId, Environment>,
    repositories: BTreeMap<ProjectId, Repository>,
    retries: Option<BTreeMap<RunId, Vec<Run>>>,
}

impl Related {
    async fn of(
        app: &App,
        permit: &Permit<Read, Runs>,
        include: &Include,
        runs: &[DomainRun],
    ) -> Result<Self, ApiError> {
        let mut related = Self::default();
        if include.has("job") {
            related.jobs = related::jobs(app, permit, runs.iter().map(|run| run.job)).await?;
        }
        if include.has("environment") {
            let ids = runs.iter().map(|run| run.environment);
            related.environments = related::environments(app, permit, ids).await?;
        }
        if include.has("repository") {
            let ids = runs.iter().map(|run| run.project);
            related.repositories = related::repositories(app, permit, ids).await?;
        }
        if include.has("run_retries") {
            let mut by_run: BTreeMap<_, Vec<_>> = BTreeMap::new();
            let ids: Vec<_> = runs.iter().map(|run| run.id).collect();
            for retry in app.store.retries(permit, &ids).await? {
                if let Some(of) = retry.trigger.retry.as_ref().map(|retry| retry.run) {
                    by_run.entry(of).or_default().push(plain(app, &retry));
                }
            }
            related.retries = Some(by_run);
        }
        Ok(related)
    }
}
