//! An account (document: `AccountResponse`).

use serde::Serialize;
use utoipa::ToSchema;

/// An account, as `GET /api/v2/accounts/{id}/` gives it.
///
/// Every key of the document is there; those for which a self-hosted server has nothing are null
/// or their document's default. `static_subdomain` and `vanity_subdomain` are always null: dbt-mcp
/// puts a non-empty one before its host names.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[expect(
    missing_docs,
    clippy::struct_excessive_bools,
    reason = "field by field the document's AccountResponse"
)]
pub struct Account {
    pub id: i64,
    pub name: String,
    pub plan: String,
    pub state: u8,
    pub identifier: String,
    pub run_slots: Option<u32>,
    /// A documented addition: whether service tokens may make service tokens.
    pub tokens_may_mint: Option<bool>,
    pub developer_seats: u32,
    pub it_seats: u32,
    pub explorer_seats: u32,
    pub analyst_seats: u32,
    pub read_only_seats: u32,
    pub locked: bool,
    pub lock_reason: Option<String>,
    pub lock_cause: Option<String>,
    pub unlocked_at: Option<String>,
    pub pending_cancel: bool,
    pub billing_email_address: Option<String>,
    pub pod_memory_request_mebibytes: u32,
    pub develop_pod_memory_request_mebibytes: u32,
    pub run_duration_limit_seconds: u32,
    pub queue_limit: u32,
    pub enterprise_login_slug: Option<String>,
    pub business_critical: bool,
    pub starter_repo_url: Option<String>,
    pub git_auth_level: Option<String>,
    pub trial_end_date: Option<String>,
    pub static_subdomain: Option<String>,
    pub vanity_subdomain: Option<String>,
    pub run_locked_until: Option<String>,
    pub docs_job_id: Option<i64>,
    pub freshness_job_id: Option<i64>,
    pub copilot_locked_until: Option<String>,
    pub agent_credit_locked: bool,
    pub account_migration_events: Vec<String>,
    pub groups: Vec<String>,
    pub created_at: String,
    pub updated_at: String,
}

impl Account {
    /// The plain record: what any caller of the Admin API may see. `settings` adds what needs
    /// `account_settings`.
    #[must_use]
    pub fn new(account: &domain::account::Account, settings: bool) -> Self {
        Self {
            id: account.id.get(),
            name: account.name.to_string(),
            plan: account.plan.as_str().to_owned(),
            state: 1,
            identifier: account.identifier.clone(),
            run_slots: settings.then_some(account.run_slots),
            tokens_may_mint: settings.then_some(account.tokens_may_mint),
            developer_seats: 0,
            it_seats: 0,
            explorer_seats: 0,
            analyst_seats: 0,
            read_only_seats: 0,
            locked: false,
            lock_reason: None,
            lock_cause: None,
            unlocked_at: None,
            pending_cancel: false,
            billing_email_address: None,
            pod_memory_request_mebibytes: 600,
            develop_pod_memory_request_mebibytes: 0,
            run_duration_limit_seconds: 86_400,
            queue_limit: 50,
            enterprise_login_slug: None,
            business_critical: false,
            starter_repo_url: None,
            git_auth_level: None,
            trial_end_date: None,
            static_subdomain: None,
            vanity_subdomain: None,
            run_locked_until: None,
            docs_job_id: None,
            freshness_job_id: None,
            copilot_locked_until: None,
            agent_credit_locked: false,
            account_migration_events: Vec::new(),
            groups: Vec::new(),
            created_at: account.created_at.to_string(),
            updated_at: account.updated_at.to_string(),
        }
    }
}
