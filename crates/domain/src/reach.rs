//! Who reaches a project: the groups and service tokens with grants on it.

use crate::{GroupId, ServiceTokenId, authz::Grant};

/// Who reaches a project, and how.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProjectReach {
    /// Groups, with how many members each has; by id.
    pub groups: Vec<GroupReach>,
    /// Service tokens that authorise requests; by id.
    pub service_tokens: Vec<TokenReach>,
}

/// A group that reaches a project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupReach {
    /// Its id.
    pub id: GroupId,
    /// What people call it.
    pub name: String,
    /// How many users are in it.
    pub members: u64,
    /// Its grants on the project.
    pub grants: Vec<Grant>,
}

/// A service token that reaches a project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenReach {
    /// Its id.
    pub id: ServiceTokenId,
    /// What people call it.
    pub name: String,
    /// Its grants on the project, each with whether the account's plan offers its permission set:
    /// one that it does not is inert.
    pub grants: Vec<(Grant, bool)>,
}
