//! The audit log as a table, sent as it is read.

use axum::body::Body;
use domain::{
    audit::AuditSpan,
    authz::{AuditLogs, Permit, Read},
};
use futures_util::stream::try_unfold;
use store::StoreError;
use wire::v3::AuditLog;

use crate::{answer::Download, app::App, csv};

/// The records of a span as CSV, oldest first, with a head.
pub(crate) fn download(app: App, permit: Permit<Read, AuditLogs>, mut span: AuditSpan) -> Download {
    // What is recorded while the table is read belongs to the next one.
    let now = app.store.clock().now();
    span.to = Some(span.to.map_or(now, |to| to.min(now)));
    let head = csv::line([
        "id",
        "created_at",
        "event_type",
        "event_label",
        "actor",
        "object",
        "project_id",
        "address",
        "agent",
        "request_id",
        "change",
    ]);
    let turns = try_unfold((app.store, permit, 0, Some(head)), move |state| async move {
        let (store, permit, after, head) = state;
        let turn = store.audit_turn(&permit, span, after).await?;
        let Some((last, _)) = turn.last() else {
            let empty = head.map(|head| (head, (store, permit, after, None)));
            return Ok::<_, StoreError>(empty);
        };
        let after = last.seq;
        let mut text = head.unwrap_or_default();
        for (record, _) in &turn {
            let told = AuditLog::from(record);
            let project = record.project.map(|id| id.to_string()).unwrap_or_default();
            text += &csv::line([
                told.id,
                told.created_at,
                told.event_type,
                told.event_label,
                record.actor.clone(),
                record.object.clone(),
                project,
                record.address.clone().unwrap_or_default(),
                record.agent.clone(),
                record.request_id.clone(),
                record.change.to_string(),
            ]);
        }
        Ok(Some((text, (store, permit, after, None))))
    });
    Download {
        content: Body::from_stream(turns),
        content_type: "text/csv; charset=utf-8",
        name: "audit-log.csv".to_owned(),
    }
}
