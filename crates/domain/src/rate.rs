//! Rates: how often something may be done.

use std::{num::NonZeroU32, time::Duration};

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// So many a second, and so many at once before the first has to wait.
///
/// Judged by the generic cell rate algorithm (ITU-T I.371): all that is remembered of a token or
/// an address is one point in time, its [`Debt`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Rate {
    /// Requests a second, in the long run.
    pub per_second: NonZeroU32,
    /// Requests at once, after a pause.
    pub burst: NonZeroU32,
}

/// When all that was done will have been paid for, in microseconds since 1970; nothing was done
/// by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Debt(i64);

/// It is too early.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too early by {} µs", wait.as_micros())]
pub struct TooEarly {
    /// How long it takes until the next is admitted.
    pub wait: Duration,
}

impl Rate {
    /// The most that can be asked for, a second and at once.
    pub const MOST: u32 = 1_000_000;

    /// Whether one more is admitted now.
    ///
    /// # Errors
    /// [`TooEarly`].
    pub fn check(self, debt: Debt, now: Timestamp) -> Result<(), TooEarly> {
        let others = self.interval().saturating_mul(i64::from(self.burst.get()) - 1);
        let early = debt.0.saturating_sub(others).saturating_sub(now.micros());
        match u64::try_from(early) {
            Ok(micros) if micros > 0 => Err(TooEarly { wait: Duration::from_micros(micros) }),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// What is owed once one more was done now.
    #[must_use]
    pub fn after(self, debt: Debt, now: Timestamp) -> Debt {
        Debt(debt.0.max(now.micros()).saturating_add(self.interval()))
    }

    /// What one costs, in microseconds.
    fn interval(self) -> i64 {
        i64::from(1_000_000 / self.per_second.get())
    }

    /// What both admit.
    #[must_use]
    pub fn meet(self, other: Self) -> Self {
        Self {
            per_second: self.per_second.min(other.per_second),
            burst: self.burst.min(other.burst),
        }
    }
}

impl Debt {
    /// Whether all is paid for: whoever owes nothing need not be remembered.
    #[must_use]
    pub fn is_paid(self, now: Timestamp) -> bool {
        self.0 <= now.micros()
    }
}
