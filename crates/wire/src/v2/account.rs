//! An account (document: `AccountResponse`).

use std::collections::BTreeMap;

use domain::{AccountPlan, Name, authz::License};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::{Invalid, Patch, field, v3::GroupShown};

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
    /// Null is any number, as for the seats of the other licences; and to whom the settings are
    /// not shown.
    pub developer_seats: Option<u32>,
    pub it_seats: Option<u32>,
    pub explorer_seats: u32,
    pub analyst_seats: Option<u32>,
    pub read_only_seats: Option<u32>,
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
    /// Empty unless asked for by `include_related`.
    pub groups: Vec<GroupShown>,
    pub created_at: String,
    pub updated_at: String,
}

impl Account {
    /// The plain record: what any caller of the Admin API may see. `settings` adds what needs
    /// `account_settings`.
    #[must_use]
    pub fn new(account: &domain::account::Account, settings: bool) -> Self {
        let seats = |license| account.seats_of(license).filter(|_| settings);
        Self {
            id: account.id.get(),
            name: account.name.to_string(),
            plan: account.plan.as_str().to_owned(),
            state: 1,
            identifier: account.identifier.clone(),
            run_slots: settings.then_some(account.run_slots),
            tokens_may_mint: settings.then_some(account.tokens_may_mint),
            developer_seats: seats(License::Developer),
            it_seats: seats(License::It),
            explorer_seats: 0,
            analyst_seats: seats(License::Analyst),
            read_only_seats: seats(License::ReadOnly),
            locked: account.locked,
            lock_reason: Some(account.lock_reason.clone()).filter(|reason| !reason.is_empty()),
            lock_cause: account.locked.then(|| "other".to_owned()),
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

/// The body that changes an account. Keys that are absent keep their value; other keys are
/// ignored. All but `name` are documented additions.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct AccountBody {
    /// 1 to 255 characters.
    #[schema(value_type = Option<String>)]
    pub name: Patch<String>,
    /// 1: an account is deleted by nobody.
    #[schema(value_type = Option<i64>)]
    pub state: Patch<i64>,
    /// Such as `enterprise` or `team`; a permission set that it does not offer becomes inert at
    /// once.
    #[schema(value_type = Option<String>)]
    pub plan: Patch<String>,
    /// How many runs it may have at once, 1 to 1,000.
    #[schema(value_type = Option<i64>)]
    pub run_slots: Patch<i64>,
    /// Whether it is locked: no run is queued, and none that is queued begins.
    #[schema(value_type = Option<bool>)]
    pub locked: Patch<bool>,
    /// Why it is, at most 255 characters; null once it is unlocked.
    #[schema(value_type = Option<String>)]
    pub lock_reason: Patch<String>,
    /// Whether service tokens may make service tokens; no service token changes that.
    #[schema(value_type = Option<bool>)]
    pub tokens_may_mint: Patch<bool>,
    /// On Enterprise; null is any number. Other plans fix it.
    #[schema(value_type = Option<i64>)]
    pub developer_seats: Patch<i64>,
    /// As `developer_seats`.
    #[schema(value_type = Option<i64>)]
    pub analyst_seats: Patch<i64>,
    /// As `developer_seats`.
    #[schema(value_type = Option<i64>)]
    pub read_only_seats: Patch<i64>,
    /// As `developer_seats`.
    #[schema(value_type = Option<i64>)]
    pub it_seats: Patch<i64>,
    /// Not supported: null.
    #[schema(value_type = Option<i64>)]
    pub docs_job_id: Patch<Value>,
    /// Not supported: null.
    #[schema(value_type = Option<i64>)]
    pub freshness_job_id: Patch<Value>,
}

/// What a body changes of an account, read.
#[derive(Debug, Clone, Default)]
pub struct AccountEdit {
    /// Its name.
    pub name: Option<Name>,
    /// Its plan.
    pub plan: Option<AccountPlan>,
    /// How many runs it may have at once.
    pub run_slots: Option<u32>,
    /// Whether it is locked.
    pub locked: Option<bool>,
    /// Why it is; empty if nobody said.
    pub lock_reason: Option<String>,
    /// Whether service tokens may make service tokens.
    pub tokens_may_mint: Option<bool>,
    /// Seats; `None` is any number.
    pub seats: BTreeMap<License, Option<u32>>,
}

impl AccountBody {
    /// What it changes.
    ///
    /// # Errors
    /// [`Invalid`] names every wrong field.
    pub fn read(self) -> Result<AccountEdit, Invalid> {
        let mut bad = Invalid::collector();
        if !matches!(self.state, Patch::Absent | Patch::Null | Patch::Value(1)) {
            bad.note("state", "must be 1: an account is not deleted over the API");
        }
        field::unsupported(&mut bad, "docs_job_id", &self.docs_job_id);
        field::unsupported(&mut bad, "freshness_job_id", &self.freshness_job_id);
        let name = field::name(&mut bad, self.name, false);
        let plan = field::read(&mut bad, "plan", self.plan, plan).value();
        let run_slots = field::read(&mut bad, "run_slots", self.run_slots, |slots| {
            u32::try_from(slots)
                .ok()
                .filter(|slots| (1..=1_000).contains(slots))
                .ok_or("must be from 1 to 1000")
        });
        let lock_reason = match field::or_null(self.lock_reason) {
            Patch::Absent => None,
            Patch::Null => Some(String::new()),
            Patch::Value(text) => bad.take("lock_reason", field::line(text, 255)),
        };
        let mut seats = BTreeMap::new();
        for (field, license, given) in [
            ("developer_seats", License::Developer, self.developer_seats),
            ("analyst_seats", License::Analyst, self.analyst_seats),
            ("read_only_seats", License::ReadOnly, self.read_only_seats),
            ("it_seats", License::It, self.it_seats),
        ] {
            let number = |seats: i64| {
                let seats = u32::try_from(seats).ok().filter(|seats| *seats <= 1_000_000);
                seats.ok_or("must be from 0 to 1000000, or null for any number")
            };
            match field::read(&mut bad, field, given, number) {
                Patch::Absent => {}
                Patch::Null => drop(seats.insert(license, None)),
                Patch::Value(number) => drop(seats.insert(license, Some(number))),
            }
        }
        bad.finish()?;
        Ok(AccountEdit {
            name,
            plan,
            run_slots: run_slots.value(),
            locked: self.locked.value(),
            lock_reason,
            tokens_may_mint: self.tokens_may_mint.value(),
            seats,
        })
    }
}

fn plan(key: String) -> Result<AccountPlan, &'static str> {
    let plan = AccountPlan::new(key);
    let known = plan.tier().is_some();
    known.then_some(plan).ok_or("must be a plan such as `enterprise`, `team` or `starter_2025`")
}
