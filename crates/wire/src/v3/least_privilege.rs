//! What a service token could be narrowed to by what it was used for: a documented addition.

use domain::{
    authz::{Lost, Proposal, Scope, Use},
    service_token::ServiceToken,
    token_use::{Days, TokenUses},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{PermissionGrant, PlacedAction};
use crate::Invalid;

/// The smallest grants that still hold everything that a token was used for.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct LeastPrivilege {
    /// The token.
    pub service_token_id: i64,
    /// What people call it.
    pub name: String,
    /// How many days were looked at.
    pub days: u16,
    /// Names this proposal for the token as it is; applying it asks for the name.
    pub proposal_id: String,
    /// Whether the token has what is proposed already.
    pub is_narrow: bool,
    /// Whether it is known that there are no smaller grants.
    pub is_smallest: bool,
    /// What it has now.
    pub current_grants: Vec<PermissionGrant>,
    /// What is proposed.
    pub proposed_grants: Vec<PermissionGrant>,
    /// What the proposal goes by.
    pub uses: Vec<PlacedAction>,
    /// Of these, what the token's grants hold no longer: nothing is kept for it.
    pub uses_not_held: Vec<PlacedAction>,
    /// How many of the uses were decided again under what is proposed.
    pub replayed: u64,
    /// The uses that would have been refused: none, or it cannot be applied.
    pub failing: Vec<PlacedAction>,
    /// What the token would hold no longer.
    pub rights_lost: Vec<RightLost>,
    /// When it was narrowed, if what it had before can be given back.
    pub undoable_since: Option<String>,
}

/// An action of which something is taken away.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RightLost {
    /// The kind of resource, such as `runs`.
    pub resource: String,
    /// `read` or `write`.
    pub action: String,
    /// Where it is allowed now.
    pub before: Reach,
    /// Where it would still be.
    pub after: Reach,
}

/// Where an action is allowed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Reach {
    /// In environments of which categories in all projects: `all`, or some; none if empty.
    pub all_projects: Vec<String>,
    /// Where more than that is allowed.
    pub projects: Vec<ProjectReached>,
}

/// A project in which an action is allowed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProjectReached {
    /// The project.
    pub project_id: i64,
    /// In environments of which categories: `all`, or some.
    pub environment_categories: Vec<String>,
}

/// The body that narrows a token. Other keys are ignored.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct NarrowBody {
    /// The proposal as it was read; required.
    pub proposal_id: Option<String>,
    /// How many days it goes by; 90 unless it is said.
    pub days: Option<u16>,
}

impl NarrowBody {
    /// The days, and the name of the proposal.
    ///
    /// # Errors
    /// [`Invalid`] names what is missing or no number of days.
    pub fn read(self) -> Result<(Days, String), Invalid> {
        let mut bad = Invalid::collector();
        let days = self.days.map_or(Some(Days::USUAL), |days| bad.take("days", Days::new(days)));
        let name = bad.take("proposal_id", self.proposal_id.ok_or("is required"));
        bad.finish()?;
        let name = name.ok_or_else(|| Invalid::field("proposal_id", "is required"))?;
        Ok((days.unwrap_or(Days::USUAL), name))
    }
}

impl LeastPrivilege {
    /// What is proposed for a token; the rest is filled in by whoever reckoned it.
    #[must_use]
    pub fn new(token: &ServiceToken, uses: &TokenUses, proposal: &Proposal) -> Self {
        let grants = |grants: &[domain::authz::Grant]| {
            let mut rows: Vec<_> = grants.iter().flat_map(PermissionGrant::of).collect();
            rows.sort_by(|a, b| {
                (&a.permission_set, a.project_id).cmp(&(&b.permission_set, b.project_id))
            });
            rows
        };
        let (current, proposed) = (grants(&token.granted()), grants(&proposal.grants));
        let uses = uses.uses();
        Self {
            service_token_id: token.id.get(),
            name: token.name.to_string(),
            days: Days::USUAL.get(),
            proposal_id: String::new(),
            is_narrow: current == proposed,
            is_smallest: proposal.is_smallest,
            current_grants: current,
            proposed_grants: proposed,
            replayed: (uses.len() - proposal.not_held.len()) as u64,
            uses: placed(&uses),
            uses_not_held: placed(&proposal.not_held),
            failing: Vec::new(),
            rights_lost: Vec::new(),
            undoable_since: None,
        }
    }
}

/// Uses, as the wire has them.
#[must_use]
pub fn placed(uses: &[Use]) -> Vec<PlacedAction> {
    uses.iter().map(PlacedAction::from).collect()
}

impl From<&Lost> for RightLost {
    fn from(lost: &Lost) -> Self {
        Self {
            resource: lost.action.on.key().to_owned(),
            action: lost.action.access.key().to_owned(),
            before: Reach::from(&lost.before),
            after: Reach::from(&lost.after),
        }
    }
}

impl From<&Scope> for Reach {
    fn from(scope: &Scope) -> Self {
        let words = |categories: domain::authz::Categories| {
            categories.words().into_iter().map(str::to_owned).collect()
        };
        let project = |(project, categories): (domain::ProjectId, _)| ProjectReached {
            project_id: project.get(),
            environment_categories: words(categories),
        };
        Self {
            all_projects: words(scope.everywhere()),
            projects: scope.named_projects().map(project).collect(),
        }
    }
}
