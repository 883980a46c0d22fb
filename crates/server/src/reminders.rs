//! Reminders that service tokens end soon, beside the requests.

use std::{sync::Arc, time::Duration};

use domain::authz::{Caller, Origin, SystemTask, authorize};
use store::{Store, StoreError};
use tokio::time::sleep;

/// Looks so often for tokens that end soon, for as long as the server runs.
pub(crate) async fn send(store: Store, round: Duration) {
    loop {
        sleep(round).await;
        if let Err(error) = remind(&store).await {
            tracing::warn!(%error, "reminders of tokens that end wait for the next look");
        }
    }
}

async fn remind(store: &Store) -> Result<(), StoreError> {
    for watcher in store.system_principals(SystemTask::Watcher).await? {
        let account = watcher.account();
        let caller = Arc::new(Caller::new(watcher, Origin::local()));
        let permit = authorize(&caller, account)?;
        while store.remind(&permit).await? > 0 {}
    }
    Ok(())
}
