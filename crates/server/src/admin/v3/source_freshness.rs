//! How fresh a project's sources are: an addition of ours.

use axum::extract::State;
use domain::{
    ProjectId,
    authz::{Permit, Read, Runs},
};
use wire::v3::SourceFreshness;

use crate::{answer::Object, app::App, error::ApiError, extract::At};

/// `GET /api/v3/accounts/{account_id}/projects/{project_id}/source-freshness/`
pub(crate) async fn show(
    permit: Permit<Read, Runs>,
    State(app): State<App>,
    At(project): At<ProjectId>,
) -> Result<Object<SourceFreshness>, ApiError> {
    let (of, found) = app.store.source_freshness(&permit, project).await?;
    Ok(Object(SourceFreshness::new(project, of, found)))
}
