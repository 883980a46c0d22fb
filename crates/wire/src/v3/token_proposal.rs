//! Proposals to let a service token do more: a documented addition.

use domain::{
    AccountId, Timestamp,
    token_proposal::{ProposalState, TokenProposal as Proposal, Widening},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{PermissionGrant, TokenRestrictions};

/// What a token would have, once a second person accepts it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct TokenProposal {
    /// Its id.
    pub id: i64,
    /// The account.
    pub account_id: i64,
    /// The token.
    pub service_token_id: i64,
    /// `open`, `accepted`, `rejected`, `withdrawn`, or `over` after 7 days.
    pub status: String,
    /// All grants that the token would have; null if they would stay.
    pub permission_grants: Option<Vec<PermissionGrant>>,
    /// All that it would be held to; null if that would stay.
    pub restrictions: Option<TokenRestrictions>,
    /// Who proposed it; another person accepts it.
    pub proposed_by_user_id: i64,
    /// Who settled it, such as `user:2`; null until then.
    pub settled_by: Option<String>,
    /// When; null until then.
    pub settled_at: Option<String>,
    /// Until when it can be accepted.
    pub expires_at: String,
    /// When it was made.
    pub created_at: String,
}

impl TokenProposal {
    /// A proposal, as it is now.
    #[must_use]
    pub fn new(account: AccountId, proposal: &Proposal, now: Timestamp) -> Self {
        let (grants, restrictions) = match &proposal.asked {
            Widening::Grants(grants) => {
                (Some(grants.iter().flat_map(PermissionGrant::of).collect()), None)
            }
            Widening::Restrictions(restrictions) => (None, Some(restrictions.into())),
        };
        let (status, settled) = match proposal.state {
            ProposalState::Open if proposal.is_open(now) => ("open", None),
            ProposalState::Open => ("over", None),
            ProposalState::Settled { how, at, by } => (how.word(), Some((by, at))),
        };
        let (settled_by, settled_at) =
            settled.map(|(by, at)| (by.to_string(), at.to_string())).unzip();
        Self {
            id: proposal.id.get(),
            account_id: account.get(),
            service_token_id: proposal.token.get(),
            status: status.to_owned(),
            permission_grants: grants,
            restrictions,
            proposed_by_user_id: proposal.by.get(),
            settled_by,
            settled_at,
            expires_at: proposal.expires_at.to_string(),
            created_at: proposal.created_at.to_string(),
        }
    }
}
