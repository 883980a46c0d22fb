//! Environment variables of a project. The values of secret ones are in no answer; a user's own
//! are that user's alone.

use axum::extract::State;
use domain::{
    JobId, ProjectId, UserId,
    authz::{
        AccessMarker, Category, CustomEnvVariables, KindMarker, OwnTokens, Permit, PrincipalId,
        Read, Write,
    },
    environment_variable::{EnvironmentVariable as Noun, Place},
    kept::{Id, Kept},
    list::ListQuery,
};
use store::{VariableChange, VariableEdit};
use wire::{
    Patch,
    v3::{
        EditedVariables, EnvironmentVariable, EnvironmentVariableBody, EnvironmentVariables,
        VariableNameBody, VariablesBody, VariablesInPlaces,
    },
};

use super::{named, same_account, same_project, within};
use crate::{
    answer::{Created, Object},
    app::App,
    error::ApiError,
    extract::{At, Body, Query},
};

/// `GET /api/v3/accounts/{account_id}/projects/{project_id}/environment-variables/environment/`
pub(crate) async fn of_environments(
    permit: Permit<Read, CustomEnvVariables>,
    State(app): State<App>,
    At(project): At<ProjectId>,
) -> Result<Object<EnvironmentVariables>, ApiError> {
    within(&app, &permit, project).await?;
    let environments = app.store.environments_with_variables(&permit, project).await?;
    let names = environments.into_iter().map(|found| (found.id, found.spec.name.to_string()));
    let names: Vec<_> = names.collect();
    Ok(Object(EnvironmentVariables::new(&names, &values(&app, &permit, project).await?)))
}

/// `GET /api/v3/accounts/{account_id}/projects/{project_id}/environment-variables/job/`: what bears
/// on the job `job_definition_id`.
pub(crate) async fn of_job(
    permit: Permit<Read, CustomEnvVariables>,
    State(app): State<App>,
    At(project): At<ProjectId>,
    Query(params): Query,
) -> Result<Object<VariablesInPlaces>, ApiError> {
    within(&app, &permit, project).await?;
    let job: JobId = named(&params, "job_definition_id")?
        .ok_or_else(|| ApiError::field("job_definition_id", "is required"))?;
    let environment = app.store.environment_of_job(&permit, project, job).await?;
    let bears = |place| match place {
        Place::Project => true,
        Place::Environment { environment_id } => environment_id == environment,
        Place::Job { job_definition_id } => job_definition_id == job,
        Place::User { .. } => false,
    };
    Ok(Object(VariablesInPlaces::new(&values(&app, &permit, project).await?, bears)))
}

/// `GET /api/v3/accounts/{account_id}/projects/{project_id}/environment-variables/user/`: what bears
/// on the caller, in the development environment.
pub(crate) async fn of_user(
    permit: Permit<Read, CustomEnvVariables>,
    State(app): State<App>,
    At(project): At<ProjectId>,
    Query(params): Query,
) -> Result<Object<VariablesInPlaces>, ApiError> {
    within(&app, &permit, project).await?;
    permit.also::<Read, OwnTokens>()?;
    let own = caller(&permit);
    let user = named::<UserId>(&params, "user_id")?.or(own);
    if user.is_none() || user != own {
        return Err(ApiError::NotFound);
    }
    let environments = app.store.environments_with_variables(&permit, project).await?;
    let development = environments
        .into_iter()
        .find(|found| found.spec.category == Category::Development)
        .map(|found| found.id);
    let bears = |place| match place {
        Place::Project => true,
        Place::Environment { environment_id } => Some(environment_id) == development,
        Place::Job { .. } => false,
        Place::User { user_id } => Some(user_id) == user,
    };
    Ok(Object(VariablesInPlaces::new(&values(&app, &permit, project).await?, bears)))
}

/// `POST /api/v3/accounts/{account_id}/projects/{project_id}/environment-variables/`
pub(crate) async fn create(
    permit: Permit<Write, CustomEnvVariables>,
    State(app): State<App>,
    At(project): At<ProjectId>,
    Body(body): Body<EnvironmentVariableBody>,
) -> Result<Created<EnvironmentVariable>, ApiError> {
    same_account(&permit, &body.account_id)?;
    same_project(project, &body.project_id)?;
    within(&app, &permit, project).await?;
    if body.r#type == Patch::Value("user".to_owned()) {
        permit.also::<Write, OwnTokens>()?;
    }
    let (spec, secret) = body.create(caller(&permit))?;
    let kept = app.store.keep(&permit, Some(project), spec, secret).await?;
    Ok(Created(EnvironmentVariable::from(&kept)))
}

/// `POST`
/// `/api/v3/accounts/{account_id}/projects/{project_id}/environment-variables/{environment_variable_id}/`:
/// what the body names, or state 2. A value that is left out stays.
pub(crate) async fn update(
    permit: Permit<Write, CustomEnvVariables>,
    State(app): State<App>,
    At(project): At<ProjectId>,
    At(id): At<Id<Noun>>,
    Body(body): Body<EnvironmentVariableBody>,
) -> Result<Object<EnvironmentVariable>, ApiError> {
    same_account(&permit, &body.account_id)?;
    same_project(project, &body.project_id)?;
    if body.deletes() {
        return delete(permit, State(app), At(project), At(id)).await;
    }
    let before = find(&app, &permit, project, id).await?;
    let (_, secret) = body.clone().apply(before.spec)?;
    // Once more inside the transaction, over what is there by then.
    let change = |spec| Ok::<_, ApiError>(body.apply(spec)?.0);
    let kept = app.store.update_kept(&permit, id, secret, change).await?;
    Ok(Object(EnvironmentVariable::from(&kept)))
}

/// `DELETE`
/// `/api/v3/accounts/{account_id}/projects/{project_id}/environment-variables/{environment_variable_id}/`:
/// gives what it was, at state 2.
pub(crate) async fn delete(
    permit: Permit<Write, CustomEnvVariables>,
    State(app): State<App>,
    At(project): At<ProjectId>,
    At(id): At<Id<Noun>>,
) -> Result<Object<EnvironmentVariable>, ApiError> {
    find(&app, &permit, project, id).await?;
    let kept = app.store.delete_kept(&permit, id).await?;
    Ok(Object(EnvironmentVariable::from(&kept)))
}

/// `POST /api/v3/accounts/{account_id}/projects/{project_id}/environment-variables/bulk/`: new
/// variables, all or none.
pub(crate) async fn create_many(
    permit: Permit<Write, CustomEnvVariables>,
    State(app): State<App>,
    At(project): At<ProjectId>,
    Body(body): Body<VariablesBody>,
) -> Result<Created<EditedVariables>, ApiError> {
    within(&app, &permit, project).await?;
    let edits = body.read()?.into_iter().map(|edit| {
        let name = edit.new_name.or(edit.name);
        let name = name.ok_or_else(|| ApiError::field("new_name", "is required"))?;
        if edit.values.iter().all(|(_, value)| value.is_none()) {
            return Err(ApiError::field(
                "env_var",
                "has to bring a value: `project`, or the name of an environment",
            ));
        }
        Ok(VariableEdit { name, change: VariableChange::Make, values: edit.values })
    });
    let edits = edits.collect::<Result<Vec<_>, ApiError>>()?;
    edited(&app, &permit, project, edits).await.map(Created)
}

/// `PUT /api/v3/accounts/{account_id}/projects/{project_id}/environment-variables/bulk/`: variables
/// that are there, all or none.
pub(crate) async fn update_many(
    permit: Permit<Write, CustomEnvVariables>,
    State(app): State<App>,
    At(project): At<ProjectId>,
    Body(body): Body<VariablesBody>,
) -> Result<Object<EditedVariables>, ApiError> {
    within(&app, &permit, project).await?;
    let edits = body.read()?.into_iter().map(|edit| {
        let name = edit.name.ok_or_else(|| ApiError::field("name", "is required"))?;
        let change = edit.new_name.map_or(VariableChange::Keep, VariableChange::Rename);
        Ok(VariableEdit { name, change, values: edit.values })
    });
    let edits = edits.collect::<Result<Vec<_>, ApiError>>()?;
    edited(&app, &permit, project, edits).await.map(Object)
}

/// `DELETE /api/v3/accounts/{account_id}/projects/{project_id}/environment-variables/bulk/`: a
/// variable, with its values in every place.
pub(crate) async fn delete_many(
    permit: Permit<Write, CustomEnvVariables>,
    State(app): State<App>,
    At(project): At<ProjectId>,
    Body(body): Body<VariableNameBody>,
) -> Result<Object<EditedVariables>, ApiError> {
    within(&app, &permit, project).await?;
    let name = body.read()?;
    let deleted = app.store.delete_environment_variable(&permit, project, &name).await?;
    let deleted_var_ids = deleted.into_iter().map(Id::get).collect();
    let message = format!("`{}` was deleted", name.as_str());
    Ok(Object(EditedVariables { message, deleted_var_ids, ..EditedVariables::default() }))
}

async fn edited(
    app: &App,
    permit: &Permit<Write, CustomEnvVariables>,
    project: ProjectId,
    edits: Vec<VariableEdit>,
) -> Result<EditedVariables, ApiError> {
    let done = app.store.edit_environment_variables(permit, project, edits).await?;
    Ok(EditedVariables {
        message: format!("{} values were made, {} deleted", done.made.len(), done.deleted.len()),
        new_var_ids: done.made.into_iter().map(Id::get).collect(),
        deleted_var_ids: done.deleted.into_iter().map(Id::get).collect(),
        ..EditedVariables::default()
    })
}

/// All values of the project.
async fn values(
    app: &App,
    permit: &Permit<Read, CustomEnvVariables>,
    project: ProjectId,
) -> Result<Vec<Kept<Noun>>, ApiError> {
    let all = ListQuery { limit: u16::MAX, ..ListQuery::first_page() };
    Ok(app.store.kept(permit, Some(project), &all).await?.rows)
}

/// A value of the path's project; another user's is not there.
async fn find(
    app: &App,
    permit: &Permit<Write, CustomEnvVariables>,
    project: ProjectId,
    id: Id<Noun>,
) -> Result<Kept<Noun>, ApiError> {
    let kept = app.store.kept_one::<Noun>(&permit.also()?, id).await?;
    let theirs = match kept.spec.place {
        Place::User { user_id } => caller(permit) != Some(user_id),
        Place::Project | Place::Environment { .. } | Place::Job { .. } => false,
    };
    if kept.project == Some(project) && !theirs { Ok(kept) } else { Err(ApiError::NotFound) }
}

/// The user who asks; a service token is none.
fn caller<A: AccessMarker, K: KindMarker>(permit: &Permit<A, K>) -> Option<UserId> {
    match permit.author() {
        PrincipalId::User(user) => Some(user),
        PrincipalId::ServiceToken(_) | PrincipalId::System(_) => None,
    }
}
