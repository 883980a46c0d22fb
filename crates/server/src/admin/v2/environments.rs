//! Environments, as v2 has them: of all projects of the account.

use axum::extract::State;
use domain::{
    EnvironmentId, ProjectId,
    authz::{Environments, Permit, Read, Write},
};
use wire::{Patch, v2::Environment, v3::EnvironmentBody};

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
    Ok(Page(params, page.map(Environment::from)))
}

/// `GET /api/v2/accounts/{account_id}/environments/{environment_id}/`
pub(crate) async fn show(
    permit: Permit<Read, Environments>,
    State(app): State<App>,
    At(id): At<EnvironmentId>,
    Query(params): Query,
) -> Result<Object<Environment>, ApiError> {
    let environment = app.store.environment(&permit, id).await?;
    let found =
        v3::environments::with_related(&app, &permit, &params.include, &[environment]).await?;
    found.into_iter().next().map(|found| Object(found.into())).ok_or(ApiError::NotFound)
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

/// The project that a body has to name.
pub(super) fn named_project(named: &Patch<i64>) -> Result<ProjectId, ApiError> {
    match named {
        Patch::Value(id) => {
            ProjectId::new(*id).map_err(|error| ApiError::field("project_id", error))
        }
        Patch::Absent | Patch::Null => Err(ApiError::field("project_id", "is required")),
    }
}
