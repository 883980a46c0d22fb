//! Hooks of repositories, and what is answered to git hosts: additions of ours.

use domain::{JobId, RunId, git_hook::GitHook};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The hook of a repository: what to enter at its git host.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RepositoryWebhook {
    /// The repository.
    pub repository_id: i64,
    /// Where the host sends to.
    pub url: String,
    /// What the host signs with. In the answer that makes it, and never again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// When it was made.
    pub created_at: String,
    /// When it got the secret that it has.
    pub rotated_at: String,
}

impl RepositoryWebhook {
    /// A hook of a server whose links begin like this.
    #[must_use]
    pub fn new(hook: &GitHook, public_url: &str) -> Self {
        Self {
            repository_id: hook.repository.get(),
            url: format!("{public_url}/hooks/git/{}", hook.key),
            secret: None,
            created_at: hook.created_at.to_string(),
            rotated_at: hook.rotated_at.to_string(),
        }
    }
}

/// What a git host's delivery came to.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct GitDelivery {
    /// The runs that it started.
    pub started: Vec<StartedRun>,
    /// The jobs that take part in what it tells and were not started.
    pub not_started: Vec<NotStartedJob>,
    /// Runs of older commits of the same pull request, which were asked to stop.
    pub cancelled_run_ids: Vec<i64>,
    /// Why nothing is started, where no single job is why; null if something is.
    pub message: Option<String>,
}

/// A run that a delivery started.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct StartedRun {
    /// Its job.
    pub job_id: i64,
    /// The run.
    pub run_id: i64,
}

/// A job that was not started.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct NotStartedJob {
    /// The job.
    pub job_id: i64,
    /// Why not.
    pub reason: String,
}

impl GitDelivery {
    /// Tells it.
    #[must_use]
    pub fn new(
        started: impl IntoIterator<Item = (JobId, RunId)>,
        not_started: impl IntoIterator<Item = (JobId, String)>,
        cancelled: &[RunId],
        note: Option<&str>,
    ) -> Self {
        let started = started.into_iter();
        let started: Vec<_> =
            started.map(|(job, run)| StartedRun { job_id: job.get(), run_id: run.get() }).collect();
        let not_started = not_started.into_iter();
        let not_started: Vec<_> =
            not_started.map(|(job, reason)| NotStartedJob { job_id: job.get(), reason }).collect();
        let nobody = started.is_empty() && not_started.is_empty();
        let nobody = nobody.then_some("no job of the project is started by such an event");
        Self {
            started,
            not_started,
            cancelled_run_ids: cancelled.iter().map(|run| run.get()).collect(),
            message: note.or(nobody).map(str::to_owned),
        }
    }
}
