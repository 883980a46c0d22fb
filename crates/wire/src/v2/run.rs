//! Runs (document: `RunResponse`).

use domain::{
    AccountId, ProjectId, RunId, Timestamp,
    authz::PrincipalId,
    run::{Outlook, Run as DomainRun, RunStatus, RunStep as DomainStep},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    Environment, Job, NodeCounts, RunStep, RunTrigger,
    duration::{clock, humanized},
};
use crate::v3::Repository;

/// A run of a job.
///
/// `trigger`, `job`, `environment`, `repository`, `run_retries` and `audit` are null unless asked
/// for by `include_related`; `run_steps` is empty then, as the document has it (prefect-dbt goes
/// through it unasked).
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[expect(
    missing_docs,
    clippy::struct_excessive_bools,
    reason = "field by field the document's RunResponse"
)]
pub struct Run {
    pub id: i64,
    /// The run's: each run has one trigger.
    pub trigger_id: i64,
    pub account_id: i64,
    pub environment_id: i64,
    pub project_id: i64,
    pub job_id: i64,
    pub job_definition_id: i64,
    /// 1 queued, 2 starting, 3 running, 10 success, 20 error, 30 cancelled.
    pub status: u8,
    pub status_humanized: String,
    pub status_message: Option<String>,
    pub in_progress: bool,
    pub is_running: bool,
    pub is_complete: bool,
    pub is_success: bool,
    pub is_error: bool,
    pub is_cancelled: bool,
    /// Where people see it.
    pub href: String,
    /// The override of its trigger; null takes the job's or the environment's.
    pub dbt_version: Option<String>,
    pub git_branch: Option<String>,
    pub git_sha: Option<String>,
    /// The worker that has it, while it is under way.
    pub owner_thread_id: Option<String>,
    /// The worker that has executed it last: its process and since when that is there.
    pub executed_by_thread_id: Option<String>,
    pub deferring_run_id: Option<i64>,
    /// Whether it has begun and ended: its artifacts, if any, are there.
    pub artifacts_saved: bool,
    pub artifact_s3_path: Option<String>,
    pub has_docs_generated: Option<bool>,
    pub has_sources_generated: Option<bool>,
    /// Whether a mail has told of its end.
    pub notifications_sent: bool,
    /// Of a queued run: the runs of its job that are under way.
    pub blocked_by: Vec<i64>,
    pub deprecation: Option<DeprecationWarnings>,
    pub used_repo_cache: Option<bool>,
    pub created_at: String,
    pub updated_at: String,
    pub dequeued_at: Option<String>,
    pub started_at: Option<String>,
    /// Sorts as text.
    pub finished_at: Option<String>,
    pub last_checked_at: Option<String>,
    /// When its worker was last heard of, at most 5 s ago while that is alive.
    pub last_heartbeat_at: Option<String>,
    pub should_start_at: Option<String>,
    /// From the queue to the end, or to now: `HH:MM:SS`.
    pub duration: String,
    /// From the queue to a worker.
    pub queued_duration: String,
    /// From the first step to the end, or to now.
    pub run_duration: String,
    pub duration_humanized: String,
    pub queued_duration_humanized: String,
    pub run_duration_humanized: String,
    pub created_at_humanized: String,
    pub finished_at_humanized: Option<String>,
    /// The failed run that it takes up.
    pub retrying_run_id: Option<i64>,
    /// Whether it has failed, is the newest of its job, and left what dbt can go on from.
    pub can_retry: bool,
    /// `RETRY_UNSUPPORTED_CMD`, `RETRY_UNSUPPORTED_VERSION`, `RETRY_NOT_LATEST_RUN`,
    /// `RETRY_NOT_FAILED_RUN` or `RETRY_NO_RUN_RESULTS`.
    pub retry_not_supported_reason: Option<String>,
    /// The runs that take this one up.
    #[schema(no_recursion)]
    pub run_retries: Option<Vec<Run>>,
    pub trigger: Option<RunTrigger>,
    /// The client has no use for it.
    #[serde(skip_deserializing)]
    #[schema(no_recursion)]
    pub job: Option<Box<Job>>,
    pub environment: Option<Environment>,
    /// The project's.
    pub repository: Option<Repository>,
    pub run_steps: Vec<RunStep>,
    pub audit: Option<RunAudit>,
    /// What became of its models and tests so far, all steps together; null before the first results.
    /// An addition, like the three after it.
    pub counts: Option<NodeCounts>,
    /// Of a run under way: how many nodes dbt is through with in the newest step that runs nodes.
    pub nodes_done: Option<u32>,
    /// How many there are in that step.
    pub nodes_total: Option<u32>,
    /// Of one run under way: the seconds that it will still take, by the median of the job's last ten
    /// runs that went well. Null in lists.
    pub estimated_remaining_seconds: Option<i64>,
}

/// How many deprecations dbt warned of.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DeprecationWarnings {
    /// How many.
    pub count: u32,
}

/// Who did what to a run.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RunAudit {
    /// Who started it.
    pub trigger: Option<RunAuditEvent>,
    /// Who asked it to stop, if anybody did.
    pub cancellation: Option<RunAuditEvent>,
}

/// Something that was done.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RunAuditEvent {
    /// Who did it.
    pub actor: RunAuditActor,
}

/// Who did something.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RunAuditActor {
    /// Its id.
    pub id: String,
    /// `service_token`, `user` or `system`.
    pub r#type: String,
    /// What people call it; null where the audit log has to be asked.
    pub name: Option<String>,
}

impl Run {
    /// A run without related objects. `public_url` is what links begin with, without a slash at
    /// its end.
    #[must_use]
    pub fn new(run: &DomainRun, public_url: &str, now: Timestamp) -> Self {
        let (status, state) = (run.state.status(), run.state);
        let (started, finished) = (state.started_at(), state.finished_at());
        let until = finished.unwrap_or(now);
        let whole = until.seconds_since(run.created_at);
        let queued = state.dequeued_at().unwrap_or(until).seconds_since(run.created_at);
        let working = started.map_or(0, |started| until.seconds_since(started));
        let text = |time: Timestamp| time.to_string();
        let ago = |time: Timestamp| format!("{} ago", humanized(now.seconds_since(time)));
        Self {
            id: run.id.get(),
            trigger_id: run.id.get(),
            account_id: run.account.get(),
            environment_id: run.environment.get(),
            project_id: run.project.get(),
            job_id: run.job.get(),
            job_definition_id: run.job.get(),
            status: status.code(),
            status_humanized: status.humanized().to_owned(),
            status_message: Some(run.message.clone()).filter(|message| !message.is_empty()),
            in_progress: !state.is_finished(),
            is_running: status == RunStatus::RUNNING,
            is_complete: state.is_finished(),
            is_success: status == RunStatus::SUCCESS,
            is_error: status == RunStatus::ERROR,
            is_cancelled: status == RunStatus::CANCELLED,
            href: run_href(public_url, run.account, run.project, run.id),
            dbt_version: run.trigger.dbt_version_override.clone(),
            git_branch: run.git_branch.clone(),
            git_sha: run.git_sha.clone(),
            owner_thread_id: run.worker.clone().filter(|_| !state.is_finished()),
            executed_by_thread_id: run.worker.clone(),
            deferring_run_id: run.deferring.map(Into::into),
            artifacts_saved: finished.is_some() && started.is_some(),
            artifact_s3_path: None,
            has_docs_generated: Some(run.has_docs),
            has_sources_generated: Some(run.has_sources),
            notifications_sent: run.notifications_sent,
            blocked_by: Vec::new(),
            deprecation: None,
            used_repo_cache: run.used_clone,
            created_at: text(run.created_at),
            updated_at: text(run.updated_at),
            dequeued_at: state.dequeued_at().map(text),
            started_at: started.map(text),
            finished_at: finished.map(text),
            last_checked_at: run.heartbeat_at.map(text),
            last_heartbeat_at: run.heartbeat_at.map(text),
            should_start_at: Some(text(run.created_at)),
            duration: clock(whole),
            queued_duration: clock(queued),
            run_duration: clock(working),
            duration_humanized: humanized(whole),
            queued_duration_humanized: humanized(queued),
            run_duration_humanized: humanized(working),
            created_at_humanized: ago(run.created_at),
            finished_at_humanized: finished.map(ago),
            retrying_run_id: run.trigger.retry.as_ref().map(|retry| retry.run.get()),
            can_retry: run.retry_step().is_ok(),
            retry_not_supported_reason: run.retry_step().err().map(|why| why.word().to_owned()),
            run_retries: None,
            trigger: None,
            job: None,
            environment: None,
            repository: None,
            run_steps: Vec::new(),
            audit: None,
            counts: run.counts.map(Into::into),
            nodes_done: None,
            nodes_total: None,
            estimated_remaining_seconds: None,
        }
    }

    /// The same, with what can be said of it as long as it has not ended.
    #[must_use]
    pub fn with_outlook(self, outlook: Outlook) -> Self {
        Self {
            nodes_done: outlook.progress.map(|progress| progress.done),
            nodes_total: outlook.progress.map(|progress| progress.total),
            estimated_remaining_seconds: outlook.remaining_seconds,
            blocked_by: outlook.blocked_by.into_iter().map(RunId::get).collect(),
            ..self
        }
    }
}

/// What of a failed run is to be done again (document: `RunFailureDetailsResponse`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct RunFailureDetails {
    /// The name of the step that failed.
    pub failed_step: Option<String>,
    /// The names of the steps after it, which were skipped.
    pub skipped_steps: Vec<String>,
}

/// Where a person looks at a run.
#[must_use]
pub fn run_href(public_url: &str, account: AccountId, project: ProjectId, run: RunId) -> String {
    format!("{public_url}/deploy/{account}/projects/{project}/runs/{run}/")
}

impl RunFailureDetails {
    /// Of a run's steps, the one with this index having failed.
    #[must_use]
    pub fn new(steps: &[DomainStep], failed: u32) -> Self {
        let named = |step: &DomainStep| step.name.clone();
        Self {
            failed_step: steps.iter().find(|step| step.index == failed).map(named),
            skipped_steps: steps.iter().filter(|step| step.index > failed).map(named).collect(),
        }
    }
}

impl From<&DomainRun> for RunAudit {
    fn from(run: &DomainRun) -> Self {
        let cancellation = run.cancelled_by.map(RunAuditEvent::by);
        Self { trigger: Some(RunAuditEvent::by(run.trigger.by)), cancellation }
    }
}

impl RunAuditEvent {
    fn by(actor: PrincipalId) -> Self {
        let (kind, id) = match actor {
            PrincipalId::ServiceToken(id) => ("service_token", id.to_string()),
            PrincipalId::User(id) => ("user", id.to_string()),
            PrincipalId::System(task) => ("system", task.key().to_owned()),
        };
        Self { actor: RunAuditActor { id, r#type: kind.to_owned(), name: None } }
    }
}

#[cfg(test)]
mod tests {
    use domain::{
        AccountId, EnvironmentId, JobId, ProjectId, RunId, ServiceTokenId,
        run::{Outcome, RunState, Trigger},
    };

    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(&format!("2026-11-23T{text}Z")).unwrap()
    }

    fn run(state: RunState) -> DomainRun {
        let by = PrincipalId::ServiceToken(ServiceTokenId::new(3).unwrap());
        DomainRun {
            id: RunId::new(11).unwrap(),
            account: AccountId::new(1).unwrap(),
            project: ProjectId::new(2).unwrap(),
            environment: EnvironmentId::new(4).unwrap(),
            job: JobId::new(5).unwrap(),
            trigger: Trigger::plain(by, "nightly".to_owned()),
            state,
            cancel_requested: false,
            message: String::new(),
            git_sha: Some("0123456789abcdef".to_owned()),
            git_branch: None,
            used_clone: Some(true),
            has_docs: true,
            has_sources: false,
            deferring: None,
            retry_point: None,
            cancelled_by: None,
            worker: Some("4711".to_owned()),
            heartbeat_at: Some(at("12:01:41")),
            notifications_sent: true,
            counts: Some(domain::NodeCounts::default()),
            created_at: at("12:00:00"),
            updated_at: at("12:00:00"),
        }
    }

    fn wire(state: RunState) -> Run {
        Run::new(&run(state), "https://gate.example", at("14:00:00"))
    }

    fn success() -> RunState {
        RunState::Finished {
            outcome: Outcome::Success,
            dequeued_at: Some(at("12:00:30")),
            started_at: Some(at("12:00:40")),
            finished_at: at("12:01:42"),
        }
    }

    #[test]
    fn a_run_has_every_key_of_the_document() {
        let mut answer = wire(success());
        answer.trigger = Some(RunTrigger::from(&run(success())));
        answer.audit = Some(RunAudit::from(&run(success())));
        insta::assert_snapshot!(serde_json::to_string_pretty(&answer).unwrap());
    }

    #[test]
    fn each_state_has_its_number_and_flags() {
        let (dequeued_at, started_at) = (at("12:00:30"), at("12:00:40"));
        let ended = |outcome| RunState::Finished {
            outcome,
            dequeued_at: None,
            started_at: None,
            finished_at: at("12:00:50"),
        };
        let states = [
            RunState::Queued,
            RunState::Starting { dequeued_at },
            RunState::Running { dequeued_at, started_at },
            ended(Outcome::Success),
            ended(Outcome::Error),
            ended(Outcome::Cancelled),
        ];
        let lines: Vec<_> = states
            .map(|state| {
                let run = wire(state);
                let flags = [
                    ("in_progress", run.in_progress),
                    ("is_running", run.is_running),
                    ("is_complete", run.is_complete),
                    ("is_success", run.is_success),
                    ("is_error", run.is_error),
                    ("is_cancelled", run.is_cancelled),
                ];
                let flags: Vec<_> =
                    flags.into_iter().filter(|(_, set)| *set).map(|(name, _)| name).collect();
                format!(
                    "{} {}: {}; {} = {} + {}",
                    run.status,
                    run.status_humanized,
                    flags.join(", "),
                    run.duration,
                    run.queued_duration,
                    run.run_duration,
                )
            })
            .to_vec();
        insta::assert_snapshot!(lines.join("\n"), @r"
        1 Queued: in_progress; 02:00:00 = 02:00:00 + 00:00:00
        2 Starting: in_progress; 02:00:00 = 00:00:30 + 00:00:00
        3 Running: in_progress, is_running; 02:00:00 = 00:00:30 + 01:59:20
        10 Success: is_complete, is_success; 00:00:50 = 00:00:50 + 00:00:00
        20 Error: is_complete, is_error; 00:00:50 = 00:00:50 + 00:00:00
        30 Cancelled: is_complete, is_cancelled; 00:00:50 = 00:00:50 + 00:00:00
        ");
    }
}
