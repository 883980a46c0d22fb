//! Credentials of service tokens: what a secret is known by, and when it may be used.

use std::net::IpAddr;

use crate::{Timestamp, TokenCredentialId};

/// A credential of a service token, without its digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenCredential {
    /// Its id.
    pub id: TokenCredentialId,
    /// When it may be used.
    pub life: Life,
    /// How many seconds after its successor's first use it retires, if that comes before
    /// [`Life::retires_at`].
    pub retires_after: Option<i64>,
    /// Its last use, to within ten seconds; `None` if there was none.
    pub last_use: Option<TokenUse>,
}

/// A use of a credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenUse {
    /// When.
    pub at: Timestamp,
    /// From where; `None` is this machine's own process.
    pub address: Option<IpAddr>,
    /// The `User-Agent`, at most 255 characters; empty if there was none.
    pub agent: String,
}

/// Somebody who sent a secret after it was replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OldUse {
    /// From where; `None` is this machine's own process.
    pub address: Option<IpAddr>,
    /// The `User-Agent`, at most 255 characters; empty if there was none.
    pub agent: String,
    /// When they were first seen with it.
    pub first_used: Timestamp,
    /// When they were last.
    pub last_used: Timestamp,
    /// Whether they sent it after its end, too.
    pub refused: bool,
}

/// When a credential may be used: from its making to the first of its ends, which it does not
/// reach (SECURITY.md, line 12).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Life {
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends by itself; `None` is never.
    pub expires_at: Option<Timestamp>,
    /// When it ends because another takes its place; `None` while none does. It only ever takes
    /// away.
    pub retires_at: Option<Timestamp>,
    /// When it was found to be over: it stays so, whatever the clock says later.
    pub ended_at: Option<Timestamp>,
}

impl Life {
    /// A life that begins now.
    #[must_use]
    pub const fn new(created_at: Timestamp, expires_at: Option<Timestamp>) -> Self {
        Self { created_at, expires_at, retires_at: None, ended_at: None }
    }

    /// The first of its ends; `None` is never.
    #[must_use]
    pub fn ends_at(&self) -> Option<Timestamp> {
        [self.expires_at, self.retires_at, self.ended_at].into_iter().flatten().min()
    }

    /// Whether it may be used at this time.
    #[must_use]
    pub fn is_open(&self, now: Timestamp) -> bool {
        self.created_at <= now && !self.is_over(now)
    }

    /// Whether its end has come.
    #[must_use]
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.ended_at.is_some() || self.ends_at().is_some_and(|end| end <= now)
    }
}
