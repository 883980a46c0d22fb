//! What can go wrong below the faces.

use domain::{
    AccountId, UserId,
    authz::{Denied, Exceeds, NotOffered},
    run::NoRetry,
};
use sea_orm::DbErr;

/// Why a store function did not do what it was asked. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No such object within the permit's account and scope.
    #[error("not found")]
    NotFound,
    /// The same, with a reason that anybody who may look may know.
    #[error("{0}")]
    Missing(String),
    /// The object is there, and the permit does not cover it.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The account's IP restrictions do not admit the caller's address.
    #[error("the address is not admitted by the account's IP restrictions")]
    AddressRefused {
        /// The account.
        account: AccountId,
        /// Who was refused; `None` is a service token.
        user: Option<UserId>,
    },
    /// The token's own restrictions do not admit the caller's address.
    #[error("the token may not be used from this address")]
    AddressRestricted,
    /// The credential was revoked, or its rights changed, since the request was authenticated.
    #[error("the credential changed while the request was under way")]
    CredentialChanged,
    /// A field's value cannot be: such as an id of another project.
    #[error("`{field}` {message}")]
    Invalid {
        /// The field's name on the wire.
        field: &'static str,
        /// What would be right.
        message: String,
    },
    /// The maker does not hold what it would hand out.
    #[error(transparent)]
    Exceeds(#[from] Exceeds),
    /// A field that a user changes, and a service token never does.
    #[error("`{field}` is changed by a user, not by a service token")]
    UserOnly {
        /// The field's name on the wire.
        field: &'static str,
    },
    /// The account's policy has what lets a token do more proposed, and accepted by a second person.
    #[error("in this account a second person accepts what lets a token do more: propose it")]
    NeedsSecond,
    /// Who proposed something would accept it.
    #[error("who proposed it cannot accept it: another person does")]
    OwnProposal,
    /// The account's plan does not offer the permission set.
    #[error(transparent)]
    NotOffered(#[from] NotOffered),
    /// The run cannot be taken up again.
    #[error("the run cannot be retried: {0}")]
    NoRetry(NoRetry),
    /// The worker's hold on the run has run out or ended: what it would write is not its to write.
    #[error("the worker does not hold the run any more")]
    LeaseLost,
    /// An `Idempotency-Key` came again with another question.
    #[error("the Idempotency-Key was used for another request")]
    KeyReused,
    /// The state of things does not allow it: such as a run that has ended.
    #[error("{0}")]
    Conflict(String),
    /// The database or the file system cannot be used now.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// The database is of a newer version of Narrowgate.
    #[error("the database is of a newer version of Narrowgate ({found}; this build knows {known})")]
    Newer {
        /// The newest migration in the database.
        found: String,
        /// The newest migration of this build.
        known: String,
    },
    /// What is stored cannot be what was stored.
    #[error("the store is damaged: {0}")]
    Corrupt(String),
}

impl StoreError {
    /// What a failure of the database means.
    pub(crate) fn db(error: DbErr) -> Self {
        match error {
            DbErr::Type(_) | DbErr::Json(_) | DbErr::TryIntoErr { .. } => Self::corrupt(error),
            _ => Self::Unavailable(error.to_string()),
        }
    }

    /// What is stored does not read back as what it has to be.
    pub(crate) fn corrupt(error: impl std::fmt::Display) -> Self {
        Self::Corrupt(error.to_string())
    }
}
