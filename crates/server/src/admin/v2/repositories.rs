//! Repositories, as v2 has them: of all projects of the account. The objects are v3's.

use axum::extract::State;
use domain::{
    RepositoryId,
    authz::{Permit, Read, Repositories, Write},
};
use wire::v3::{Repository, RepositoryBody};

use super::environments::named_project;
use crate::{
    admin::v3::{self, same_account, within},
    answer::{Created, Object, Page},
    app::App,
    error::ApiError,
    extract::{At, Body, Query},
};

/// `GET /api/v2/accounts/{account_id}/repositories/`
pub(crate) async fn list(
    permit: Permit<Read, Repositories>,
    State(app): State<App>,
    Query(params): Query,
) -> Result<Page<Repository>, ApiError> {
    let page = v3::repositories::page(&app, &permit, &params).await?;
    Ok(Page(params, page))
}

/// `GET /api/v2/accounts/{account_id}/repositories/{repository_id}/`
pub(crate) async fn show(
    permit: Permit<Read, Repositories>,
    State(app): State<App>,
    At(id): At<RepositoryId>,
) -> Result<Object<Repository>, ApiError> {
    let repository = app.store.repository(&permit, id).await?;
    Ok(Object(Repository::from(&repository)))
}

/// `POST /api/v2/accounts/{account_id}/repositories/`
pub(crate) async fn create(
    permit: Permit<Write, Repositories>,
    State(app): State<App>,
    Body(mut body): Body<RepositoryBody>,
) -> Result<Created<Repository>, ApiError> {
    same_account(&permit, &body.account_id)?;
    let project = named_project(&body.project_id)?;
    within(&app, &permit, project).await?;
    let (token, spec) = (body.token()?, body.create()?);
    let repository = app.store.create_repository(&permit, project, spec, token).await?;
    Ok(Created(Repository::from(&repository)))
}

/// `DELETE /api/v2/accounts/{account_id}/repositories/{repository_id}/`: gives what it was, at
/// state 2.
pub(crate) async fn delete(
    permit: Permit<Write, Repositories>,
    State(app): State<App>,
    At(id): At<RepositoryId>,
) -> Result<Object<Repository>, ApiError> {
    let repository = app.store.delete_repository(&permit, id).await?;
    Ok(Object(Repository::from(&repository).deleted()))
}
