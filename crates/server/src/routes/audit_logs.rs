//! The audit log.

use super::{GET, POST, ServedRoute, served};
use crate::admin::v3::audit_logs;

/// Its routes, in the order of paths.
pub(super) fn routes() -> Vec<ServedRoute> {
    const ALL: &str = "/api/v3/accounts/{account_id}/audit-logs";
    const TABLE: &str = "/api/v3/accounts/{account_id}/audit-logs/download";
    const EXPORT: &str = "/api/v3/accounts/{account_id}/audit-logs/export";
    const DOWNLOAD: &str = "/api/v3/accounts/{account_id}/audit-logs/export/{export_id}/download";
    const FILE: &str = "/api/v3/accounts/{account_id}/audit-logs/export/{export_id}/file";
    vec![
        served(GET, ALL, "List Recent Audit Log Events", audit_logs::list),
        served(GET, TABLE, "Get Recent Audit Log Events CSV", audit_logs::download),
        served(GET, EXPORT, "Get Bulk Audit Log Export Status", audit_logs::export_status),
        served(POST, EXPORT, "Submit Bulk Audit Log Export Request", audit_logs::request_export),
        served(GET, DOWNLOAD, "Download Bulk Audit Log Export", audit_logs::export_download),
        served(GET, FILE, "Read Bulk Audit Log Export", audit_logs::export_file),
    ]
}
