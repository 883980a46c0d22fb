//! Warehouse credentials of a project. Their secrets are in no answer.

use axum::extract::State;
use domain::{
    CredentialId, ProjectId,
    authz::{EnvironmentCredentials, Permit, Read, Write},
    warehouse_credential::WarehouseCredential,
};
use wire::v3::{Credential, CredentialBody};

use super::{project_adapters, related, same_account, same_project, within};
use crate::{
    answer::{Created, Object, Page},
    app::App,
    error::ApiError,
    extract::{At, Body, Query},
};

/// `GET /api/v3/accounts/{account_id}/projects/{project_id}/credentials/`
pub(crate) async fn list(
    permit: Permit<Read, EnvironmentCredentials>,
    State(app): State<App>,
    At(project): At<ProjectId>,
    Query(mut params): Query,
) -> Result<Page<Credential>, ApiError> {
    within(&app, &permit, project).await?;
    params.query = params.query.with_in("project_id", [project]);
    let page = app.store.warehouse_credentials(&permit, &params.query).await?;
    let again = async |query| app.store.warehouse_credentials(&permit, &query).await;
    let deleted = related::deleted(&params, &page, |row| row.id.get(), again).await?;
    let told = |row: Credential| if deleted.contains(&row.id) { row.deleted() } else { row };
    Ok(Page(params, page.map(|row| told(Credential::from(&row)))))
}

/// `GET /api/v3/accounts/{account_id}/projects/{project_id}/credentials/{credential_id}/`
pub(crate) async fn show(
    permit: Permit<Read, EnvironmentCredentials>,
    State(app): State<App>,
    At(project): At<ProjectId>,
    At(id): At<CredentialId>,
) -> Result<Object<Credential>, ApiError> {
    let credential = find(&app, &permit, project, id).await?;
    Ok(Object(Credential::from(&credential)))
}

/// `POST /api/v3/accounts/{account_id}/projects/{project_id}/credentials/`
pub(crate) async fn create(
    permit: Permit<Write, EnvironmentCredentials>,
    State(app): State<App>,
    At(project): At<ProjectId>,
    Body(body): Body<CredentialBody>,
) -> Result<Created<Credential>, ApiError> {
    same_account(&permit, &body.account_id)?;
    same_project(project, &body.project_id)?;
    within(&app, &permit, project).await?;
    let (spec, secret) = with_version(&app, &permit, project, body).await?.create()?;
    let credential = app.store.create_warehouse_credential(&permit, project, secret, spec).await?;
    Ok(Created(Credential::from(&credential)))
}

/// `POST` or `PATCH`
/// `/api/v3/accounts/{account_id}/projects/{project_id}/credentials/{credential_id}/`: what the
/// body names, or state 2. A secret that is left out stays.
pub(crate) async fn update(
    permit: Permit<Write, EnvironmentCredentials>,
    State(app): State<App>,
    At(project): At<ProjectId>,
    At(id): At<CredentialId>,
    Body(body): Body<CredentialBody>,
) -> Result<Object<Credential>, ApiError> {
    same_account(&permit, &body.account_id)?;
    same_project(project, &body.project_id)?;
    if body.deletes() {
        return delete(permit, State(app), At(project), At(id)).await;
    }
    let before = find(&app, &permit.also()?, project, id).await?;
    let body = with_version(&app, &permit, project, body).await?;
    let (_, secret) = body.clone().apply(before.spec)?;
    // Once more inside the transaction, over what is there by then.
    let change = |spec| Ok::<_, ApiError>(body.apply(spec)?.0);
    let credential = app.store.update_warehouse_credential(&permit, id, secret, change).await?;
    Ok(Object(Credential::from(&credential)))
}

/// `DELETE /api/v3/accounts/{account_id}/projects/{project_id}/credentials/{credential_id}/`:
/// gives what it was, at state 2.
pub(crate) async fn delete(
    permit: Permit<Write, EnvironmentCredentials>,
    State(app): State<App>,
    At(project): At<ProjectId>,
    At(id): At<CredentialId>,
) -> Result<Object<Credential>, ApiError> {
    find(&app, &permit.also()?, project, id).await?;
    let credential = app.store.delete_warehouse_credential(&permit, id).await?;
    Ok(Object(Credential::from(&credential).deleted()))
}

/// A credential of the path's project.
async fn find(
    app: &App,
    permit: &Permit<Read, EnvironmentCredentials>,
    project: ProjectId,
    id: CredentialId,
) -> Result<WarehouseCredential, ApiError> {
    let credential = app.store.warehouse_credential(permit, id).await?;
    if credential.project == project { Ok(credential) } else { Err(ApiError::NotFound) }
}

/// A body that names an adapter of the project says by it which platform it is for.
async fn with_version(
    app: &App,
    permit: &Permit<Write, EnvironmentCredentials>,
    project: ProjectId,
    body: CredentialBody,
) -> Result<CredentialBody, ApiError> {
    let version = project_adapters::version(app, permit, project, body.adapter_id, "adapter_id");
    let adapter_version = body.adapter_version.clone();
    let adapter_version = project_adapters::or_said(version.await?, adapter_version);
    Ok(CredentialBody { adapter_version, ..body })
}
