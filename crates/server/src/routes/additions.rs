//! What dbt's documents do not have: usage, billing, and who reaches a project.

use super::{GET, POST, PUT, ServedRoute, served};
use crate::admin::v3::{project_permissions, usage};

/// Its routes, in the order of paths.
pub(super) fn routes() -> Vec<ServedRoute> {
    const USAGE: &str = "/api/v3/accounts/{account_id}/usage";
    const BILLING: &str = "/api/v3/accounts/{account_id}/billing";
    const REACH: &str = "/api/v3/accounts/{account_id}/projects/{project_id}/permissions";
    vec![
        served(GET, USAGE, "Read Usage", usage::show),
        served(GET, BILLING, "Read Billing", usage::billing),
        served(PUT, BILLING, "Update Billing", usage::update_billing),
        served(POST, BILLING, "Update Billing", usage::update_billing),
        served(GET, REACH, "List Project Permissions", project_permissions::show),
    ]
}
