//! Refusals, and what they explain.

use super::{Action, Category, PermissionSet, Restriction, catalogue::catalogue};
use crate::{Plan, ProjectId};

/// Why the answer is no. The face chooses what to tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// The path or body names another account: not found.
    #[error("the account is another's")]
    OtherAccount,
    /// No grant holds the action anywhere: forbidden.
    #[error("no grant holds {action}")]
    NoGrant {
        /// What was asked.
        action: Action,
        /// The account's plan, which decides what to ask for instead.
        plan: Option<Plan>,
        /// The rule that refused.
        rule: Rule,
    },
    /// The project is in reach, the action in it is not: forbidden.
    #[error("no grant holds {action} in project {project}")]
    NoGrantHere {
        /// What was asked.
        action: Action,
        /// Where.
        project: ProjectId,
        /// The category of environment that is missing, where others are held.
        category: Option<Category>,
        /// The account's plan, which decides what to ask for instead.
        plan: Option<Plan>,
        /// The rule that refused.
        rule: Rule,
    },
    /// The project, or the object in it, is out of reach and not said to exist: not found.
    #[error("project {0}, or what was asked for in it, is out of reach")]
    OutsideScope(ProjectId),
}

/// The rule by which something is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// No grant holds the action.
    NoGrant,
    /// Grants hold it in other projects.
    Scope,
    /// Grants hold it in environments of other categories.
    EnvironmentCategory,
    /// A restriction of the token takes it away.
    Restriction(Restriction),
    /// A grant holds it whose permission set the account's plan does not offer.
    Plan,
    /// A setting of the account keeps it from service tokens.
    AccountSetting,
    /// The user's licence keeps it from them.
    License,
}

impl Rule {
    /// The wire's spelling.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::NoGrant => "no_grant",
            Self::Scope => "scope",
            Self::EnvironmentCategory => "environment_category",
            Self::Restriction(_) => "restriction",
            Self::Plan => "plan",
            Self::AccountSetting => "account_setting",
            Self::License => "license",
        }
    }

    /// Which restriction, if it is one.
    #[must_use]
    pub const fn restriction(self) -> Option<Restriction> {
        match self {
            Self::Restriction(restriction) => Some(restriction),
            _ => None,
        }
    }

    /// Whether another grant would lift it.
    #[must_use]
    pub const fn is_lifted_by_a_grant(self) -> bool {
        match self {
            Self::NoGrant | Self::Scope | Self::EnvironmentCategory | Self::Plan => true,
            Self::Restriction(_) | Self::AccountSetting | Self::License => false,
        }
    }
}

/// What would have been needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// The missing permission.
    pub action: Action,
    /// Where it is missing; `None` if it is held nowhere.
    pub project: Option<ProjectId>,
    /// In environments of which category, if others are held.
    pub category: Option<Category>,
    /// The account's plan.
    pub plan: Option<Plan>,
    /// The rule that refused.
    pub rule: Rule,
    /// The smallest permission sets of the plan that hold it: none of them holds all that
    /// another of them does. Smallest first. Empty where no grant would help.
    pub sets: Vec<PermissionSet>,
}

impl Denied {
    /// The rule that refused; `None` where saying so would tell what exists.
    #[must_use]
    pub const fn rule(&self) -> Option<Rule> {
        match self {
            Self::OtherAccount | Self::OutsideScope(_) => None,
            Self::NoGrant { rule, .. } | Self::NoGrantHere { rule, .. } => Some(*rule),
        }
    }

    /// What would have been needed; `None` where saying so would tell what exists.
    #[must_use]
    pub fn explanation(&self) -> Option<Explanation> {
        let (action, plan, project, category, rule) = match *self {
            Self::OtherAccount | Self::OutsideScope(_) => return None,
            Self::NoGrant { action, plan, rule } => (action, plan, None, None, rule),
            Self::NoGrantHere { action, plan, project, category, rule } => {
                (action, plan, Some(project), category, rule)
            }
        };
        let helps = rule.is_lifted_by_a_grant();
        let sets = if helps { explain(action, plan) } else { Vec::new() };
        Some(Explanation { action, project, category, plan, rule, sets })
    }
}

/// The smallest permission sets that a service token on this plan can carry and that hold the
/// action.
///
/// A set is left out if another one holds the action and only part of what it holds. Smallest
/// first, at equal size in the order of the catalogue.
#[must_use]
pub fn explain(action: Action, plan: Option<Plan>) -> Vec<PermissionSet> {
    let holding: Vec<_> = catalogue()
        .sets()
        .filter(|row| plan.is_some_and(|plan| row.plans.contains(&plan)))
        .filter(|row| row.rights.allow(action))
        .collect();
    let mut smallest: Vec<_> = holding
        .iter()
        .filter(|row| {
            !holding
                .iter()
                .any(|other| other.rights != row.rights && row.rights.contain(other.rights))
        })
        .collect();
    smallest.sort_by_key(|row| row.rights.len());
    smallest.into_iter().map(|row| row.set).collect()
}

impl Explanation {
    /// Why there is no permission set to ask for.
    fn why_no_set(&self) -> String {
        match self.rule {
            Rule::Restriction(restriction) => {
                let key = restriction.key();
                return format!("the token's restriction `{key}` takes it away");
            }
            Rule::AccountSetting => {
                return "the account's settings keep it from service tokens".to_owned();
            }
            Rule::License => return "the user's licence keeps it from them".to_owned(),
            Rule::NoGrant | Rule::Scope | Rule::EnvironmentCategory | Rule::Plan => {}
        }
        if let Some(who) = catalogue().holder_beside_sets(self.action) {
            return who.to_owned();
        }
        let somewhere = catalogue().sets().any(|row| row.rights.allow(self.action));
        match self.plan {
            _ if !somewhere => "nobody holds it".to_owned(),
            None => "the account has no plan, so no permission set counts".to_owned(),
            Some(plan) => format!("no permission set that the plan `{plan}` offers holds it"),
        }
    }
}

impl std::fmt::Display for Explanation {
    /// ``needs write on `jobs` in project 7: the permission set Job Creator or Job Admin holds it``
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "needs {} on `{}`", self.action.access.key(), self.action.on.key())?;
        if let Some(project) = self.project {
            write!(f, " in project {project}")?;
        }
        if let Some(category) = self.category {
            write!(f, " in {} environments", category.key())?;
        }
        let labels: Vec<_> = self.sets.iter().map(|set| set.label()).collect();
        match labels.as_slice() {
            [] => write!(f, ": {}", self.why_no_set()),
            [only] => write!(f, ": the permission set {only} holds it"),
            [first @ .., last] => {
                write!(f, ": the permission set {} or {last} holds it", first.join(", "))
            }
        }
    }
}
