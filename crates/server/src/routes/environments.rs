//! Environments.

use super::{DELETE, GET, POST, ServedRoute, served};
use crate::admin::{v2, v3};

/// Its routes, in the order of paths.
pub(super) fn routes() -> Vec<ServedRoute> {
    vec![
        served(
            GET,
            "/api/v2/accounts/{account_id}/environments",
            "List Environments",
            v2::environments::list,
        ),
        served(
            POST,
            "/api/v2/accounts/{account_id}/environments",
            "Create Environment",
            v2::environments::create,
        ),
        served(
            GET,
            "/api/v2/accounts/{account_id}/environments/{environment_id}",
            "Retrieve Environment",
            v2::environments::show,
        ),
        served(
            POST,
            "/api/v2/accounts/{account_id}/environments/{environment_id}",
            "Update Environment",
            v2::environments::update,
        ),
        served(
            DELETE,
            "/api/v2/accounts/{account_id}/environments/{environment_id}",
            "Destroy Environment",
            v2::environments::delete,
        ),
        served(
            GET,
            "/api/v3/accounts/{account_id}/environments",
            "List Environments",
            v3::environments::list_of_account,
        ),
        served(
            DELETE,
            "/api/v3/accounts/{account_id}/environments/{environment_id}",
            "Destroy Environments",
            v3::environments::delete_of_account,
        ),
        served(
            GET,
            "/api/v3/accounts/{account_id}/projects/{project_id}/environments",
            "List Environments",
            v3::environments::list,
        ),
        served(
            POST,
            "/api/v3/accounts/{account_id}/projects/{project_id}/environments",
            "Create Environment",
            v3::environments::create,
        ),
        served(
            GET,
            "/api/v3/accounts/{account_id}/projects/{project_id}/environments/{environment_id}",
            "Retrieve Environment",
            v3::environments::show,
        ),
        served(
            POST,
            "/api/v3/accounts/{account_id}/projects/{project_id}/environments/{environment_id}",
            "Update Environment",
            v3::environments::update,
        ),
        served(
            DELETE,
            "/api/v3/accounts/{account_id}/projects/{project_id}/environments/{environment_id}",
            "Destroy Environment",
            v3::environments::delete,
        ),
    ]
}
