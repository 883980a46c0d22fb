//! Groups of users: what a group is granted, its members hold, as far as their licence lets them.

use serde::Serialize;

use crate::{
    AccountId, GroupId, Name, Timestamp, authz::Grant, service_token::GrantRow, user::UserGroup,
};

/// What of a group can be edited, besides its grants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GroupSpec {
    /// What people call it.
    pub name: Name,
    /// Whether new users are put into it.
    pub assign_by_default: bool,
    /// Groups of the identity provider whose members belong into it.
    pub sso_mapping_groups: Vec<String>,
}

/// A group of users.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Its id.
    pub id: GroupId,
    /// The account that it belongs to.
    pub account: AccountId,
    /// What can be edited.
    pub spec: GroupSpec,
    /// What it gives its members, row by row.
    pub grants: Vec<GrantRow>,
    /// How many users are in it.
    pub member_count: u64,
    /// Whether it was deleted; such a one has no members and gives nothing.
    pub deleted: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it, or what it gives, last changed.
    pub updated_at: Timestamp,
}

impl Group {
    /// The most permission rows that a group may have.
    pub const MAX_GRANTS: usize = 500;
    /// The most groups that an account may have, deleted ones not counted.
    pub const MAX_PER_ACCOUNT: u64 = 1_000;
    /// The most groups of the identity provider that one is mapped to.
    pub const MAX_MAPPINGS: usize = 100;

    /// What it gives its members.
    #[must_use]
    pub fn grants(&self) -> Vec<Grant> {
        self.grants.iter().map(|row| row.grant.clone()).collect()
    }
}

impl From<&Group> for UserGroup {
    fn from(group: &Group) -> Self {
        Self { id: group.id, account: group.account, spec: group.spec.clone() }
    }
}

impl GroupSpec {
    /// Whether it takes more people in by itself than `before` did.
    #[must_use]
    pub fn takes_in_more_than(&self, before: &Self) -> bool {
        let more = |name| !before.sso_mapping_groups.contains(name);
        self.assign_by_default && !before.assign_by_default
            || self.sso_mapping_groups.iter().any(more)
    }
}
