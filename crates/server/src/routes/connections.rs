//! Connections and warehouse credentials.

use super::{DELETE, GET, PATCH, POST, ServedRoute, served};
use crate::admin::v3;

/// Its routes, in the order of paths.
pub(super) fn routes() -> Vec<ServedRoute> {
    vec![
        served(GET, "/api/v3/adapter-schema", "Retrieve Adapter Schema", v3::adapter_schema::show),
        served(
            GET,
            "/api/v3/accounts/{account_id}/connections",
            "List Account Connections",
            v3::connections::list,
        ),
        served(
            POST,
            "/api/v3/accounts/{account_id}/connections",
            "Create Account Connection",
            v3::connections::create,
        ),
        served(
            GET,
            "/api/v3/accounts/{account_id}/connections/{connection_id}",
            "Retrieve Account Connection",
            v3::connections::show,
        ),
        served(
            PATCH,
            "/api/v3/accounts/{account_id}/connections/{connection_id}",
            "Update Account Connection",
            v3::connections::update,
        ),
        served(
            DELETE,
            "/api/v3/accounts/{account_id}/connections/{connection_id}",
            "Delete Account Connection Delete",
            v3::connections::delete,
        ),
        served(
            GET,
            "/api/v3/accounts/{account_id}/projects/{project_id}/credentials",
            "List Credentials",
            v3::credentials::list,
        ),
        served(
            POST,
            "/api/v3/accounts/{account_id}/projects/{project_id}/credentials",
            "Create Credentials",
            v3::credentials::create,
        ),
        served(
            GET,
            "/api/v3/accounts/{account_id}/projects/{project_id}/credentials/{credential_id}",
            "Get Credentials",
            v3::credentials::show,
        ),
        served(
            POST,
            "/api/v3/accounts/{account_id}/projects/{project_id}/credentials/{credential_id}",
            "Update Credentials",
            v3::credentials::update,
        ),
        served(
            PATCH,
            "/api/v3/accounts/{account_id}/projects/{project_id}/credentials/{credential_id}",
            "Partial Update Credentials",
            v3::credentials::update,
        ),
        served(
            DELETE,
            "/api/v3/accounts/{account_id}/projects/{project_id}/credentials/{credential_id}",
            "Delete Credentials",
            v3::credentials::delete,
        ),
    ]
}
