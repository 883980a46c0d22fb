//! Many questions about one principal: may it do this, there?

use std::collections::HashMap;

use super::{
    Access, Action, Category, Decision, Denied, Place, Principal, Restriction, Rule, Scope,
    authorize_action, decide,
};
use crate::ProjectId;

/// Where something would be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whereabouts {
    /// Anywhere.
    Anywhere,
    /// On what a project has, or what is made in it: in environments of every category, or of one.
    Project(ProjectId, Option<Category>),
    /// On an object, or on what is made in an environment.
    Object(Place),
    /// On an object that is not there.
    Nothing,
}

/// Why not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The decision is no.
    Denied(Denied),
    /// There is no such object within reach.
    NotFound,
}

/// Answers questions about a principal as its requests would be answered; each action is decided
/// once.
#[derive(Debug)]
pub struct Judge<'a> {
    principal: &'a Principal,
    decided: HashMap<Action, Scope>,
}

impl<'a> Judge<'a> {
    /// One that is asked about this principal.
    #[must_use]
    pub fn of(principal: &'a Principal) -> Self {
        Self { principal, decided: HashMap::new() }
    }

    /// Where the principal may take the action, its environments and jobs apart.
    pub fn scope(&mut self, action: Action) -> &Scope {
        self.decided.entry(action).or_insert_with(|| match decide(self.principal, action) {
            Decision::Allow(scope) => scope,
            Decision::Deny => Scope::nowhere(),
        })
    }

    /// Whether the principal may do this there.
    ///
    /// # Errors
    /// [`Refusal`], as the request would be refused.
    pub fn ask(&mut self, action: Action, at: Whereabouts) -> Result<(), Refusal> {
        let principal = self.principal;
        authorize_action(principal, principal.account(), action).map_err(Refusal::Denied)?;
        let (project, categories) = match at {
            Whereabouts::Anywhere => return Ok(()),
            Whereabouts::Nothing => return Err(Refusal::NotFound),
            Whereabouts::Object(place) => {
                return self.at(action, place).map_err(Refusal::Denied);
            }
            Whereabouts::Project(project, Some(category)) => (project, &[category][..]),
            Whereabouts::Project(project, None) => (project, &Category::ALL[..]),
        };
        self.among(action, project, categories).map_err(Refusal::Denied)?;
        // A list shows what is left; what is written has to be named.
        match action.access {
            Access::Read => Ok(()),
            Access::Write => self.left(action, Place::project(project)).map_err(Refusal::Denied),
        }
    }

    /// Whether an action that is held somewhere is held where an object is.
    pub(super) fn at(&mut self, action: Action, place: Place) -> Result<(), Denied> {
        self.among(action, place.project, place.categories())?;
        self.left(action, place)
    }

    /// Whether the grants hold an action in a project, in environments of these categories.
    pub(super) fn among(
        &mut self,
        action: Action,
        project: ProjectId,
        categories: &[Category],
    ) -> Result<(), Denied> {
        let held = self.scope(action).categories_in(project);
        let Some(missing) = categories.iter().find(|category| !held.has(**category)) else {
            return Ok(());
        };
        let readable = self.scope(Action::new(Access::Read, action.on)).categories_in(project);
        Err(if readable.is_empty() {
            Denied::OutsideScope(project)
        } else if held.is_empty() {
            self.not_here(action, project, None, Rule::Scope)
        } else {
            self.not_here(action, project, Some(*missing), Rule::EnvironmentCategory)
        })
    }

    /// Whether the restrictions leave a place that the grants cover.
    fn left(&self, action: Action, place: Place) -> Result<(), Denied> {
        let restrictions = self.principal.restrictions();
        let Some(restriction) = restrictions.hide(place.environment_id(), place.job) else {
            return Ok(());
        };
        let is_new = match restriction {
            Restriction::Jobs => place.job.is_none(),
            _ => place.environment.is_none(),
        };
        Err(if is_new {
            self.not_here(action, place.project, None, Rule::Restriction(restriction))
        } else {
            Denied::OutsideScope(place.project)
        })
    }

    fn not_here(
        &self,
        action: Action,
        project: ProjectId,
        category: Option<Category>,
        rule: Rule,
    ) -> Denied {
        let plan = self.principal.terms().plan;
        Denied::NoGrantHere { action, project, category, plan, rule }
    }
}
