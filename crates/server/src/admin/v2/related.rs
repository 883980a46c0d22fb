//! What belongs to a page of jobs or runs: one look-up a kind for the whole page, and only what
//! the caller may read. What it may not read is not there.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    EnvironmentId, JobId, ProjectId,
    authz::{
        AccessMarker, CustomEnvVariables, Environments, Jobs, KindMarker, Permit, Read,
        Repositories, kinds::Projects,
    },
    list::ListQuery,
    project::Project as DomainProject,
};
use wire::{
    v2::{Environment, Job},
    v3::{EnvironmentVariable, Project, Repository},
};

use crate::{app::App, error::ApiError};

/// The jobs with these ids.
pub(in crate::admin) async fn jobs<A: AccessMarker, K: KindMarker>(
    app: &App,
    permit: &Permit<A, K>,
    ids: impl Iterator<Item = JobId>,
) -> Result<BTreeMap<JobId, Job>, ApiError> {
    let (Ok(permit), Some(query)) = (permit.also::<Read, Jobs>(), by_id(ids)) else {
        return Ok(BTreeMap::new());
    };
    let now = app.store.clock().now();
    let jobs = app.store.jobs(&permit, &query).await?.rows;
    Ok(jobs.iter().map(|job| (job.id, Job::new(job, now))).collect())
}

/// The environments with these ids.
pub(super) async fn environments<A: AccessMarker, K: KindMarker>(
    app: &App,
    permit: &Permit<A, K>,
    ids: impl Iterator<Item = EnvironmentId>,
) -> Result<BTreeMap<EnvironmentId, Environment>, ApiError> {
    let (Ok(permit), Some(query)) = (permit.also::<Read, Environments>(), by_id(ids)) else {
        return Ok(BTreeMap::new());
    };
    let environments = app.store.environments(&permit, &query).await?.rows;
    Ok(environments.iter().map(|found| (found.id, Environment::from(found))).collect())
}

/// The values that environment variables have in these environments or jobs (`field` says which),
/// by environment or job; `None` if the caller may not read them.
pub(super) async fn variables<A: AccessMarker, K: KindMarker>(
    app: &App,
    permit: &Permit<A, K>,
    field: &str,
    ids: Vec<i64>,
) -> Result<Option<BTreeMap<i64, Vec<EnvironmentVariable>>>, ApiError> {
    let Ok(permit) = permit.also::<Read, CustomEnvVariables>() else { return Ok(None) };
    let mut found: BTreeMap<i64, Vec<EnvironmentVariable>> = BTreeMap::new();
    if ids.is_empty() {
        return Ok(Some(found));
    }
    // All of them: what a page of jobs has may be more than a page.
    let query = ListQuery { limit: u16::MAX, ..ListQuery::first_page() }.with_in(field, ids);
    let values = app.store.kept(&permit, None, &query).await?.rows;
    for value in values.iter().map(EnvironmentVariable::from) {
        if let Some(place) = value.job_definition_id.or(value.environment_id) {
            found.entry(place).or_default().push(value);
        }
    }
    Ok(Some(found))
}

/// The projects with these ids.
pub(in crate::admin) async fn projects<A: AccessMarker, K: KindMarker>(
    app: &App,
    permit: &Permit<A, K>,
    ids: impl Iterator<Item = ProjectId>,
) -> Result<BTreeMap<ProjectId, Project>, ApiError> {
    let projects = bare_projects(app, permit, ids).await?;
    Ok(projects.iter().map(|project| (project.id, Project::from(project))).collect())
}

/// The repositories of the projects with these ids.
pub(in crate::admin) async fn repositories<A: AccessMarker, K: KindMarker>(
    app: &App,
    permit: &Permit<A, K>,
    ids: impl Iterator<Item = ProjectId>,
) -> Result<BTreeMap<ProjectId, Repository>, ApiError> {
    let projects = bare_projects(app, permit, ids).await?;
    let ids = projects.iter().filter_map(|project| project.spec.repository);
    let (Ok(permit), Some(query)) = (permit.also::<Read, Repositories>(), by_id(ids)) else {
        return Ok(BTreeMap::new());
    };
    let repositories = app.store.repositories(&permit, &query).await?.rows;
    Ok(repositories.iter().map(|found| (found.project, Repository::from(found))).collect())
}

async fn bare_projects<A: AccessMarker, K: KindMarker>(
    app: &App,
    permit: &Permit<A, K>,
    ids: impl Iterator<Item = ProjectId>,
) -> Result<Vec<DomainProject>, ApiError> {
    match (permit.also::<Read, Projects>(), by_id(ids)) {
        (Ok(permit), Some(query)) => Ok(app.store.projects(&permit, &query).await?.rows),
        _ => Ok(Vec::new()),
    }
}

/// The rows with these ids; a page has at most as many as a query gives.
pub(in crate::admin) fn by_id<I: Ord + ToString>(
    ids: impl Iterator<Item = I>,
) -> Option<ListQuery> {
    let ids: BTreeSet<I> = ids.collect();
    // A page that could hold more than there are needs no count.
    let all = ListQuery { limit: u16::MAX, ..ListQuery::first_page() };
    (!ids.is_empty()).then(|| all.with_in("id", ids))
}
