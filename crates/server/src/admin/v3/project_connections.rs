//! Connections of one project, what the documents call legacy. Their secrets are in no answer.

use axum::extract::State;
use domain::{
    ConnectionId, ProjectId,
    authz::{DataPlatformConfigs, Permit, Read, Write},
};
use wire::v3::{ProjectConnection, ProjectConnectionBody};

use super::{project_adapters, related, same_account, same_project, within};
use crate::{
    answer::{Created, Object, Page},
    app::App,
    error::ApiError,
    extract::{At, Body, Query},
};

/// `GET /api/v3/accounts/{account_id}/projects/{project_id}/connections/`: those that belong to
/// the project alone; those of the account are in its own list.
pub(crate) async fn list(
    permit: Permit<Read, DataPlatformConfigs>,
    State(app): State<App>,
    At(project): At<ProjectId>,
    Query(mut params): Query,
) -> Result<Page<ProjectConnection>, ApiError> {
    within(&app, &permit, project).await?;
    params.query = params.query.with_in("project_id", [project]);
    let page = app.store.project_connections(&permit, &params.query).await?;
    let again = async |query| app.store.project_connections(&permit, &query).await;
    let deleted = related::deleted(&params, &page, |row| row.id.get(), again).await?;
    let told = |row: &domain::connection::Connection| {
        let told = ProjectConnection::from(row);
        if deleted.contains(&row.id.get()) { told.deleted() } else { told }
    };
    Ok(Page(params, page.map(|row| told(&row))))
}

/// `GET /api/v3/accounts/{account_id}/projects/{project_id}/connections/{project_connection_id}/`
pub(crate) async fn show(
    permit: Permit<Read, DataPlatformConfigs>,
    State(app): State<App>,
    At(project): At<ProjectId>,
    At(id): At<ConnectionId>,
) -> Result<Object<ProjectConnection>, ApiError> {
    let connection = app.store.project_connection(&permit, project, id).await?;
    Ok(Object(ProjectConnection::from(&connection)))
}

/// `POST /api/v3/accounts/{account_id}/projects/{project_id}/connections/`
pub(crate) async fn create(
    permit: Permit<Write, DataPlatformConfigs>,
    State(app): State<App>,
    At(project): At<ProjectId>,
    Body(body): Body<ProjectConnectionBody>,
) -> Result<Created<ProjectConnection>, ApiError> {
    same_account(&permit, &body.account_id)?;
    same_project(project, &body.project_id)?;
    within(&app, &permit, project).await?;
    let body = with_version(&app, &permit, project, body).await?;
    let secrets = body.secrets(None);
    let spec = body.create()?;
    let made = app.store.create_project_connection(&permit, project, spec, secrets).await?;
    Ok(Created(ProjectConnection::from(&made)))
}

/// `POST /api/v3/accounts/{account_id}/projects/{project_id}/connections/{project_connection_id}/`:
/// what the body names, key by key in `details`; or state 2.
pub(crate) async fn update(
    permit: Permit<Write, DataPlatformConfigs>,
    State(app): State<App>,
    At(project): At<ProjectId>,
    At(id): At<ConnectionId>,
    Body(body): Body<ProjectConnectionBody>,
) -> Result<Object<ProjectConnection>, ApiError> {
    same_account(&permit, &body.account_id)?;
    same_project(project, &body.project_id)?;
    if body.deletes() {
        return delete(permit, State(app), At(project), At(id)).await;
    }
    // A connection's platform never changes.
    let before = app.store.project_connection(&permit.also()?, project, id).await?;
    let body = with_version(&app, &permit, project, body).await?;
    let secrets = body.secrets(Some(&before.spec.platform));
    let change = |spec| body.apply(spec).map_err(ApiError::from);
    let place = (project, id);
    let after = app.store.update_project_connection(&permit, place, secrets, change).await?;
    Ok(Object(ProjectConnection::from(&after)))
}

/// `DELETE
/// /api/v3/accounts/{account_id}/projects/{project_id}/connections/{project_connection_id}/`: gives
/// what it was, at state 2.
pub(crate) async fn delete(
    permit: Permit<Write, DataPlatformConfigs>,
    State(app): State<App>,
    At(project): At<ProjectId>,
    At(id): At<ConnectionId>,
) -> Result<Object<ProjectConnection>, ApiError> {
    let connection = app.store.delete_project_connection(&permit, project, id).await?;
    Ok(Object(ProjectConnection::from(&connection).deleted()))
}

/// A body that names an adapter of the project says by it which platform it is for.
async fn with_version(
    app: &App,
    permit: &Permit<Write, DataPlatformConfigs>,
    project: ProjectId,
    body: ProjectConnectionBody,
) -> Result<ProjectConnectionBody, ApiError> {
    let named = body.adapter_id()?;
    let version = project_adapters::version(app, permit, project, named, "details.adapter_id");
    let adapter_version = body.adapter_version.clone();
    let adapter_version = project_adapters::or_said(version.await?, adapter_version);
    Ok(ProjectConnectionBody { adapter_version, ..body })
}
