//! Adapters of projects.

use domain::project_adapter::ProjectAdapter as Noun;

use super::{DELETE, GET, POST, ServedRoute, served};
use crate::admin::{kept, v3};

/// Its routes, in the order of paths.
pub(super) fn routes() -> Vec<ServedRoute> {
    const ALL: &str = "/api/v3/accounts/{account_id}/projects/{project_id}/adapters";
    const ONE: &str = "/api/v3/accounts/{account_id}/projects/{project_id}/adapters/{adapter_id}";
    vec![
        served(POST, ALL, "Create Adapter", v3::project_adapters::create),
        served(GET, ONE, "Retrieve Adapter", kept::show_of_project::<Noun>),
        served(POST, ONE, "Update Adapter", kept::update_of_project::<Noun>),
        served(DELETE, ONE, "Destroy Adapter", kept::delete_of_project::<Noun>),
    ]
}
