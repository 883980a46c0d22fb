//! How often a token that is held to a rate has been used.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use domain::{
    ServiceTokenId, Timestamp,
    authz::{Principal, PrincipalId},
    rate::{Debt, TooEarly},
};

/// How many tokens are remembered; then those that owe nothing are forgotten, or else all.
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
        if debts.len() >= MOST && !debts.contains_key(&id) {
            debts.retain(|_, debt| !debt.is_paid(now));
            if debts.len() >= MOST {
                debts.clear();
            }
        }
        debts.insert(id, rate.after(debt, now));
        Ok(())
    }
}
