//! Who reaches a project: an addition of ours.

use axum::extract::State;
use domain::{
    ProjectId,
    authz::{Permit, Read, kinds::Permissions},
};
use wire::v3::ProjectPermissions;

use crate::{answer::Object, app::App, error::ApiError, extract::At};

/// `GET /api/v3/accounts/{account_id}/projects/{project_id}/permissions/`
pub(crate) async fn show(
    permit: Permit<Read, Permissions>,
    State(app): State<App>,
    At(project): At<ProjectId>,
) -> Result<Object<ProjectPermissions>, ApiError> {
    let reach = app.store.project_reach(&permit, project).await?;
    Ok(Object(ProjectPermissions::new(project, &reach)))
}
