//! Claims runs while slots are free.

use std::{sync::Arc, time::Duration};

use domain::{
    authz::{Caller, Origin, Permit, Read, Runs, SystemTask, Write, authorize},
    lease::Worker,
};
use store::{ClaimedRun, DataDir, Store};
use tokio::{
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval, sleep},
};
use tokio_util::sync::CancellationToken;

use crate::{
    RunnerConfig, RunnerError, clones, execution, limits::Bounds, run_user::RunUser,
    sandbox::Sandbox,
};

/// How long a queued run may go unseen if no wake-up tells of it.
const ROUND: Duration = Duration::from_secs(1);
/// The least time between two rounds, however many events there are.
const BREATH: Duration = Duration::from_millis(100);

/// What all runs of this process share.
pub(crate) struct Workshop {
    pub(crate) store: Store,
    /// The store's folder, as a process in any folder sees it.
    pub(crate) data_dir: DataDir,
    pub(crate) config: RunnerConfig,
    /// What each program of a run is held to.
    pub(crate) bounds: Bounds,
    /// Who executes dbt, if not the server's user.
    pub(crate) user: Option<RunUser>,
    /// What dbt runs in, if anything.
    pub(crate) sandbox: Option<Sandbox>,
    /// Who this process is to the others on the data folder.
    pub(crate) worker: Worker,
    pub(crate) stop: CancellationToken,
}

impl Workshop {
    /// Keeps the clones of repositories within their bound, without anybody waiting for it.
    pub(crate) fn evict_clones(&self) {
        let (dir, now) = (self.data_dir.clone(), self.store.clock().now());
        let most = self.config.max_clones_mib.saturating_mul(1024 * 1024);
        tokio::task::spawn_blocking(move || clones::evict(&dir, most, now));
    }
}

/// What the runner may do in one account.
#[derive(Clone)]
pub(crate) struct Permits {
    pub(crate) read: Permit<Read, Runs>,
    pub(crate) write: Permit<Write, Runs>,
}

/// The runner's permits in every account there is now.
pub(crate) async fn permits(store: &Store) -> Result<Vec<Permits>, RunnerError> {
    let principals = store.system_principals(SystemTask::Runner).await?;
    principals
        .into_iter()
        .map(|principal| {
            let account = principal.account();
            let caller = Arc::new(Caller::new(principal, Origin::local()));
            Ok(Permits { read: authorize(&caller, account)?, write: authorize(&caller, account)? })
        })
        .collect()
}

/// Claims and executes runs until it is told to stop, then waits for those under way.
pub(crate) async fn claim(workshop: Arc<Workshop>) {
    let mut runs = JoinSet::new();
    let mut looked = Instant::now() - ROUND;
    let mut breath = interval(BREATH);
    breath.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while !workshop.stop.is_cancelled() {
        breath.tick().await;
        let appended = workshop.store.event_appended();
        if looked.elapsed() >= ROUND {
            looked = Instant::now();
            if let Err(error) = trigger_due(&workshop).await {
                tracing::warn!(%error, "scheduled jobs wait for the next look");
            }
        }
        if let Err(error) = fill(&workshop, &mut runs).await {
            tracing::warn!(%error, "no run can be claimed now");
        }
        tokio::select! {
            () = workshop.stop.cancelled() => {}
            () = appended => {}
            () = sleep(ROUND) => {}
            Some(_) = runs.join_next() => {}
        }
    }
    while runs.join_next().await.is_some() {}
}

/// Queues the runs of scheduled jobs whose time has come, in every account.
async fn trigger_due(workshop: &Workshop) -> Result<(), RunnerError> {
    for permits in permits(&workshop.store).await? {
        for run in workshop.store.trigger_due(&permits.write).await? {
            tracing::info!(run = %run.id, job = %run.job, cause = run.trigger.cause, "scheduled");
        }
    }
    Ok(())
}

/// Claims one run of each account in turn, until all slots are taken or nothing is queued.
async fn fill(workshop: &Arc<Workshop>, runs: &mut JoinSet<()>) -> Result<(), RunnerError> {
    let mut accounts = permits(&workshop.store).await?;
    while !accounts.is_empty() {
        let mut with_more = Vec::new();
        for permits in accounts {
            if runs.len() >= workshop.config.workers || workshop.stop.is_cancelled() {
                return Ok(());
            }
            if let Some(claimed) = claim_one(workshop, &permits).await {
                runs.spawn(execution::supervise(Arc::clone(workshop), permits.clone(), claimed));
                with_more.push(permits);
            }
        }
        accounts = with_more;
    }
    Ok(())
}

/// A failure in one account does not keep the others waiting.
async fn claim_one(workshop: &Workshop, permits: &Permits) -> Option<ClaimedRun> {
    let account = permits.write.account();
    workshop.store.claim_run(&permits.write, &workshop.worker).await.unwrap_or_else(|error| {
        tracing::warn!(%account, %error, "no run of this account can be claimed now");
        None
    })
}
