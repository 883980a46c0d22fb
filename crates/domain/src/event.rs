//! Events: what other parts of the house, and other nodes, want to hear of.

use serde::{Deserialize, Serialize};

use crate::{AccountId, JobId, ProjectId, RunId, ServiceTokenId, UserId};

/// Something that happened; appended in the transaction that made it so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "event")]
#[expect(missing_docs, reason = "each field is the id of what the event is about")]
pub enum Event {
    /// A service token was made.
    ServiceTokenCreated { id: ServiceTokenId },
    /// A service token works no longer.
    ServiceTokenRevoked { id: ServiceTokenId },
    /// A service token was given another secret, or that was taken back.
    ServiceTokenRotated { id: ServiceTokenId },
    /// A service token's grants were replaced.
    GrantsChanged { id: ServiceTokenId },
    /// A user's rights or personal tokens changed.
    UserChanged { id: UserId },
    /// The account's plan or settings changed.
    AccountChanged { id: AccountId },
    /// A project is gone, and the grants on it with it.
    ProjectDeleted { id: ProjectId },
    /// A run waits for a slot.
    RunQueued { id: RunId, job: JobId },
    /// A run was asked to stop.
    RunCancelRequested { id: RunId },
    /// A run ended.
    RunFinished { id: RunId },
}
