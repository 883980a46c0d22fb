//! Runs: one execution of a job, from the queue to its end.

use serde::{Deserialize, Serialize};

use crate::{
    AccountId, EnvironmentId, JobId, NodeCounts, ProjectId, RunId, StepId, Timestamp,
    authz::PrincipalId,
    environment::{BranchName, EnvironmentSpec},
    job::{DbtCommand, JobSpec},
    webhook::GitHookKey,
};

/// One run of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "facts that hold or not, each by itself")]
pub struct Run {
    /// Its id.
    pub id: RunId,
    /// The account that it belongs to.
    pub account: AccountId,
    /// The project of its job.
    pub project: ProjectId,
    /// The environment that it runs in.
    pub environment: EnvironmentId,
    /// Its job.
    pub job: JobId,
    /// What started it.
    pub trigger: Trigger,
    /// Where it is in its life.
    pub state: RunState,
    /// Whether it was asked to stop; a queued run stops at once.
    pub cancel_requested: bool,
    /// What it says of its state in a sentence; empty if there is nothing to say.
    pub message: String,
    /// The commit that was checked out.
    pub git_sha: Option<String>,
    /// The branch that was checked out.
    pub git_branch: Option<String>,
    /// Whether the commit was in the clone that is kept of the repository; `None` before the checkout.
    pub used_clone: Option<bool>,
    /// Whether it has generated docs (`catalog.json`).
    pub has_docs: bool,
    /// Whether it has looked at the freshness of sources (`sources.json`).
    pub has_sources: bool,
    /// The run whose artifacts it defers to.
    pub deferring: Option<RunId>,
    /// Where a failed run can be retried from, or why it cannot; `None` before a failure.
    pub retry_point: Option<RetryPoint>,
    /// Who asked it to stop.
    pub cancelled_by: Option<PrincipalId>,
    /// The worker that executes it, or did last; `None` in the queue.
    pub worker: Option<String>,
    /// When that was last heard of.
    pub heartbeat_at: Option<Timestamp>,
    /// Whether a mail has told of its end.
    pub notifications_sent: bool,
    /// What became of its models and tests so far; `None` before its first results.
    pub counts: Option<NodeCounts>,
    /// When it was queued.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// What started a run, and what it overrides for this once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trigger {
    /// Who started it.
    pub by: PrincipalId,
    /// The uid of the token that it was started with; `None` where Narrowgate started it itself.
    #[serde(default)]
    pub token: Option<String>,
    /// The run whose end started it.
    #[serde(default)]
    pub after: Option<RunId>,
    /// Why, in the caller's words: 1 to 255 characters.
    pub cause: String,
    /// The commit to check out.
    pub git_sha: Option<BranchName>,
    /// The branch to check out.
    pub git_branch: Option<BranchName>,
    /// The schema to build into.
    pub schema_override: Option<String>,
    /// The dbt version.
    pub dbt_version_override: Option<String>,
    /// How many threads dbt uses, 1 to 64.
    pub threads_override: Option<u8>,
    /// The name of the target.
    pub target_name_override: Option<String>,
    /// Whether docs are generated.
    pub generate_docs_override: Option<bool>,
    /// After how many seconds the run is ended.
    pub timeout_seconds_override: Option<u32>,
    /// What to run in place of the job's steps; not empty.
    pub steps_override: Option<Vec<DbtCommand>>,
    /// `azure_pull_request_id`
    pub azure_pull_request: Option<i64>,
    /// `github_pull_request_id`
    pub github_pull_request: Option<i64>,
    /// `gitlab_merge_request_id`
    pub gitlab_merge_request: Option<i64>,
    /// `non_native_pull_request_id`
    pub non_native_pull_request: Option<i64>,
    /// The failed run that it takes up, and where.
    #[serde(default)]
    pub retry: Option<Retry>,
    /// The hook that a git host sent it to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hook: Option<GitHookKey>,
}

/// What a run takes up of one that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retry {
    /// The failed run.
    pub run: RunId,
    /// The index of its step that failed: what it left is what dbt goes on from.
    pub step: u32,
    /// Its steps after that one.
    pub later: Vec<DbtCommand>,
}

/// Where a failed run can be retried from.
pub type RetryPoint = Result<u32, NoRetry>;

impl Run {
    /// The index of the step that it can be retried from.
    ///
    /// # Errors
    /// [`NoRetry`] says why it cannot.
    pub const fn retry_step(&self) -> RetryPoint {
        match (self.state, self.retry_point) {
            (RunState::Finished { outcome: Outcome::Error, .. }, Some(point)) => point,
            (RunState::Finished { outcome: Outcome::Error, .. }, None) => {
                Err(NoRetry::RetryNoRunResults)
            }
            _ => Err(NoRetry::RetryNotFailedRun),
        }
    }
}

/// Why a run cannot be retried; the wire's `RETRY_…` words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum NoRetry {
    /// What failed is a command that dbt cannot take up again.
    RetryUnsupportedCmd,
    /// Its dbt is older than `dbt retry`.
    RetryUnsupportedVersion,
    /// The job has a newer run.
    RetryNotLatestRun,
    /// It has not failed.
    RetryNotFailedRun,
    /// The step that failed left no results to go on from.
    RetryNoRunResults,
}

impl NoRetry {
    /// The word of the wire.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::RetryUnsupportedCmd => "RETRY_UNSUPPORTED_CMD",
            Self::RetryUnsupportedVersion => "RETRY_UNSUPPORTED_VERSION",
            Self::RetryNotLatestRun => "RETRY_NOT_LATEST_RUN",
            Self::RetryNotFailedRun => "RETRY_NOT_FAILED_RUN",
            Self::RetryNoRunResults => "RETRY_NO_RUN_RESULTS",
        }
    }

    /// The reason that a word stands for.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [
            Self::RetryUnsupportedCmd,
            Self::RetryUnsupportedVersion,
            Self::RetryNotLatestRun,
            Self::RetryNotFailedRun,
            Self::RetryNoRunResults,
        ]
        .into_iter()
        .find(|reason| reason.word() == word)
    }
}

impl std::fmt::Display for NoRetry {
    /// For a person.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::RetryUnsupportedCmd => "dbt cannot take up the command that failed",
            Self::RetryUnsupportedVersion => "its dbt is older than 1.6",
            Self::RetryNotLatestRun => "the job has a newer run",
            Self::RetryNotFailedRun => "the run has not failed",
            Self::RetryNoRunResults => "the step that failed left no results to go on from",
        })
    }
}

/// Whether dbt of this version knows `dbt retry` (since 1.6). What is no number is the newest.
#[must_use]
pub fn knows_retry(dbt_version: &str) -> bool {
    is_since(dbt_version, 6)
}

/// Whether dbt of this version writes its documentation into one file (`--static`, since 1.7).
#[must_use]
pub fn knows_static_docs(dbt_version: &str) -> bool {
    is_since(dbt_version, 7)
}

/// Whether it is 1.`minor` or newer. What is no number is the newest.
fn is_since(dbt_version: &str, minor: u32) -> bool {
    let mut numbers = dbt_version.split('.').map(str::parse::<u32>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(0)), _) => false,
        (Some(Ok(1)), Some(Ok(of))) => of >= minor,
        _ => true,
    }
}

impl Trigger {
    /// A trigger that overrides nothing.
    #[must_use]
    pub const fn plain(by: PrincipalId, cause: String) -> Self {
        Self {
            by,
            token: None,
            after: None,
            cause,
            git_sha: None,
            git_branch: None,
            schema_override: None,
            dbt_version_override: None,
            threads_override: None,
            target_name_override: None,
            generate_docs_override: None,
            timeout_seconds_override: None,
            steps_override: None,
            azure_pull_request: None,
            github_pull_request: None,
            gitlab_merge_request: None,
            non_native_pull_request: None,
            retry: None,
            hook: None,
        }
    }

    /// The version of dbt that a run asks for: the trigger's, else the job's, else the
    /// environment's.
    #[must_use]
    pub fn dbt_version<'a>(
        &'a self,
        job: &'a JobSpec,
        environment: &'a EnvironmentSpec,
    ) -> &'a str {
        let version = self.dbt_version_override.as_ref().or(job.dbt_version.as_ref());
        version.unwrap_or(&environment.dbt_version)
    }

    /// Whether it was started for a pull request; such runs of one job need not wait for each
    /// other.
    #[must_use]
    pub const fn is_for_pull_request(&self) -> bool {
        self.azure_pull_request.is_some()
            || self.github_pull_request.is_some()
            || self.gitlab_merge_request.is_some()
            || self.non_native_pull_request.is_some()
    }
}

/// How a run or a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// 10
    Success,
    /// 20
    Error,
    /// 30
    Cancelled,
}

/// Where a run is in its life. A time exists exactly when its state has been reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunState {
    /// 1: it waits for a slot.
    Queued,
    /// 2: a worker has claimed it and prepares.
    Starting {
        /// When it left the queue.
        dequeued_at: Timestamp,
    },
    /// 3: its steps run.
    Running {
        /// When it left the queue.
        dequeued_at: Timestamp,
        /// When its first step began.
        started_at: Timestamp,
    },
    /// 10, 20 or 30.
    Finished {
        /// How.
        outcome: Outcome,
        /// When it left the queue; `None` if it was cancelled there.
        dequeued_at: Option<Timestamp>,
        /// When its first step began; `None` if none did.
        started_at: Option<Timestamp>,
        /// When it ended.
        finished_at: Timestamp,
    },
}

/// The number of a state on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunStatus(u8);

/// The number is no run status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a run status: 1, 2, 3, 10, 20 or 30")]
pub struct UnknownRunStatus;

impl RunStatus {
    /// 1
    pub const QUEUED: Self = Self(1);
    /// 2
    pub const STARTING: Self = Self(2);
    /// 3
    pub const RUNNING: Self = Self(3);
    /// 10
    pub const SUCCESS: Self = Self(10);
    /// 20
    pub const ERROR: Self = Self(20);
    /// 30
    pub const CANCELLED: Self = Self(30);
    /// Every status, in the order of a run's life.
    pub const ALL: [Self; 6] =
        [Self::QUEUED, Self::STARTING, Self::RUNNING, Self::SUCCESS, Self::ERROR, Self::CANCELLED];

    /// The one way in for a number.
    ///
    /// # Errors
    /// [`UnknownRunStatus`] if it is none of the six.
    pub fn new(code: i64) -> Result<Self, UnknownRunStatus> {
        Self::ALL.into_iter().find(|status| i64::from(status.0) == code).ok_or(UnknownRunStatus)
    }

    /// The number.
    #[must_use]
    pub const fn code(self) -> u8 {
        self.0
    }

    /// `Queued`, `Starting`, `Running`, `Success`, `Error` or `Cancelled`.
    #[must_use]
    pub const fn humanized(self) -> &'static str {
        match self.0 {
            1 => "Queued",
            2 => "Starting",
            3 => "Running",
            10 => "Success",
            20 => "Error",
            _ => "Cancelled",
        }
    }
}

impl From<Outcome> for RunStatus {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Success => Self::SUCCESS,
            Outcome::Error => Self::ERROR,
            Outcome::Cancelled => Self::CANCELLED,
        }
    }
}

/// The run has ended: it can neither go on nor be cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("run `{0}` has already finished")]
pub struct AlreadyFinished(pub RunId);

impl RunState {
    /// The number of the state on the wire.
    #[must_use]
    pub fn status(self) -> RunStatus {
        match self {
            Self::Queued => RunStatus::QUEUED,
            Self::Starting { .. } => RunStatus::STARTING,
            Self::Running { .. } => RunStatus::RUNNING,
            Self::Finished { outcome, .. } => outcome.into(),
        }
    }

    /// When it left the queue.
    #[must_use]
    pub const fn dequeued_at(self) -> Option<Timestamp> {
        match self {
            Self::Queued => None,
            Self::Starting { dequeued_at } | Self::Running { dequeued_at, .. } => Some(dequeued_at),
            Self::Finished { dequeued_at, .. } => dequeued_at,
        }
    }

    /// When its first step began.
    #[must_use]
    pub const fn started_at(self) -> Option<Timestamp> {
        match self {
            Self::Queued | Self::Starting { .. } => None,
            Self::Running { started_at, .. } => Some(started_at),
            Self::Finished { started_at, .. } => started_at,
        }
    }

    /// When it ended.
    #[must_use]
    pub const fn finished_at(self) -> Option<Timestamp> {
        match self {
            Self::Queued | Self::Starting { .. } | Self::Running { .. } => None,
            Self::Finished { finished_at, .. } => Some(finished_at),
        }
    }

    /// Whether it has ended.
    #[must_use]
    pub const fn is_finished(self) -> bool {
        matches!(self, Self::Finished { .. })
    }

    /// Ends it; `None` if it has ended.
    #[must_use]
    pub fn finish(self, outcome: Outcome, at: Timestamp) -> Option<Self> {
        (!self.is_finished()).then_some(Self::Finished {
            outcome,
            dequeued_at: self.dequeued_at(),
            started_at: self.started_at(),
            finished_at: at,
        })
    }
}

/// One step of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunStep {
    /// Its id.
    pub id: StepId,
    /// Its run.
    pub run: RunId,
    /// Counted from 1; 1 to 3 set the run up.
    pub index: u32,
    /// Such as ``Invoke dbt with `dbt build` ``.
    pub name: String,
    /// Where it is.
    pub state: StepState,
    /// How far dbt has come in it, if it runs nodes.
    pub progress: Option<Progress>,
    /// When its row was made.
    pub created_at: Timestamp,
}

/// How many nodes of a project (models, tests, seeds, …) dbt is through with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// How many are done, well or not, or skipped; at most `total`.
    pub done: u32,
    /// How many there are.
    pub total: u32,
}

/// What can be said of a run that has not ended.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outlook {
    /// Of the newest of its steps that runs nodes.
    pub progress: Option<Progress>,
    /// How many seconds it will still take if it takes as long as is usual; 0 if it has taken longer.
    pub remaining_seconds: Option<i64>,
    /// Of one in the queue: the runs of its job that are under way, whose end it waits for.
    pub blocked_by: Vec<RunId>,
}

/// The median of how many seconds earlier runs took, without order; none of none.
#[must_use]
pub fn usual_seconds(mut earlier: Vec<i64>) -> Option<i64> {
    earlier.sort_unstable();
    let upper = *earlier.get(earlier.len() / 2)?;
    let lower = *earlier.get(earlier.len().saturating_sub(1) / 2)?;
    Some(i64::midpoint(lower, upper))
}

/// Where a step is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepState {
    /// 1: not begun.
    Queued,
    /// 3
    Running {
        /// When it began.
        started_at: Timestamp,
    },
    /// 10, 20 or 30.
    Finished {
        /// How.
        outcome: Outcome,
        /// When it began.
        started_at: Timestamp,
        /// When it ended.
        finished_at: Timestamp,
    },
    /// 40: a step before it failed, or the run was cancelled.
    Skipped,
}

impl RunStep {
    /// What stands between the back-ticks of a name such as ``Invoke dbt with `dbt build` ``.
    #[must_use]
    pub fn command(&self) -> Option<&str> {
        let (command, _) = self.name.split_once('`')?.1.rsplit_once('`')?;
        Some(command)
    }
}

impl StepState {
    /// The wire's number and word.
    #[must_use]
    pub fn status(self) -> (u8, &'static str) {
        match self {
            Self::Queued => (1, "Queued"),
            Self::Running { .. } => (3, "Running"),
            Self::Finished { outcome, .. } => {
                let status = RunStatus::from(outcome);
                (status.code(), status.humanized())
            }
            Self::Skipped => (40, "Skipped"),
        }
    }
}
