//! What dbt's documents do not have: logs of steps as they come, usage, billing, who reaches a project, its documentation and
//! the freshness of its sources, the hook that a repository's git host sends to, what an account asks of its service tokens
//! how their secrets are replaced, what they were used for and how little of their rights that needs,
//! proposals to let them do more, and what is done to many of them.

use super::{DELETE, GET, POST, PUT, ServedRoute, served};
use crate::{
    admin::{
        v2::step_logs,
        v3::{
            least_privilege, many_tokens, project_permissions, repository_webhook, self_token,
            source_freshness, token_policy, token_proposals, token_rotations, token_use, usage,
        },
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
    const POLICY: &str = "/api/v3/accounts/{account_id}/service-token-policy";
    const CREDENTIALS: &str = "/api/v3/accounts/{account_id}/service-token-credentials";
    const PROPOSALS: &str = "/api/v3/accounts/{account_id}/service-token-proposals";
    const PROPOSAL: &str =
        "/api/v3/accounts/{account_id}/service-token-proposals/{service_token_proposal_id}";
    const ACCEPT: &str =
        "/api/v3/accounts/{account_id}/service-token-proposals/{service_token_proposal_id}/accept";
    const REJECT: &str =
        "/api/v3/accounts/{account_id}/service-token-proposals/{service_token_proposal_id}/reject";
    const REVOKE_MANY: &str = "/api/v3/accounts/{account_id}/service-tokens/revoke";
    const ROTATE_MANY: &str = "/api/v3/accounts/{account_id}/service-tokens/rotate";
    const ROTATE: &str = "/api/v3/accounts/{account_id}/service-tokens/{service_token_id}/rotate";
    const CANCEL: &str =
        "/api/v3/accounts/{account_id}/service-tokens/{service_token_id}/rotate/cancel";
    const USE: &str = "/api/v3/accounts/{account_id}/service-tokens/{service_token_id}/use";
    const LEAST: &str =
        "/api/v3/accounts/{account_id}/service-tokens/{service_token_id}/least-privilege";
    const UNDO: &str =
        "/api/v3/accounts/{account_id}/service-tokens/{service_token_id}/least-privilege/undo";
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
        served(GET, POLICY, "Read Service Token Policy", token_policy::show),
        served(POST, POLICY, "Update Service Token Policy", token_policy::update),
        served(GET, CREDENTIALS, "List Service Token Credentials", token_rotations::list),
        served(GET, PROPOSALS, "List Service Token Proposals", token_proposals::list),
        served(GET, PROPOSAL, "Read Service Token Proposal", token_proposals::show),
        served(POST, ACCEPT, "Accept Service Token Proposal", token_proposals::accept),
        served(POST, REJECT, "Reject Service Token Proposal", token_proposals::reject),
        served(POST, REVOKE_MANY, "Revoke Service Tokens", many_tokens::revoke),
        served(POST, ROTATE_MANY, "Rotate Service Tokens", many_tokens::rotate),
        served(POST, ROTATE, "Rotate Service Token", token_rotations::rotate),
        served(POST, CANCEL, "Cancel Service Token Rotation", token_rotations::cancel),
        served(GET, USE, "Read Service Token Use", token_use::show),
        served(GET, LEAST, "Propose Least Privilege", least_privilege::show),
        served(POST, LEAST, "Apply Least Privilege", least_privilege::apply),
        served(POST, UNDO, "Undo Least Privilege", least_privilege::undo),
        served(DELETE, "/api/v3/self/token", "Revoke Presented Token", self_token::delete),
        served(GET, DOCS, "Read Documentation Site", docs::show),
    ]
}
