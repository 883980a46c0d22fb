//! What a service token was used for, and by whom: a documented addition.

use domain::{
    ProjectId,
    authz::{Level, Use, UsedAt, catalogue},
    service_token::ServiceToken,
    token_use::{Day, Days, InvalidDays, RefusalCount, Sender, TokenUses, UseCount},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::usage::parameter;
use crate::{Invalid, ListParams};

/// Who depends on a token, and for what.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct TokenUse {
    /// The token.
    pub service_token_id: i64,
    /// What people call it.
    pub name: String,
    /// How many days are told: today and the days before, by UTC.
    pub days: u16,
    /// The first of them.
    pub since: String,
    /// When it last authorised a request.
    pub last_used: Option<String>,
    /// How many decisions allowed it something.
    pub allowed: u64,
    /// How many refused it something.
    pub refused: u64,
    /// What it was allowed, by action and place.
    pub actions: Vec<ActionUse>,
    /// What it was refused, by action.
    pub refusals: Vec<ActionRefusal>,
    /// Who used it, at most 100, the last first.
    pub senders: Vec<TokenSender>,
}

/// An action that a token was used for, in one place.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ActionUse {
    /// Where.
    #[serde(flatten)]
    pub used: PlacedAction,
    /// How often it was allowed.
    pub allowed: u64,
    /// On how many of the days.
    pub days: u64,
    /// The first of them.
    pub first_day: String,
    /// The last.
    pub last_day: String,
}

/// An action, and where it was used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PlacedAction {
    /// The kind of resource, such as `runs`.
    pub resource: String,
    /// `read` or `write`.
    pub action: String,
    /// `account`: on what belongs to the account. `project`: in the project that is named.
    /// `everywhere`: wherever the token reaches, such as by a list that names no project.
    /// `somewhere`: without reaching anything, such as an object that is not there.
    pub reach: String,
    /// The project; null unless the reach is `project`.
    pub project_id: Option<i64>,
    /// The category of environment; null if it is none or not known.
    pub environment_category: Option<String>,
}

/// An action that a token was refused.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ActionRefusal {
    /// The kind of resource, such as `runs`.
    pub resource: String,
    /// `read` or `write`.
    pub action: String,
    /// How often.
    pub refused: u64,
    /// The last day on which it was.
    pub last_day: String,
}

/// Somebody who uses a token.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct TokenSender {
    /// From where; null is not known.
    pub address: Option<String>,
    /// The `User-Agent`.
    pub agent: String,
    /// When they were first seen with it.
    pub first_used: String,
    /// When they were last, to within ten seconds.
    pub last_used: String,
    /// How many requests they have sent since the first.
    pub requests: u64,
}

/// The days that `days` asks for: 90 unless it says another number from 1 to 400.
///
/// # Errors
/// [`Invalid`] names `days`.
pub fn asked_days(params: &ListParams) -> Result<Days, Invalid> {
    let asked = parameter(params, "days").map_or(Ok(Days::USUAL), str::parse);
    asked.map_err(|error: InvalidDays| Invalid::field("days", error))
}

impl TokenUse {
    /// What is known of a token's use in these days.
    #[must_use]
    pub fn new(token: &ServiceToken, days: Days, since: Day, uses: &TokenUses) -> Self {
        Self {
            service_token_id: token.id.get(),
            name: token.name.to_string(),
            days: days.get(),
            since: day(since),
            last_used: token.last_used.map(|time| time.to_string()),
            allowed: uses.allowed.iter().map(|count| count.allowed).sum(),
            refused: uses.refused.iter().map(|count| count.refused).sum(),
            actions: uses.allowed.iter().map(ActionUse::from).collect(),
            refusals: uses.refused.iter().map(ActionRefusal::from).collect(),
            senders: uses.senders.iter().map(TokenSender::from).collect(),
        }
    }
}

/// `2026-11-24`
fn day(day: Day) -> String {
    let time = day.begins().map(|time| time.to_string()).unwrap_or_default();
    time.get(..10).unwrap_or_default().to_owned()
}

impl From<&UseCount> for ActionUse {
    fn from(count: &UseCount) -> Self {
        Self {
            used: PlacedAction::from(&count.used),
            allowed: count.allowed,
            days: count.days,
            first_day: day(count.first),
            last_day: day(count.last),
        }
    }
}

impl From<&Use> for PlacedAction {
    fn from(used: &Use) -> Self {
        let (project, category) = match used.at {
            UsedAt::Somewhere | UsedAt::Wherever => (None, None),
            UsedAt::Project(project, category) => (Some(project), category),
        };
        let reach = match used.at {
            _ if catalogue().resource(used.action.on).level == Level::Account => "account",
            UsedAt::Somewhere => "somewhere",
            UsedAt::Wherever => "everywhere",
            UsedAt::Project(..) => "project",
        };
        Self {
            resource: used.action.on.key().to_owned(),
            action: used.action.access.key().to_owned(),
            reach: reach.to_owned(),
            project_id: project.map(ProjectId::get),
            environment_category: category.map(|category| category.key().to_owned()),
        }
    }
}

impl From<&RefusalCount> for ActionRefusal {
    fn from(count: &RefusalCount) -> Self {
        Self {
            resource: count.action.on.key().to_owned(),
            action: count.action.access.key().to_owned(),
            refused: count.refused,
            last_day: day(count.last),
        }
    }
}

impl From<&Sender> for TokenSender {
    fn from(sender: &Sender) -> Self {
        Self {
            address: sender.address.map(|address| address.to_string()),
            agent: sender.agent.clone(),
            first_used: sender.first_used.to_string(),
            last_used: sender.last_used.to_string(),
            requests: sender.requests,
        }
    }
}
