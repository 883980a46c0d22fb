//! The audit log (documents: `PublicAuditLogResponse`, `AuditLogBulkExport…Response`).

use domain::{
    Timestamp,
    audit::{AuditExport, AuditRecord, AuditSpan},
    list::Test,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::{Invalid, ListParams};

/// A record of the audit log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AuditLog {
    /// Its place in the account's chain, from 1, as text.
    pub id: String,
    /// The account.
    pub account_id: i64,
    /// Always `narrowgate`.
    pub source: String,
    /// `admin_api`, or `process` for what the server's own process did.
    pub service: String,
    /// Who did it.
    pub actor: AuditActor,
    /// What was done: `service_token.created`.
    pub event_type: String,
    /// The same for people: `Service token created`.
    pub event_label: String,
    /// To what, from where, and what it was before and after.
    pub event_context: AuditContext,
    /// When.
    pub created_at: String,
}

/// Who did something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditActor {
    /// `user`, `service_token` or `system`.
    pub r#type: String,
    /// The id of the user or the token; the task's name for the system.
    pub id: String,
}

/// To what something was done, from where, and what changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AuditContext {
    /// To what: `service_token:7`.
    pub object: String,
    /// In which project.
    pub project_id: Option<i64>,
    /// What it was before; null if there was nothing. Never a secret.
    pub before: Option<Value>,
    /// What it is now; null if there is nothing.
    pub after: Option<Value>,
    /// The caller's address.
    pub address: Option<String>,
    /// The caller's `User-Agent`.
    pub agent: String,
    /// The request's id.
    pub request_id: String,
}

impl From<&AuditRecord> for AuditLog {
    fn from(record: &AuditRecord) -> Self {
        let (kind, id) = record.actor.split_once(':').unwrap_or(("system", &record.actor));
        let part = |name| record.change.get(name).filter(|part| !part.is_null()).cloned();
        Self {
            id: record.seq.to_string(),
            account_id: record.account.get(),
            source: "narrowgate".to_owned(),
            service: if record.address.is_some() { "admin_api" } else { "process" }.to_owned(),
            actor: AuditActor { r#type: kind.to_owned(), id: id.to_owned() },
            event_type: record.event.clone(),
            event_label: label(&record.event),
            event_context: AuditContext {
                object: record.object.clone(),
                project_id: record.project,
                before: part("before"),
                after: part("after"),
                address: record.address.clone(),
                agent: record.agent.clone(),
                request_id: record.request_id.clone(),
            },
            created_at: record.at.to_string(),
        }
    }
}

/// `service_token.created` → `Service token created`.
fn label(event: &str) -> String {
    let words = event.replace(['.', '_'], " ");
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// The span of time that `logged_at_start` and `logged_at_end` name: times, or days in UTC, both
/// included.
///
/// # Errors
/// [`Invalid`] names each that is no time.
pub fn audit_span(params: &ListParams) -> Result<AuditSpan, Invalid> {
    let mut bad = Invalid::collector();
    let mut end = |name: &str, hour: &str| {
        let given = params.query.filters.iter().find(|filter| filter.field == name)?;
        let Test::Is(text) = &given.test else { return None };
        let a_day = text.len() == "2026-11-23".len();
        let time = if a_day {
            Timestamp::parse(&format!("{text}T{hour}"))
        } else {
            Timestamp::parse(text)
        };
        bad.take(name, time.map_err(|_| "must be a time such as `2026-11-23T17:03:00Z`, or a day"))
    };
    let span = AuditSpan {
        from: end("logged_at_start", "00:00:00Z"),
        to: end("logged_at_end", "23:59:59.999999Z"),
        through: None,
    };
    bad.finish()?;
    Ok(span)
}

/// How the account's latest export stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditExportStatus {
    /// Whether it is still being written.
    pub is_running: bool,
    /// Its id; null if none was asked for yet.
    pub job_id: Option<String>,
    /// How many records it holds: the whole chain as it was.
    pub records: Option<i64>,
    /// When it was asked for.
    pub created_at: Option<String>,
    /// When it was whole.
    pub finished_at: Option<String>,
}

impl From<&AuditExport> for AuditExportStatus {
    fn from(export: &AuditExport) -> Self {
        Self {
            is_running: export.finished_at.is_none(),
            job_id: Some(export.id.to_string()),
            records: Some(export.through),
            created_at: Some(export.created_at.to_string()),
            finished_at: export.finished_at.map(|time| time.to_string()),
        }
    }
}

/// An export that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditExportStarted {
    /// Its id.
    pub job_id: String,
}

/// Where a finished export is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditExportDownload {
    /// The file; to be asked for with a token, as everything else.
    pub download_url: String,
}
