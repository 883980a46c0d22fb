//! Repositories of a project.

use axum::extract::State;
use domain::{
    ProjectId, RepositoryId,
    authz::{Permit, Read, Repositories, Write},
    list::Paged,
    repository::Repository as DomainRepository,
};
use wire::{
    ListParams,
    v3::{ManagedRepositoryBody, Repository, RepositoryBody},
};

use super::{related, same_account, same_project, within};
use crate::{
    answer::{Content, Created, File, Object, Page},
    app::App,
    error::ApiError,
    extract::{At, Body, ManagedRepositoryId, Query},
};

/// `GET /api/v3/accounts/{account_id}/projects/{project_id}/repositories/`
pub(crate) async fn list(
    permit: Permit<Read, Repositories>,
    State(app): State<App>,
    At(project): At<ProjectId>,
    Query(mut params): Query,
) -> Result<Page<Repository>, ApiError> {
    within(&app, &permit, project).await?;
    params.query = params.query.with_in("project_id", [project]);
    let page = page(&app, &permit, &params).await?;
    Ok(Page(params, page))
}

/// `GET /api/v3/accounts/{account_id}/projects/{project_id}/repositories/{repository_id}/`
pub(crate) async fn show(
    permit: Permit<Read, Repositories>,
    State(app): State<App>,
    At(project): At<ProjectId>,
    At(id): At<RepositoryId>,
) -> Result<Object<Repository>, ApiError> {
    let repository = find(&app, &permit, project, id).await?;
    Ok(Object(Repository::from(&repository)))
}

/// `POST /api/v3/accounts/{account_id}/projects/{project_id}/repositories/`
pub(crate) async fn create(
    permit: Permit<Write, Repositories>,
    State(app): State<App>,
    At(project): At<ProjectId>,
    Body(mut body): Body<RepositoryBody>,
) -> Result<Created<Repository>, ApiError> {
    same_account(&permit, &body.account_id)?;
    same_project(project, &body.project_id)?;
    within(&app, &permit, project).await?;
    let (token, spec) = (body.token()?, body.create()?);
    let repository = app.store.create_repository(&permit, project, spec, token).await?;
    Ok(Created(Repository::from(&repository)))
}

/// `POST /api/v3/accounts/{account_id}/projects/{project_id}/repositories/{repository_id}/`: what
/// the body names, or state 2.
pub(crate) async fn update(
    permit: Permit<Write, Repositories>,
    State(app): State<App>,
    At(project): At<ProjectId>,
    At(id): At<RepositoryId>,
    Body(mut body): Body<RepositoryBody>,
) -> Result<Object<Repository>, ApiError> {
    same_account(&permit, &body.account_id)?;
    same_project(project, &body.project_id)?;
    if body.deletes() {
        return delete(permit, State(app), At(project), At(id)).await;
    }
    find(&app, &permit.also()?, project, id).await?;
    let token = body.token()?;
    let change = |spec| body.apply(spec).map_err(ApiError::from);
    let repository = app.store.update_repository(&permit, id, token, change).await?;
    Ok(Object(Repository::from(&repository)))
}

/// `DELETE /api/v3/accounts/{account_id}/projects/{project_id}/repositories/{repository_id}/`:
/// gives what it was, at state 2.
pub(crate) async fn delete(
    permit: Permit<Write, Repositories>,
    State(app): State<App>,
    At(project): At<ProjectId>,
    At(id): At<RepositoryId>,
) -> Result<Object<Repository>, ApiError> {
    find(&app, &permit.also()?, project, id).await?;
    let repository = app.store.delete_repository(&permit, id).await?;
    Ok(Object(Repository::from(&repository).deleted()))
}

/// `POST /api/v3/accounts/{account_id}/projects/{project_id}/managed-repositories/`: an empty
/// repository that this server keeps.
pub(crate) async fn create_managed(
    permit: Permit<Write, Repositories>,
    State(app): State<App>,
    At(project): At<ProjectId>,
    Body(body): Body<ManagedRepositoryBody>,
) -> Result<Created<Repository>, ApiError> {
    within(&app, &permit, project).await?;
    let name = body.read()?;
    let repository = app.store.create_managed_repository(&permit, project, &name).await?;
    Ok(Created(Repository::from(&repository)))
}

/// `GET`
/// `/api/v3/accounts/{account_id}/projects/{project_id}/managed-repositories/{managed_repositorie_id}/download/`:
/// the files of the newest commit, as a ZIP archive.
pub(crate) async fn download(
    permit: Permit<Read, Repositories>,
    State(app): State<App>,
    At(project): At<ProjectId>,
    At(ManagedRepositoryId(id)): At<ManagedRepositoryId>,
) -> Result<File, ApiError> {
    find(&app, &permit, project, id).await?;
    let bytes = app.store.download_managed_repository(&permit, id).await?.into();
    Ok(File { content: Content::Held(bytes), content_type: "application/zip" })
}

/// A page of repositories, as they are asked for.
pub(in crate::admin) async fn page(
    app: &App,
    permit: &Permit<Read, Repositories>,
    params: &ListParams,
) -> Result<Paged<Repository>, ApiError> {
    let page = app.store.repositories(permit, &params.query).await?;
    let again = async |query| app.store.repositories(permit, &query).await;
    let deleted = related::deleted(params, &page, |row| row.id.get(), again).await?;
    let told = |row: Repository| if deleted.contains(&row.id) { row.deleted() } else { row };
    Ok(page.map(|row| told(Repository::from(&row))))
}

/// A repository of the path's project.
pub(super) async fn find(
    app: &App,
    permit: &Permit<Read, Repositories>,
    project: ProjectId,
    id: RepositoryId,
) -> Result<DomainRepository, ApiError> {
    let repository = app.store.repository(permit, id).await?;
    if repository.project == project { Ok(repository) } else { Err(ApiError::NotFound) }
}
