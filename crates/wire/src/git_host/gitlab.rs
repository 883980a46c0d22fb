//! GitLab's `Push Hook` and `Merge Request Hook`.

use domain::git_event::{GitEvent, GitHost, Happened, PullRequest};
use serde::Deserialize;
use serde_json::Value;

use super::{branch, commit, number, pushed};
use crate::{Invalid, from_json};

#[derive(Deserialize)]
struct Push {
    r#ref: String,
    after: Option<String>,
    project: Option<Project>,
}

#[derive(Deserialize)]
struct Project {
    default_branch: Option<String>,
}

#[derive(Deserialize)]
struct MergeRequestEvent {
    project: Option<Project>,
    object_attributes: Request,
    #[serde(default)]
    changes: Changes,
}

/// What an update changed.
#[derive(Default, Deserialize)]
struct Changes {
    draft: Option<Switch>,
    /// The older name of `draft`.
    work_in_progress: Option<Switch>,
    /// It leads into another branch now.
    target_branch: Option<Value>,
}

#[derive(Deserialize)]
struct Switch {
    current: Option<bool>,
}

#[derive(Deserialize)]
struct Request {
    iid: i64,
    action: Option<String>,
    #[serde(default)]
    draft: bool,
    /// The older name of `draft`.
    #[serde(default)]
    work_in_progress: bool,
    /// The commit before, where there is a new one.
    oldrev: Option<String>,
    source_branch: String,
    target_branch: String,
    /// Null where it is gone.
    source_project_id: Option<i64>,
    target_project_id: Option<i64>,
    last_commit: Option<Commit>,
    merge_commit_sha: Option<String>,
    squash_commit_sha: Option<String>,
}

#[derive(Deserialize)]
struct Commit {
    id: String,
}

/// `Push Hook`
pub(super) fn push(body: &[u8]) -> Result<GitEvent, Invalid> {
    let push: Push = from_json(body)?;
    event(push.project, pushed(&push.r#ref, push.after.as_deref())?)
}

/// `Merge Request Hook`
pub(super) fn merge_request(body: &[u8]) -> Result<GitEvent, Invalid> {
    let MergeRequestEvent { project, object_attributes: request, changes } = from_json(body)?;
    let ready = |switch: &Option<Switch>| {
        switch.as_ref().is_some_and(|switch| switch.current == Some(false))
    };
    let is_new = request.oldrev.is_some()
        || changes.target_branch.is_some()
        || ready(&changes.draft)
        || ready(&changes.work_in_progress);
    let what = match request.action.as_deref() {
        Some("open" | "reopen") => Happened::Proposed(read(&request)?),
        Some("update") if is_new => Happened::Proposed(read(&request)?),
        Some("merge") => Happened::Merged { request: read(&request)?, commit: merged(&request)? },
        _ => Happened::Other("this change of a merge request starts nothing"),
    };
    event(project, what)
}

/// The commit that the branch has by the merge: of its own, or squashed, or else the newest of the
/// request, where the branch was moved on to it.
fn merged(request: &Request) -> Result<domain::git_event::CommitId, Invalid> {
    let made = request.merge_commit_sha.as_deref().or(request.squash_commit_sha.as_deref());
    commit("object_attributes.merge_commit_sha", made.or_else(|| last(request)))
}

fn last(request: &Request) -> Option<&str> {
    request.last_commit.as_ref().map(|commit| commit.id.as_str())
}

fn read(request: &Request) -> Result<PullRequest, Invalid> {
    let (source, target) = (request.source_project_id, request.target_project_id);
    Ok(PullRequest {
        number: number("object_attributes.iid", request.iid)?,
        draft: request.draft || request.work_in_progress,
        from_fork: source.is_none() || source != target,
        source: branch("object_attributes.source_branch", &request.source_branch)?,
        target: branch("object_attributes.target_branch", &request.target_branch)?,
        commit: commit("object_attributes.last_commit.id", last(request))?,
    })
}

fn event(project: Option<Project>, what: Happened) -> Result<GitEvent, Invalid> {
    let default_branch = project
        .and_then(|project| project.default_branch)
        .map(|name| branch("project.default_branch", &name))
        .transpose()?;
    Ok(GitEvent { host: GitHost::GitLab, default_branch, what })
}
