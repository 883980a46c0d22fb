//! Grants: a permission set on all projects or on some.

use std::collections::BTreeSet;

use super::{
    Action, Categories, PermissionSet, Rights, Scope,
    catalogue::{Level, catalogue},
};
use crate::{Plan, ProjectId};

/// The projects that a grant names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Projects {
    /// Every project of the account, present and future. It has to be said.
    All,
    /// INVARIANT (held by [`Projects::only`]): not empty.
    Only(BTreeSet<ProjectId>),
}

impl Projects {
    /// Some projects.
    ///
    /// # Errors
    /// [`InvalidGrant::NoProjects`] if there are none: an empty list never means all.
    pub fn only(projects: impl IntoIterator<Item = ProjectId>) -> Result<Self, InvalidGrant> {
        let projects: BTreeSet<_> = projects.into_iter().collect();
        if projects.is_empty() { Err(InvalidGrant::NoProjects) } else { Ok(Self::Only(projects)) }
    }

    /// Whether the project is among them.
    #[must_use]
    pub fn have(&self, project: ProjectId) -> bool {
        match self {
            Self::All => true,
            Self::Only(projects) => projects.contains(&project),
        }
    }

    /// The scope that they make.
    pub(super) fn scope(&self, categories: Categories) -> Scope {
        match self {
            Self::All => Scope::all_projects(categories),
            Self::Only(projects) => Scope::projects(projects.iter().copied(), categories),
        }
    }
}

/// Why a grant cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidGrant {
    /// An empty list of projects.
    #[error("name at least one project, or say all projects")]
    NoProjects,
    /// An account-level set held to a project.
    #[error("`{0}` is an account-level permission set: it cannot be held to a project")]
    AccountLevel(PermissionSet),
}

/// The plan does not offer the set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotOffered {
    /// This plan does not.
    #[error("the plan `{plan}` does not offer the permission set `{set}` to service tokens")]
    ByPlan {
        /// The set that was asked for.
        set: PermissionSet,
        /// The account's plan.
        plan: Plan,
    },
    /// This plan offers it to groups neither.
    #[error("the plan `{plan}` does not offer the permission set `{set}` to groups")]
    ToGroups {
        /// The set that was asked for.
        set: PermissionSet,
        /// The account's plan.
        plan: Plan,
    },
    /// The account is on no plan (it is cancelled).
    #[error("the account has no plan that offers the permission set `{0}`")]
    NoPlan(PermissionSet),
}

/// A permission set on all projects or on some, with the environment categories that it raises.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Grant {
    set: PermissionSet,
    projects: Projects,
    raised: Categories,
}

impl Grant {
    /// A grant without raised categories.
    ///
    /// # Errors
    /// [`InvalidGrant::AccountLevel`] if an account-level set is held to projects.
    pub fn new(set: PermissionSet, projects: Projects) -> Result<Self, InvalidGrant> {
        let row = set.row();
        let held = matches!(projects, Projects::Only(_));
        if held && row.level == Level::Account && !row.also_project_level {
            return Err(InvalidGrant::AccountLevel(set));
        }
        Ok(Self { set, projects, raised: Categories::NONE })
    }

    /// The same grant, with write on jobs and runs in environments of these categories.
    ///
    /// Only some sets are raised by it (`raisable` in the catalogue); on any other the
    /// categories are kept and mean nothing.
    #[must_use]
    pub fn raising(self, raised: Categories) -> Self {
        Self { raised, ..self }
    }

    /// The permission set.
    #[must_use]
    pub const fn permission_set(&self) -> PermissionSet {
        self.set
    }

    /// The projects.
    #[must_use]
    pub const fn projects(&self) -> &Projects {
        &self.projects
    }

    /// The writable environment categories.
    #[must_use]
    pub const fn raised(&self) -> Categories {
        self.raised
    }

    /// Whether a service token of an account on this plan may carry it.
    ///
    /// # Errors
    /// [`NotOffered`] names the set and the plan.
    pub fn offered_by(&self, plan: Option<Plan>) -> Result<(), NotOffered> {
        let plan = plan.ok_or(NotOffered::NoPlan(self.set))?;
        if self.set.row().plans.contains(&plan) {
            Ok(())
        } else {
            Err(NotOffered::ByPlan { set: self.set, plan })
        }
    }

    /// Whether a group of an account on this plan may be given it: on Enterprise any set, elsewhere
    /// those that service tokens may carry and those of the built-in groups.
    ///
    /// # Errors
    /// [`NotOffered`] names the set and the plan.
    pub fn offered_to_groups(&self, plan: Option<Plan>) -> Result<(), NotOffered> {
        let built_in = catalogue().built_in_groups().iter().any(|it| it.sets.contains(&self.set));
        if built_in || plan == Some(Plan::Enterprise) {
            return Ok(());
        }
        self.offered_by(plan).map_err(|error| match error {
            NotOffered::ByPlan { set, plan } => NotOffered::ToGroups { set, plan },
            NotOffered::ToGroups { .. } | NotOffered::NoPlan(_) => error,
        })
    }

    /// Everything that it allows somewhere.
    #[must_use]
    pub fn rights(&self) -> Rights {
        let row = self.set.row();
        if self.raised.is_empty() { row.rights } else { row.rights.union(row.raised) }
    }

    /// Where it allows the action.
    ///
    /// An account-level cell of a project-level set holds for the whole account however the grant
    /// is scoped: those objects have no project.
    #[must_use]
    pub fn scope_of(&self, action: Action) -> Scope {
        let row = self.set.row();
        if row.rights.allow(action) {
            match catalogue().level(action.on) {
                Level::Account => Scope::all_projects(Categories::ALL),
                Level::Project => self.projects.scope(Categories::ALL),
            }
        } else if row.raised.allow(action) {
            self.projects.scope(self.raised)
        } else {
            Scope::nowhere()
        }
    }
}
