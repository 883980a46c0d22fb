//! What git hosts send (GitHub: "Webhook events and payloads"; GitLab: "Webhook events"). Of it is
//! read what bears on jobs, and nothing else.

mod github;
mod gitlab;

use domain::{
    environment::BranchName,
    git_event::{CommitId, GitEvent, GitHost, Happened},
};

use crate::Invalid;

/// Reads a delivery: `kind` is the host's own word for it, as its header has it.
///
/// # Errors
/// [`Invalid`] names the field that does not fit.
pub fn git_event(host: GitHost, kind: &str, body: &[u8]) -> Result<GitEvent, Invalid> {
    match (host, kind) {
        (GitHost::GitHub, "push") => github::push(body),
        (GitHost::GitHub, "pull_request") => github::pull_request(body),
        (GitHost::GitHub, "ping") => Ok(other(host, "the address and the secret are right")),
        (GitHost::GitLab, "Push Hook") => gitlab::push(body),
        (GitHost::GitLab, "Merge Request Hook") => gitlab::merge_request(body),
        (GitHost::GitHub | GitHost::GitLab, _) => {
            Ok(other(host, "events of this kind start nothing"))
        }
    }
}

fn other(host: GitHost, why: &'static str) -> GitEvent {
    GitEvent { host, default_branch: None, what: Happened::Other(why) }
}

fn branch(field: &str, name: &str) -> Result<BranchName, Invalid> {
    BranchName::parse(name).map_err(|error| Invalid::field(field, error))
}

fn commit(field: &str, id: Option<&str>) -> Result<CommitId, Invalid> {
    CommitId::parse(id.unwrap_or_default()).map_err(|error| Invalid::field(field, error))
}

fn number(field: &str, number: i64) -> Result<i64, Invalid> {
    if number > 0 { Ok(number) } else { Err(Invalid::field(field, "must be 1 or more")) }
}

/// A push, as both hosts tell it.
fn pushed(reference: &str, after: Option<&str>) -> Result<Happened, Invalid> {
    let Some(name) = reference.strip_prefix("refs/heads/") else {
        return Ok(Happened::Other("only pushes to branches start something"));
    };
    let zeros = |id: &str| id.bytes().all(|byte| byte == b'0');
    if after.is_some_and(zeros) {
        return Ok(Happened::Other("the branch was deleted"));
    }
    Ok(Happened::Pushed { branch: branch("ref", name)?, commit: commit("after", after)? })
}

#[cfg(test)]
mod tests {
    use domain::git_event::PullRequest;
    use serde_json::{Value, json};

    use super::*;

    const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
    const MERGED: &str = "89abcdef0123456789abcdef0123456789abcdef";

    fn read(host: GitHost, kind: &str, body: &Value) -> Result<Happened, String> {
        let event = git_event(host, kind, body.to_string().as_bytes());
        let event = event.map_err(|invalid| invalid.summary())?;
        let default = event.default_branch.as_ref().map(BranchName::as_str);
        assert_eq!(default.unwrap_or("main"), "main");
        Ok(event.what)
    }

    fn github(kind: &str, body: &Value) -> Result<Happened, String> {
        read(GitHost::GitHub, kind, body)
    }

    fn gitlab(kind: &str, body: &Value) -> Result<Happened, String> {
        read(GitHost::GitLab, kind, body)
    }

    fn told(what: Result<Happened, String>) -> String {
        match what {
            Ok(Happened::Pushed { branch, commit }) => {
                format!("pushed {} to {}", commit.as_str(), branch.as_str())
            }
            Ok(Happened::Proposed(request)) => format!("proposed {}", shown(&request)),
            Ok(Happened::Merged { request, commit }) => {
                format!("merged {} as {}", shown(&request), commit.as_str())
            }
            Ok(Happened::Other(why)) => why.to_owned(),
            Err(wrong) => wrong,
        }
    }

    fn shown(request: &PullRequest) -> String {
        assert_eq!(request.commit.as_str(), COMMIT);
        format!(
            "{} from {} into {}{}{}",
            request.number,
            request.source.as_str(),
            request.target.as_str(),
            if request.draft { ", a draft" } else { "" },
            if request.from_fork { ", of a fork" } else { "" },
        )
    }

    fn pull_request(action: &str) -> Value {
        json!({
            "action": action, "number": 7,
            "pull_request": {
                "number": 7, "draft": false, "merged": false, "merge_commit_sha": null,
                "head": { "ref": "feature", "sha": COMMIT, "repo": { "id": 1 } },
                "base": { "ref": "main", "sha": MERGED, "repo": { "id": 1 } },
            },
            "repository": { "id": 1, "default_branch": "main" },
        })
    }

    fn merge_request(action: &str) -> Value {
        json!({
            "object_kind": "merge_request", "project": { "id": 1, "default_branch": "main" },
            "object_attributes": {
                "id": 99, "iid": 7, "action": action, "draft": false,
                "source_branch": "feature", "target_branch": "main",
                "source_project_id": 1, "target_project_id": 1, "last_commit": { "id": COMMIT },
            },
            "changes": {},
        })
    }

    fn with(mut body: Value, pointer: &str, value: Value) -> Value {
        let (object, key) = pointer.rsplit_once('/').unwrap();
        body.pointer_mut(object).unwrap()[key] = value;
        body
    }

    #[test]
    fn a_push_names_its_branch_and_its_newest_commit() {
        let push = |name: &str, after: &str| {
            json!({
                "ref": name, "before": MERGED, "after": after,
                "repository": { "default_branch": "main" },
                "project": { "default_branch": "main" },
            })
        };
        let said = format!("pushed {COMMIT} to a/b");
        assert_eq!(told(github("push", &push("refs/heads/a/b", COMMIT))), said);
        assert_eq!(told(gitlab("Push Hook", &push("refs/heads/a/b", COMMIT))), said);
        for (body, said) in [
            (push("refs/tags/v1", COMMIT), "only pushes to branches start something"),
            (push("refs/heads/a", &"0".repeat(40)), "the branch was deleted"),
            (push("refs/heads/-x", COMMIT), "`ref` must be the name of a branch or a commit"),
            (push("refs/heads/a", "main"), "`after` must be the id of a commit"),
            (json!({ "ref": "refs/heads/a" }), "`after` must be the id of a commit"),
            (json!({ "ref": 7 }), "`ref` does not fit: expected a string"),
            (json!({}), "`body` does not fit: missing field `ref`"),
        ] {
            assert_eq!(told(github("push", &body)), said);
            assert_eq!(told(gitlab("Push Hook", &body)), said);
        }
    }

    #[test]
    fn a_pull_request_of_github_is_to_be_tried_when_it_has_something_new() {
        let read = |body: &Value| told(github("pull_request", body));
        for action in ["opened", "reopened", "synchronize", "ready_for_review"] {
            assert_eq!(read(&pull_request(action)), "proposed 7 from feature into main");
        }
        let nothing = "this change of a pull request starts nothing";
        for action in ["closed", "edited", "labeled", "converted_to_draft"] {
            assert_eq!(read(&pull_request(action)), nothing);
        }
        let base = json!({ "base": { "ref": { "from": "dev" } } });
        let moved = with(pull_request("edited"), "/changes", base);
        assert_eq!(read(&moved), "proposed 7 from feature into main");
        let draft = with(pull_request("opened"), "/pull_request/draft", json!(true));
        assert_eq!(read(&draft), "proposed 7 from feature into main, a draft");
        for repo in [json!({ "id": 2 }), Value::Null] {
            let fork = with(pull_request("opened"), "/pull_request/head/repo", repo);
            assert_eq!(read(&fork), "proposed 7 from feature into main, of a fork");
        }
        let merged = with(pull_request("closed"), "/pull_request/merged", json!(true));
        assert_eq!(read(&merged), "`pull_request.merge_commit_sha` must be the id of a commit");
        let merged = with(merged, "/pull_request/merge_commit_sha", json!(MERGED));
        assert_eq!(read(&merged), format!("merged 7 from feature into main as {MERGED}"));
        let wrong = with(pull_request("opened"), "/pull_request/head/sha", json!("main"));
        assert_eq!(read(&wrong), "`pull_request.head.sha` must be the id of a commit");
        let wrong = with(pull_request("opened"), "/pull_request/number", json!(0));
        assert_eq!(read(&wrong), "`pull_request.number` must be 1 or more");
    }

    #[test]
    fn a_merge_request_of_gitlab_is_to_be_tried_when_it_has_something_new() {
        let read = |body: &Value| told(gitlab("Merge Request Hook", body));
        for action in ["open", "reopen"] {
            assert_eq!(read(&merge_request(action)), "proposed 7 from feature into main");
        }
        let nothing = "this change of a merge request starts nothing";
        for action in ["update", "close", "approved"] {
            assert_eq!(read(&merge_request(action)), nothing);
        }
        let update = merge_request("update");
        let ready = json!({ "draft": { "previous": true, "current": false } });
        let was_draft = json!({ "work_in_progress": { "previous": true, "current": false } });
        let drafted = json!({ "draft": { "previous": false, "current": true } });
        let moved = json!({ "target_branch": { "previous": "dev", "current": "main" } });
        for new in [
            with(update.clone(), "/object_attributes/oldrev", json!(MERGED)),
            with(update.clone(), "/changes", ready),
            with(update.clone(), "/changes", was_draft),
            with(update.clone(), "/changes", moved),
        ] {
            assert_eq!(read(&new), "proposed 7 from feature into main");
        }
        assert_eq!(read(&with(update, "/changes", drafted)), nothing);
        for field in ["draft", "work_in_progress"] {
            let field = format!("/object_attributes/{field}");
            let draft = with(merge_request("open"), &field, json!(true));
            assert_eq!(read(&draft), "proposed 7 from feature into main, a draft");
        }
        let other = "/object_attributes/source_project_id";
        for project in [json!(2), Value::Null] {
            let fork = with(merge_request("open"), other, project);
            assert_eq!(read(&fork), "proposed 7 from feature into main, of a fork");
        }
        let merged = merge_request("merge");
        assert_eq!(read(&merged), format!("merged 7 from feature into main as {COMMIT}"));
        let merged = with(merged, "/object_attributes/squash_commit_sha", json!(MERGED));
        assert_eq!(read(&merged), format!("merged 7 from feature into main as {MERGED}"));
        let merged = with(merged, "/object_attributes/merge_commit_sha", json!("f".repeat(40)));
        assert!(read(&merged).ends_with(&"f".repeat(40)));
    }

    #[test]
    fn what_is_nothing_to_a_job_is_not_even_read() {
        let (ping, other) =
            ("the address and the secret are right", "events of this kind start nothing");
        assert_eq!(told(github("ping", &json!("anything"))), ping);
        for kind in ["issues", "Push Hook", "", "PUSH"] {
            assert_eq!(told(github(kind, &json!("anything"))), other);
        }
        for kind in ["Tag Push Hook", "push", "System Hook"] {
            assert_eq!(told(gitlab(kind, &json!("anything"))), other);
        }
    }
}
