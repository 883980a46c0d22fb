//! Where a permit holds: what its grants cover, met with what its token is held to.

use super::{Action, Categories, Category, Decision, Principal, Restrictions, Scope, decide};
use crate::{EnvironmentId, JobId, ProjectId};

/// Where an object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Its project.
    pub project: ProjectId,
    /// The environment that it is, or is in, and that environment's category.
    pub environment: Option<(EnvironmentId, Category)>,
    /// The job that it is, or belongs to.
    pub job: Option<JobId>,
}

impl Place {
    /// Of what is in a project, and in no environment.
    #[must_use]
    pub const fn project(project: ProjectId) -> Self {
        Self { project, environment: None, job: None }
    }

    /// Of an environment, or what is in it.
    #[must_use]
    pub const fn environment(project: ProjectId, id: EnvironmentId, category: Category) -> Self {
        Self { project, environment: Some((id, category)), job: None }
    }

    /// Of a job here, or what belongs to it.
    #[must_use]
    pub const fn of_job(self, job: JobId) -> Self {
        Self { job: Some(job), ..self }
    }

    /// The categories in which an action has to be allowed: its environment's, or all.
    pub(super) fn categories(&self) -> &[Category] {
        match &self.environment {
            Some((_, category)) => std::slice::from_ref(category),
            None => &Category::ALL,
        }
    }

    pub(super) fn environment_id(&self) -> Option<EnvironmentId> {
        self.environment.map(|(id, _)| id)
    }
}

/// Where a permit holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extent<'a> {
    scope: Scope,
    restrictions: &'a Restrictions,
}

impl<'a> Extent<'a> {
    /// Where a principal may take an action.
    #[must_use]
    pub fn of(principal: &'a Principal, action: Action) -> Self {
        let scope = match decide(principal, action) {
            Decision::Allow(scope) => scope,
            Decision::Deny => Scope::nowhere(),
        };
        Self { scope, restrictions: principal.restrictions() }
    }

    /// What the grants cover.
    #[must_use]
    pub const fn scope(&self) -> &Scope {
        &self.scope
    }

    /// What the token is held to: of environments and jobs, only those that it names.
    #[must_use]
    pub const fn restrictions(&self) -> &'a Restrictions {
        self.restrictions
    }

    /// Whether only some environments or jobs are left, and so nothing that has neither.
    #[must_use]
    pub const fn is_held_to_objects(&self) -> bool {
        self.restrictions.environments.is_some() || self.restrictions.jobs.is_some()
    }

    /// The categories that the grants cover in this project.
    #[must_use]
    pub fn categories_in(&self, project: ProjectId) -> Categories {
        self.scope.categories_in(project)
    }

    /// Whether an object there is covered and left.
    #[must_use]
    pub fn covers(&self, place: Place) -> bool {
        let held = self.scope.categories_in(place.project);
        self.restrictions.leave(place.environment_id(), place.job)
            && place.categories().iter().all(|category| held.has(*category))
    }
}
