//! The body that makes or changes a job (document: `HumanReadableJobDefinitionRequest`).

use domain::{
    EnvironmentId, JobId, Name, ProjectId,
    job::{CompletionCondition, EchoedJobFields, JobSpec},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    JobScheduleBody,
    text::{commands, line},
    trigger::{seconds_of, threads_of},
};
use crate::{Invalid, Patch, invalid::Collector};

/// The most characters of a description.
const MAX_DESCRIPTION: usize = 10_000;
/// The most features of a list that is only echoed.
const MAX_FEATURES: usize = 50;
/// The document's `JobTypeEnum`.
const JOB_TYPES: [&str; 7] =
    ["ci", "scheduled", "other", "merge", "exposure_sync", "adaptive", "hybrid"];

/// The body that makes or changes a job.
///
/// Keys that are absent keep their value, or their default in a new job; so does null, but where a
/// field may be null. Other keys are ignored: clients echo what they have read.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct JobBody {
    /// The account, if given: the path's.
    #[schema(value_type = Option<i64>)]
    pub account_id: Patch<i64>,
    /// Required in a new job.
    #[schema(value_type = Option<i64>)]
    pub project_id: Patch<i64>,
    /// An environment of the project; required in a new job.
    #[schema(value_type = Option<i64>)]
    pub environment_id: Patch<i64>,
    /// 1 to 255 characters; required in a new job.
    #[schema(value_type = Option<String>)]
    pub name: Patch<String>,
    /// At most 10,000 characters.
    #[schema(value_type = Option<String>)]
    pub description: Patch<String>,
    /// Null, or empty, takes the environment's.
    #[schema(value_type = Option<String>)]
    pub dbt_version: Patch<String>,
    /// 1 to 100 dbt commands; `dbt build` unless given.
    #[schema(value_type = Option<Vec<String>>)]
    pub execute_steps: Patch<Vec<String>>,
    /// How dbt is called.
    #[schema(value_type = Option<JobSettingsBody>)]
    pub settings: Patch<JobSettingsBody>,
    /// How a run is held.
    #[schema(value_type = Option<JobExecutionBody>)]
    pub execution: Patch<JobExecutionBody>,
    /// When it runs by itself.
    #[schema(value_type = Option<JobScheduleBody>)]
    pub schedule: Patch<JobScheduleBody>,
    /// What starts it besides its API.
    #[schema(value_type = Option<JobTriggersBody>)]
    pub triggers: Patch<JobTriggersBody>,
    /// Whether a run ends with `dbt docs generate`.
    #[schema(value_type = Option<bool>)]
    pub generate_docs: Patch<bool>,
    /// Whether a run begins with `dbt source freshness`.
    #[schema(value_type = Option<bool>)]
    pub run_generate_sources: Patch<bool>,
    /// ci, scheduled, other, merge, `exposure_sync`, adaptive or hybrid.
    #[schema(value_type = Option<String>)]
    pub job_type: Patch<String>,
    /// 1; or 2, which deletes it.
    #[schema(value_type = Option<i64>)]
    pub state: Patch<i64>,
    /// Kept and echoed, like all that follows.
    #[schema(value_type = Option<i64>)]
    pub deferring_environment_id: Patch<i64>,
    /// Echoed.
    #[schema(value_type = Option<i64>)]
    pub deferring_job_definition_id: Patch<i64>,
    /// Echoed.
    #[schema(value_type = Option<bool>)]
    pub generate_sources: Patch<bool>,
    /// Echoed.
    #[schema(value_type = Option<bool>)]
    pub lifecycle_webhooks: Patch<bool>,
    /// Echoed.
    #[schema(value_type = Option<bool>)]
    pub run_compare_changes: Patch<bool>,
    /// Echoed.
    #[schema(value_type = Option<String>)]
    pub compare_changes_flags: Patch<String>,
    /// Echoed.
    #[schema(value_type = Option<bool>)]
    pub run_lint: Patch<bool>,
    /// Echoed.
    #[schema(value_type = Option<bool>)]
    pub errors_on_lint_failure: Patch<bool>,
    /// Echoed.
    #[schema(value_type = Option<bool>)]
    pub triggers_on_draft_pr: Patch<bool>,
    /// Echoed; at most 50.
    #[schema(value_type = Option<Vec<String>>)]
    pub cost_optimization_features: Patch<Vec<String>>,
    /// Echoed.
    #[schema(value_type = Option<bool>)]
    pub force_node_selection: Patch<bool>,
    /// Start after another job. Echoed.
    #[schema(value_type = Option<JobCompletionTriggerBody>)]
    pub job_completion_trigger_condition: Patch<JobCompletionTriggerBody>,
}

/// How dbt is called, in a body.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct JobSettingsBody {
    /// 1 to 64.
    #[schema(value_type = Option<i64>)]
    pub threads: Patch<i64>,
    /// One line of 1 to 255 characters.
    #[schema(value_type = Option<String>)]
    pub target_name: Patch<String>,
}

/// How a run is held, in a body.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct JobExecutionBody {
    /// 0 (never) to 86,400.
    #[schema(value_type = Option<i64>)]
    pub timeout_seconds: Patch<i64>,
}

/// What starts a job besides its API, in a body.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
#[expect(missing_docs, reason = "field by field the document's JobDefinitionTriggers")]
pub struct JobTriggersBody {
    #[schema(value_type = Option<bool>)]
    pub github_webhook: Patch<bool>,
    #[schema(value_type = Option<bool>)]
    pub git_provider_webhook: Patch<bool>,
    #[schema(value_type = Option<bool>)]
    pub schedule: Patch<bool>,
    #[schema(value_type = Option<bool>)]
    pub on_merge: Patch<bool>,
    #[schema(value_type = Option<bool>)]
    pub custom_branch_only: Patch<bool>,
}

/// Start after another job, in a body.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct JobCompletionTriggerBody {
    /// Null is none.
    pub condition: Option<JobCompletionConditionBody>,
}

/// After which job, in a body.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct JobCompletionConditionBody {
    /// The other job; required.
    pub job_id: Option<i64>,
    /// Its project; required.
    pub project_id: Option<i64>,
    /// Which ends count: of 10, 20 and 30; at least one.
    pub statuses: Vec<i64>,
}

impl JobBody {
    /// A new job, with the defaults of the API document.
    ///
    /// # Errors
    /// [`Invalid`] names each field that is wrong or missing.
    pub fn create(self) -> Result<JobSpec, Invalid> {
        let mut bad = Invalid::collector();
        for (field, missing) in [
            ("project_id", self.project_id.is_missing()),
            ("environment_id", self.environment_id.is_missing()),
            ("name", self.name.is_missing()),
        ] {
            if missing {
                bad.note(field, "is required");
            }
        }
        if matches!(self.state, Patch::Value(state) if state != 1) {
            bad.note("state", "must be 1 (active) in a new job");
        }
        let change = self.read(&mut bad);
        bad.finish()?;
        let named = change.place.clone();
        Err(Invalid::field("body", format!("{named:?}")))
    }
}
