//! What starts a run (documents: `TriggerRunRequestRequest`, `RunTrigger`).

use domain::{
    Name,
    authz::PrincipalId,
    environment::BranchName,
    run::{Run, Trigger},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::text::{commands, line};
use crate::{Invalid, invalid::Collector};

/// The body that starts a run of a job. Every key but `cause` may be null.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct TriggerBody {
    /// Why: 1 to 255 characters; required.
    pub cause: Option<String>,
    /// The commit to check out.
    pub git_sha: Option<String>,
    /// The branch to check out.
    pub git_branch: Option<String>,
    /// Runs for pull requests do not wait for other runs of their job.
    pub azure_pull_request_id: Option<i64>,
    /// As above.
    pub github_pull_request_id: Option<i64>,
    /// As above.
    pub gitlab_merge_request_id: Option<i64>,
    /// As above.
    pub non_native_pull_request_id: Option<i64>,
    /// The schema to build into.
    pub schema_override: Option<String>,
    /// The dbt version.
    pub dbt_version_override: Option<String>,
    /// 1 to 64.
    pub threads_override: Option<i64>,
    /// The name of the target in `profiles.yml`.
    pub target_name_override: Option<String>,
    /// Whether the run ends with `dbt docs generate`.
    pub generate_docs_override: Option<bool>,
    /// After how many seconds the run is ended: 0 (never) to 86,400.
    pub timeout_seconds_override: Option<i64>,
    /// dbt commands in place of the job's; not empty.
    pub steps_override: Option<Vec<String>>,
}

impl TriggerBody {
    /// The trigger, field by field.
    ///
    /// # Errors
    /// [`Invalid`] names each wrong field: `steps_override[1]`.
    pub fn read(self, by: PrincipalId) -> Result<Trigger, Invalid> {
        let mut bad = Invalid::collector();
        let cause = match self.cause {
            Some(text) => bad.take("cause", Name::parse(text)),
            None => bad.take("cause", Err("is required")),
        };
        let cause = cause.map(String::from).unwrap_or_default();
        let trigger = Trigger {
            git_sha: git(&mut bad, "git_sha", self.git_sha),
            git_branch: git(&mut bad, "git_branch", self.git_branch),
            schema_override: one_line(&mut bad, "schema_override", self.schema_override),
            dbt_version_override: one_line(
                &mut bad,
                "dbt_version_override",
                self.dbt_version_override,
            ),
            threads_override: self
                .threads_override
                .and_then(|threads| bad.take("threads_override", threads_of(threads))),
            target_name_override: one_line(
                &mut bad,
                "target_name_override",
                self.target_name_override,
            ),
            generate_docs_override: self.generate_docs_override,
            timeout_seconds_override: self
                .timeout_seconds_override
                .and_then(|seconds| bad.take("timeout_seconds_override", seconds_of(seconds))),
            steps_override: self
                .steps_override
                .and_then(|lines| commands(&mut bad, "steps_override", &lines)),
            azure_pull_request: self.azure_pull_request_id,
            github_pull_request: self.github_pull_request_id,
            gitlab_merge_request: self.gitlab_merge_request_id,
            non_native_pull_request: self.non_native_pull_request_id,
            ..Trigger::plain(by, cause)
        };
        bad.finish()?;
        Ok(trigger)
    }
}

fn git(bad: &mut Collector, field: &str, text: Option<String>) -> Option<BranchName> {
    text.and_then(|text| bad.take(field, BranchName::parse(&text)))
}

fn one_line(bad: &mut Collector, field: &str, text: Option<String>) -> Option<String> {
    text.and_then(|text| bad.take(field, line(Name::MAX_CHARS)(text)))
}

/// dbt's threads.
pub(super) fn threads_of(threads: i64) -> Result<u8, &'static str> {
    let fits = |threads: &u8| (1..=64).contains(threads);
    u8::try_from(threads).ok().filter(fits).ok_or("must be a whole number from 1 to 64")
}

/// A run's time limit in seconds; 0 is none.
pub(super) fn seconds_of(seconds: i64) -> Result<u32, &'static str> {
    let fits = |seconds: &u32| *seconds <= 86_400;
    u32::try_from(seconds).ok().filter(fits).ok_or("must be a whole number from 0 to 86400")
}

/// What started a run, as answers tell it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[expect(missing_docs, reason = "field by field the document's RunTrigger")]
pub struct RunTrigger {
    /// The run's: each run has one trigger.
    pub id: i64,
    pub run_id: i64,
    pub cause: String,
    /// `api`, `scheduled`, `job completion`, `ci` and `merge` by a git host, or `rerun` of a run that
    /// takes up a failed one.
    pub cause_category: String,
    /// The uid of the token that it was started with; null where Narrowgate started it.
    pub token_uid: Option<String>,
    /// The run whose end started it.
    pub job_completion_run_id: Option<i64>,
    pub job_definition_id: i64,
    pub git_branch: Option<String>,
    pub git_sha: Option<String>,
    pub azure_pull_request_id: Option<i64>,
    pub github_pull_request_id: Option<i64>,
    pub gitlab_merge_request_id: Option<i64>,
    pub non_native_pull_request_id: Option<i64>,
    pub schema_override: Option<String>,
    pub dbt_version_override: Option<String>,
    pub threads_override: Option<u8>,
    pub target_name_override: Option<String>,
    pub generate_docs_override: Option<bool>,
    pub timeout_seconds_override: Option<u32>,
    pub steps_override: Option<Vec<String>>,
    pub created_at: String,
}

fn category(trigger: &Trigger) -> &'static str {
    match (&trigger.retry, trigger.after, trigger.by) {
        (Some(_), _, _) => "rerun",
        (None, Some(_), _) => "job completion",
        (None, None, _) if trigger.hook.is_some() => {
            if trigger.is_for_pull_request() {
                "ci"
            } else {
                "merge"
            }
        }
        (None, None, PrincipalId::System(_)) => "scheduled",
        (None, None, PrincipalId::ServiceToken(_) | PrincipalId::User(_)) => "api",
    }
}

impl From<&Run> for RunTrigger {
    fn from(run: &Run) -> Self {
        let trigger = &run.trigger;
        let git = |name: &BranchName| name.as_str().to_owned();
        let steps = trigger.steps_override.as_ref();
        Self {
            id: run.id.get(),
            run_id: run.id.get(),
            cause: trigger.cause.clone(),
            cause_category: category(trigger).to_owned(),
            token_uid: trigger.token.clone(),
            job_completion_run_id: trigger.after.map(Into::into),
            job_definition_id: run.job.get(),
            git_branch: trigger.git_branch.as_ref().map(git),
            git_sha: trigger.git_sha.as_ref().map(git),
            azure_pull_request_id: trigger.azure_pull_request,
            github_pull_request_id: trigger.github_pull_request,
            gitlab_merge_request_id: trigger.gitlab_merge_request,
            non_native_pull_request_id: trigger.non_native_pull_request,
            schema_override: trigger.schema_override.clone(),
            dbt_version_override: trigger.dbt_version_override.clone(),
            threads_override: trigger.threads_override,
            target_name_override: trigger.target_name_override.clone(),
            generate_docs_override: trigger.generate_docs_override,
            timeout_seconds_override: trigger.timeout_seconds_override,
            steps_override: steps
                .map(|steps| steps.iter().map(|step| step.as_str().to_owned()).collect()),
            created_at: run.created_at.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::UserId;

    use super::*;

    fn read(json: &str) -> Result<Trigger, Invalid> {
        let body: TriggerBody = crate::from_json(json.as_bytes())?;
        body.read(PrincipalId::User(UserId::new(1).unwrap()))
    }

    #[test]
    fn a_cause_is_all_that_a_trigger_needs() {
        let by = PrincipalId::User(UserId::new(1).unwrap());
        let plain = Trigger::plain(by, "nightly".to_owned());
        assert_eq!(read(r#"{"cause":"nightly"}"#).unwrap(), plain);
        let nulls = r#"{"cause":"nightly","steps_override":null,"schema_override":null,
            "git_sha":null,"threads_override":null,"account_id":77,"additional":{}}"#;
        assert_eq!(read(nulls).unwrap(), plain);
    }

    #[test]
    fn overrides_are_read() {
        let trigger = read(
            r#"{"cause":"c","git_branch":"main","threads_override":8,"github_pull_request_id":5,
                "timeout_seconds_override":60,"steps_override":["dbt run -s 'a b'"]}"#,
        )
        .unwrap();
        assert_eq!(trigger.threads_override, Some(8));
        assert_eq!(trigger.timeout_seconds_override, Some(60));
        assert!(trigger.is_for_pull_request());
        let steps = trigger.steps_override.unwrap();
        assert_eq!(steps[0].arguments(), ["run", "-s", "a b"]);
    }

    #[test]
    fn each_wrong_field_is_named() {
        let long = "x".repeat(256);
        let body = format!(
            r#"{{"cause":"{long}","git_sha":"-x","git_branch":"a b","schema_override":"",
                "dbt_version_override":"1\n2","threads_override":65,"target_name_override":"{long}",
                "timeout_seconds_override":-1,"steps_override":["dbt run","rm -rf /","dbt"]}}"#
        );
        insta::assert_snapshot!(read(&body).unwrap_err().summary().replace("; ", "\n"), @r"
        `cause` must have at most 255 characters
        `dbt_version_override` must be one line of 1 to 255 characters
        `git_branch` must be the name of a branch or a commit
        `git_sha` must be the name of a branch or a commit
        `schema_override` must be one line of 1 to 255 characters
        `steps_override[1]` must begin with `dbt`: a step runs nothing else
        `steps_override[2]` must say what dbt is to do, such as `dbt build`
        `target_name_override` must be one line of 1 to 255 characters
        `threads_override` must be a whole number from 1 to 64
        `timeout_seconds_override` must be a whole number from 0 to 86400
        ");
        for none in ["{}", r#"{"cause":null}"#] {
            assert_eq!(read(none).unwrap_err().summary(), "`cause` is required");
        }
        assert!(read(r#"{"cause":" "}"#).is_err());
        let empty = read(r#"{"cause":"c","steps_override":[]}"#).unwrap_err();
        assert_eq!(empty.summary(), "`steps_override` must have 1 to 100 dbt commands");
        let number = read(r#"{"cause":1}"#).unwrap_err();
        assert!(number.reasons.contains_key("cause"), "{number}");
    }
}
