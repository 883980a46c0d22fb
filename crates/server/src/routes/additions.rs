//! What dbt's documents do not have: logs of steps as they come, usage, billing, who reaches a project, its documentation,
//! the freshness of its sources, and the hook that a repository's git host sends to.

use super::{DELETE, GET, POST, PUT, ServedRoute, served};
use crate::{
    admin::{
        v2::step_logs,
        v3::{project_permissions, repository_webhook, source_freshness, usage},
    },
    docs,
};

/// Its routes, in the order of paths.
pub(super) fn routes() -> Vec<ServedRoute> {
    const LOGS: &str = "/api/v2/accounts/{account_id}/steps/{step_id}/logs";
    const USAGE: &str = "/api/v3/accounts/{account_id}/usage";
    const BILLING: &str = "/api/v3/accounts/{account_id}/billing";
    const REACH: &str = "/api/v3/accounts/{account_id}/projects/{project_id}/permissions";
    const FRESHNESS: &str = "/api/v3/accounts/{account_id}/projects/{project_id}/source-freshness";
    const HOOK: &str =
        "/api/v3/accounts/{account_id}/projects/{project_id}/repositories/{repository_id}/webhook";
    const DOCS: &str = "/docs/{account_id}/{project_id}";
    vec![
        served(GET, LOGS, "Read Step Logs", step_logs::show),
        served(GET, USAGE, "Read Usage", usage::show),
        served(GET, BILLING, "Read Billing", usage::billing),
        served(PUT, BILLING, "Update Billing", usage::update_billing),
        served(POST, BILLING, "Update Billing", usage::update_billing),
        served(GET, REACH, "List Project Permissions", project_permissions::show),
        served(GET, FRESHNESS, "Read Source Freshness", source_freshness::show),
        served(GET, HOOK, "Read Repository Webhook", repository_webhook::show),
        served(POST, HOOK, "Create Repository Webhook", repository_webhook::arm),
        served(DELETE, HOOK, "Destroy Repository Webhook", repository_webhook::delete),
        served(GET, DOCS, "Read Documentation Site", docs::show),
    ]
}
