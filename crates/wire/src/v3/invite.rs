//! Sending and accepting invitations (documents: `InviteUsersRequestRequest`,
//! `InviteUsersResponse`; accepting is an addition).

use std::collections::BTreeSet;

use domain::{
    GroupId,
    authz::License,
    invite::Invite,
    secret::{TokenKind, TokenSecret},
    user::Email,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::PersonalTokenWithSecret;
use crate::{Invalid, Patch, field, v2::User, v2::UserBody};

/// The body that invites people. Other keys are ignored.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct InvitesBody {
    /// 1 to 100 addresses; required.
    #[schema(value_type = Option<Vec<String>>)]
    pub email_addresses: Patch<Vec<String>>,
    /// `developer`, `read_only`, `it` or `analyst`; required.
    #[schema(value_type = Option<String>)]
    pub license_type: Patch<String>,
    /// Groups of the account.
    #[schema(value_type = Option<Vec<i64>>)]
    pub group_ids: Patch<Vec<i64>>,
}

impl InvitesBody {
    /// Who is invited, with which licence, into which groups.
    ///
    /// # Errors
    /// [`Invalid`] names every wrong field.
    pub fn read(self) -> Result<(BTreeSet<Email>, License, BTreeSet<GroupId>), Invalid> {
        let mut bad = Invalid::collector();
        let license = field::license(&mut bad, self.license_type.value());
        let given = self.email_addresses.value().unwrap_or_default();
        let mut emails = BTreeSet::new();
        if given.is_empty() || given.len() > Invite::MAX_AT_ONCE {
            bad.note("email_addresses", "must be 1 to 100 addresses");
        } else {
            for (at, text) in given.iter().enumerate() {
                emails.extend(bad.take(&format!("email_addresses[{at}]"), Email::parse(text)));
            }
        }
        let groups = self.group_ids.value().unwrap_or_default();
        let groups = field::ids(&mut bad, "group_ids", groups, GroupId::new);
        bad.finish()?;
        let license = license.ok_or_else(|| Invalid::field("license_type", "is required"))?;
        Ok((emails, license, groups))
    }
}

/// Who was invited.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct InvitesSent {
    /// The addresses.
    pub sent: Vec<String>,
    /// A documented addition: the links that no mail carries (there is no mail server, or it did
    /// not take the mail), for the inviter to pass on. This is the only answer that shows them.
    pub links: Vec<InviteLink>,
}

/// The link of an invitation.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct InviteLink {
    /// Whom it is for.
    pub email_address: String,
    /// Where it leads; what stands behind its `#` is the secret, good once.
    pub link: String,
    /// Until when.
    pub expires_at: String,
}

/// The body that accepts an invitation. Other keys are ignored.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct AcceptInviteBody {
    /// What stands behind the `#` of the link; required.
    #[schema(value_type = Option<String>)]
    pub token: Patch<String>,
    /// At most 255 characters.
    #[schema(value_type = Option<String>)]
    pub first_name: Patch<String>,
    /// At most 255 characters.
    #[schema(value_type = Option<String>)]
    pub last_name: Patch<String>,
}

impl AcceptInviteBody {
    /// The secret, and the first and last name as far as they are given.
    ///
    /// # Errors
    /// [`Invalid`] names every wrong field.
    #[expect(clippy::type_complexity, reason = "a secret and two names")]
    pub fn read(self) -> Result<(TokenSecret, (Option<String>, Option<String>)), Invalid> {
        let text = self.token.value().ok_or_else(|| Invalid::field("token", "is required"))?;
        let secret = TokenSecret::parse(&text).ok();
        let secret = secret.filter(|secret| secret.kind() == TokenKind::Invitation);
        let secret =
            secret.ok_or_else(|| Invalid::field("token", "is not that of an invitation"))?;
        let names = UserBody { first_name: self.first_name, last_name: self.last_name };
        Ok((secret, names.names()?))
    }
}

/// Who accepted an invitation, and their first personal token: the only answer that ever carries
/// its secret.
#[derive(Serialize, ToSchema)]
pub struct InviteAccepted {
    /// The account that they are in from now on.
    pub account_id: i64,
    /// The user.
    pub user: User,
    /// The token.
    pub personal_token: PersonalTokenWithSecret,
}
