//! Steps of runs.

use std::collections::BTreeMap;

use axum::extract::State;
use domain::{
    RunId, StepId,
    authz::{Permit, Read, Runs},
    run::RunStep as DomainStep,
};
use store::DebugLog;
use wire::{
    Include,
    v2::{self, RunStep},
};

use crate::{
    answer::Object,
    app::App,
    error::ApiError,
    extract::{At, Query},
};

/// `GET /api/v2/accounts/{account_id}/steps/{step_id}/`
pub(crate) async fn show(
    permit: Permit<Read, Runs>,
    State(app): State<App>,
    At(id): At<StepId>,
    Query(params): Query,
) -> Result<Object<RunStep>, ApiError> {
    let part = asked(&params.include);
    let found = app.store.run_step(&permit, id, part).await?;
    let debug = told(part, found.debug_log.as_deref());
    let now = app.store.clock().now();
    Ok(Object(RunStep::new(&found.step, permit.account(), &found.log, debug, now)))
}

/// The steps of a run with their logs, in order: three statements.
pub(super) async fn of_run(
    app: &App,
    permit: &Permit<Read, Runs>,
    include: &Include,
    run: RunId,
) -> Result<Vec<RunStep>, ApiError> {
    let steps = app.store.run_steps(permit, &[run]).await?;
    with_logs(app, permit, include, steps).await
}

/// The steps of a page of runs, by run and in order, in one statement. Their logs stay where they are:
/// together they could be gigabytes.
pub(super) async fn of_page(
    app: &App,
    permit: &Permit<Read, Runs>,
    runs: &[RunId],
) -> Result<BTreeMap<RunId, Vec<RunStep>>, ApiError> {
    let (account, now) = (permit.account(), app.store.clock().now());
    let mut by_run: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for step in app.store.run_steps(permit, runs).await? {
        by_run.entry(step.run).or_default().push(RunStep::without_logs(&step, account, now));
    }
    Ok(by_run)
}

async fn with_logs(
    app: &App,
    permit: &Permit<Read, Runs>,
    include: &Include,
    steps: Vec<DomainStep>,
) -> Result<Vec<RunStep>, ApiError> {
    let ids: Vec<_> = steps.iter().map(|step| step.id).collect();
    let logs = app.store.step_logs(permit, &ids).await?;
    let part = asked(include);
    let debug_logs = app.store.debug_logs(permit, &ids, part).await?;
    let (account, now) = (permit.account(), app.store.clock().now());
    let with_logs = |step: &DomainStep| {
        let text = logs.get(&step.id).map_or("", String::as_str);
        let debug = told(part, debug_logs.get(&step.id).map(String::as_str));
        RunStep::new(step, account, text, debug, now)
    };
    Ok(steps.iter().map(with_logs).collect())
}

/// How much of dbt's own logs the caller asks for.
fn asked(include: &Include) -> DebugLog {
    if include.has("debug_logs") { DebugLog::Whole } else { DebugLog::End }
}

fn told(part: DebugLog, text: Option<&str>) -> v2::DebugLog<'_> {
    match part {
        DebugLog::Whole => v2::DebugLog::Whole(text),
        DebugLog::End => v2::DebugLog::End(text),
    }
}
