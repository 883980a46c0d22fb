//! Who asked a moment ago: what saves a request the statement that reads its principal.
//!
//! A principal is remembered for 2 s at most. A change of rights by this process counts at once:
//! whatever was read before it ended is forgotten. One by another process on the same folder
//! counts within those 2 s. Only tokens that open something are remembered.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use domain::{Timestamp, authz::Principal, secret::TokenDigest};

use crate::db::lock;

/// How long a principal is believed without being read again.
const BELIEVED: Duration = Duration::from_secs(2);
/// How many are remembered; then all are forgotten and it begins anew.
const MOST: usize = 10_000;

/// A principal as it was read.
#[derive(Clone)]
pub(crate) struct Known {
    pub principal: Arc<Principal>,
    /// The revision of the account's IP restrictions, if they are enforced.
    pub rules: Option<i64>,
    /// When its token ends; judged at each use.
    pub ends_at: Option<Timestamp>,
    /// Whether another secret takes the place of the one that was presented.
    pub is_replaced: bool,
}

/// Principals by the digest of their secret.
#[derive(Default)]
pub(crate) struct Principals {
    /// Counts up with every change of rights.
    changes: AtomicU64,
    read: Mutex<HashMap<TokenDigest, Remembered>>,
}

struct Remembered {
    known: Known,
    changes: u64,
    at: Instant,
}

impl Principals {
    /// How many changes of rights there have been: ask before reading what is remembered after.
    pub(crate) fn changes(&self) -> u64 {
        self.changes.load(Ordering::SeqCst)
    }

    /// Everything that was read until now is out of date.
    pub(crate) fn forget(&self) {
        self.changes.fetch_add(1, Ordering::SeqCst);
    }

    /// Who the digest belongs to, if that was read a moment ago and no right has changed since.
    /// One whose end has come is forgotten, so that no clock brings it back.
    pub(crate) fn get(&self, digest: &TokenDigest, now: Timestamp) -> Option<Known> {
        let mut read = lock(&self.read);
        let found = read.get(digest)?;
        let fresh = found.changes == self.changes() && found.at.elapsed() < BELIEVED;
        let lives = found.known.ends_at.is_none_or(|end| now < end);
        if fresh && lives {
            return Some(found.known.clone());
        }
        read.remove(digest);
        None
    }

    /// Remembers what was read after `changes` changes of rights.
    pub(crate) fn put(&self, digest: TokenDigest, known: Known, changes: u64) {
        let mut read = lock(&self.read);
        if read.len() >= MOST {
            read.clear();
        }
        read.insert(digest, Remembered { known, changes, at: Instant::now() });
    }
}

/// Forgets all principals when it is dropped: also where the request that changed a right is given
/// up while the change is being written.
pub(crate) struct ForgetsWhenDropped<'a>(pub &'a Principals);

impl Drop for ForgetsWhenDropped<'_> {
    fn drop(&mut self) {
        self.0.forget();
    }
}

#[cfg(test)]
mod tests {
    use domain::{
        AccountId, Plan, ServiceTokenId,
        authz::AccountTerms,
        secret::{DigestKey, TokenKind, TokenSecret},
    };
    use rand::{SeedableRng as _, rngs::StdRng};

    use super::*;

    fn digest(seed: u64) -> TokenDigest {
        let secret = TokenSecret::mint(TokenKind::Service, &mut StdRng::seed_from_u64(seed));
        secret.digest(&DigestKey::new(1, &[7; 32]))
    }

    fn known(ends_at: Option<Timestamp>) -> Known {
        let id = AccountId::new(1).unwrap();
        let terms = AccountTerms { id, plan: Some(Plan::Team), tokens_may_mint: false };
        let id = ServiceTokenId::new(1).unwrap();
        let principal = Arc::new(Principal::service_token(id, 1, terms, vec![]));
        Known { principal, rules: None, ends_at, is_replaced: false }
    }

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    #[test]
    fn what_was_read_before_a_change_ended_is_not_remembered() {
        let principals = Principals::default();
        let now = at("2026-11-24T12:00:00Z");
        let before = principals.changes();
        principals.put(digest(1), known(None), before);
        assert!(principals.get(&digest(1), now).is_some());
        assert!(principals.get(&digest(2), now).is_none());

        // One that is read while a right changes, and put down after it has.
        principals.forget();
        assert!(principals.get(&digest(1), now).is_none());
        principals.put(digest(1), known(None), before);
        assert!(principals.get(&digest(1), now).is_none());
        principals.put(digest(1), known(None), principals.changes());
        assert!(principals.get(&digest(1), now).is_some());
    }

    #[test]
    fn a_token_that_ends_meanwhile_is_not_remembered_past_its_end() {
        let principals = Principals::default();
        principals.put(digest(1), known(Some(at("2026-11-24T12:00:00Z"))), 0);
        assert!(principals.get(&digest(1), at("2026-11-24T11:59:59Z")).is_some());
        assert!(principals.get(&digest(1), at("2026-11-24T12:00:00Z")).is_none());
        let back = at("2026-11-24T11:59:59Z");
        assert!(principals.get(&digest(1), back).is_none(), "nor is it when the clock steps back");
    }

    #[test]
    fn no_more_are_remembered_than_fit() {
        let principals = Principals::default();
        for seed in 0..MOST as u64 + 10 {
            principals.put(digest(seed), known(None), 0);
        }
        assert_eq!(lock(&principals.read).len(), 10);
    }
}
