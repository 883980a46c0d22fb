//! The audit log: a list, a table, and exports of the whole chain.

use axum::{body::Body as Content, extract::State};
use domain::{
    audit::{AuditSpan, ExportId},
    authz::{AuditLogs, Permit, Read},
    list::Order,
};
use store::StoreError;
use wire::v3::{AuditExportDownload, AuditExportStarted, AuditExportStatus, AuditLog, audit_span};

use crate::{
    answer::{Download, Object, Page},
    app::App,
    audit_table,
    error::ApiError,
    extract::{At, PathId, Query},
};

/// What the table holds unless it is said: 90 days.
const TABLE_DAYS: i64 = 90;

/// `GET /api/v3/accounts/{account_id}/audit-logs/`: newest first, unless an order is given.
pub(crate) async fn list(
    permit: Permit<Read, AuditLogs>,
    State(app): State<App>,
    Query(mut params): Query,
) -> Result<Page<AuditLog>, ApiError> {
    let span = audit_span(&params)?;
    let newest_first = || Order { field: "id".to_owned(), descending: true };
    params.query.order.get_or_insert_with(newest_first);
    let page = app.store.audit_log(&permit, span, &params.query).await?;
    Ok(Page(params, page.map(|record| AuditLog::from(&record))))
}

/// `GET /api/v3/accounts/{account_id}/audit-logs/download/`: CSV of the last 90 days, or of the
/// span that is named, oldest first.
pub(crate) async fn download(
    permit: Permit<Read, AuditLogs>,
    State(app): State<App>,
    Query(params): Query,
) -> Result<Download, ApiError> {
    let mut span = audit_span(&params)?;
    if span == AuditSpan::default() {
        let now = app.store.clock().now();
        span.from = Some(now.plus_seconds(-TABLE_DAYS * 24 * 60 * 60));
    }
    Ok(audit_table::download(app, permit, span))
}

/// `GET /api/v3/accounts/{account_id}/audit-logs/export/`: how the latest export stands.
pub(crate) async fn export_status(
    permit: Permit<Read, AuditLogs>,
    State(app): State<App>,
) -> Result<Object<AuditExportStatus>, ApiError> {
    let latest = app.store.latest_audit_export(&permit).await?;
    Ok(Object(latest.as_ref().map(AuditExportStatus::from).unwrap_or_default()))
}

/// `POST /api/v3/accounts/{account_id}/audit-logs/export/`: asks for an export of the whole chain.
/// While one is under way, it is that one.
pub(crate) async fn request_export(
    permit: Permit<Read, AuditLogs>,
    State(app): State<App>,
) -> Result<Object<AuditExportStarted>, ApiError> {
    let export = match app.store.request_audit_export(&permit).await? {
        Some(export) => export,
        None => app.store.latest_audit_export(&permit).await?.ok_or(ApiError::NotFound)?,
    };
    app.exports.notify_one();
    Ok(Object(AuditExportStarted { job_id: export.id.to_string() }))
}

/// `GET /api/v3/accounts/{account_id}/audit-logs/export/{export_id}/download/`
pub(crate) async fn export_download(
    permit: Permit<Read, AuditLogs>,
    State(app): State<App>,
    At(id): At<ExportId>,
) -> Result<Object<AuditExportDownload>, ApiError> {
    let export = app.store.audit_export(&permit, &id).await?;
    if export.finished_at.is_none() {
        let under_way = "the export is still being written: ask for its status".to_owned();
        return Err(StoreError::Conflict(under_way).into());
    }
    let (url, account) = (&app.public_url, permit.account());
    let download_url = format!("{url}/api/v3/accounts/{account}/audit-logs/export/{id}/file/");
    Ok(Object(AuditExportDownload { download_url }))
}

/// `GET /api/v3/accounts/{account_id}/audit-logs/export/{export_id}/file/`: the file itself, a
/// line a record with its hash.
pub(crate) async fn export_file(
    permit: Permit<Read, AuditLogs>,
    State(app): State<App>,
    At(id): At<ExportId>,
) -> Result<Download, ApiError> {
    let content = app.store.read_audit_export(&permit, &id).await?;
    Ok(Download {
        content: Content::from_stream(content),
        content_type: "application/x-ndjson",
        name: format!("audit-log-{id}.jsonl"),
    })
}

impl PathId for ExportId {
    const NAME: &str = "export_id";
}
