//! How far audit chains were checked: in memory, since the server started.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use domain::{AccountId, Timestamp, audit::BrokenChain};

/// The latest check of each account's chain.
#[derive(Default)]
pub(crate) struct Chains(Mutex<HashMap<AccountId, Checked>>);

/// What a check found.
#[derive(Debug, Clone)]
pub(crate) struct Checked {
    /// When.
    pub(crate) at: Timestamp,
    /// How many records there were, all whole; or the first that is not.
    pub(crate) found: Result<i64, BrokenChain>,
}

impl Chains {
    /// The latest check of an account's chain.
    pub(super) fn of(&self, account: AccountId) -> Option<Checked> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&account).cloned()
    }

    /// Notes a check.
    pub(super) fn note(&self, account: AccountId, checked: Checked) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(account, checked);
    }
}
