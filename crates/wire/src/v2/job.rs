//! Jobs (document: `HumanReadableJobDefinitionResponse`).

use domain::{
    Timestamp,
    job::{CompletionCondition, DbtCommand, Job as DomainJob, Triggers},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Account, Environment, JobSchedule, Run, duration::humanized, schedule::in_words};
use crate::v3::{EnvironmentVariable, Project};

/// A job definition.
///
/// It has the keys that dbt-jobs-as-code knows and no others: that client refuses any. `account`,
/// `project`, `environment`, `custom_environment_variables`, `most_recent_run` and
/// `most_recent_completed_run` are null unless asked for by `include_related`.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[expect(
    missing_docs,
    clippy::struct_excessive_bools,
    reason = "field by field the document's HumanReadableJobDefinitionResponse"
)]
pub struct Job {
    pub id: i64,
    pub account_id: i64,
    pub project_id: i64,
    pub environment_id: i64,
    pub name: String,
    pub description: String,
    /// Null takes the environment's.
    pub dbt_version: Option<String>,
    pub raw_dbt_version: Option<String>,
    pub execute_steps: Vec<String>,
    pub settings: JobSettings,
    pub execution: JobExecution,
    /// When it runs by itself, if `triggers.schedule` is set.
    pub schedule: JobSchedule,
    pub triggers: JobTriggers,
    pub generate_docs: bool,
    pub run_generate_sources: bool,
    pub generate_sources: bool,
    pub run_lint: bool,
    pub errors_on_lint_failure: bool,
    pub run_compare_changes: bool,
    pub compare_changes_flags: String,
    pub triggers_on_draft_pr: bool,
    pub job_type: String,
    /// 1 active, 2 deleted.
    pub state: u8,
    pub deactivated: bool,
    pub deactivation_reason: Option<String>,
    /// How many runs have failed since the last that did not.
    pub run_failure_count: u32,
    pub lifecycle_webhooks: bool,
    pub lifecycle_webhooks_url: Option<String>,
    pub is_deferrable: bool,
    pub deferring_job_definition_id: Option<i64>,
    pub deferring_environment_id: Option<i64>,
    pub job_completion_trigger_condition: Option<JobCompletionTrigger>,
    pub cost_optimization_features: Vec<String>,
    pub force_node_selection: Option<bool>,
    pub is_fusion_ready_override: Option<bool>,
    pub fusion_readiness: Option<serde_json::Value>,
    pub is_system: bool,
    pub cron_humanized: String,
    /// What the schedule names next; null unless `triggers.schedule` is set.
    pub next_run: Option<String>,
    pub next_run_humanized: Option<String>,
    pub created_at: String,
    pub updated_at: String,
    pub account: Option<Account>,
    pub project: Option<Project>,
    pub environment: Option<Environment>,
    /// The values that variables have in it.
    pub custom_environment_variables: Option<Vec<EnvironmentVariable>>,
    pub most_recent_run: Option<Run>,
    pub most_recent_completed_run: Option<Run>,
}

/// How dbt is called.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct JobSettings {
    /// How many threads dbt uses.
    pub threads: u8,
    /// The name of the target in `profiles.yml`.
    pub target_name: String,
}

/// How a run is held.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct JobExecution {
    /// After how many seconds a run is ended; 0 is never.
    pub timeout_seconds: u32,
}

/// What starts a job besides its API.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[expect(
    missing_docs,
    clippy::struct_excessive_bools,
    reason = "field by field the document's JobDefinitionTriggers"
)]
pub struct JobTriggers {
    pub github_webhook: bool,
    pub git_provider_webhook: bool,
    pub schedule: bool,
    pub on_merge: bool,
    pub custom_branch_only: bool,
}

/// Start after another job.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct JobCompletionTrigger {
    /// After which, and when it ends how.
    pub condition: JobCompletionCondition,
}

/// After which job, and when it ends how.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct JobCompletionCondition {
    /// The other job.
    pub job_id: i64,
    /// Its project.
    pub project_id: i64,
    /// Which ends count: of 10, 20 and 30.
    pub statuses: Vec<u8>,
}

impl Job {
    /// A job without related objects.
    #[must_use]
    pub fn new(job: &DomainJob, now: Timestamp) -> Self {
        let (spec, echoed) = (&job.spec, &job.spec.echoed);
        let next = spec.triggers.schedule.then(|| spec.schedule.next_after(now)).flatten();
        Self {
            id: job.id.get(),
            account_id: job.account.get(),
            project_id: spec.project.get(),
            environment_id: spec.environment.get(),
            name: spec.name.to_string(),
            description: spec.description.clone(),
            dbt_version: spec.dbt_version.clone(),
            raw_dbt_version: spec.dbt_version.clone(),
            execute_steps: spec
                .execute_steps
                .iter()
                .map(DbtCommand::as_str)
                .map(str::to_owned)
                .collect(),
            settings: JobSettings { threads: spec.threads, target_name: spec.target_name.clone() },
            execution: JobExecution { timeout_seconds: spec.timeout_seconds },
            schedule: JobSchedule::from(&spec.schedule),
            triggers: JobTriggers::from(spec.triggers),
            generate_docs: spec.generate_docs,
            run_generate_sources: spec.run_generate_sources,
            generate_sources: echoed.generate_sources,
            run_lint: echoed.run_lint,
            errors_on_lint_failure: echoed.errors_on_lint_failure,
            run_compare_changes: echoed.run_compare_changes,
            compare_changes_flags: echoed.compare_changes_flags.clone(),
            triggers_on_draft_pr: echoed.triggers_on_draft_pr,
            job_type: spec.job_type.clone(),
            state: 1,
            deactivated: false,
            deactivation_reason: None,
            run_failure_count: job.failures,
            lifecycle_webhooks: echoed.lifecycle_webhooks,
            lifecycle_webhooks_url: None,
            is_deferrable: job.deferrable,
            deferring_job_definition_id: echoed.deferring_job.map(Into::into),
            deferring_environment_id: echoed.deferring_environment.map(Into::into),
            job_completion_trigger_condition: echoed.completion_condition.as_ref().map(Into::into),
            cost_optimization_features: echoed.cost_optimization_features.clone(),
            force_node_selection: echoed.force_node_selection,
            is_fusion_ready_override: None,
            fusion_readiness: None,
            is_system: false,
            cron_humanized: in_words(&spec.schedule),
            next_run: next.map(|time| time.to_string()),
            next_run_humanized: next.map(|time| humanized(time.seconds_since(now))),
            created_at: job.created_at.to_string(),
            updated_at: job.updated_at.to_string(),
            account: None,
            project: None,
            environment: None,
            custom_environment_variables: None,
            most_recent_run: None,
            most_recent_completed_run: None,
        }
    }

    /// The same, deleted.
    #[must_use]
    pub fn deleted(self) -> Self {
        Self { state: 2, next_run: None, next_run_humanized: None, ..self }
    }
}

impl From<Triggers> for JobTriggers {
    fn from(triggers: Triggers) -> Self {
        Self {
            github_webhook: triggers.github_webhook,
            git_provider_webhook: triggers.git_provider_webhook,
            schedule: triggers.schedule,
            on_merge: triggers.on_merge,
            custom_branch_only: triggers.custom_branch_only,
        }
    }
}

impl From<&CompletionCondition> for JobCompletionTrigger {
    fn from(condition: &CompletionCondition) -> Self {
        let condition = JobCompletionCondition {
            job_id: condition.job.get(),
            project_id: condition.project.get(),
            statuses: condition.statuses.clone(),
        };
        Self { condition }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use domain::{
        AccountId, EnvironmentId, JobId, Name, ProjectId,
        job::{JobSpec, Schedule},
    };

    use super::*;

    /// Contract, section 8: the keys that dbt-jobs-as-code knows.
    const KNOWN: &str = "id account_id project_id environment_id name description dbt_version \
        raw_dbt_version settings execution schedule triggers execute_steps generate_docs \
        run_generate_sources generate_sources run_lint errors_on_lint_failure run_compare_changes \
        compare_changes_flags triggers_on_draft_pr job_type state created_at updated_at \
        deactivated deactivation_reason run_failure_count lifecycle_webhooks \
        lifecycle_webhooks_url is_deferrable deferring_job_definition_id \
        deferring_environment_id cron_humanized next_run next_run_humanized is_system account \
        project environment most_recent_run most_recent_completed_run \
        job_completion_trigger_condition cost_optimization_features force_node_selection \
        is_fusion_ready_override fusion_readiness custom_environment_variables";

    fn job() -> DomainJob {
        let at = Timestamp::parse("2026-11-23T12:00:00Z").unwrap();
        let (project, environment) = (ProjectId::new(2).unwrap(), EnvironmentId::new(4).unwrap());
        DomainJob {
            id: JobId::new(5).unwrap(),
            account: AccountId::new(1).unwrap(),
            spec: JobSpec::named(project, environment, Name::parse("Nightly").unwrap()),
            failures: 0,
            deferrable: true,
            created_at: at,
            updated_at: at,
        }
    }

    fn now() -> Timestamp {
        Timestamp::parse("2026-11-23T12:20:00Z").unwrap()
    }

    #[test]
    fn a_job_has_the_keys_that_dbt_jobs_as_code_knows_and_no_others() {
        let json = serde_json::to_value(Job::new(&job(), now())).unwrap();
        let keys: BTreeSet<_> = json.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(keys, KNOWN.split_whitespace().collect());
    }

    #[test]
    fn a_job_reads_like_this() {
        let answer = Job::new(&job(), now());
        insta::assert_snapshot!(serde_json::to_string_pretty(&answer).unwrap());
    }

    #[test]
    fn the_next_run_is_told_only_of_a_job_that_is_scheduled() {
        let mut scheduled = job();
        scheduled.spec.schedule = Schedule::default();
        scheduled.spec.triggers.schedule = true;
        let answer = Job::new(&scheduled, now());
        assert_eq!(answer.next_run.as_deref(), Some("2026-11-23T13:00:00.000000+00:00"));
        assert_eq!(answer.next_run_humanized.as_deref(), Some("40 minutes"));
        let deleted = answer.deleted();
        assert_eq!((deleted.state, deleted.next_run), (2, None));
    }
}
