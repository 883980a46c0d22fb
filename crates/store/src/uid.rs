//! Ids as text, which name a thing without counting.

use domain::Timestamp;
use uuid::{NoContext, Uuid};

/// A new UUID (version 7): the time it was made, and 74 random bits.
pub(crate) fn new_uid(now: Timestamp) -> String {
    let time = now.as_datetime();
    let seconds = u64::try_from(time.timestamp()).unwrap_or_default();
    let time = uuid::Timestamp::from_unix(NoContext, seconds, time.timestamp_subsec_nanos());
    Uuid::new_v7(time).to_string()
}
