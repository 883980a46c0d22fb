//! Invitations (document: `InviteResponse`).

use domain::{Timestamp, invite::InviteState};
use serde::Serialize;
use utoipa::ToSchema;

use crate::v3::GroupShown;

/// An invitation, without its secret.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Invite {
    /// Its id.
    pub id: i64,
    /// The account that it opens.
    pub account_id: i64,
    /// Who is invited.
    pub email_address: String,
    /// The licence that they will have.
    pub license_type: String,
    /// 1 pending, 2 redeemed, 3 expired or taken back.
    pub status: u8,
    /// Always `standard`.
    pub r#type: String,
    /// The groups that they will be in, besides those that every new user is put into.
    pub group_ids: Vec<i64>,
    /// The same, shown.
    pub groups: Vec<GroupShown>,
    /// A documented addition: who sent it, `user:1` or `service_token:3`.
    pub invited_by: String,
    /// Always null: it is the path's.
    pub account: Option<String>,
    /// When it was accepted.
    pub redeemed_at: Option<String>,
    /// A documented addition: when it ends by itself.
    pub expires_at: String,
    /// When it was sent.
    pub created_at: String,
}

impl Invite {
    /// As it stands now.
    #[must_use]
    pub fn new(invite: &domain::invite::Invite, now: Timestamp) -> Self {
        let (status, redeemed_at) = match invite.state {
            InviteState::Redeemed { at, .. } => (2, Some(at.to_string())),
            InviteState::Open if invite.is_open(now) => (1, None),
            InviteState::Open | InviteState::Withdrawn { .. } => (3, None),
        };
        Self {
            id: invite.id.get(),
            account_id: invite.account.get(),
            email_address: invite.email.as_str().to_owned(),
            license_type: invite.license.key().to_owned(),
            status,
            r#type: "standard".to_owned(),
            group_ids: invite.groups.iter().map(|group| group.id.get()).collect(),
            groups: invite.groups.iter().map(GroupShown::from).collect(),
            invited_by: invite.by.to_string(),
            account: None,
            redeemed_at,
            expires_at: invite.expires_at.to_string(),
            created_at: invite.created_at.to_string(),
        }
    }
}
