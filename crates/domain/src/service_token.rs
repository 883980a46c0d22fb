//! Service tokens: keys that belong to an account, not to a person.

use serde::Serialize;

use crate::{
    AccountId, GrantId, Name, ServiceTokenId, Timestamp, UserId,
    authz::{AccountTerms, Grant, Principal, PrincipalId, Restrictions, contained},
    token_credential::TokenCredential,
    token_policy::End,
};

/// A service token: an identity with grants. What opens it are its credentials, of which it has
/// two while it is rotated; a secret is shown once, and a digest never leaves the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceToken {
    /// Its id.
    pub id: ServiceTokenId,
    /// Its id as text, which names it without counting: a UUID.
    pub uid: String,
    /// The account that it belongs to.
    pub account: AccountId,
    /// What people call it.
    pub name: Name,
    /// What it may do, row by row.
    pub grants: Vec<GrantRow>,
    /// What it is held to, beside its grants.
    pub restrictions: Restrictions,
    /// Who answers for it: a user of the account. `None` if nobody was named and no person made it.
    pub responsible: Option<UserId>,
    /// Where it is in its life.
    pub state: TokenState,
    /// What opens it, or did before it was rotated, oldest first. Empty while it is imported, and
    /// once it is revoked.
    pub credentials: Vec<TokenCredential>,
    /// When it was made (an imported one: elsewhere).
    pub created_at: Timestamp,
    /// When its name, grants or state last changed.
    pub updated_at: Timestamp,
    /// When it last authorised a request, to within ten seconds; `None` if never.
    pub last_used: Option<Timestamp>,
    /// Whether it is a canary: it grants nothing, and any use of it is told.
    pub is_canary: bool,
}

/// One permission row of a service token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantRow {
    /// Its id.
    pub id: GrantId,
    /// What it grants.
    pub grant: Grant,
    /// When it was assigned.
    pub created_at: Timestamp,
}

/// Where a service token is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum TokenState {
    /// It authorises requests, by those of its credentials that are open.
    Active,
    /// It authorises nothing until it is enabled again.
    Disabled,
    /// It was imported without a secret, and authorises nothing until it is rotated.
    Imported,
    /// It authorises nothing any more.
    Revoked {
        /// Since when.
        at: Timestamp,
        /// Who ended it.
        by: PrincipalId,
    },
}

/// The token was revoked before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("service token `{0}` is already revoked")]
pub struct AlreadyRevoked(pub ServiceTokenId);

/// What people are told about a token that has become unsafe by its age.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Advisory {
    /// What to do: `rotate`.
    pub action: &'static str,
    /// Tokens created on or before this day (UTC) are meant.
    pub created_until: &'static str,
    /// Why.
    pub reason: &'static str,
}

/// The advisories there are, oldest first.
///
/// Source: dbt's page on service account tokens: tokens created on or before 18 July 2023 should
/// be rotated.
pub const ADVISORIES: &[Advisory] = &[Advisory {
    action: "rotate",
    created_until: "2023-07-18",
    reason: "tokens created on or before 18 July 2023 should be rotated",
}];

impl ServiceToken {
    /// The most permission rows that a token may carry.
    pub const MAX_GRANTS: usize = 500;
    /// The most tokens that an account may have, revoked ones not counted.
    pub const MAX_PER_ACCOUNT: u64 = 5_000;

    /// Ends it.
    ///
    /// # Errors
    /// [`AlreadyRevoked`] if it is; the first revocation's time and author stay as they are.
    pub fn revoke(self, at: Timestamp, by: PrincipalId) -> Result<Self, AlreadyRevoked> {
        match self.state {
            TokenState::Active | TokenState::Disabled | TokenState::Imported => {
                let (state, credentials) = (TokenState::Revoked { at, by }, Vec::new());
                Ok(Self { state, credentials, updated_at: at, ..self })
            }
            TokenState::Revoked { .. } => Err(AlreadyRevoked(self.id)),
        }
    }

    /// The credential that a client should present.
    #[must_use]
    pub fn newest(&self) -> Option<&TokenCredential> {
        self.credentials.last()
    }

    /// The one that another takes the place of, while it still works.
    #[must_use]
    pub fn retiring(&self, now: Timestamp) -> Option<&TokenCredential> {
        let (_, old) = self.credentials.split_last()?;
        old.iter().rev().find(|one| !one.life.is_over(now))
    }

    /// The one that the newest took the place of, whether or not it still works.
    #[must_use]
    pub fn replaced(&self) -> Option<&TokenCredential> {
        self.credentials.split_last()?.1.last()
    }

    /// Its grants, without their rows.
    #[must_use]
    pub fn granted(&self) -> Vec<Grant> {
        self.grants.iter().map(|row| row.grant.clone()).collect()
    }

    /// Whether it could do more with these grants than with those that it has, whatever it is held
    /// to: any action, on any project, in any category of environment.
    #[must_use]
    pub fn gains_by(&self, grants: &[Grant], terms: &AccountTerms) -> bool {
        // What the account keeps from all tokens today is gained all the same.
        let terms = AccountTerms { tokens_may_mint: true, ..*terms };
        contained(grants, &Principal::service_token(self.id, 0, terms, self.granted())).is_err()
    }

    /// When it ends by itself; `None` is never.
    #[must_use]
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.newest()?.life.expires_at
    }

    /// The same, as it is asked for.
    #[must_use]
    pub fn end(&self) -> End {
        self.expires_at().map_or(End::Never, End::At)
    }

    /// Whether it authorises nothing for now.
    #[must_use]
    pub fn is_disabled(&self) -> bool {
        matches!(self.state, TokenState::Disabled)
    }

    /// Whether it authorises requests at this time.
    #[must_use]
    pub fn is_usable(&self, now: Timestamp) -> bool {
        match self.state {
            TokenState::Active => {
                !self.is_canary && self.credentials.iter().any(|one| one.life.is_open(now))
            }
            TokenState::Disabled | TokenState::Imported | TokenState::Revoked { .. } => false,
        }
    }

    /// The newest advisory that applies to it: computed from when its newest secret was made (an
    /// imported one's: elsewhere), never stored. A revoked token needs none.
    #[must_use]
    pub fn advisory(&self) -> Option<&'static Advisory> {
        match self.state {
            TokenState::Revoked { .. } => None,
            TokenState::Active | TokenState::Disabled | TokenState::Imported => {
                let made = self.newest().map_or(self.created_at, |newest| newest.life.created_at);
                ADVISORIES.iter().rev().find(|advisory| advisory.applies_to(made))
            }
        }
    }
}

impl Advisory {
    /// Whether a token made at this time is meant.
    #[must_use]
    pub fn applies_to(&self, created_at: Timestamp) -> bool {
        // Days sort as text.
        created_at.to_string().get(..10).is_some_and(|day| day <= self.created_until)
    }
}
