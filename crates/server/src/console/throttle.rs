//! So many in a while, for each of many keys.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Mutex, PoisonError},
};

use domain::Timestamp;

/// How many keys are remembered; then the one that began first is forgotten.
const MOST: usize = 10_000;

/// At most so many in so many seconds, counted from the first.
pub(crate) struct Throttle<K> {
    most: u32,
    seconds: i64,
    noted: Mutex<HashMap<K, (u32, Timestamp)>>,
}

impl<K: Hash + Eq + Clone> Throttle<K> {
    /// At most `most` in `seconds`.
    pub(crate) fn new(most: u32, seconds: i64) -> Self {
        Self { most, seconds, noted: Mutex::default() }
    }

    /// Counts one more.
    ///
    /// # Errors
    /// How many seconds to wait, if it is one too many; it is not counted then.
    pub(crate) fn admit(&self, key: K, now: Timestamp) -> Result<(), i64> {
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        if noted.len() >= MOST && !noted.contains_key(&key) {
            let oldest = noted.iter().min_by_key(|(_, (_, since))| *since);
            if let Some(oldest) = oldest.map(|(key, _)| key.clone()) {
                noted.remove(&oldest);
            }
        }
        let (count, since) = noted.entry(key).or_insert((0, now));
        if now.seconds_since(*since) >= self.seconds {
            (*count, *since) = (0, now);
        }
        if *count >= self.most {
            return Err((self.seconds - now.seconds_since(*since)).max(1));
        }
        *count += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_too_many_waits_until_the_while_is_over_and_others_do_not() {
        let now = Timestamp::parse("2026-11-24T12:00:00Z").unwrap();
        let throttle = Throttle::new(2, 60);
        assert_eq!(throttle.admit("a", now), Ok(()));
        assert_eq!(throttle.admit("a", now.plus_seconds(10)), Ok(()));
        assert_eq!(throttle.admit("a", now.plus_seconds(20)), Err(40));
        assert_eq!(throttle.admit("b", now.plus_seconds(20)), Ok(()));
        assert_eq!(throttle.admit("a", now.plus_seconds(60)), Ok(()));
    }

    #[test]
    fn no_more_are_remembered_than_fit() {
        let now = Timestamp::parse("2026-11-24T12:00:00Z").unwrap();
        let throttle = Throttle::new(1, 60);
        for number in 0..MOST + 10 {
            throttle.admit(number, now.plus_seconds(i64::try_from(number).unwrap())).unwrap();
        }
        assert_eq!(throttle.noted.lock().unwrap().len(), MOST);
    }
}
