//! Who may try a password now. After a few failures a caller waits, longer each time: whoever asks
//! from the same network, and whoever asks for the same address. A session that is open is asked
//! nothing of this, and a wait for an address is short, so that nobody can keep another out for
//! long.

use std::{
    collections::HashMap,
    hash::Hash,
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use domain::{Timestamp, user::Email};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::{client_address::place, error::ApiError};

/// How many failures cost nothing.
const FREE: u32 = 5;
/// The longest wait of a network.
const LONGEST_OF_NETWORK: i64 = 300;
/// The longest wait for an address.
const LONGEST_OF_ADDRESS: i64 = 30;
/// After how long without a failure all is forgotten.
const FORGOTTEN_AFTER: i64 = 900;
/// How many of each are remembered; then the one that was longest without a failure is forgotten.
const MOST: usize = 10_000;
/// How many passwords are hashed at once, 19 MiB each.
const HASHING_AT_ONCE: usize = 2;
/// How long a password waits for its turn to be hashed.
const LONGEST_QUEUE: Duration = Duration::from_secs(5);

/// The failures of a while.
pub(crate) struct Attempts {
    networks: Mutex<HashMap<Option<IpAddr>, Failed>>,
    addresses: Mutex<HashMap<Email, Failed>>,
    hashing: Semaphore,
}

#[derive(Clone, Copy)]
struct Failed {
    times: u32,
    last: Timestamp,
}

impl Default for Attempts {
    fn default() -> Self {
        Self {
            networks: Mutex::default(),
            addresses: Mutex::default(),
            hashing: Semaphore::new(HASHING_AT_ONCE),
        }
    }
}

impl Attempts {
    /// How many seconds a caller has to wait; 0 if it may try now.
    pub(crate) fn wait(&self, from: Option<IpAddr>, email: &Email, now: Timestamp) -> i64 {
        let network = wait(&self.networks, &from.map(place), LONGEST_OF_NETWORK, now);
        network.max(wait(&self.addresses, email, LONGEST_OF_ADDRESS, now))
    }

    /// Notes a failure; gives how many seconds have to be waited now.
    pub(crate) fn failed(&self, from: Option<IpAddr>, email: &Email, now: Timestamp) -> i64 {
        note(&self.networks, from.map(place), now);
        note(&self.addresses, email.clone(), now);
        self.wait(from, email, now)
    }

    /// Whoever is in has failed at nothing. What was tried for others from the same network stays.
    pub(crate) fn succeeded(&self, email: &Email) {
        lock(&self.addresses).remove(email);
    }

    /// A turn to hash a password.
    pub(crate) async fn turn(&self) -> Result<SemaphorePermit<'_>, ApiError> {
        let turn = tokio::time::timeout(LONGEST_QUEUE, self.hashing.acquire()).await;
        turn.map_err(|_| ApiError::TookTooLong)?.map_err(|_| ApiError::Internal)
    }
}

fn wait<K: Hash + Eq>(
    noted: &Mutex<HashMap<K, Failed>>,
    key: &K,
    longest: i64,
    now: Timestamp,
) -> i64 {
    let Some(failed) = lock(noted).get(key).copied() else { return 0 };
    let since = now.seconds_since(failed.last);
    let over = failed.times.saturating_sub(FREE);
    if since >= FORGOTTEN_AFTER || over == 0 {
        return 0;
    }
    // 2 s, 4 s, 8 s, … and past the longest there is nothing to count.
    let all = 1_i64.checked_shl(over.min(16)).unwrap_or(longest).min(longest);
    (all - since).max(0)
}

fn note<K: Hash + Eq + Clone>(noted: &Mutex<HashMap<K, Failed>>, key: K, now: Timestamp) {
    let mut noted = lock(noted);
    if noted.len() >= MOST && !noted.contains_key(&key) {
        let oldest = noted.iter().min_by_key(|(_, failed)| failed.last);
        if let Some(oldest) = oldest.map(|(key, _)| key.clone()) {
            noted.remove(&oldest);
        }
    }
    let failed = noted.entry(key).or_insert(Failed { times: 0, last: now });
    if now.seconds_since(failed.last) >= FORGOTTEN_AFTER {
        failed.times = 0;
    }
    *failed = Failed { times: failed.times.saturating_add(1), last: now };
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::parse("2026-11-24T12:00:00Z").unwrap().plus_seconds(seconds)
    }

    fn email(text: &str) -> Email {
        Email::parse(text).unwrap()
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn after_five_failures_a_caller_waits_longer_each_time_and_not_for_ever() {
        let (attempts, ada) = (Attempts::default(), email("ada@example.com"));
        let home = Some(address("203.0.113.9"));
        let waits: Vec<_> = (0..12).map(|_| attempts.failed(home, &ada, at(0))).collect();
        assert_eq!(waits, [0, 0, 0, 0, 0, 2, 4, 8, 16, 32, 64, 128]);
        assert_eq!(attempts.wait(home, &ada, at(100)), 28);
        assert_eq!(attempts.wait(home, &ada, at(128)), 0);
        for _ in 0..100 {
            attempts.failed(home, &ada, at(0));
        }
        assert_eq!(attempts.wait(home, &ada, at(0)), LONGEST_OF_NETWORK);
        assert_eq!(attempts.wait(home, &ada, at(FORGOTTEN_AFTER)), 0);
    }

    #[test]
    fn nobody_is_kept_out_for_long_by_what_others_try() {
        let (attempts, ada) = (Attempts::default(), email("ada@example.com"));
        for _ in 0..1_000 {
            attempts.failed(Some(address("203.0.113.9")), &ada, at(0));
        }
        let elsewhere = Some(address("198.51.100.1"));
        assert_eq!(attempts.wait(elsewhere, &ada, at(0)), LONGEST_OF_ADDRESS);
        assert_eq!(attempts.wait(elsewhere, &email("bob@example.com"), at(0)), 0);
        attempts.succeeded(&ada);
        assert_eq!(attempts.wait(elsewhere, &ada, at(0)), 0);
        assert!(
            attempts.wait(Some(address("203.0.113.9")), &ada, at(0)) > 0,
            "the network waits on"
        );
    }

    #[test]
    fn one_machine_is_one_network_also_by_ipv6() {
        let (attempts, ada) = (Attempts::default(), email("ada@example.com"));
        for last in 0..10 {
            attempts.failed(Some(address(&format!("2001:db8:1:2::{last}"))), &ada, at(0));
        }
        attempts.succeeded(&ada);
        assert!(attempts.wait(Some(address("2001:db8:1:2:ffff::1")), &ada, at(0)) > 0);
        assert_eq!(attempts.wait(Some(address("2001:db8:1:3::1")), &ada, at(0)), 0);
    }

    #[test]
    fn no_more_are_remembered_than_fit() {
        let attempts = Attempts::default();
        for number in 0..MOST + 10 {
            let time = at(i64::try_from(number).unwrap());
            attempts.failed(None, &email(&format!("{number}@example.com")), time);
        }
        assert_eq!(lock(&attempts.addresses).len(), MOST);
        assert!(!lock(&attempts.addresses).contains_key(&email("0@example.com")));
    }
}
