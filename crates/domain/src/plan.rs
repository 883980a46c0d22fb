//! What an account pays for, and what that offers.

use serde::{Deserialize, Serialize};

use crate::authz::catalogue;

/// The tier that decides which permission sets a service token may carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Plan {
    /// One developer.
    Developer,
    /// The self-service successor of Team.
    Starter,
    /// The self-service plan for a team.
    Team,
    /// Every permission set.
    Enterprise,
}

impl Plan {
    /// Every plan, smallest first.
    pub const ALL: [Self; 4] = [Self::Developer, Self::Starter, Self::Team, Self::Enterprise];

    /// The key of the catalogue and of the command line.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Developer => "developer",
            Self::Starter => "starter",
            Self::Team => "team",
            Self::Enterprise => "enterprise",
        }
    }
}

impl std::fmt::Display for Plan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.key())
    }
}

/// The text names no plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a plan: use developer, starter, team or enterprise")]
pub struct UnknownPlan(pub String);

impl std::str::FromStr for Plan {
    type Err = UnknownPlan;
    fn from_str(text: &str) -> Result<Self, UnknownPlan> {
        Self::ALL
            .into_iter()
            .find(|plan| plan.key() == text)
            .ok_or_else(|| UnknownPlan(text.to_owned()))
    }
}

/// The value of an account's `plan` on the wire (`PlanEnum`: `enterprise`, `team_2022`, …),
/// which means one of the four tiers, or none (a cancelled account).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct AccountPlan(String);

impl AccountPlan {
    /// Wraps the stored or configured value; an unknown one means no tier.
    #[must_use]
    pub fn new(key: impl Into<String>) -> Self {
        Self(key.into())
    }

    /// The value as the wire has it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The tier that it means, by the catalogue's table; `None` offers no permission set.
    #[must_use]
    pub fn tier(&self) -> Option<Plan> {
        catalogue().tier(&self.0)
    }
}

impl From<Plan> for AccountPlan {
    /// The value that a new account on this tier gets (the newest of the document's `PlanEnum`
    /// that has no year where one without a year is there).
    fn from(plan: Plan) -> Self {
        let key = match plan {
            Plan::Developer => "developer",
            Plan::Starter => "starter_2025",
            Plan::Team => "team",
            Plan::Enterprise => "enterprise",
        };
        Self(key.to_owned())
    }
}
