//! Environments of a project, and of all projects of the account.

use axum::extract::State;
use domain::{
    EnvironmentId, ProjectId,
    authz::{AccessMarker, Environments, KindMarker, Permit, Read, Write},
    environment::Environment as DomainEnvironment,
    list::Paged,
};
use wire::{
    Include, ListParams,
    v3::{Environment, EnvironmentBody, environment_query},
};

use super::{related, same_account, same_project, within};
use crate::{
    admin::v2,
    answer::{Created, Object, Page},
    app::App,
    error::ApiError,
    extract::{At, Body, Query},
};

/// `GET /api/v3/accounts/{account_id}/environments/`, which no document has: Terraform and
/// dbt-jobs-as-code call it.
pub(crate) async fn list_of_account(
    permit: Permit<Read, Environments>,
    State(app): State<App>,
    Query(params): Query,
) -> Result<Page<Environment>, ApiError> {
    let page = page(&app, &permit, &params).await?;
    Ok(Page(params, page))
}

/// `GET /api/v3/accounts/{account_id}/projects/{project_id}/environments/`
pub(crate) async fn list(
    permit: Permit<Read, Environments>,
    State(app): State<App>,
    At(project): At<ProjectId>,
    Query(mut params): Query,
) -> Result<Page<Environment>, ApiError> {
    within(&app, &permit, project).await?;
    params.query = params.query.with_in("project_id", [project]);
    let page = page(&app, &permit, &params).await?;
    Ok(Page(params, page))
}

/// `GET /api/v3/accounts/{account_id}/projects/{project_id}/environments/{environment_id}/`
pub(crate) async fn show(
    permit: Permit<Read, Environments>,
    State(app): State<App>,
    At(project): At<ProjectId>,
    At(id): At<EnvironmentId>,
    Query(params): Query,
) -> Result<Object<Environment>, ApiError> {
    let environment = find(&app, &permit, project, id).await?;
    let found = with_related(&app, &permit, &params.include, &[environment]).await?;
    found.into_iter().next().map(Object).ok_or(ApiError::NotFound)
}

/// `POST /api/v3/accounts/{account_id}/projects/{project_id}/environments/`
pub(crate) async fn create(
    permit: Permit<Write, Environments>,
    State(app): State<App>,
    At(project): At<ProjectId>,
    Body(body): Body<EnvironmentBody>,
) -> Result<Created<Environment>, ApiError> {
    same_account(&permit, &body.account_id)?;
    same_project(project, &body.project_id)?;
    within(&app, &permit, project).await?;
    let environment = app.store.create_environment(&permit, project, body.create()?).await?;
    Ok(Created(Environment::from(&environment)))
}

/// `POST /api/v3/accounts/{account_id}/projects/{project_id}/environments/{environment_id}/`:
/// what the body names, or state 2.
pub(crate) async fn update(
    permit: Permit<Write, Environments>,
    State(app): State<App>,
    At(project): At<ProjectId>,
    At(id): At<EnvironmentId>,
    Body(body): Body<EnvironmentBody>,
) -> Result<Object<Environment>, ApiError> {
    same_account(&permit, &body.account_id)?;
    same_project(project, &body.project_id)?;
    find(&app, &permit.also()?, project, id).await?;
    if body.deletes() {
        return delete_of_account(permit, State(app), At(id)).await;
    }
    let change = |spec| body.apply(spec).map_err(ApiError::from);
    let environment = app.store.update_environment(&permit, id, change).await?;
    Ok(Object(Environment::from(&environment)))
}

/// `DELETE /api/v3/accounts/{account_id}/projects/{project_id}/environments/{environment_id}/`:
/// gives what it was, at state 2.
pub(crate) async fn delete(
    permit: Permit<Write, Environments>,
    State(app): State<App>,
    At(project): At<ProjectId>,
    At(id): At<EnvironmentId>,
) -> Result<Object<Environment>, ApiError> {
    find(&app, &permit.also()?, project, id).await?;
    delete_of_account(permit, State(app), At(id)).await
}

/// `DELETE /api/v3/accounts/{account_id}/environments/{environment_id}/`, which no document has:
/// dbtc calls it.
pub(crate) async fn delete_of_account(
    permit: Permit<Write, Environments>,
    State(app): State<App>,
    At(id): At<EnvironmentId>,
) -> Result<Object<Environment>, ApiError> {
    let environment = app.store.delete_environment(&permit, id).await?;
    Ok(Object(Environment::from(&environment).deleted()))
}

/// A page of environments, as they are asked for.
pub(in crate::admin) async fn page(
    app: &App,
    permit: &Permit<Read, Environments>,
    params: &ListParams,
) -> Result<Paged<Environment>, ApiError> {
    let query = environment_query(params.query.clone());
    let page = app.store.environments(permit, &query).await?;
    let again = async |query| app.store.environments(permit, &query).await;
    let deleted = related::deleted(params, &page, |row| row.id.get(), again).await?;
    let rows = with_related(app, permit, &params.include, &page.rows).await?;
    let told = |row: Environment| if deleted.contains(&row.id) { row.deleted() } else { row };
    Ok(Paged { rows, total: page.total }.map(told))
}

/// Environments with what the caller wants along, as far as it may read that.
pub(in crate::admin) async fn with_related<A: AccessMarker, K: KindMarker>(
    app: &App,
    permit: &Permit<A, K>,
    include: &Include,
    environments: &[DomainEnvironment],
) -> Result<Vec<Environment>, ApiError> {
    let asked = |name| environments.iter().filter(move |_| include.has(name));
    let projects = asked("project").map(|environment| environment.project);
    let projects = v2::related::projects(app, permit, projects).await?;
    let repositories = asked("repository").map(|environment| environment.project);
    let repositories = v2::related::repositories(app, permit, repositories).await?;
    let connections = asked("connection").filter_map(|environment| environment.spec.connection);
    let connections = related::connections(app, permit, connections).await?;
    let credentials = asked("credentials").filter_map(|environment| environment.spec.credential);
    let credentials = related::credentials(app, permit, credentials).await?;
    let whole = environments.iter().map(|environment| {
        let spec = &environment.spec;
        Environment {
            project: projects.get(&environment.project).cloned().map(Box::new),
            repository: repositories.get(&environment.project).cloned(),
            connection: spec.connection.and_then(|id| connections.get(&id).cloned()),
            credentials: spec.credential.and_then(|id| credentials.get(&id).cloned()),
            ..Environment::from(environment)
        }
    });
    Ok(whole.collect())
}

/// An environment of the path's project.
async fn find(
    app: &App,
    permit: &Permit<Read, Environments>,
    project: ProjectId,
    id: EnvironmentId,
) -> Result<DomainEnvironment, ApiError> {
    let environment = app.store.environment(permit, id).await?;
    if environment.project == project { Ok(environment) } else { Err(ApiError::NotFound) }
}
