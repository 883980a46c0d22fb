//! Groups and what they give (documents: `GroupResponse`, `GroupRequest`,
//! `GroupPermissionResponse`, `AssignGroupsRequestRequest`).

use std::collections::BTreeSet;

use domain::{
    GroupId, InvalidId, UserId, group::GroupSpec, service_token::GrantRow, user::UserGroup,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::PermissionGrant;
use crate::{Invalid, Patch, field};

/// A group.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Group {
    /// Its id.
    pub id: i64,
    /// The account that it belongs to.
    pub account_id: i64,
    /// What people call it.
    pub name: String,
    /// 1 active, 2 deleted.
    pub state: u8,
    /// Whether new users are put into it.
    pub assign_by_default: bool,
    /// Groups of the identity provider whose members belong into it.
    pub sso_mapping_groups: Vec<String>,
    /// What it gives its members.
    pub group_permissions: Vec<GroupPermission>,
    /// How many users are in it.
    pub member_count: u64,
    /// Always false: there is no SCIM yet.
    pub scim_managed: bool,
    /// When it was made.
    pub created_at: String,
    /// When it, or what it gives, last changed.
    pub updated_at: String,
}

/// A group, as its members and their invitations show it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct GroupShown {
    /// Its id.
    pub id: i64,
    /// The account that it belongs to.
    pub account_id: i64,
    /// What people call it.
    pub name: String,
    /// 1
    pub state: u8,
    /// Whether new users are put into it.
    pub assign_by_default: bool,
    /// Groups of the identity provider whose members belong into it.
    pub sso_mapping_groups: Vec<String>,
}

/// A permission row of a group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct GroupPermission {
    /// Its id.
    pub id: i64,
    /// The account.
    pub account_id: i64,
    /// Its group.
    pub group_id: i64,
    /// The permission set.
    pub permission_set: String,
    /// Always null: no longer used.
    pub permission_level: Option<i64>,
    /// Whether it holds on every project.
    pub all_projects: bool,
    /// The project; null is all projects.
    pub project_id: Option<i64>,
    /// `all`, or some of development, staging, production, other.
    pub writable_environment_categories: Vec<String>,
    /// 1
    pub state: u8,
    /// When it was assigned.
    pub created_at: String,
    /// The same: a row never changes.
    pub updated_at: String,
}

impl From<&domain::group::Group> for Group {
    fn from(group: &domain::group::Group) -> Self {
        Self {
            id: group.id.get(),
            account_id: group.account.get(),
            name: group.spec.name.to_string(),
            state: field::state_of(group.deleted),
            assign_by_default: group.spec.assign_by_default,
            sso_mapping_groups: group.spec.sso_mapping_groups.clone(),
            group_permissions: GroupPermission::all_of(group),
            member_count: group.member_count,
            scim_managed: false,
            created_at: group.created_at.to_string(),
            updated_at: group.updated_at.to_string(),
        }
    }
}

impl From<&UserGroup> for GroupShown {
    fn from(group: &UserGroup) -> Self {
        Self {
            id: group.id.get(),
            account_id: group.account.get(),
            name: group.spec.name.to_string(),
            state: 1,
            assign_by_default: group.spec.assign_by_default,
            sso_mapping_groups: group.spec.sso_mapping_groups.clone(),
        }
    }
}

impl GroupPermission {
    /// The rows of a group.
    #[must_use]
    pub fn all_of(group: &domain::group::Group) -> Vec<Self> {
        let rows = group.grants.iter();
        rows.flat_map(|row| Self::of(group.account, group.id, row)).collect()
    }

    /// One row, which names one project or all.
    #[must_use]
    pub fn of(account: domain::AccountId, group: GroupId, row: &GrantRow) -> Vec<Self> {
        let one = |grant: PermissionGrant| Self {
            id: row.id.get(),
            account_id: account.get(),
            group_id: group.get(),
            permission_set: grant.permission_set,
            permission_level: None,
            all_projects: grant.project_id.is_none(),
            project_id: grant.project_id,
            writable_environment_categories: grant.writable_environment_categories,
            state: 1,
            created_at: row.created_at.to_string(),
            updated_at: row.created_at.to_string(),
        };
        PermissionGrant::of(&row.grant).into_iter().map(one).collect()
    }
}

/// The body that makes or changes a group. Keys that are absent keep their value; other keys are
/// ignored (permissions and members have calls of their own).
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct GroupBody {
    /// The account, if given: the path's.
    #[schema(value_type = Option<i64>)]
    pub account_id: Patch<i64>,
    /// 1 to 255 characters; required.
    #[schema(value_type = Option<String>)]
    pub name: Patch<String>,
    /// Whether new users are put into it; false unless given.
    #[schema(value_type = Option<bool>)]
    pub assign_by_default: Patch<bool>,
    /// At most 100 groups of the identity provider.
    #[schema(value_type = Option<Vec<String>>)]
    pub sso_mapping_groups: Patch<Vec<String>>,
    /// 1; or 2, which deletes it.
    #[schema(value_type = Option<i64>)]
    pub state: Patch<i64>,
}

impl GroupBody {
    /// Whether the body deletes the group.
    #[must_use]
    pub const fn deletes(&self) -> bool {
        field::deletes(&self.state)
    }

    /// What it makes of `old`; of nothing, where one is made.
    ///
    /// # Errors
    /// [`Invalid`] names every wrong field.
    pub fn over(self, old: Option<GroupSpec>) -> Result<GroupSpec, Invalid> {
        let mut bad = Invalid::collector();
        field::state(&mut bad, &self.state);
        let name = field::name(&mut bad, self.name, old.is_none());
        let names = field::read(
            &mut bad,
            "sso_mapping_groups",
            self.sso_mapping_groups,
            field::group_names,
        );
        bad.finish()?;
        let name = name.or_else(|| old.as_ref().map(|old| old.name.clone()));
        let (by_default, mapped) =
            old.map(|old| (old.assign_by_default, old.sso_mapping_groups)).unwrap_or_default();
        Ok(GroupSpec {
            name: name.ok_or_else(|| Invalid::field("name", "is required"))?,
            assign_by_default: self.assign_by_default.or_keep(by_default),
            sso_mapping_groups: names.over(Some(mapped)).unwrap_or_default(),
        })
    }
}

/// The body that puts a user into groups. Other keys are ignored.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct AssignGroupsBody {
    /// A user of the account; required.
    #[schema(value_type = Option<i64>)]
    pub user_id: Patch<i64>,
    /// Every group that they shall be in; required.
    #[schema(value_type = Option<Vec<i64>>)]
    pub desired_group_ids: Patch<Vec<i64>>,
}

impl AssignGroupsBody {
    /// The user and the groups.
    ///
    /// # Errors
    /// [`Invalid`] names every wrong field.
    pub fn read(self) -> Result<(UserId, BTreeSet<GroupId>), Invalid> {
        let mut bad = Invalid::collector();
        let user = self.user_id.value().map(UserId::new).transpose();
        let user = bad.take("user_id", user.map_err(|wrong: InvalidId| wrong)).flatten();
        if user.is_none() {
            bad.note("user_id", "is required");
        }
        let desired = self.desired_group_ids.value();
        if desired.is_none() {
            bad.note("desired_group_ids", "is required");
        }
        let desired = desired.unwrap_or_default();
        let groups = field::ids(&mut bad, "desired_group_ids", desired, GroupId::new);
        bad.finish()?;
        let user = user.ok_or_else(|| Invalid::field("user_id", "is required"))?;
        Ok((user, groups))
    }
}
