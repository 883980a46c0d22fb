//! What becomes of runs whose worker is dead. Every runner looks, and so does a server without one:
//! whoever finds such a run first deals with it.

use std::{sync::Arc, time::Duration};

use domain::lease::{ExpiredLease, Reaped};
use store::{DataDir, Store};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::{RunnerError, folder, leftovers, worker};

/// How often it is looked.
const ROUND: Duration = Duration::from_secs(1);

/// Looks until it is told to stop.
pub(crate) async fn watch(store: Store, data_dir: DataDir, stop: CancellationToken) {
    let data_dir = Arc::new(data_dir);
    while !stop.is_cancelled() {
        if let Err(error) = reap(&store, &data_dir).await {
            tracing::warn!(%error, "runs of dead workers wait for the next look");
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = sleep(ROUND) => {}
        }
    }
}

/// Deals with every run, of every account, whose worker has not answered in time.
async fn reap(store: &Store, data_dir: &Arc<DataDir>) -> Result<(), RunnerError> {
    for permits in worker::permits(store).await? {
        for lease in store.expired_leases(&permits.write).await? {
            // Before anybody else may begin it: the lease cannot be renewed any more.
            clear_up(data_dir, lease).await;
            let account = permits.write.account();
            match store.reap_run(&permits.write, &lease).await? {
                Some(Reaped::Queued) => {
                    tracing::warn!(%account, run = %lease.run, "its worker is dead: queued again");
                }
                Some(Reaped::Ended) => {
                    tracing::warn!(%account, run = %lease.run, "its worker is dead: ended");
                }
                None => {}
            }
        }
    }
    Ok(())
}

/// Kills the processes that the worker has left on this machine, and removes the run's folder.
/// Artifacts and logs that were kept stay.
async fn clear_up(data_dir: &Arc<DataDir>, lease: ExpiredLease) {
    let data_dir = Arc::clone(data_dir);
    let cleared = tokio::task::spawn_blocking(move || {
        let killed = leftovers::kill(data_dir.path(), lease.id);
        if killed > 0 {
            tracing::warn!(run = %lease.run, killed, "killed what a dead worker has left");
        }
        folder::remove(&data_dir.work(), lease.run, lease.id)
    });
    if let Ok(Err(error)) = cleared.await {
        tracing::warn!(run = %lease.run, %error, "the folder of a run stays behind");
    }
}
