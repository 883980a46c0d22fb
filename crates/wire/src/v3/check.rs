//! May this token do that here? A documented addition of Narrowgate.

use domain::{
    ProjectId, ServiceTokenId,
    authz::{Access, Action, Category, PermissionSet, ResourceKind, Scope},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Invalid;

/// One question.
#[derive(Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CheckRequest {
    /// The kind of resource, such as `runs`; required.
    pub resource: Option<String>,
    /// `read` or `write`; required.
    pub action: Option<String>,
    /// In which project; null asks whether anywhere.
    pub project_id: Option<i64>,
    /// In an environment of which category: development, staging, production or other.
    pub environment_category: Option<String>,
    /// Which service token; null is the one that asks.
    pub service_token_id: Option<i64>,
}

/// The question, read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Check {
    /// The action.
    pub action: Action,
    /// In which project.
    pub project: Option<ProjectId>,
    /// In an environment of which category.
    pub category: Option<Category>,
    /// Which service token.
    pub token: Option<ServiceTokenId>,
}

impl TryFrom<CheckRequest> for Check {
    type Error = Invalid;

    fn try_from(asked: CheckRequest) -> Result<Self, Invalid> {
        let mut bad = Invalid::collector();
        let kind = match asked.resource {
            Some(text) => bad.take("resource", text.parse::<ResourceKind>()),
            None => bad.take("resource", Err("is required")),
        };
        let access = match asked.action.as_deref() {
            Some("read") => Some(Access::Read),
            Some("write") => Some(Access::Write),
            Some(_) => bad.take("action", Err("must be read or write")),
            None => bad.take("action", Err("is required")),
        };
        let project = asked.project_id.and_then(|id| bad.take("project_id", ProjectId::new(id)));
        let token = asked
            .service_token_id
            .and_then(|id| bad.take("service_token_id", ServiceTokenId::new(id)));
        let category = asked.environment_category.and_then(|text| {
            let found = Category::ALL.into_iter().find(|category| category.key() == text);
            let form = "must be development, staging, production or other";
            bad.take("environment_category", found.ok_or(form))
        });
        if category.is_some() && project.is_none() {
            bad.note("project_id", "is required where environment_category is given");
        }
        bad.finish()?;
        match (kind, access) {
            (Some(on), Some(access)) => {
                Ok(Self { action: Action { access, on }, project, category, token })
            }
            _ => Err(Invalid::field("resource", "is required")),
        }
    }
}

/// The answer, with its reason.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct CheckAnswer {
    /// Yes or no.
    pub allowed: bool,
    /// Why not; null if allowed.
    pub reason: Option<String>,
    /// The kind of resource that was asked about.
    pub resource: String,
    /// The access that was asked about.
    pub action: String,
    /// The project that was asked about.
    pub project_id: Option<i64>,
    /// Where the action is allowed at all.
    pub projects: CheckProjects,
    /// The smallest permission sets that would hold the action; empty if it is allowed.
    pub permission_sets: Vec<NamedSet>,
}

/// Where an action is allowed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum CheckProjects {
    /// `"all"`
    All(AllProjects),
    /// The ids of some projects; may be empty.
    Only(Vec<i64>),
}

/// The word `all`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AllProjects {
    /// Every project.
    All,
}

/// A permission set by key and label.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct NamedSet {
    /// The wire's spelling.
    pub key: String,
    /// The name that people read.
    pub label: String,
}

impl From<&Scope> for CheckProjects {
    fn from(scope: &Scope) -> Self {
        if scope.everywhere().is_empty() {
            Self::Only(scope.named_projects().map(|(project, _)| project.get()).collect())
        } else {
            Self::All(AllProjects::All)
        }
    }
}

impl From<PermissionSet> for NamedSet {
    fn from(set: PermissionSet) -> Self {
        Self { key: set.key().to_owned(), label: set.label().to_owned() }
    }
}
