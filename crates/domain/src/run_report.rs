//! What is told of a run to those outside: by webhooks and by mail.

use serde::{Deserialize, Serialize};

use crate::{
    AccountId, EnvironmentId, JobId, ProjectId, RunId, Timestamp, run::Outcome, webhook::EventType,
};

/// A run at the moment when something came to pass with it; names are those of that moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunReport {
    /// The account that it belongs to.
    pub account: AccountId,
    /// The project of its job.
    pub project: ProjectId,
    /// What that is called.
    pub project_name: String,
    /// The environment that it runs in.
    pub environment: EnvironmentId,
    /// What that is called.
    pub environment_name: String,
    /// Its job.
    pub job: JobId,
    /// What that is called.
    pub job_name: String,
    /// The run.
    pub run: RunId,
    /// The version of dbt that it was queued with.
    pub dbt_version: String,
    /// Why it was started, in the caller's words.
    pub cause: String,
    /// What came to pass.
    pub stage: Stage,
    /// How many data tests and sources it warned of.
    #[serde(default)]
    pub warnings: u64,
    /// What it says of its state; empty if there is nothing to say.
    pub message: String,
    /// When its first step began; `None` if none did.
    pub started_at: Option<Timestamp>,
    /// When it came to pass.
    pub at: Timestamp,
}

/// What comes to pass with a run that others are told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Its first step began.
    Started,
    /// It ended, and its artifacts are there.
    Ended(Outcome),
}

impl Stage {
    /// The events that webhooks are sent of it: a failure is an end as well.
    ///
    /// Source: docs.getdbt.com/docs/deploy/webhooks, completed and errored events.
    #[must_use]
    pub const fn event_types(self) -> &'static [EventType] {
        match self {
            Self::Started => &[EventType::Started],
            Self::Ended(Outcome::Error) => &[EventType::Errored, EventType::Completed],
            Self::Ended(Outcome::Success | Outcome::Cancelled) => &[EventType::Completed],
        }
    }
}
