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
        let project = required(&mut bad, "project_id", self.project_id, ProjectId::new);
        let environment =
            required(&mut bad, "environment_id", self.environment_id, EnvironmentId::new);
        let name = required(&mut bad, "name", self.name.clone(), Name::parse);
        if matches!(self.state, Patch::Value(state) if state != 1) {
            bad.note("state", "must be 1 (active) in a new job");
        }
        let change = self.read(&mut bad);
        bad.finish()?;
        let place = project.zip(environment).zip(name);
        let ((project, environment), name) =
            place.ok_or_else(|| Invalid::field("project_id", "is required"))?;
        let mut spec = JobSpec::named(project, environment, name);
        change(&mut spec);
        Ok(spec)
    }

    /// What the body makes of a job that is there. All fields are read before the job is.
    ///
    /// # Errors
    /// [`Invalid`] names each field that is wrong.
    pub fn change(self) -> Result<impl FnOnce(JobSpec) -> JobSpec + Send, Invalid> {
        let mut bad = Invalid::collector();
        let change = self.read(&mut bad);
        bad.finish()?;
        Ok(move |mut spec| {
            change(&mut spec);
            spec
        })
    }

    /// Whether the body deletes the job.
    ///
    /// # Errors
    /// [`Invalid`] names `state` if it is neither 1 nor 2.
    pub fn deletes(&self) -> Result<bool, Invalid> {
        match self.state {
            Patch::Absent | Patch::Null | Patch::Value(1) => Ok(false),
            Patch::Value(2) => Ok(true),
            Patch::Value(_) => Err(Invalid::field("state", "must be 1 (active) or 2 (deleted)")),
        }
    }

    /// Reads every field, and gives what that makes of a job.
    fn read(self, bad: &mut Collector) -> impl FnOnce(&mut JobSpec) + Send + use<> {
        let project = read(bad, "project_id", self.project_id, ProjectId::new);
        let environment = read(bad, "environment_id", self.environment_id, EnvironmentId::new);
        let name = read(bad, "name", self.name, Name::parse);
        let description = read(bad, "description", self.description, description);
        let dbt_version = read(bad, "dbt_version", emptied(self.dbt_version), line(100));
        let steps = self.execute_steps.value();
        let steps = steps.and_then(|lines| commands(bad, "execute_steps", &lines));
        let settings = self.settings.value().unwrap_or_default();
        let threads = read(bad, "settings.threads", settings.threads, threads_of);
        let target = read(bad, "settings.target_name", settings.target_name, line(255));
        let execution = self.execution.value().unwrap_or_default();
        let seconds = read(bad, "execution.timeout_seconds", execution.timeout_seconds, seconds_of);
        let (date, time) = self.schedule.value().unwrap_or_default().read(bad);
        let triggers = self.triggers.value().unwrap_or_default();
        let job_type = read(bad, "job_type", self.job_type, job_type);
        let deferring_environment = read(
            bad,
            "deferring_environment_id",
            self.deferring_environment_id,
            EnvironmentId::new,
        );
        let deferring_job =
            read(bad, "deferring_job_definition_id", self.deferring_job_definition_id, JobId::new);
        let flags = read(bad, "compare_changes_flags", self.compare_changes_flags, flags);
        let field = "cost_optimization_features";
        let features = read(bad, field, self.cost_optimization_features, features);
        let condition = completion(bad, self.job_completion_trigger_condition);
        let (generate_docs, freshness) = (self.generate_docs, self.run_generate_sources);
        let (generate_sources, webhooks) = (self.generate_sources, self.lifecycle_webhooks);
        let (compare, lint) = (self.run_compare_changes, self.run_lint);
        let (lint_fails, on_draft) = (self.errors_on_lint_failure, self.triggers_on_draft_pr);
        let force_node_selection = self.force_node_selection;
        move |spec| {
            put(&mut spec.project, project);
            put(&mut spec.environment, environment);
            put(&mut spec.name, name);
            put(&mut spec.description, description);
            put_or_clear(&mut spec.dbt_version, dbt_version);
            put(&mut spec.execute_steps, steps.map_or(Patch::Absent, Patch::Value));
            put(&mut spec.threads, threads);
            put(&mut spec.target_name, target);
            put(&mut spec.timeout_seconds, seconds);
            put(&mut spec.schedule.date, date.map_or(Patch::Absent, Patch::Value));
            put(&mut spec.schedule.time, time.map_or(Patch::Absent, Patch::Value));
            put(&mut spec.triggers.github_webhook, triggers.github_webhook);
            put(&mut spec.triggers.git_provider_webhook, triggers.git_provider_webhook);
            put(&mut spec.triggers.schedule, triggers.schedule);
            put(&mut spec.triggers.on_merge, triggers.on_merge);
            put(&mut spec.triggers.custom_branch_only, triggers.custom_branch_only);
            put(&mut spec.job_type, job_type);
            put(&mut spec.generate_docs, generate_docs);
            put(&mut spec.run_generate_sources, freshness);
            let echoed: &mut EchoedJobFields = &mut spec.echoed;
            put_or_clear(&mut echoed.deferring_environment, deferring_environment);
            put_or_clear(&mut echoed.deferring_job, deferring_job);
            put(&mut echoed.generate_sources, generate_sources);
            put(&mut echoed.lifecycle_webhooks, webhooks);
            put(&mut echoed.run_compare_changes, compare);
            put(&mut echoed.compare_changes_flags, flags);
            put(&mut echoed.run_lint, lint);
            put(&mut echoed.errors_on_lint_failure, lint_fails);
            put(&mut echoed.triggers_on_draft_pr, on_draft);
            put(&mut echoed.cost_optimization_features, features);
            put_or_clear(&mut echoed.force_node_selection, force_node_selection);
            put_or_clear(&mut echoed.completion_condition, condition);
        }
    }
}

fn put<T>(slot: &mut T, patch: Patch<T>) {
    if let Patch::Value(value) = patch {
        *slot = value;
    }
}

fn put_or_clear<T>(slot: &mut Option<T>, patch: Patch<T>) {
    *slot = patch.over(slot.take());
}

/// Reads a field further; one that is wrong is noted, and changes nothing.
fn read<T, U, E: ToString>(
    bad: &mut Collector,
    field: &str,
    value: Patch<T>,
    read: impl FnOnce(T) -> Result<U, E>,
) -> Patch<U> {
    bad.take(field, value.try_map(read)).unwrap_or_default()
}

fn required<T, U, E: ToString>(
    bad: &mut Collector,
    field: &str,
    value: Patch<T>,
    parse: impl FnOnce(T) -> Result<U, E>,
) -> Option<U> {
    match value {
        Patch::Absent | Patch::Null => bad.take(field, Err("is required")),
        Patch::Value(_) => read(bad, field, value, parse).value(),
    }
}

/// An empty text is none.
fn emptied(text: Patch<String>) -> Patch<String> {
    match text {
        Patch::Value(text) if text.is_empty() => Patch::Null,
        text => text,
    }
}

fn description(text: String) -> Result<String, String> {
    let fits = text.chars().count() <= MAX_DESCRIPTION;
    fits.then_some(text).ok_or_else(|| format!("must have at most {MAX_DESCRIPTION} characters"))
}

fn flags(text: String) -> Result<String, String> {
    if text.is_empty() { Ok(text) } else { line(4096)(text) }
}

fn job_type(text: String) -> Result<String, String> {
    let known = JOB_TYPES.contains(&text.as_str());
    known.then_some(text).ok_or_else(|| format!("must be one of {}", JOB_TYPES.join(", ")))
}

fn features(names: Vec<String>) -> Result<Vec<String>, String> {
    if names.len() > MAX_FEATURES {
        return Err(format!("must have at most {MAX_FEATURES} entries"));
    }
    names.into_iter().map(line(255)).collect()
}

fn completion(
    bad: &mut Collector,
    body: Patch<JobCompletionTriggerBody>,
) -> Patch<CompletionCondition> {
    let condition = match body {
        Patch::Absent => return Patch::Absent,
        Patch::Null | Patch::Value(JobCompletionTriggerBody { condition: None }) => {
            return Patch::Null;
        }
        Patch::Value(JobCompletionTriggerBody { condition: Some(condition) }) => condition,
    };
    let path = |field| format!("job_completion_trigger_condition.condition.{field}");
    let job = JobId::new(condition.job_id.unwrap_or_default());
    let job = bad.take(&path("job_id"), job);
    let project = ProjectId::new(condition.project_id.unwrap_or_default());
    let project = bad.take(&path("project_id"), project);
    let statuses = bad.take(&path("statuses"), ends(&condition.statuses));
    match (job, project, statuses) {
        (Some(job), Some(project), Some(statuses)) => {
            Patch::Value(CompletionCondition { job, project, statuses })
        }
        _ => Patch::Absent,
    }
}

/// Ends of runs: 10, 20 and 30.
fn ends(codes: &[i64]) -> Result<Vec<u8>, &'static str> {
    const WRONG: &str = "must name at least one of 10, 20 and 30, each once";
    let mut read = Vec::new();
    for code in codes {
        let end = match code {
            10 => 10,
            20 => 20,
            30 => 30,
            _ => return Err(WRONG),
        };
        if read.contains(&end) {
            return Err(WRONG);
        }
        read.push(end);
    }
    if read.is_empty() { Err(WRONG) } else { Ok(read) }
}

#[cfg(test)]
mod tests {
    use domain::job::{ScheduleDate, Triggers};

    use super::*;

    fn body(json: &str) -> JobBody {
        crate::from_json(json.as_bytes()).unwrap()
    }

    fn spec() -> JobSpec {
        let (project, environment) = (ProjectId::new(2).unwrap(), EnvironmentId::new(4).unwrap());
        JobSpec::named(project, environment, Name::parse("Nightly").unwrap())
    }

    const DAGSTER: &str = r#"{"account_id":1,"environment_id":4,"project_id":2,"name":"Nightly",
        "description":"","job_type":"other"}"#;

    #[test]
    fn a_new_job_has_defaults() {
        let prefect = r#"{"project_id":2,"environment_id":4,"name":"Nightly",
            "execute_steps":["dbt build"]}"#;
        for json in [DAGSTER, prefect] {
            assert_eq!(body(json).create().unwrap(), spec());
        }
    }

    #[test]
    fn a_new_job_needs_a_name_and_a_place_and_all_is_told_at_once() {
        let wrong = body(r#"{"name":null,"execute_steps":["rm"]}"#).create().unwrap_err();
        insta::assert_snapshot!(wrong.summary().replace("; ", "\n"), @r"
        `environment_id` is required
        `execute_steps[0]` must begin with `dbt`: a step runs nothing else
        `name` is required
        `project_id` is required
        ");
        let deleted = body(&DAGSTER.replace("\"job_type\"", "\"state\":2,\"job_type\""));
        let wrong = deleted.create().unwrap_err();
        assert_eq!(wrong.summary(), "`state` must be 1 (active) in a new job");
    }

    #[test]
    fn each_wrong_field_is_named() {
        let json = r#"{
            "project_id": 0, "environment_id": -1, "name": "a\nb", "dbt_version": "1\n",
            "execute_steps": ["dbt build", "echo x", "dbt run --profiles-dir ."],
            "settings": {"threads": 0, "target_name": ""},
            "execution": {"timeout_seconds": 86401},
            "schedule": {"date": {"type": "never"}},
            "job_type": "odd", "deferring_environment_id": 0, "deferring_job_definition_id": 0,
            "cost_optimization_features": [""],
            "job_completion_trigger_condition": {"condition": {"job_id": 0, "statuses": [1]}}
        }"#;
        let wrong = body(json).change().err().unwrap();
        insta::assert_snapshot!(wrong.summary().replace("; ", "\n"), @r"
        `cost_optimization_features` must be one line of 1 to 255 characters
        `dbt_version` must be one line of 1 to 100 characters
        `deferring_environment_id` must be a whole number from 1 to 9223372036854775807
        `deferring_job_definition_id` must be a whole number from 1 to 9223372036854775807
        `environment_id` must be a whole number from 1 to 9223372036854775807
        `execute_steps[1]` must begin with `dbt`: a step runs nothing else
        `execute_steps[2]` must not set `--profiles-dir`: the runner does
        `execution.timeout_seconds` must be a whole number from 0 to 86400
        `job_completion_trigger_condition.condition.job_id` must be a whole number from 1 to 9223372036854775807
        `job_completion_trigger_condition.condition.project_id` must be a whole number from 1 to 9223372036854775807
        `job_completion_trigger_condition.condition.statuses` must name at least one of 10, 20 and 30, each once
        `job_type` must be one of ci, scheduled, other, merge, exposure_sync, adaptive, hybrid
        `name` must not contain control characters
        `project_id` must be a whole number from 1 to 9223372036854775807
        `schedule.date.type` must be every_day, days_of_week, custom_cron or interval_cron
        `settings.target_name` must be one line of 1 to 255 characters
        `settings.threads` must be a whole number from 1 to 64
        ");
    }

    #[test]
    fn a_wrong_type_is_named_with_its_path() {
        for (json, field) in [
            (r#"{"name":1}"#, "name"),
            (r#"{"settings":{"threads":"four"}}"#, "settings.threads"),
            (r#"{"execute_steps":["dbt build",2]}"#, "execute_steps[1]"),
            (r#"{"project_id":9223372036854775808}"#, "project_id"),
            (r#"{"schedule":{"date":{"days":["x"]}}}"#, "schedule.date.days[0]"),
        ] {
            let wrong = crate::from_json::<JobBody>(json.as_bytes()).unwrap_err();
            assert!(wrong.reasons.contains_key(field), "{json}: {wrong}");
        }
    }

    #[test]
    fn what_is_absent_or_null_keeps_its_value_unless_null_may_be() {
        let mut old = spec();
        old.dbt_version = Some("1.11".to_owned());
        old.threads = 8;
        old.triggers = Triggers { on_merge: true, ..Triggers::default() };
        old.echoed.deferring_environment = Some(EnvironmentId::new(4).unwrap());
        let same = body("{}").change().unwrap()(old.clone());
        assert_eq!(same, old);
        let nulls = r#"{"name":null,"settings":{"threads":null},"triggers":{"schedule":true},
            "schedule":null,"execute_steps":null,"id":null,"project":{},"uid":"",
            "dbt_version":null,"deferring_environment_id":null}"#;
        let new = body(nulls).change().unwrap()(old.clone());
        let mut expected = old;
        expected.dbt_version = None;
        expected.echoed.deferring_environment = None;
        expected.triggers.schedule = true;
        assert_eq!(new, expected);
    }

    #[test]
    fn what_dbt_jobs_as_code_sends_is_kept() {
        let json = r#"{"id":5,"account_id":1,"project_id":2,"environment_id":4,"name":"Nightly",
            "settings":{"threads":6,"target_name":"production"},"execution":{"timeout_seconds":60},
            "schedule":{"cron":"0 14 * * 1","date":{"type":"custom_cron","cron":"0 14 * * 1"},
                "time":{"type":"every_hour","interval":1}},
            "triggers":{"github_webhook":false,"schedule":true,"git_provider_webhook":null},
            "execute_steps":["dbt run","dbt test"],"run_compare_changes":true,
            "compare_changes_flags":"","errors_on_lint_failure":false,"state":1,
            "cost_optimization_features":["state_aware_orchestration"],
            "job_completion_trigger_condition":
                {"condition":{"job_id":9,"project_id":2,"statuses":[10,20]}}}"#;
        let new = body(json).create().unwrap();
        assert_eq!(new.schedule.date, ScheduleDate::CustomCron("0 14 * * 1".to_owned()));
        assert!(new.triggers.schedule && new.echoed.run_compare_changes);
        assert!(!new.echoed.errors_on_lint_failure);
        assert_eq!(new.echoed.completion_condition.unwrap().statuses, [10, 20]);
        assert_eq!((new.threads, new.timeout_seconds), (6, 60));
        assert_eq!(new.echoed.compare_changes_flags, "");
        let cleared = body(r#"{"job_completion_trigger_condition":null}"#).change().unwrap();
        assert_eq!(cleared(body(json).create().unwrap()).echoed.completion_condition, None);
    }

    #[test]
    fn state_2_deletes() {
        assert!(body(r#"{"state":2}"#).deletes().unwrap());
        assert!(!body("{}").deletes().unwrap());
        assert!(body(r#"{"state":3}"#).deletes().is_err());
    }
}
