//! Repositories.

use super::{DELETE, GET, POST, ServedRoute, served};
use crate::admin::{v2, v3};

/// Its routes, in the order of paths.
pub(super) fn routes() -> Vec<ServedRoute> {
    const MANAGED: &str =
        "/api/v3/accounts/{account_id}/projects/{project_id}/managed-repositories";
    const DOWNLOAD: &str = "/api/v3/accounts/{account_id}/projects/{project_id}/managed-repositories/{managed_repositorie_id}/download";
    vec![
        served(
            GET,
            "/api/v2/accounts/{account_id}/repositories",
            "List Repositories",
            v2::repositories::list,
        ),
        served(
            POST,
            "/api/v2/accounts/{account_id}/repositories",
            "Create Repository",
            v2::repositories::create,
        ),
        served(
            GET,
            "/api/v2/accounts/{account_id}/repositories/{repository_id}",
            "Retrieve Repository",
            v2::repositories::show,
        ),
        served(
            DELETE,
            "/api/v2/accounts/{account_id}/repositories/{repository_id}",
            "Destroy Repository",
            v2::repositories::delete,
        ),
        served(
            GET,
            "/api/v3/accounts/{account_id}/projects/{project_id}/repositories",
            "List Repositories",
            v3::repositories::list,
        ),
        served(
            POST,
            "/api/v3/accounts/{account_id}/projects/{project_id}/repositories",
            "Create Repository",
            v3::repositories::create,
        ),
        served(
            GET,
            "/api/v3/accounts/{account_id}/projects/{project_id}/repositories/{repository_id}",
            "Retrieve Repository",
            v3::repositories::show,
        ),
        served(
            POST,
            "/api/v3/accounts/{account_id}/projects/{project_id}/repositories/{repository_id}",
            "Update Repository",
            v3::repositories::update,
        ),
        served(
            DELETE,
            "/api/v3/accounts/{account_id}/projects/{project_id}/repositories/{repository_id}",
            "Destroy Repository",
            v3::repositories::delete,
        ),
        served(POST, MANAGED, "Create Managed Repository", v3::repositories::create_managed),
        served(
            GET,
            DOWNLOAD,
            "Retrieve Projects Managed Repositories Download",
            v3::repositories::download,
        ),
    ]
}
