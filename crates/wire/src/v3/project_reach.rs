//! Who reaches a project: an addition of ours, which dbt's documents do not have.

use domain::{authz::Grant, reach::ProjectReach};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The groups and service tokens that have grants on a project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProjectPermissions {
    /// The project.
    pub project_id: i64,
    /// Groups, by id.
    pub groups: Vec<GroupOnProject>,
    /// Service tokens that authorise requests, by id.
    pub service_tokens: Vec<TokenOnProject>,
}

/// A group that has grants on a project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GroupOnProject {
    /// Its id.
    pub id: i64,
    /// What people call it.
    pub name: String,
    /// How many users are in it.
    pub members: u64,
    /// Its grants on the project.
    pub permissions: Vec<PermissionOnProject>,
}

/// A service token that has grants on a project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TokenOnProject {
    /// Its id.
    pub id: i64,
    /// What people call it.
    pub name: String,
    /// Its grants on the project.
    pub permissions: Vec<PermissionOnProject>,
}

/// A grant on a project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PermissionOnProject {
    /// The permission set.
    pub permission_set: String,
    /// Whether it is a grant on all projects.
    pub all_projects: bool,
    /// Where it is raised to write.
    pub writable_environment_categories: Vec<String>,
    /// False where the account's plan does not offer the set to service tokens: it is inert.
    pub in_force: bool,
}

impl PermissionOnProject {
    fn new(grant: &Grant, in_force: bool) -> Self {
        let words = grant.raised().words().into_iter().map(str::to_owned);
        Self {
            permission_set: grant.permission_set().key().to_owned(),
            all_projects: *grant.projects() == domain::authz::Projects::All,
            writable_environment_categories: words.collect(),
            in_force,
        }
    }
}

impl ProjectPermissions {
    /// Who reaches the project.
    #[must_use]
    pub fn new(project: domain::ProjectId, reach: &ProjectReach) -> Self {
        let groups = reach.groups.iter().map(|group| GroupOnProject {
            id: group.id.get(),
            name: group.name.clone(),
            members: group.members,
            permissions: group
                .grants
                .iter()
                .map(|grant| PermissionOnProject::new(grant, true))
                .collect(),
        });
        let tokens = reach.service_tokens.iter().map(|token| TokenOnProject {
            id: token.id.get(),
            name: token.name.clone(),
            permissions: token
                .grants
                .iter()
                .map(|(grant, offered)| PermissionOnProject::new(grant, *offered))
                .collect(),
        });
        Self {
            project_id: project.get(),
            groups: groups.collect(),
            service_tokens: tokens.collect(),
        }
    }
}
