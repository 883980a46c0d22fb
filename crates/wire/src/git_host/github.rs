//! GitHub's `push` and `pull_request`.

use domain::git_event::{GitEvent, GitHost, Happened, PullRequest};
use serde::Deserialize;
use serde_json::Value;

use super::{branch, commit, number, pushed};
use crate::{Invalid, from_json};

#[derive(Deserialize)]
struct Push {
    r#ref: String,
    after: Option<String>,
    repository: Option<Repository>,
}

#[derive(Deserialize)]
struct Repository {
    default_branch: Option<String>,
}

#[derive(Deserialize)]
struct PullRequestEvent {
    action: String,
    pull_request: Request,
    repository: Option<Repository>,
    #[serde(default)]
    changes: Changes,
}

#[derive(Default, Deserialize)]
struct Changes {
    /// It leads into another branch now.
    base: Option<Value>,
}

#[derive(Deserialize)]
struct Request {
    number: i64,
    #[serde(default)]
    draft: bool,
    head: End,
    base: End,
    merged: Option<bool>,
    merge_commit_sha: Option<String>,
}

#[derive(Deserialize)]
struct End {
    r#ref: String,
    sha: String,
    /// Null where it is gone.
    repo: Option<RepositoryId>,
}

#[derive(PartialEq, Deserialize)]
struct RepositoryId {
    id: i64,
}

/// `push`
pub(super) fn push(body: &[u8]) -> Result<GitEvent, Invalid> {
    let push: Push = from_json(body)?;
    event(push.repository, pushed(&push.r#ref, push.after.as_deref())?)
}

/// `pull_request`
pub(super) fn pull_request(body: &[u8]) -> Result<GitEvent, Invalid> {
    let PullRequestEvent { action, pull_request, repository, changes } = from_json(body)?;
    let merged = pull_request.merged.unwrap_or_default();
    let what = match action.as_str() {
        "opened" | "reopened" | "synchronize" | "ready_for_review" => {
            Happened::Proposed(read(&pull_request)?)
        }
        "edited" if changes.base.is_some() => Happened::Proposed(read(&pull_request)?),
        "closed" if merged => Happened::Merged {
            request: read(&pull_request)?,
            commit: commit(
                "pull_request.merge_commit_sha",
                pull_request.merge_commit_sha.as_deref(),
            )?,
        },
        _ => Happened::Other("this change of a pull request starts nothing"),
    };
    event(repository, what)
}

fn read(request: &Request) -> Result<PullRequest, Invalid> {
    let (head, base) = (&request.head, &request.base);
    Ok(PullRequest {
        number: number("pull_request.number", request.number)?,
        draft: request.draft,
        from_fork: head.repo.is_none() || head.repo != base.repo,
        source: branch("pull_request.head.ref", &head.r#ref)?,
        target: branch("pull_request.base.ref", &base.r#ref)?,
        commit: commit("pull_request.head.sha", Some(&head.sha))?,
    })
}

fn event(repository: Option<Repository>, what: Happened) -> Result<GitEvent, Invalid> {
    let default_branch = repository
        .and_then(|repository| repository.default_branch)
        .map(|name| branch("repository.default_branch", &name))
        .transpose()?;
    Ok(GitEvent { host: GitHost::GitHub, default_branch, what })
}
