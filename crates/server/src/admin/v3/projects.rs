//! Projects: the same in v2 and v3.

use std::collections::BTreeMap;

use axum::extract::State;
use domain::{
    JobId, ProjectId,
    authz::{Permit, ProjectCreate, Read, SemanticLayerConfig, Write, kinds::Projects},
    list::Paged,
    project::Project as DomainProject,
};
use serde_json::json;
use wire::{
    Include,
    v3::{Project, ProjectBody},
};

use super::{related, same_account};
use crate::{
    admin::v2,
    answer::{Created, Object, Page},
    app::App,
    error::ApiError,
    extract::{At, Body, Query},
};

/// `GET /api/v3/accounts/{account_id}/projects/`
pub(crate) async fn list(
    permit: Permit<Read, Projects>,
    State(app): State<App>,
    Query(params): Query,
) -> Result<Page<Project>, ApiError> {
    let page = app.store.projects(&permit, &params.query).await?;
    let again = async |query| app.store.projects(&permit, &query).await;
    let deleted = related::deleted(&params, &page, |row| row.id.get(), again).await?;
    let ids = page.rows.iter().map(|project| project.id);
    let configurations = related::configurations(&app, &permit, ids).await?;
    let rows = with_related(&app, &permit, &params.include, &page.rows, &configurations).await?;
    let told = |row: Project| if deleted.contains(&row.id) { row.deleted() } else { row };
    Ok(Page(params, Paged { rows, total: page.total }.map(told)))
}

/// `GET /api/v3/accounts/{account_id}/projects/{project_id}/`
pub(crate) async fn show(
    permit: Permit<Read, Projects>,
    State(app): State<App>,
    At(id): At<ProjectId>,
    Query(params): Query,
) -> Result<Object<Project>, ApiError> {
    let (project, configuration) = app.store.project_and_configuration(&permit, id).await?;
    let tells = permit.also::<Read, SemanticLayerConfig>().is_ok_and(|may| may.within(id).is_ok());
    let configurations = configuration.filter(|_| tells).map(|configuration| (id, configuration));
    let projects = [project];
    let configurations = configurations.into_iter().collect();
    let found = with_related(&app, &permit, &params.include, &projects, &configurations).await?;
    found.into_iter().next().map(Object).ok_or(ApiError::NotFound)
}

/// `POST /api/v3/accounts/{account_id}/projects/`
pub(crate) async fn create(
    permit: Permit<Write, ProjectCreate>,
    State(app): State<App>,
    Body(body): Body<ProjectBody>,
) -> Result<Created<Project>, ApiError> {
    same_account(&permit, &body.account_id)?;
    if named_configuration(&body).is_some() {
        return Err(no_configuration());
    }
    let project = app.store.create_project(&permit, body.create()?).await?;
    Ok(Created(Project::from(&project)))
}

/// `POST /api/v3/accounts/{account_id}/projects/{project_id}/`: what the body names, or state 2.
pub(crate) async fn update(
    permit: Permit<Write, Projects>,
    State(app): State<App>,
    At(id): At<ProjectId>,
    Body(body): Body<ProjectBody>,
) -> Result<Object<Project>, ApiError> {
    same_account(&permit, &body.account_id)?;
    if body.deletes() {
        return delete(permit, State(app), At(id)).await;
    }
    let linked = related::configurations(&app, &permit, std::iter::once(id)).await?;
    let linked = linked.get(&id).copied();
    if named_configuration(&body).is_some_and(|named| Some(named) != linked) {
        return Err(no_configuration());
    }
    let change = |spec| body.apply(spec).map_err(ApiError::from);
    let project = app.store.update_project(&permit, id, change).await?;
    Ok(Object(Project { semantic_layer_config_id: linked, ..Project::from(&project) }))
}

/// `DELETE /api/v3/accounts/{account_id}/projects/{project_id}/`: gives what it was, at state 2.
pub(crate) async fn delete(
    permit: Permit<Write, Projects>,
    State(app): State<App>,
    At(id): At<ProjectId>,
) -> Result<Object<Project>, ApiError> {
    let project = app.store.delete_project(&permit, id).await?;
    Ok(Object(Project::from(&project).deleted()))
}

/// The Semantic Layer configuration that a body names; 0 counts as none.
fn named_configuration(body: &ProjectBody) -> Option<i64> {
    body.semantic_layer_config_id.value().filter(|id| *id != 0)
}

fn no_configuration() -> ApiError {
    let message = "does not name the project's semantic layer configuration";
    ApiError::field("semantic_layer_config_id", message)
}

/// Projects with what the caller wants along, as far as it may read that.
async fn with_related(
    app: &App,
    permit: &Permit<Read, Projects>,
    include: &Include,
    projects: &[DomainProject],
    configurations: &BTreeMap<ProjectId, i64>,
) -> Result<Vec<Project>, ApiError> {
    let asked = |name| projects.iter().filter(move |_| include.has(name));
    let connections = asked("connection").filter_map(|project| project.spec.connection);
    let connections = related::connections(app, permit, connections).await?;
    let repositories = asked("repository").filter_map(|project| project.spec.repository);
    let repositories = related::repositories(app, permit, repositories).await?;
    let environments = asked("environments").map(|project| project.id);
    let mut environments = related::environments_of(app, permit, environments).await?;
    let granted = asked("group_permissions").map(|project| project.id);
    let mut granted = related::group_permissions_on(app, permit, granted).await?;
    let docs = asked("docs_job").filter_map(|project| project.spec.docs_job);
    let freshness = asked("freshness_job").filter_map(|project| project.spec.freshness_job);
    let jobs = v2::related::jobs(app, permit, docs.chain(freshness)).await?;
    let job = |name, id: Option<JobId>| {
        id.filter(|_| include.has(name)).and_then(|id| jobs.get(&id)).map(|job| json!(job))
    };
    let whole = projects.iter().map(|project| Project {
        docs_job: job("docs_job", project.spec.docs_job),
        freshness_job: job("freshness_job", project.spec.freshness_job),
        group_permissions: granted.remove(&project.id),
        connection: project.spec.connection.and_then(|id| connections.get(&id).cloned()),
        repository: project.spec.repository.and_then(|id| repositories.get(&id).cloned()),
        environments: environments.remove(&project.id),
        semantic_layer_config_id: configurations.get(&project.id).copied(),
        ..Project::from(project)
    });
    Ok(whole.collect())
}
