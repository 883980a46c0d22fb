//! The time of day: the one place that asks the machine for it.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use domain::Timestamp;

/// What tells the time: the machine's clock, or one that a test sets by hand.
#[derive(Debug, Clone)]
pub enum Clock {
    /// The machine's clock.
    System,
    /// A clock that stands still until it is set: microseconds since 1970.
    Fixed(Arc<AtomicI64>),
}

impl Clock {
    /// A clock that stands at this time.
    #[must_use]
    pub fn fixed(at: Timestamp) -> Self {
        Self::Fixed(Arc::new(AtomicI64::new(at.micros())))
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        match self {
            #[expect(clippy::disallowed_methods, reason = "this is where time comes in")]
            Self::System => Timestamp::from(chrono::Utc::now()),
            Self::Fixed(micros) => {
                Timestamp::from_micros(micros.load(Ordering::SeqCst)).expect("set from a Timestamp")
            }
        }
    }

    /// Sets a fixed clock; the machine's clock is left alone.
    pub fn set(&self, at: Timestamp) {
        if let Self::Fixed(micros) = self {
            micros.store(at.micros(), Ordering::SeqCst);
        }
    }
}
