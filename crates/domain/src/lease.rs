//! Leases: which worker acts on a run, and until when it is believed to be alive.
//!
//! Claiming a run gives a lease. The worker renews it while it works; all that it writes about the
//! run it writes under the lease, and is refused once that has run out or ended. So no two workers
//! ever act on one run, also where one of them was only asleep.

use std::time::Duration;

use crate::{LeaseId, RunId, Timestamp};

/// A process that executes runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Worker {
    /// What the log of leases calls it; nothing depends on it.
    pub name: String,
    /// For how long a lease is given, and given again: [`Worker::LEASE`], in tests less.
    pub lease: Duration,
}

impl Worker {
    /// A worker that does not answer for so long is taken for dead.
    pub const LEASE: Duration = Duration::from_secs(20);

    /// The worker that this process is, since then: `4711@2026-11-23T17:03:00.123456+00:00`.
    #[must_use]
    pub fn of_process(pid: u32, since: Timestamp) -> Self {
        Self { name: format!("{pid}@{since}"), lease: Self::LEASE }
    }
}

/// A worker's hold on a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The fencing number: of two leases the later one has the larger.
    pub id: LeaseId,
    /// The run.
    pub run: RunId,
    /// Whose it is.
    pub worker: Worker,
}

/// A lease whose worker has not renewed it in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExpiredLease {
    /// The fencing number.
    pub id: LeaseId,
    /// The run.
    pub run: RunId,
    /// When the worker was last heard of.
    pub renewed_at: Timestamp,
}

/// What became of a run whose worker is dead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reaped {
    /// Nothing had begun: it waits in the queue again.
    Queued,
    /// It has ended, as an error or cancelled.
    Ended,
}
