//! A run, as pages show it.

use std::collections::BTreeSet;

use domain::{
    JobId, ProjectId, RunId, Timestamp,
    authz::{PrincipalId, SystemTask},
    run::{Run, Trigger},
};
use store::{Named, Names};

use super::{
    marks::Mark,
    page::{When, span},
};

/// A run, in words.
pub(super) struct RunView {
    pub(super) id: RunId,
    pub(super) job_id: JobId,
    pub(super) job: String,
    pub(super) project_id: ProjectId,
    pub(super) project: String,
    pub(super) environment: String,
    pub(super) mark: Mark,
    pub(super) by: Starter,
    pub(super) created: When,
    /// From when its first step began to its end, or to now.
    pub(super) took: Option<String>,
}

/// What or who started a run.
pub(super) struct Starter {
    pub(super) name: String,
    /// The page of it, if there is one.
    pub(super) link: Option<String>,
    /// What it is.
    pub(super) kind: &'static str,
}

impl RunView {
    /// A run as it looks now.
    pub(super) fn new(run: &Run, names: &Names, warnings: u64, now: Timestamp) -> Self {
        Self {
            id: run.id,
            job_id: run.job,
            job: called(names, Named::Job(run.job)),
            project_id: run.project,
            project: called(names, Named::Project(run.project)),
            environment: called(names, Named::Environment(run.environment)),
            mark: Mark::of_run(run, warnings),
            by: Starter::of(&run.trigger, names),
            created: When::new(run.created_at, now),
            took: seconds(run, now).map(span),
        }
    }
}

/// How many seconds a run took, or has taken so far.
pub(super) fn seconds(run: &Run, now: Timestamp) -> Option<i64> {
    let end = run.state.finished_at().unwrap_or(now);
    run.state.started_at().map(|start| end.seconds_since(start))
}

impl Starter {
    /// Of a trigger.
    pub(super) fn of(trigger: &Trigger, names: &Names) -> Self {
        let by = || Named::try_from(trigger.by).map(|of| called(names, of));
        match (trigger.by, trigger.after) {
            (PrincipalId::ServiceToken(id), _) => Self {
                name: by().unwrap_or_default(),
                // Whoever may read its name may read its page.
                link: names
                    .contains_key(&Named::ServiceToken(id))
                    .then(|| format!("/console/service-tokens/{id}")),
                kind: "service token",
            },
            (PrincipalId::User(_), _) => {
                Self { name: by().unwrap_or_default(), link: None, kind: "user" }
            }
            (PrincipalId::System(SystemTask::Runner), Some(run)) => Self {
                name: format!("run #{run}"),
                link: Some(format!("/console/runs/{run}")),
                kind: "whose end it waited for",
            },
            (PrincipalId::System(SystemTask::Runner), None) => {
                Self { name: "schedule".to_owned(), link: None, kind: "of the job" }
            }
            (PrincipalId::System(task), _) => {
                Self { name: task.key().replace('_', " "), link: None, kind: "" }
            }
        }
    }
}

/// What something is called; its kind and id where its name is not for the reader.
pub(super) fn called(names: &Names, of: Named) -> String {
    let by_id = || match of {
        Named::Project(id) => format!("project {id}"),
        Named::Environment(id) => format!("environment {id}"),
        Named::Job(id) => format!("job {id}"),
        Named::User(id) => format!("user {id}"),
        Named::ServiceToken(id) => format!("service token {id}"),
    };
    names.get(&of).cloned().unwrap_or_else(by_id)
}

/// What runs point to.
pub(super) fn named_in<'a>(runs: impl IntoIterator<Item = &'a Run>) -> BTreeSet<Named> {
    let of = |run: &Run| {
        let places =
            [Named::Project(run.project), Named::Environment(run.environment), Named::Job(run.job)];
        places.into_iter().chain(Named::try_from(run.trigger.by))
    };
    runs.into_iter().flat_map(of).collect()
}
