//! How a worker keeps its hold on a run.

use std::time::Duration;

use domain::{
    authz::{Permit, Runs, Write},
    lease::Lease,
};
use store::{Store, StoreError};
use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

/// A hold on a run that renews itself until it is dropped.
pub(crate) struct Hold {
    /// Over once the lease is lost, or may be before the run's programs are ended.
    pub(crate) lost: CancellationToken,
    _beating: AbortOnDropHandle<()>,
}

impl Hold {
    /// Renews the lease four times in its length.
    pub(crate) fn keep(store: Store, permit: Permit<Write, Runs>, lease: Lease) -> Self {
        let lost = CancellationToken::new();
        let told = lost.clone();
        let beating = tokio::spawn(async move {
            let (length, run) = (lease.worker.lease, lease.run);
            let renew = || {
                let (store, permit, lease) = (store.clone(), permit.clone(), lease.clone());
                async move { store.renew_lease(&permit, &lease).await }
            };
            beat(length, renew).await;
            tracing::warn!(%run, "the hold on a run is lost");
            told.cancel();
        });
        Self { lost, _beating: AbortOnDropHandle::new(beating) }
    }
}

/// Renews until that is refused, or until it has not been done for three quarters of the length:
/// what is left of it is for ending the run's programs.
async fn beat<F>(length: Duration, renew: impl Fn() -> F)
where
    F: Future<Output = Result<(), StoreError>>,
{
    let quarter = length / 4;
    let mut renewed = Instant::now();
    loop {
        sleep(quarter).await;
        let (asked, end) = (Instant::now(), renewed + 3 * quarter);
        match timeout_at(end, renew()).await {
            Ok(Ok(())) => renewed = asked,
            Ok(Err(StoreError::Unavailable(reason))) if asked < end => {
                tracing::warn!(reason, "the hold on a run cannot be renewed now");
            }
            Ok(Err(_)) | Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    const LENGTH: Duration = Duration::from_secs(20);

    /// How long a hold lasts whose renewals are answered like this.
    async fn lasts<F: Future<Output = Result<(), StoreError>>>(renew: impl Fn() -> F) -> u64 {
        let begin = Instant::now();
        beat(LENGTH, renew).await;
        begin.elapsed().as_secs()
    }

    #[tokio::test(start_paused = true)]
    async fn a_hold_is_lost_at_once_when_it_is_another_workers() {
        assert_eq!(lasts(|| async { Err(StoreError::LeaseLost) }).await, 5);
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_that_is_away_costs_the_hold_before_the_lease_runs_out() {
        let away = || async { Err(StoreError::Unavailable("away".to_owned())) };
        assert_eq!(lasts(away).await, 15);
        assert_eq!(lasts(std::future::pending).await, 15);
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_that_comes_back_in_time_costs_nothing() {
        let asked = AtomicU32::new(0);
        let renew = || {
            std::future::ready(match asked.fetch_add(1, Ordering::Relaxed) {
                0 | 2 | 3 => Ok(()),
                1 => Err(StoreError::Unavailable("away".to_owned())),
                _ => Err(StoreError::NotFound),
            })
        };
        assert_eq!(lasts(renew).await, 25);
    }
}
