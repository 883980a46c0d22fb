//! Proposals to let a service token do more. Where the account's policy asks for it, one person
//! proposes, and another accepts.

use crate::{
    ServiceTokenId, Timestamp, TokenProposalId, UserId,
    authz::{Grant, PrincipalId, Restrictions},
};

/// A proposal. Both who proposed it and who accepts it have to hold what the token would have, when
/// it is accepted; and the token has to be as it was when it was proposed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenProposal {
    /// Its id.
    pub id: TokenProposalId,
    /// Which token it is about.
    pub token: ServiceTokenId,
    /// What the token would have.
    pub asked: Widening,
    /// Who proposed it: a person, since a token may be in anybody's hands.
    pub by: UserId,
    /// Where it is in its life.
    pub state: ProposalState,
    /// When it ends by itself.
    pub expires_at: Timestamp,
    /// When it was made.
    pub created_at: Timestamp,
}

/// What a token would have, as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Widening {
    /// These grants in place of its own.
    Grants(Vec<Grant>),
    /// Held to these in place of its own restrictions.
    Restrictions(Restrictions),
}

/// Where a proposal is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProposalState {
    /// It can be accepted, until its time is over.
    Open,
    /// It is settled.
    Settled {
        /// How.
        how: Outcome,
        /// When.
        at: Timestamp,
        /// By whom.
        by: PrincipalId,
    },
}

/// What came of a proposal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Another person accepted it: the token has what was proposed.
    Accepted,
    /// Somebody who may write tokens refused it.
    Rejected,
    /// Who proposed it took it back, or left; or the token is gone.
    Withdrawn,
}

impl TokenProposal {
    /// How long it can be accepted: 7 days.
    pub const LIFETIME_SECONDS: i64 = 7 * 86_400;
    /// How long one that is over is still shown: 90 days from its making.
    pub const KEPT_SECONDS: i64 = 90 * 86_400;

    /// Whether it can be accepted now.
    #[must_use]
    pub fn is_open(&self, now: Timestamp) -> bool {
        self.state == ProposalState::Open && now < self.expires_at
    }
}

impl Outcome {
    /// The wire's word, and the store's.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Rejected => "rejected",
            Self::Withdrawn => "withdrawn",
        }
    }

    /// The outcome of a word.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        [Self::Accepted, Self::Rejected, Self::Withdrawn].into_iter().find(|one| one.word() == word)
    }
}
