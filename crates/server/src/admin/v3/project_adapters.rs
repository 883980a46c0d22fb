//! Adapters of a project: kept as other nouns are; who makes one is noted.

use axum::extract::State;
use domain::{
    ProjectId,
    authz::{AccessMarker, DataPlatformConfigs, KindMarker, Permit, Read, Write},
    kept::Id,
    project_adapter::ProjectAdapter as Adapter,
};
use store::StoreError;
use wire::{
    KeptBody as _, Patch,
    v3::{ProjectAdapter, ProjectAdapterBody},
};

use super::{same_account, same_project, within};
use crate::{
    answer::Created,
    app::App,
    error::ApiError,
    extract::{At, Body},
};

/// `POST /api/v3/accounts/{account_id}/projects/{project_id}/adapters/`
pub(crate) async fn create(
    permit: Permit<Write, DataPlatformConfigs>,
    State(app): State<App>,
    At(project): At<ProjectId>,
    Body(body): Body<ProjectAdapterBody>,
) -> Result<Created<ProjectAdapter>, ApiError> {
    same_account(&permit, &body.account_id)?;
    same_project(project, &body.project_id)?;
    within(&app, &permit, project).await?;
    let spec = Adapter { created_by: Some(permit.author()), ..body.over(None)? };
    let made = app.store.keep(&permit, Some(project), spec, None).await?;
    Ok(Created(ProjectAdapter::from(&made)))
}

/// For which platform an adapter is that a body names in `field`; of a project, and within the
/// caller's reach.
pub(super) async fn version<A: AccessMarker, K: KindMarker>(
    app: &App,
    permit: &Permit<A, K>,
    project: ProjectId,
    named: Patch<i64>,
    field: &str,
) -> Result<Option<&'static str>, ApiError> {
    let nothing = || ApiError::field(field, "does not name an adapter within reach");
    let Some(id) = named.value().filter(|id| *id != 0) else { return Ok(None) };
    let id = Id::<Adapter>::new(id).map_err(|wrong| ApiError::field(field, wrong))?;
    let permit: Permit<Read, DataPlatformConfigs> = permit.also().map_err(|_| nothing())?;
    match app.store.kept_one(&permit, id).await {
        Ok(found) if found.project == Some(project) => Ok(Some(found.spec.adapter_version.version)),
        Ok(_) | Err(StoreError::NotFound) => Err(nothing()),
        Err(error) => Err(error.into()),
    }
}

/// `adapter_version` of a body: as it says, or as the adapter does that it names.
pub(super) fn or_said(version: Option<&str>, said: Patch<String>) -> Patch<String> {
    match (said, version) {
        (Patch::Absent | Patch::Null, Some(version)) => Patch::Value(version.to_owned()),
        (said, _) => said,
    }
}
