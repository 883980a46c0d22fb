//! Accounts: what owns everything else.

use crate::{
    AccountId, AccountPlan, Name, Timestamp,
    authz::{AccountTerms, License, catalogue},
    seats::Seats,
};

/// An account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its id.
    pub id: AccountId,
    /// What people call it.
    pub name: Name,
    /// The plan, as the wire has it.
    pub plan: AccountPlan,
    /// A short text that names it without counting, such as `act_4f9c1b…`.
    pub identifier: String,
    /// How many runs it may have at once (1 or more).
    pub run_slots: u32,
    /// Whether its service tokens may make and change service tokens, where they are granted it.
    pub tokens_may_mint: bool,
    /// Whether it is locked: no run is queued, and none that is queued begins.
    pub locked: bool,
    /// Why it is; empty if nobody said.
    pub lock_reason: String,
    /// The seats that it was told to have, where its plan leaves that open.
    pub seats: Seats,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl Account {
    /// How many users may have the licence; `None` is any number.
    #[must_use]
    pub fn seats_of(&self, license: License) -> Option<u32> {
        match self.plan.tier() {
            None => Some(0),
            Some(plan) => {
                catalogue().seats(plan).map_or(self.seats.of(license), |seats| seats.of(license))
            }
        }
    }

    /// What of it bears on decisions.
    #[must_use]
    pub fn terms(&self) -> AccountTerms {
        AccountTerms { id: self.id, plan: self.plan.tier(), tokens_may_mint: self.tokens_may_mint }
    }
}
