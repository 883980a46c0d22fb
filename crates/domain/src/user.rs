//! Users of an account.

use serde::{Deserialize, Serialize};

use crate::{AccountId, GroupId, LicenseId, Timestamp, UserId, authz::License, group::GroupSpec};

/// An e-mail address: 3 to 254 bytes, one `@` with something on both sides, no white space and no
/// control character. Kept in lower case.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Email(String);

/// The text is no e-mail address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be an e-mail address such as `ada@example.com`")]
pub struct InvalidEmail;

impl Email {
    /// Checks a text.
    ///
    /// # Errors
    /// [`InvalidEmail`] if it is none.
    pub fn parse(text: &str) -> Result<Self, InvalidEmail> {
        let (local, host) = text.split_once('@').ok_or(InvalidEmail)?;
        let plain = |part: &str| {
            !part.is_empty()
                && part.chars().all(|c| !c.is_whitespace() && !c.is_control() && c != '@')
        };
        if text.len() <= 254 && plain(local) && plain(host) {
            Ok(Self(text.to_lowercase()))
        } else {
            Err(InvalidEmail)
        }
    }

    /// The address as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Email {
    type Error = InvalidEmail;
    fn try_from(text: String) -> Result<Self, InvalidEmail> {
        Self::parse(&text)
    }
}

impl From<Email> for String {
    fn from(email: Email) -> Self {
        email.0
    }
}

/// A user, as one account sees them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The id.
    pub id: UserId,
    /// The address that they sign in with.
    pub email: Email,
    /// The first name; may be empty.
    pub first_name: String,
    /// The last name; may be empty.
    pub last_name: String,
    /// The licence in this account.
    pub license: License,
    /// The id of that licence: the documents' "permission".
    pub license_id: LicenseId,
    /// The groups that they are in, by id.
    pub groups: Vec<UserGroup>,
    /// Whether they have left the account.
    pub left: bool,
    /// When they were added.
    pub created_at: Timestamp,
    /// When their names, licence or groups last changed.
    pub updated_at: Timestamp,
    /// When one of their personal tokens was last used in this account.
    pub last_used: Option<Timestamp>,
}

/// A group, as far as its members show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserGroup {
    /// Its id.
    pub id: GroupId,
    /// Its account.
    pub account: AccountId,
    /// What people call it, and who is put into it.
    pub spec: GroupSpec,
}
