//! Artifacts of runs: what dbt left under `target/`, step by step.

use std::collections::BTreeSet;

use axum::extract::State;
use domain::{
    JobId, RunId,
    authz::{Permit, Read, Runs},
    list::Test,
};
use wire::{ListParams, v2::ArtifactPaths};

use crate::{
    answer::{File, Object},
    app::App,
    error::ApiError,
    extract::{At, Query, Remainder},
};

/// `GET /api/v2/accounts/{account_id}/runs/{run_id}/artifacts/?step=`: every path, once.
pub(crate) async fn list(
    permit: Permit<Read, Runs>,
    State(app): State<App>,
    At(id): At<RunId>,
    Query(params): Query,
) -> Result<Object<ArtifactPaths>, ApiError> {
    let step = step(&params)?;
    let artifacts = app.store.artifacts(&permit, id).await?;
    let paths: BTreeSet<_> = artifacts
        .into_iter()
        .filter(|artifact| step.is_none_or(|step| artifact.step == step))
        .map(|artifact| artifact.path)
        .collect();
    Ok(Object(ArtifactPaths(paths.into_iter().collect())))
}

/// `GET /api/v2/accounts/{account_id}/runs/{run_id}/artifacts/{remainder}?step=`: the file as it
/// is, of that step or else of the last one that has it.
pub(crate) async fn show(
    permit: Permit<Read, Runs>,
    State(app): State<App>,
    At(id): At<RunId>,
    Remainder(path): Remainder,
    Query(params): Query,
) -> Result<File, ApiError> {
    let step = step(&params)?;
    let content = app.store.artifact(&permit, id, &path, step).await?;
    Ok(File::named(&path, content))
}

/// `GET /api/v2/accounts/{account_id}/jobs/{job_id}/artifacts/{remainder}`: the file of the job's
/// latest successful run.
pub(crate) async fn show_of_job(
    permit: Permit<Read, Runs>,
    State(app): State<App>,
    At(id): At<JobId>,
    Remainder(path): Remainder,
) -> Result<File, ApiError> {
    let content = app.store.job_artifact(&permit, id, &path).await?;
    Ok(File::named(&path, content))
}

/// The index of a step, counted from 1.
fn step(params: &ListParams) -> Result<Option<u32>, ApiError> {
    let Some(filter) = params.query.filters.iter().find(|filter| filter.field == "step") else {
        return Ok(None);
    };
    let index = match &filter.test {
        Test::Is(text) => text.parse().ok().filter(|index| *index > 0),
        _ => None,
    };
    index.map(Some).ok_or_else(|| ApiError::field("step", "must be the index of a step, from 1"))
}
