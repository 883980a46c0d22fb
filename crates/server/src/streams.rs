//! How many answers may go on at once, and their end when the server stops.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use domain::{AccountId, authz::PrincipalId};
use tokio_util::sync::CancellationToken;

use crate::{error::ApiError, serve::Limits};

/// Whose seats are counted together: all tokens of one user, or one service token.
type Holder = (AccountId, PrincipalId);

/// The streams under way. Cheap to clone; one for a server.
#[derive(Debug, Clone, Default)]
pub(crate) struct Streams {
    taken: Arc<Mutex<HashMap<Holder, usize>>>,
    /// Raised when the server is told to stop: a stream ends at once then.
    pub(crate) stopping: CancellationToken,
}

impl Streams {
    /// A seat for one more stream.
    ///
    /// # Errors
    /// [`ApiError::TooManyStreams`] if this caller has as many as one may have;
    /// [`ApiError::NoSeat`] if all callers together have as many as the server bears.
    pub(crate) fn seat(&self, holder: Holder, limits: Limits) -> Result<Seat, ApiError> {
        let mut taken = lock(&self.taken);
        if taken.get(&holder).is_some_and(|seats| *seats >= limits.streams_each) {
            return Err(ApiError::TooManyStreams(limits.streams_each));
        }
        if taken.values().sum::<usize>() >= limits.streams {
            return Err(ApiError::NoSeat);
        }
        *taken.entry(holder).or_default() += 1;
        Ok(Seat { holder, taken: Arc::clone(&self.taken) })
    }
}

/// The right to one stream; dropping it gives it back.
#[derive(Debug)]
pub(crate) struct Seat {
    holder: Holder,
    taken: Arc<Mutex<HashMap<Holder, usize>>>,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = lock(&self.taken);
        if let Some(seats) = taken.get_mut(&self.holder) {
            *seats -= 1;
            if *seats == 0 {
                taken.remove(&self.holder);
            }
        }
    }
}

/// A counter is whole after every line that touches it, so also after a panic.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
