//! Environment variables.

use super::{DELETE, GET, POST, PUT, ServedRoute, served};
use crate::admin::v3::environment_variables as variables;

/// Its routes, in the order of paths.
pub(super) fn routes() -> Vec<ServedRoute> {
    const ALL: &str = "/api/v3/accounts/{account_id}/projects/{project_id}/environment-variables";
    const ONE: &str = "/api/v3/accounts/{account_id}/projects/{project_id}/environment-variables/{environment_variable_id}";
    const BULK: &str =
        "/api/v3/accounts/{account_id}/projects/{project_id}/environment-variables/bulk";
    const ENVIRONMENT: &str =
        "/api/v3/accounts/{account_id}/projects/{project_id}/environment-variables/environment";
    const JOB: &str =
        "/api/v3/accounts/{account_id}/projects/{project_id}/environment-variables/job";
    const USER: &str =
        "/api/v3/accounts/{account_id}/projects/{project_id}/environment-variables/user";
    vec![
        served(POST, ALL, "Create Projects Environment Variable", variables::create),
        served(POST, ONE, "Update Projects Environment Variable", variables::update),
        served(DELETE, ONE, "Destroy Projects Environment Variable", variables::delete),
        served(POST, BULK, "Create Projects Environment Variables Bulk", variables::create_many),
        served(PUT, BULK, "Update Projects Environment Variables Bulk", variables::update_many),
        served(DELETE, BULK, "Destroy Projects Environment Variables Bulk", variables::delete_many),
        served(
            GET,
            ENVIRONMENT,
            "Retrieve Projects Environment Variables Environment",
            variables::of_environments,
        ),
        served(GET, JOB, "Retrieve Projects Environment Variables Job", variables::of_job),
        served(GET, USER, "Retrieve Projects Environment Variables User", variables::of_user),
    ]
}
