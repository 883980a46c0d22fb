//! Environments, as v2 has them: of all projects of the account.

use std::collections::BTreeMap;

use axum::extract::State;
use domain::{
    EnvironmentId, ProjectId,
    authz::{Environments, Jobs, Permit, Read, Write},
    list::{ListQuery, Paged},
};
use wire::{
    Include, Patch,
    v2::{Environment, Job},
    v3::{self as v3_wire, EnvironmentBody},
};

use super::related;
use crate::{
    admin::v3::{self, same_account, same_project, within},
    answer::{Created, Object, Page},
    app::App,
    error::ApiError,
    extract::{At, Body, Query},
};

/// `GET /api/v2/accounts/{account_id}/environments/`
pub(crate) async fn list(
    permit: Permit<Read, Environments>,
    State(app): State<App>,
    Query(params): Query,
) -> Result<Page<Environment>, ApiError> {
    let page = v3::environments::page(&app, &permit, &params).await?;
    let rows = with_lists(&app, &permit, &params.include, page.rows).await?;
    Ok(Page(params, Paged { rows, total: page.total }))
}

/// `GET /api/v2/accounts/{account_id}/environments/{environment_id}/`
pub(crate) async fn show(
    permit: Permit<Read, Environments>,
    State(app): State<App>,
    At(id): At<EnvironmentId>,
    Query(params): Query,
) -> Result<Object<Environment>, ApiError> {
    let environment = app.store.environment(&permit, id).await?;
    let include = &params.include;
    let found = v3::environments::with_related(&app, &permit, include, &[environment]).await?;
    let found = with_lists(&app, &permit, include, found).await?;
    found.into_iter().next().map(Object).ok_or(ApiError::NotFound)
}

/// `POST /api/v2/accounts/{account_id}/environments/`
pub(crate) async fn create(
    permit: Permit<Write, Environments>,
    State(app): State<App>,
    Body(body): Body<EnvironmentBody>,
) -> Result<Created<Environment>, ApiError> {
    same_account(&permit, &body.account_id)?;
    let project = named_project(&body.project_id)?;
    within(&app, &permit, project).await?;
    let environment = app.store.create_environment(&permit, project, body.create()?).await?;
    Ok(Created(Environment::from(&environment)))
}

/// `POST /api/v2/accounts/{account_id}/environments/{environment_id}/`: what the body names, or
/// state 2.
pub(crate) async fn update(
    permit: Permit<Write, Environments>,
    State(app): State<App>,
    At(id): At<EnvironmentId>,
    Body(body): Body<EnvironmentBody>,
) -> Result<Object<Environment>, ApiError> {
    same_account(&permit, &body.account_id)?;
    let before = app.store.environment(&permit.also()?, id).await?;
    same_project(before.project, &body.project_id)?;
    if body.deletes() {
        return delete(permit, State(app), At(id)).await;
    }
    let change = |spec| body.apply(spec).map_err(ApiError::from);
    let environment = app.store.update_environment(&permit, id, change).await?;
    Ok(Object(Environment::from(&environment)))
}

/// `DELETE /api/v2/accounts/{account_id}/environments/{environment_id}/`: gives what it was, at
/// state 2.
pub(crate) async fn delete(
    permit: Permit<Write, Environments>,
    State(app): State<App>,
    At(id): At<EnvironmentId>,
) -> Result<Object<Environment>, ApiError> {
    let Object(deleted) = v3::environments::delete_of_account(permit, State(app), At(id)).await?;
    Ok(Object(deleted.into()))
}

/// Environments with the lists that v2 adds to v3's, if they are asked for: each kind for a whole
/// page in one look-up, as far as the caller may read it.
async fn with_lists(
    app: &App,
    permit: &Permit<Read, Environments>,
    include: &Include,
    environments: Vec<v3_wire::Environment>,
) -> Result<Vec<Environment>, ApiError> {
    let asked = environments.iter().filter(|_| include.has("jobs"));
    let ids: Vec<_> = asked.map(|environment| environment.id).collect();
    let mut jobs: Option<BTreeMap<i64, Vec<Job>>> = None;
    if let (false, Ok(permit)) = (ids.is_empty(), permit.also::<Read, Jobs>()) {
        // All of them: a page of environments may have more jobs than a page.
        let query = ListQuery { limit: u16::MAX, ..ListQuery::first_page() };
        let now = app.store.clock().now();
        let found = jobs.get_or_insert_default();
        for job in app.store.jobs(&permit, &query.with_in("environment_id", ids)).await?.rows {
            found.entry(job.spec.environment.get()).or_default().push(Job::new(&job, now));
        }
    }
    let mut variables = None;
    if include.has("custom_environment_variables") {
        let ids = environments.iter().map(|environment| environment.id).collect();
        variables = related::variables(app, permit, "environment_id", ids).await?;
    }
    let whole = environments.into_iter().map(|environment| Environment {
        jobs: jobs.as_mut().map(|jobs| jobs.remove(&environment.id).unwrap_or_default()),
        custom_environment_variables: variables
            .as_mut()
            .map(|values| values.remove(&environment.id).unwrap_or_default()),
        ..Environment::from(environment)
    });
    Ok(whole.collect())
}

/// The project that a body has to name.
pub(super) fn named_project(named: &Patch<i64>) -> Result<ProjectId, ApiError> {
    match named {
        Patch::Value(id) => {
            ProjectId::new(*id).map_err(|error| ApiError::field("project_id", error))
        }
        Patch::Absent | Patch::Null => Err(ApiError::field("project_id", "is required")),
    }
}
