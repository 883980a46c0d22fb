//! Connections of one project.

use super::{DELETE, GET, POST, ServedRoute, served};
use crate::admin::v3::project_connections;

/// Its routes, in the order of paths.
pub(super) fn routes() -> Vec<ServedRoute> {
    const ALL: &str = "/api/v3/accounts/{account_id}/projects/{project_id}/connections";
    const ONE: &str =
        "/api/v3/accounts/{account_id}/projects/{project_id}/connections/{project_connection_id}";
    vec![
        served(GET, ALL, "List Connections", project_connections::list),
        served(POST, ALL, "Create Connection", project_connections::create),
        served(GET, ONE, "Retrieve Connection", project_connections::show),
        served(POST, ONE, "Update Connection", project_connections::update),
        served(DELETE, ONE, "Destroy Connection", project_connections::delete),
    ]
}
