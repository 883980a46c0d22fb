//! What ends a run from outside: cancel, time-out, the end of the server, a lost lease.

use std::time::Duration;

use domain::{RunId, run::Outcome};
use store::StoreError;
use tokio::{
    sync::watch,
    time::{Instant, sleep_until, timeout},
};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use crate::worker::{Permits, Workshop};

/// How often a run under way looks whether it was asked to stop, if no event tells it sooner.
const LOOK: Duration = Duration::from_millis(300);
/// The least time between two looks, however many events there are.
const BREATH: Duration = Duration::from_millis(30);

/// Why a run is ended from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Interrupt {
    /// Someone asked for it, or the run is gone.
    Cancelled,
    /// It took longer than this many seconds.
    TimedOut(u32),
    /// The server stops.
    ServerStopped,
    /// The worker does not hold the run any more.
    LeaseLost,
}

impl Interrupt {
    pub(crate) const fn outcome(self) -> Outcome {
        match self {
            Self::Cancelled => Outcome::Cancelled,
            Self::TimedOut(_) | Self::ServerStopped | Self::LeaseLost => Outcome::Error,
        }
    }
}

impl std::fmt::Display for Interrupt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Cancelled => f.write_str("the run was cancelled"),
            Self::TimedOut(seconds) => write!(f, "timed out after {seconds} seconds"),
            Self::ServerStopped => f.write_str("the server was stopped"),
            Self::LeaseLost => f.write_str("the worker does not hold the run any more"),
        }
    }
}

/// Why a run does not go on.
#[derive(Debug)]
pub(crate) enum Halt {
    /// The step failed, for this reason: a sentence for those who read the run.
    Failed(String),
    /// It was ended from outside.
    Interrupted(Interrupt),
    /// The store does not take what the run has to say.
    Store(StoreError),
}

impl From<StoreError> for Halt {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Interrupt> for Halt {
    fn from(interrupt: Interrupt) -> Self {
        Self::Interrupted(interrupt)
    }
}

impl Halt {
    pub(crate) fn failed(reason: impl std::fmt::Display) -> Self {
        Self::Failed(reason.to_string())
    }
}

/// Where a run hears of its interruption.
#[derive(Debug, Clone)]
pub(crate) struct Interrupts(watch::Receiver<Option<Interrupt>>);

impl Interrupts {
    /// Waits until the run is interrupted; for ever if nobody watches any more.
    pub(crate) async fn raised(&mut self) -> Interrupt {
        let raised = self.0.wait_for(Option::is_some).await.ok().and_then(|value| *value);
        match raised {
            Some(interrupt) => interrupt,
            None => std::future::pending().await,
        }
    }

    /// # Errors
    /// The interrupt, if the run is interrupted.
    pub(crate) fn check(&self) -> Result<(), Interrupt> {
        self.0.borrow().map_or(Ok(()), Err)
    }
}

/// Begins to watch a run; dropping the handle ends that.
///
/// `seconds` count from now; 0 is for ever.
pub(crate) fn watch(
    workshop: &Workshop,
    permits: &Permits,
    run: RunId,
    lost: CancellationToken,
    seconds: u32,
) -> (AbortOnDropHandle<()>, Interrupts) {
    let (raise, raised) = watch::channel(None);
    let (store, stop) = (workshop.store.clone(), workshop.stop.clone());
    let permit = permits.read.clone();
    let asked_to_stop = async move {
        loop {
            tokio::time::sleep(BREATH).await;
            let appended = store.event_appended();
            match store.run(&permit, run).await {
                Ok(run) if run.cancel_requested || run.state.is_finished() => return,
                Err(StoreError::NotFound) => return,
                // A store that is away says nothing of the run.
                Ok(_) | Err(_) => {}
            }
            let _ = timeout(LOOK, appended).await;
        }
    };
    let watching = tokio::spawn(async move {
        let interrupt = tokio::select! {
            () = asked_to_stop => Interrupt::Cancelled,
            () = lost.cancelled() => Interrupt::LeaseLost,
            interrupt = out_of_time_or_stopped(seconds, stop) => interrupt,
        };
        raise.send_replace(Some(interrupt));
        // Until the run has ended it may ask again.
        raise.closed().await;
    });
    (AbortOnDropHandle::new(watching), Interrupts(raised))
}

async fn out_of_time_or_stopped(seconds: u32, stop: CancellationToken) -> Interrupt {
    let end = Instant::now() + Duration::from_secs(seconds.into());
    tokio::select! {
        () = stop.cancelled() => Interrupt::ServerStopped,
        () = sleep_until(end), if seconds > 0 => Interrupt::TimedOut(seconds),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_run_is_out_of_time_after_its_seconds_and_not_before() {
        let begin = Instant::now();
        let interrupt = out_of_time_or_stopped(90, CancellationToken::new()).await;
        assert_eq!(interrupt, Interrupt::TimedOut(90));
        assert_eq!(begin.elapsed().as_secs(), 90);
        assert_eq!(interrupt.to_string(), "timed out after 90 seconds");
    }

    #[tokio::test(start_paused = true)]
    async fn zero_seconds_is_no_limit() {
        let never = out_of_time_or_stopped(0, CancellationToken::new());
        assert!(timeout(Duration::from_secs(1_000_000), never).await.is_err());
    }
}
