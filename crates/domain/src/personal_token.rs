//! Personal tokens: a user's own keys, with that user's rights.

use crate::{AccountId, Name, PersonalTokenId, Timestamp, UserId};

/// A personal token of a user in one account. It ends with its user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonalToken {
    /// Its id.
    pub id: PersonalTokenId,
    /// Its id as text: a UUID.
    pub uid: String,
    /// The account that it opens.
    pub account: AccountId,
    /// Whose it is.
    pub user: UserId,
    /// What its user calls it.
    pub name: Name,
    /// When it ends by itself; `None` is never. The first admin's does: see
    /// [`PersonalToken::FIRST_LIFETIME_SECONDS`].
    pub expires_at: Option<Timestamp>,
    /// When it was revoked; `None` while it works.
    pub revoked_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// When it last authorised a request, to within ten seconds.
    pub last_used: Option<Timestamp>,
}

impl PersonalToken {
    /// How long an account's very first token works: 30 days (SECURITY.md, line 49). Its admin
    /// makes another before.
    pub const FIRST_LIFETIME_SECONDS: i64 = 30 * 86_400;
}
