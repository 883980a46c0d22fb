//! Projects.

use super::{DELETE, GET, POST, ServedRoute, served};
use crate::admin::v3;

/// Its routes, in the order of paths.
pub(super) fn routes() -> Vec<ServedRoute> {
    vec![
        served(GET, "/api/v2/accounts/{account_id}/projects", "List Projects", v3::projects::list),
        served(
            POST,
            "/api/v2/accounts/{account_id}/projects",
            "Create Project",
            v3::projects::create,
        ),
        served(
            GET,
            "/api/v2/accounts/{account_id}/projects/{project_id}",
            "Retrieve Project",
            v3::projects::show,
        ),
        served(
            POST,
            "/api/v2/accounts/{account_id}/projects/{project_id}",
            "Update Project",
            v3::projects::update,
        ),
        served(
            DELETE,
            "/api/v2/accounts/{account_id}/projects/{project_id}",
            "Destroy Project",
            v3::projects::delete,
        ),
        served(GET, "/api/v3/accounts/{account_id}/projects", "List Projects", v3::projects::list),
        served(
            POST,
            "/api/v3/accounts/{account_id}/projects",
            "Create Project",
            v3::projects::create,
        ),
        served(
            GET,
            "/api/v3/accounts/{account_id}/projects/{project_id}",
            "Retrieve Project",
            v3::projects::show,
        ),
        served(
            POST,
            "/api/v3/accounts/{account_id}/projects/{project_id}",
            "Update Project",
            v3::projects::update,
        ),
        served(
            DELETE,
            "/api/v3/accounts/{account_id}/projects/{project_id}",
            "Destroy Project",
            v3::projects::delete,
        ),
    ]
}
