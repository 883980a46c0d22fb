//! Identifiers: one newtype a noun, so that a job's id never passes for a run's.

use serde::{Deserialize, Serialize};

/// The text or number is not an identifier: identifiers are whole numbers from 1 to 2^63 - 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a whole number from 1 to 9223372036854775807")]
pub struct InvalidId;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident)*) => {$(
        $(#[$doc])*
        ///
        /// A positive 64-bit integer, as the Admin API's documents have it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "i64", into = "i64")]
        pub struct $name(i64);

        impl $name {
            /// The one way in.
            ///
            /// # Errors
            /// [`InvalidId`] if `value` is zero or negative.
            pub const fn new(value: i64) -> Result<Self, InvalidId> {
                if value > 0 { Ok(Self(value)) } else { Err(InvalidId) }
            }

            /// The bare number, for the wire and the store.
            #[must_use]
            pub const fn get(self) -> i64 {
                self.0
            }
        }

        impl TryFrom<i64> for $name {
            type Error = InvalidId;
            fn try_from(value: i64) -> Result<Self, InvalidId> {
                Self::new(value)
            }
        }

        impl From<$name> for i64 {
            fn from(id: $name) -> i64 {
                id.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                text.parse().map_err(|_| InvalidId).and_then(Self::new)
            }
        }
    )*};
}

ids! {
    /// An account: the owner of everything else.
    AccountId
    /// A connection to a data platform; belongs to the account.
    ConnectionId
    /// The credential that an environment uses with a connection.
    CredentialId
    /// An environment of a project.
    EnvironmentId
    /// One permission row of a service token.
    GrantId
    /// A group of users.
    GroupId
    /// An invitation of somebody into an account.
    InviteId
    /// A job definition.
    JobId
    /// A worker's lease of a run: the fencing number, which only ever grows.
    LeaseId
    /// A user's licence in an account: the documents' "permission".
    LicenseId
    /// A personal token of a user.
    PersonalTokenId
    /// A dbt project.
    ProjectId
    /// A git repository.
    RepositoryId
    /// One run of a job.
    RunId
    /// A service token.
    ServiceTokenId
    /// What a browser holds once a person has signed in.
    SessionId
    /// One step of a run.
    StepId
    /// One credential of a service token: what a secret of it is known by.
    TokenCredentialId
    /// A proposal to let a service token do more.
    TokenProposalId
    /// A user.
    UserId
}
