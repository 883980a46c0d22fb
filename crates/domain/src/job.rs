//! Jobs: what is to be run, where and when.

use std::str::FromStr as _;

use croner::Cron;
use serde::{Deserialize, Serialize};

use crate::{AccountId, EnvironmentId, JobId, Name, ProjectId, Timestamp};

/// A job definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Its id.
    pub id: JobId,
    /// The account that it belongs to.
    pub account: AccountId,
    /// What can be edited.
    pub spec: JobSpec,
    /// How many of its runs have failed since the last that did not.
    pub failures: u32,
    /// Whether a run of it has gone well and left a manifest, which others can defer to.
    pub deferrable: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// What of a job can be edited. Field by field the wire's `HumanReadableJobDefinition`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobSpec {
    /// The project that it belongs to.
    pub project: ProjectId,
    /// The environment that it runs in; one of the same project.
    pub environment: EnvironmentId,
    /// What people call it.
    pub name: Name,
    /// What it is for; may be empty.
    pub description: String,
    /// The dbt version; `None` takes the environment's.
    pub dbt_version: Option<String>,
    /// What it runs, one command after another.
    pub execute_steps: Vec<DbtCommand>,
    /// How many threads dbt uses, 1 to 64.
    pub threads: u8,
    /// The name of the target in `profiles.yml`.
    pub target_name: String,
    /// After how many seconds a run is ended; 0 is never, at most 86,400.
    pub timeout_seconds: u32,
    /// Whether a run ends with `dbt docs generate`.
    pub generate_docs: bool,
    /// Whether a run begins with `dbt source freshness`.
    pub run_generate_sources: bool,
    /// When it runs by itself, if `triggers.schedule` is set.
    pub schedule: Schedule,
    /// What starts it.
    pub triggers: Triggers,
    /// The wire's `job_type`, such as `other`, `scheduled`, `ci`, `merge`.
    pub job_type: String,
    /// What is kept and echoed.
    pub echoed: EchoedJobFields,
}

/// Fields that clients send and compare. Most are only kept; what is deferred to, the job that is
/// waited for (`completion_condition`) and `triggers_on_draft_pr` are acted on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "the wire's own switches")]
pub struct EchoedJobFields {
    /// `deferring_environment_id`: to the newest run in it that went well, unless a job is named.
    pub deferring_environment: Option<EnvironmentId>,
    /// `deferring_job_definition_id`: to its newest run that went well.
    pub deferring_job: Option<JobId>,
    /// `generate_sources`
    pub generate_sources: bool,
    /// `lifecycle_webhooks`
    pub lifecycle_webhooks: bool,
    /// `run_compare_changes`
    pub run_compare_changes: bool,
    /// `compare_changes_flags`
    pub compare_changes_flags: String,
    /// `run_lint`
    pub run_lint: bool,
    /// `errors_on_lint_failure`
    pub errors_on_lint_failure: bool,
    /// `triggers_on_draft_pr`: whether drafts of pull requests start it, too.
    pub triggers_on_draft_pr: bool,
    /// `cost_optimization_features`
    pub cost_optimization_features: Vec<String>,
    /// `force_node_selection`
    pub force_node_selection: Option<bool>,
    /// `job_completion_trigger_condition`
    pub completion_condition: Option<CompletionCondition>,
}

/// Start after another job, when it ends like this.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CompletionCondition {
    /// The other job.
    pub job: JobId,
    /// Its project.
    pub project: ProjectId,
    /// Which ends count: of 10, 20 and 30.
    pub statuses: Vec<u8>,
}

/// What starts a job besides its API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "the wire's own switches")]
pub struct Triggers {
    /// `github_webhook`: pull requests at GitHub.
    pub github_webhook: bool,
    /// `git_provider_webhook`: pull requests at another host.
    pub git_provider_webhook: bool,
    /// `schedule`
    pub schedule: bool,
    /// `on_merge`: what comes onto the branch that its environment builds.
    pub on_merge: bool,
    /// `custom_branch_only`, deprecated and only kept: pull requests have to lead into that branch.
    pub custom_branch_only: bool,
}

/// The days and hours of a schedule, as the wire has them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    /// On which days.
    pub date: ScheduleDate,
    /// At which hours of them.
    pub time: ScheduleTime,
}

/// The wire's `schedule.date`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScheduleDate {
    /// `every_day`
    EveryDay,
    /// `days_of_week`: 0 (Sunday) to 6, not empty.
    DaysOfWeek(Vec<u8>),
    /// `custom_cron`: five fields.
    CustomCron(String),
    /// `interval_cron`: five fields.
    IntervalCron(String),
}

/// The wire's `schedule.time`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScheduleTime {
    /// `every_hour`: every so many hours, 1 to 24.
    EveryHour(u8),
    /// `at_exact_hours`: 0 to 23, not empty.
    AtExactHours(Vec<u8>),
}

impl Default for Schedule {
    fn default() -> Self {
        Self { date: ScheduleDate::EveryDay, time: ScheduleTime::EveryHour(1) }
    }
}

impl Schedule {
    /// The schedule as five cron fields (UTC).
    #[must_use]
    pub fn cron(&self) -> String {
        let list =
            |numbers: &[u8]| numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        let hours = match &self.time {
            ScheduleTime::EveryHour(1) => "*".to_owned(),
            ScheduleTime::EveryHour(interval) => format!("*/{interval}"),
            ScheduleTime::AtExactHours(hours) => list(hours),
        };
        match &self.date {
            ScheduleDate::EveryDay => format!("0 {hours} * * *"),
            ScheduleDate::DaysOfWeek(days) => format!("0 {hours} * * {}", list(days)),
            ScheduleDate::CustomCron(cron) | ScheduleDate::IntervalCron(cron) => cron.clone(),
        }
    }
}

impl Schedule {
    /// The first time after `time` that the schedule names (UTC); `None` if there is none.
    #[must_use]
    pub fn next_after(&self, time: Timestamp) -> Option<Timestamp> {
        let cron = Cron::from_str(&self.cron()).ok()?;
        cron.find_next_occurrence(&time.as_datetime(), false).ok().map(Timestamp::from)
    }
}

impl EchoedJobFields {
    /// The defaults of the API document.
    #[must_use]
    pub fn defaults() -> Self {
        Self {
            deferring_environment: None,
            deferring_job: None,
            generate_sources: false,
            lifecycle_webhooks: false,
            run_compare_changes: false,
            compare_changes_flags: "--select state:modified".to_owned(),
            run_lint: false,
            errors_on_lint_failure: true,
            triggers_on_draft_pr: false,
            cost_optimization_features: Vec::new(),
            force_node_selection: None,
            completion_condition: None,
        }
    }
}

impl JobSpec {
    /// A job that has a name and a place, and the defaults of the API document.
    #[must_use]
    pub fn named(project: ProjectId, environment: EnvironmentId, name: Name) -> Self {
        Self {
            project,
            environment,
            name,
            description: String::new(),
            dbt_version: None,
            execute_steps: vec![DbtCommand::build()],
            threads: 4,
            target_name: "default".to_owned(),
            timeout_seconds: 0,
            generate_docs: false,
            run_generate_sources: false,
            schedule: Schedule::default(),
            triggers: Triggers::default(),
            job_type: "other".to_owned(),
            echoed: EchoedJobFields::defaults(),
        }
    }
}

/// One step of a job: a dbt command line, split without a shell. It always begins with `dbt`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DbtCommand {
    text: String,
    arguments: Vec<String>,
}

/// Why a text is no [`DbtCommand`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDbtCommand {
    /// Something else than `dbt`.
    #[error("must begin with `dbt`: a step runs nothing else")]
    NotDbt,
    /// `dbt` alone.
    #[error("must say what dbt is to do, such as `dbt build`")]
    NoCommand,
    /// A quote that is not closed, or a trailing backslash.
    #[error("has a quote that is not closed")]
    Quotes,
    /// A newline or another control character.
    #[error("must not contain control characters")]
    ControlCharacter,
    /// More than [`DbtCommand::MAX_CHARS`].
    #[error("must have at most 4096 characters")]
    TooLong,
    /// An option that the runner sets.
    #[error("must not set `{0}`: the runner does")]
    Reserved(String),
}

impl DbtCommand {
    /// The most characters that a step may have.
    pub const MAX_CHARS: usize = 4096;
    /// Options that the runner sets itself.
    pub const RESERVED: [&str; 4] =
        ["--profiles-dir", "--project-dir", "--target-path", "--log-path"];

    /// `dbt build`, the default step of a job.
    #[must_use]
    pub fn build() -> Self {
        Self { text: "dbt build".to_owned(), arguments: vec!["build".to_owned()] }
    }

    /// Splits a command line by the rules of a POSIX shell, quotes and backslashes only: nothing
    /// is expanded, and `;`, `|`, `$` and the like are plain characters.
    ///
    /// # Errors
    /// [`InvalidDbtCommand`] if it is not a `dbt` command.
    pub fn parse(text: &str) -> Result<Self, InvalidDbtCommand> {
        let text = text.trim();
        if text.chars().count() > Self::MAX_CHARS {
            return Err(InvalidDbtCommand::TooLong);
        }
        if text.chars().any(char::is_control) {
            return Err(InvalidDbtCommand::ControlCharacter);
        }
        let mut words = shlex::split(text).ok_or(InvalidDbtCommand::Quotes)?.into_iter();
        if words.next().as_deref() != Some("dbt") {
            return Err(InvalidDbtCommand::NotDbt);
        }
        let arguments: Vec<_> = words.collect();
        if arguments.is_empty() {
            return Err(InvalidDbtCommand::NoCommand);
        }
        let option = |argument: &str| argument.split('=').next().unwrap_or("").to_owned();
        match arguments.iter().map(|a| option(a)).find(|a| Self::RESERVED.contains(&a.as_str())) {
            Some(reserved) => Err(InvalidDbtCommand::Reserved(reserved)),
            None => Ok(Self { text: text.to_owned(), arguments }),
        }
    }

    /// The line as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What stands after `dbt`, word by word; not empty.
    #[must_use]
    pub fn arguments(&self) -> &[String] {
        &self.arguments
    }

    /// Whether `dbt retry` can take it up where it failed.
    #[must_use]
    pub fn can_be_retried(&self) -> bool {
        const ALONE: [&str; 9] = [
            "build",
            "clone",
            "compile",
            "retry",
            "run",
            "run-operation",
            "seed",
            "snapshot",
            "test",
        ];
        // dbt's own options may stand before its command.
        let mut words = self.arguments.iter().filter(|word| !word.starts_with('-'));
        match words.next().map(String::as_str) {
            Some("docs") => words.next().is_some_and(|word| word == "generate"),
            Some(word) => ALONE.contains(&word),
            None => false,
        }
    }
}

/// What of an earlier run's state a command takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TakesState {
    /// `--defer` and `--state`: what it does not build itself it finds where that run built it.
    Defers,
    /// `--state` alone, to select by it.
    Compares,
    /// Nothing.
    No,
}

impl DbtCommand {
    /// What of an earlier run's state the command takes, by dbt's documentation of `--defer` and
    /// `--state`. One that says something of either itself takes nothing more.
    #[must_use]
    pub fn takes_state(&self) -> TakesState {
        const ITS_OWN: [&str; 4] = ["--defer", "--no-defer", "--state", "--defer-state"];
        let option = |word: &str| word.split('=').next().unwrap_or("").to_owned();
        if self.arguments.iter().any(|word| ITS_OWN.contains(&option(word).as_str())) {
            return TakesState::No;
        }
        match self.arguments.iter().find(|word| !word.starts_with('-')).map(String::as_str) {
            Some("build" | "compile" | "list" | "ls" | "run" | "show" | "snapshot" | "test") => {
                TakesState::Defers
            }
            Some("seed") => TakesState::Compares,
            _ => TakesState::No,
        }
    }
}

impl TryFrom<String> for DbtCommand {
    type Error = InvalidDbtCommand;
    fn try_from(text: String) -> Result<Self, InvalidDbtCommand> {
        Self::parse(&text)
    }
}

impl From<DbtCommand> for String {
    fn from(command: DbtCommand) -> Self {
        command.text
    }
}
