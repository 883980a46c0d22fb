//! The documentation site of a project: dbt's own page, as a run left it.

use axum::extract::State;
use domain::{
    ProjectId,
    authz::{Permit, Read, Runs},
};

use crate::{
    answer::SandboxedPage,
    app::App,
    error::ApiError,
    extract::{At, NoParameters},
};

/// `GET /docs/{account_id}/{project_id}/`: whoever may read the project's runs may read it.
pub(crate) async fn show(
    permit: Permit<Read, Runs>,
    State(app): State<App>,
    At(project): At<ProjectId>,
    _: NoParameters,
) -> Result<SandboxedPage, ApiError> {
    Ok(SandboxedPage(app.store.docs_page(&permit, project).await?))
}
