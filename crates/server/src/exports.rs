//! Exports of audit chains are written one by one, behind the requests that ask for them.

use std::sync::Arc;

use domain::authz::{AuditLogs, Caller, Origin, Permit, Read, SystemTask, authorize};
use store::{Store, StoreError};
use tokio::sync::Notify;

/// Writes what is asked for: what an earlier server left first, then whenever it is woken.
pub(crate) async fn write(store: Store, asked: Arc<Notify>) {
    loop {
        if let Err(error) = write_all(&store).await {
            tracing::error!(%error, "an export of the audit log waits for the next turn");
        }
        asked.notified().await;
    }
}

async fn write_all(store: &Store) -> Result<(), StoreError> {
    for auditor in store.system_principals(SystemTask::Auditor).await? {
        let account = auditor.account();
        let caller = Arc::new(Caller::new(auditor, Origin::local()));
        let permit: Permit<Read, AuditLogs> = authorize(&caller, account)?;
        for export in store.unfinished_audit_exports(&permit).await? {
            store.write_audit_export(&permit, &export).await?;
        }
    }
    Ok(())
}
