//! Invitations into an account: by a link with a secret of its own, good once.

use crate::{
    AccountId, InviteId, Timestamp, UserId,
    authz::{License, PrincipalId},
    user::{Email, UserGroup},
};

/// An invitation. Its secret is in one answer or one mail, and its digest never leaves the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invite {
    /// Its id.
    pub id: InviteId,
    /// The account that it opens.
    pub account: AccountId,
    /// Who is invited.
    pub email: Email,
    /// The licence that they will have.
    pub license: License,
    /// The groups that they will be in, besides those that every new user is put into; one that
    /// was deleted since is not there.
    pub groups: Vec<UserGroup>,
    /// Who invited them.
    pub by: PrincipalId,
    /// Where it is in its life.
    pub state: InviteState,
    /// When it ends by itself.
    pub expires_at: Timestamp,
    /// When it was sent.
    pub created_at: Timestamp,
}

/// Where an invitation is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InviteState {
    /// It can be accepted, until its time is over.
    Open,
    /// It was accepted.
    Redeemed {
        /// When.
        at: Timestamp,
        /// By whom.
        user: UserId,
    },
    /// It was taken back: another took its place, or whoever sent it left.
    Withdrawn {
        /// When.
        at: Timestamp,
    },
}

impl Invite {
    /// How long it can be accepted: 7 days.
    pub const LIFETIME_SECONDS: i64 = 7 * 86_400;
    /// The most addresses that one request may invite.
    pub const MAX_AT_ONCE: usize = 100;

    /// Whether it can be accepted now.
    #[must_use]
    pub fn is_open(&self, now: Timestamp) -> bool {
        self.state == InviteState::Open && now < self.expires_at
    }
}
