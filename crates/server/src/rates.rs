//! How often a token that is held to a rate has been used.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, PoisonError},
};

use domain::{
    ServiceTokenId, Timestamp,
    authz::{Principal, PrincipalId},
    rate::{Debt, Rate, TooEarly},
};

/// How many tokens are remembered.
const MOST: usize = 100_000;

/// What tokens owe that are held to a rate.
#[derive(Clone, Default)]
pub(crate) struct Rates(Arc<Mutex<HashMap<ServiceTokenId, Debt>>>);

impl Rates {
    /// Counts a request. One that comes too early costs nothing.
    ///
    /// # Errors
    /// [`TooEarly`].
    pub(crate) fn count(&self, principal: &Principal, now: Timestamp) -> Result<(), TooEarly> {
        let Some(rate) = principal.restrictions().rate else { return Ok(()) };
        let PrincipalId::ServiceToken(id) = principal.id() else { return Ok(()) };
        let mut debts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let debt = debts.get(&id).copied().unwrap_or_default();
        rate.check(debt, now)?;
        owe(&mut debts, MOST, id, rate, now);
        Ok(())
    }
}

/// Adds to what somebody owes. No more than so many are remembered: then those who owe nothing are
/// forgotten, or else all.
pub(crate) fn owe<K: Hash + Eq>(
    debts: &mut HashMap<K, Debt>,
    most: usize,
    who: K,
    rate: Rate,
    now: Timestamp,
) {
    if debts.len() >= most && !debts.contains_key(&who) {
        debts.retain(|_, debt| !debt.is_paid(now));
        if debts.len() >= most {
            debts.clear();
        }
    }
    let debt = debts.entry(who).or_default();
    *debt = rate.after(*debt, now);
}
