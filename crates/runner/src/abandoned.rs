//! What a server that was killed in the middle of runs has left.

use store::{DataDir, Store};

use crate::{RunnerError, folder, leftovers, worker};

/// What such a run says of itself.
const REASON: &str = "the server stopped while this run was under way";

/// Kills their processes, ends them as errors and removes their folders. Artifacts and logs that
/// were kept stay.
pub(crate) async fn clear(store: &Store, data_dir: &DataDir) -> Result<(), RunnerError> {
    let data_dir = data_dir.clone();
    let cleared = tokio::task::spawn_blocking(move || {
        let killed = leftovers::kill(data_dir.path(), None);
        if killed > 0 {
            tracing::warn!(killed, "killed processes that a stopped server has left");
        }
        folder::remove_all(&data_dir.work())
    });
    if let Ok(Err(error)) = cleared.await {
        tracing::warn!(%error, "folders of earlier runs stay behind");
    }
    for permits in worker::permits(store).await? {
        let account = permits.write.account();
        for run in store.fail_abandoned_runs(&permits.write, REASON).await? {
            tracing::warn!(%account, %run, "{REASON}");
        }
    }
    Ok(())
}
