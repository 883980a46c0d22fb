//! May this token do that here? A documented addition of Narrowgate.

use std::net::IpAddr;

use domain::{
    EnvironmentId, JobId, ProjectId, ServiceTokenId, Timestamp,
    authz::{Access, Action, Category, PermissionSet, ResourceKind, Scope},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Invalid;

/// The most questions of one request.
const MOST: usize = 1_000;

/// One question, or up to 1,000 in `questions`, which then stand for it.
#[derive(Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CheckRequest {
    /// The kind of resource, such as `runs`; required.
    pub resource: Option<String>,
    /// `read` or `write`; required.
    pub action: Option<String>,
    /// In which project; null asks whether anywhere.
    pub project_id: Option<i64>,
    /// On which environment, or what is in it.
    pub environment_id: Option<i64>,
    /// On which job, or its runs.
    pub job_id: Option<i64>,
    /// In an environment of which category: development, staging, production or other.
    pub environment_category: Option<String>,
    /// From which address; null is the caller's own for its own token, and any for another.
    pub address: Option<String>,
    /// When; null is now.
    pub at: Option<String>,
    /// Which service token; null is the one that asks.
    pub service_token_id: Option<i64>,
    /// Several questions, all about that token.
    pub questions: Option<Vec<CheckQuestion>>,
}

/// One question of several.
#[derive(Debug, Default, Clone, Deserialize, Serialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CheckQuestion {
    /// The kind of resource, such as `runs`; required.
    pub resource: Option<String>,
    /// `read` or `write`; required.
    pub action: Option<String>,
    /// In which project; null asks whether anywhere.
    pub project_id: Option<i64>,
    /// On which environment, or what is in it.
    pub environment_id: Option<i64>,
    /// On which job, or its runs.
    pub job_id: Option<i64>,
    /// In an environment of which category: development, staging, production or other.
    pub environment_category: Option<String>,
    /// From which address.
    pub address: Option<String>,
    /// When; null is now.
    pub at: Option<String>,
}

/// A question, read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Check {
    /// The action.
    pub action: Action,
    /// In which project.
    pub project: Option<ProjectId>,
    /// On which environment.
    pub environment: Option<EnvironmentId>,
    /// On which job.
    pub job: Option<JobId>,
    /// In an environment of which category.
    pub category: Option<Category>,
    /// From which address.
    pub address: Option<IpAddr>,
    /// When.
    pub at: Option<Timestamp>,
}

/// What is asked, and about whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checks {
    /// Which service token; `None` is the one that asks.
    pub token: Option<ServiceTokenId>,
    /// The questions.
    pub questions: Vec<Check>,
    /// Whether one was asked by itself, and is answered so.
    pub alone: bool,
}

impl TryFrom<CheckRequest> for Checks {
    type Error = Invalid;

    fn try_from(asked: CheckRequest) -> Result<Self, Invalid> {
        let mut bad = Invalid::collector();
        let token = asked
            .service_token_id
            .and_then(|id| bad.take("service_token_id", ServiceTokenId::new(id)));
        let own = CheckQuestion {
            resource: asked.resource,
            action: asked.action,
            project_id: asked.project_id,
            environment_id: asked.environment_id,
            job_id: asked.job_id,
            environment_category: asked.environment_category,
            address: asked.address,
            at: asked.at,
        };
        let alone = asked.questions.is_none();
        let mut questions = Vec::new();
        match asked.questions {
            None => match own.read() {
                Ok(question) => questions.push(question),
                Err(Invalid { reasons }) => {
                    for (field, reason) in reasons {
                        bad.note(&field, reason);
                    }
                }
            },
            Some(asked) if own.says_something() || asked.is_empty() || asked.len() > MOST => {
                bad.note("questions", format!("stands alone, with 1 to {MOST} questions"));
            }
            Some(asked) => {
                for (place, question) in asked.iter().enumerate() {
                    match question.read() {
                        Ok(question) => questions.push(question),
                        Err(Invalid { reasons }) => {
                            for (field, reason) in reasons {
                                bad.note(&format!("questions[{place}].{field}"), reason);
                            }
                        }
                    }
                }
            }
        }
        bad.finish()?;
        Ok(Self { token, questions, alone })
    }
}

impl CheckQuestion {
    fn says_something(&self) -> bool {
        let texts = [&self.resource, &self.action, &self.environment_category, &self.address];
        let ids = [self.project_id, self.environment_id, self.job_id];
        texts.iter().any(|text| text.is_some())
            || self.at.is_some()
            || ids.iter().any(Option::is_some)
    }

    fn read(&self) -> Result<Check, Invalid> {
        let mut bad = Invalid::collector();
        let on = match &self.resource {
            Some(text) => bad.take("resource", text.parse::<ResourceKind>()),
            None => bad.take("resource", Err("is required")),
        };
        let access = match self.action.as_deref() {
            Some("read") => Some(Access::Read),
            Some("write") => Some(Access::Write),
            Some(_) => bad.take("action", Err("must be read or write")),
            None => bad.take("action", Err("is required")),
        };
        let project = self.project_id.and_then(|id| bad.take("project_id", ProjectId::new(id)));
        let environment = self.environment_id;
        let environment =
            environment.and_then(|id| bad.take("environment_id", EnvironmentId::new(id)));
        let job = self.job_id.and_then(|id| bad.take("job_id", JobId::new(id)));
        let category = self.environment_category.as_deref().and_then(|text| {
            let found = Category::ALL.into_iter().find(|category| category.key() == text);
            let form = "must be development, staging, production or other";
            bad.take("environment_category", found.ok_or(form))
        });
        if category.is_some() && project.is_none() {
            bad.note("project_id", "is required where environment_category is given");
        }
        if category.is_some() && (environment.is_some() || job.is_some()) {
            let reason = "is that of the environment: leave it out where one, or a job, is named";
            bad.note("environment_category", reason);
        }
        let address = self.address.as_deref().and_then(|text| {
            bad.take("address", text.parse::<IpAddr>().map_err(|_| "must be an IP address"))
        });
        let at = self.at.as_deref().and_then(|text| bad.take("at", Timestamp::parse(text)));
        bad.finish()?;
        match (on, access) {
            (Some(on), Some(access)) => {
                let action = Action { access, on };
                Ok(Check { action, project, environment, job, category, address, at })
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
    /// What a request would be answered with: 401, 403 or 404; null if allowed.
    pub status: Option<u16>,
    /// The rule that refuses, where a 403 would name one.
    pub rule: Option<String>,
    /// Which restriction, if it is one.
    pub restriction: Option<String>,
    /// The kind of resource that was asked about.
    pub resource: String,
    /// The access that was asked about.
    pub action: String,
    /// The project that was asked about.
    pub project_id: Option<i64>,
    /// Where the action is allowed at all.
    pub projects: CheckProjects,
    /// The smallest permission sets that would hold the action; empty if it is allowed, or if no
    /// grant would help.
    pub permission_sets: Vec<NamedSet>,
}

/// The answers to several questions, in their order.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct CheckAnswers {
    /// One each.
    pub answers: Vec<CheckAnswer>,
}

/// The answer to one question, or to several.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum Checked {
    /// To one.
    One(CheckAnswer),
    /// To several.
    Many(CheckAnswers),
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
