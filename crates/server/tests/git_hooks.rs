//! Hooks of repositories: what GitHub and GitLab send, and what that starts.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "what fails here is a failed test"
)]

mod common;

use std::time::{Duration, Instant};

use common::House;
use domain::{
    audit::AuditRecord,
    authz::{Caller, Origin, authorize},
    git_event::GitHost,
    kept::Hidden,
    webhook::signature,
};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use store::StoreError;
use testkit::{TestAnswer, TestApp, TestHook};

const FIRST: &str = "1111111111111111111111111111111111111111";
const SECOND: &str = "2222222222222222222222222222222222222222";
const THIRD: &str = "3333333333333333333333333333333333333333";

/// A house whose project has a repository with a hook.
struct Hooked {
    house: House,
    repository: i64,
    hook: TestHook,
}

impl Hooked {
    async fn new() -> Self {
        Self::on(TestApp::new().await).await
    }

    async fn on(app: TestApp) -> Self {
        let house = House::on(app).await;
        let remote = json!({ "remote_url": "https://git.example/acme/shop" });
        let made = house.acme.admin.post(&house.sales.v3("/repositories/"), remote).await;
        let repository = made.id();
        let named = json!({ "repository_id": repository });
        let named = house.acme.admin.post(&house.sales.v3("/"), named).await;
        assert_eq!(named.status(), 200, "{}", named.text());
        let path = house.sales.v3(&format!("/repositories/{repository}/webhook/"));
        let hook = armed(&house, &path).await;
        Self { house, repository, hook }
    }

    fn admin_path(&self) -> String {
        self.house.sales.v3(&format!("/repositories/{}/webhook/", self.repository))
    }

    /// A job in production with these triggers.
    async fn job(&self, triggers: Value) -> i64 {
        let mut body = self.house.body("ci");
        body["triggers"] = triggers;
        self.house.job_of(body).await
    }

    async fn pull_request_job(&self) -> i64 {
        self.job(json!({ "github_webhook": true, "git_provider_webhook": true })).await
    }

    async fn merge_job(&self) -> i64 {
        self.job(json!({ "on_merge": true })).await
    }

    fn github(&self, kind: &str, id: &str, body: &str) -> RequestBuilder {
        self.hook.github(kind, id, body)
    }

    fn gitlab(&self, kind: &str, id: &str, body: &str) -> RequestBuilder {
        let at = self.house.app.clock.now().micros() / 1_000_000;
        self.hook.gitlab(kind, id, body, at)
    }

    /// A pull request at GitHub that has this commit.
    async fn proposed(&self, number: i64, commit: &str) -> Value {
        taken(self.github("pull_request", &format!("{number}-{commit}"), &proposal(number, commit)))
            .await
    }

    /// The audit records of events that begin like this.
    async fn recorded(&self, event: &str) -> Vec<AuditRecord> {
        let admin = self.house.acme.admin_caller().await;
        let permit = authorize(&admin, self.house.acme.id).unwrap();
        let records = self.house.app.store.audit_records(&permit, 0, 100).await.unwrap();
        records.into_iter().filter(|record| record.event.starts_with(event)).collect()
    }

    async fn runs(&self) -> Vec<Value> {
        let path = self.house.acme.v2("/runs/?include_related=['trigger']&order_by=id");
        self.house.acme.admin.get(&path).await.data().as_array().unwrap().clone()
    }
}

/// Makes the hook, or gives it another secret.
async fn armed(house: &House, path: &str) -> TestHook {
    let made = house.acme.admin.post(path, json!({})).await;
    assert_eq!(made.status(), 201, "{}", made.text());
    TestHook::new(&house.app, &made.data())
}

/// Sends it; gives what the host is told.
async fn taken(request: RequestBuilder) -> Value {
    let answer = TestAnswer::of(request).await;
    assert_eq!(answer.status(), 202, "{}", answer.text());
    answer.data()
}

fn proposal(number: i64, commit: &str) -> String {
    json!({
        "action": "synchronize",
        "number": number,
        "pull_request": {
            "number": number, "draft": false, "merged": false, "merge_commit_sha": THIRD,
            "head": { "ref": "feature", "sha": commit, "repo": { "id": 1 } },
            "base": { "ref": "main", "sha": FIRST, "repo": { "id": 1 } },
        },
        "repository": { "id": 1, "default_branch": "main" },
    })
    .to_string()
}

fn push(branch: &str, commit: &str) -> String {
    json!({
        "object_kind": "push", "ref": format!("refs/heads/{branch}"), "after": commit,
        "repository": { "default_branch": "main" }, "project": { "default_branch": "main" },
    })
    .to_string()
}

fn only(list: &Value, key: &str) -> i64 {
    let list = list.as_array().unwrap();
    assert_eq!(list.len(), 1, "{list:?}");
    list[0][key].as_i64().unwrap()
}

#[tokio::test]
async fn a_hook_has_an_address_that_stays_and_a_secret_that_is_told_once() {
    let hooked = Hooked::new().await;
    let admin = &hooked.house.acme.admin;
    let shown = admin.get(&hooked.admin_path()).await;
    assert_eq!(shown.status(), 200);
    assert!(!shown.text().contains("secret"), "{}", shown.text());
    assert_eq!(shown.data()["repository_id"], hooked.repository);
    let push = push("main", FIRST);
    assert_eq!(TestAnswer::of(hooked.github("push", "1", &push)).await.status(), 202);

    let armed = armed(&hooked.house, &hooked.admin_path()).await;

    assert_eq!(armed.path, hooked.hook.path);
    assert_ne!(armed.secret, hooked.hook.secret);
    assert_eq!(TestAnswer::of(armed.github("push", "2", &push)).await.status(), 202);
    assert_eq!(TestAnswer::of(hooked.github("push", "3", &push)).await.status(), 403);
    assert_eq!(admin.delete(&hooked.admin_path()).await.status(), 200);
    assert_eq!(admin.get(&hooked.admin_path()).await.status(), 404);
    assert_eq!(admin.delete(&hooked.admin_path()).await.status(), 404);
    assert_eq!(TestAnswer::of(armed.github("push", "4", &push)).await.status(), 403);
    let recorded = hooked.recorded("repository.hook_").await;
    let events: Vec<_> = recorded.iter().map(|record| record.event.as_str()).collect();
    let all = ["repository.hook_made", "repository.hook_rotated", "repository.hook_deleted"];
    assert_eq!(events, all);
    assert!(!format!("{recorded:?}").contains("whsec_"));
}

#[tokio::test]
async fn a_hook_is_read_and_made_like_its_repository() {
    let hooked = Hooked::new().await;
    let (house, path) = (&hooked.house, hooked.admin_path());
    let viewer = house.acme.service_token().grant("job_viewer", &house.sales).create().await;
    let admin = house.acme.service_token().grant("admin", &house.sales).create().await;
    let hr = house.acme.project("hr").await;
    let elsewhere = house.acme.service_token().grant("admin", &hr).create().await;
    let rival = house.app.account("rival").await;
    for (client, read, write) in [
        (&admin, 200, 201),
        (&viewer, 403, 403),
        (&elsewhere, 404, 404),
        (&rival.admin, 404, 404),
        (&house.app.anonymous(), 401, 401),
    ] {
        assert_eq!(client.get(&path).await.status(), read);
        assert_eq!(client.post(&path, json!({})).await.status(), write);
    }
    let through = hr.v3(&format!("/repositories/{}/webhook/", hooked.repository));
    assert_eq!(house.acme.admin.get(&through).await.status(), 404);
    assert_eq!(house.acme.admin.post(&through, json!({})).await.status(), 404);
}

#[tokio::test]
async fn an_unknown_address_and_a_wrong_signature_get_the_same_bytes() {
    let hooked = Hooked::new().await;
    hooked.merge_job().await;
    let body = push("main", FIRST);
    let unknown = format!("/hooks/git/ghk_{}", "x".repeat(27));
    let to = |path: &str| {
        let path = path.to_owned();
        let request = hooked.house.app.anonymous().request(Method::POST, &path);
        request.header("Content-Type", "application/json").body(body.clone())
    };
    let wrong = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    let signed = |request: RequestBuilder| {
        request.header("X-GitHub-Event", "push").header("X-Hub-Signature-256", wrong)
    };
    let right = signature(&Hidden::new(hooked.hook.secret.clone()), body.as_bytes());
    let right = format!("sha256={right}");
    let refused = [
        signed(to(&unknown)),
        signed(to("/hooks/git/nonsense")),
        signed(to("/hooks/git/%ff")),
        signed(to(&hooked.hook.path)),
        to(&hooked.hook.path),
        // Right, of another body.
        hooked.github("push", "1", &body).body(push("main", SECOND)),
        // A secret that is shown where a signature is asked for, and of two hosts at once.
        to(&hooked.hook.path)
            .header("X-GitHub-Event", "push")
            .header("X-Gitlab-Token", &hooked.hook.secret),
        to(&hooked.hook.path)
            .header("X-Gitlab-Event", "Push Hook")
            .header("X-Hub-Signature-256", &right),
        hooked.github("push", "1", &body).header("X-Gitlab-Event", "Push Hook"),
        hooked.github("push", "1", &body).header("X-Hub-Signature-256", &right),
        to(&hooked.hook.path).header("X-Hub-Signature-256", &right),
        to(&hooked.hook.path)
            .header("X-Gitlab-Event", "Push Hook")
            .header("X-Gitlab-Token", &hooked.hook.secret[..40]),
        // A token does not stand in for a signature that is wrong, or too old.
        hooked
            .gitlab("Push Hook", "1", &push("main", SECOND))
            .header("X-Gitlab-Token", &hooked.hook.secret)
            .body(body.clone()),
        hooked.hook.gitlab("Push Hook", "1", &body, 1_000_000_000),
        // No JSON: it is not looked at.
        signed(to(&hooked.hook.path)).body("{"),
    ];
    let mut answers = Vec::new();
    for request in refused {
        answers.push(TestAnswer::of(request).await);
    }
    for (index, answer) in answers.iter().enumerate() {
        assert_eq!((answer.status(), answer.text()), (403, answers[0].text()), "{index}");
        assert_eq!(answer.header("www-authenticate"), "");
    }
    assert!(hooked.runs().await.is_empty());
}

#[tokio::test]
async fn a_signed_body_that_is_no_event_is_refused_and_never_a_fault() {
    let hooked = Hooked::new().await;
    hooked.merge_job().await;
    let deep = "[".repeat(100_000);
    for (body, status) in [
        ("", 400),
        ("{", 400),
        ("[]", 400),
        ("nonsense", 400),
        (deep.as_str(), 400),
        (r#"{"ref":7}"#, 400),
        (r#"{"ref":"refs/heads/main","after":"main"}"#, 400),
        (r#"{"ref":"refs/heads/a b","after":"1111111111111111111111111111111111111111"}"#, 400),
        (&" ".repeat((5 << 20) + 1), 413),
    ] {
        let what: String = body.chars().take(60).collect();
        for kind in ["push", "pull_request"] {
            let answer = TestAnswer::of(hooked.github(kind, "1", body)).await;
            assert_eq!(answer.status(), status, "{kind} {what}: {}", answer.text());
        }
        let answer = TestAnswer::of(hooked.gitlab("Push Hook", "1", body)).await;
        assert_eq!(answer.status(), status, "{what}: {}", answer.text());
    }
    let large = format!("{}{}", " ".repeat(4 << 20), push("main", FIRST));
    taken(hooked.github("push", "large", &large)).await;
    let form = hooked.house.app.anonymous().request(Method::POST, &hooked.hook.path);
    let body = "payload=%7B%7D";
    let signature = signature(&Hidden::new(hooked.hook.secret.clone()), body.as_bytes());
    let form = form
        .header("Content-Type", "application/x-www-form-urlencoded")
        .header("X-GitHub-Event", "push")
        .header("X-Hub-Signature-256", format!("sha256={signature}"))
        .body(body);
    assert_eq!(TestAnswer::of(form).await.status(), 415);
    assert_eq!(hooked.runs().await.len(), 1);
}

#[tokio::test]
async fn a_pull_request_of_github_starts_a_run_of_its_commit_in_a_schema_of_its_own() {
    let hooked = Hooked::new().await;
    let (job, _other) = (hooked.pull_request_job().await, hooked.merge_job().await);

    let told = hooked.proposed(7, FIRST).await;

    assert_eq!(only(&told["started"], "job_id"), job);
    assert_eq!((&told["not_started"], &told["message"]), (&json!([]), &Value::Null));
    let runs = hooked.runs().await;
    assert_eq!(runs.len(), 1);
    assert_eq!(runs[0]["id"], only(&told["started"], "run_id"));
    let trigger = &runs[0]["trigger"];
    assert_eq!(trigger["cause"], "pull request 7 at GitHub, commit 11111111");
    assert_eq!(trigger["cause_category"], "ci");
    assert_eq!((&trigger["git_sha"], &trigger["git_branch"]), (&json!(FIRST), &json!("feature")));
    assert_eq!(trigger["schema_override"], format!("dbt_cloud_pr_{job}_7"));
    assert_eq!(
        (&trigger["github_pull_request_id"], &trigger["gitlab_merge_request_id"]),
        (&json!(7), &Value::Null)
    );
    assert_eq!(trigger["token_uid"], Value::Null);

    let recorded = hooked.recorded("run.triggered").await;
    let triggered = &recorded[0];
    assert_eq!(triggered.actor, "system:git_host");
    assert_eq!(triggered.address.as_deref(), Some("127.0.0.1"));
    let hook = hooked.hook.path.rsplit('/').next().unwrap();
    assert_eq!(triggered.change["after"]["trigger"]["hook"], hook);
}

#[tokio::test]
async fn a_merge_request_and_a_push_of_gitlab_start_runs_signed_or_by_token() {
    let hooked = Hooked::new().await;
    let (of_request, of_push) = (hooked.pull_request_job().await, hooked.merge_job().await);
    let request = json!({
        "object_kind": "merge_request", "project": { "default_branch": "main" },
        "object_attributes": {
            "iid": 3, "action": "open", "draft": false, "source_branch": "feature",
            "target_branch": "main", "source_project_id": 1, "target_project_id": 1,
            "last_commit": { "id": FIRST },
        },
    });

    let kind = "Merge Request Hook";
    let signed = taken(hooked.gitlab(kind, "1", &request.to_string())).await;
    let by_token = hooked
        .hook
        .unsigned(&push("main", SECOND))
        .header("X-Gitlab-Event", "Push Hook")
        .header("X-Gitlab-Token", &hooked.hook.secret);
    let by_token = taken(by_token).await;

    assert_eq!(only(&signed["started"], "job_id"), of_request);
    assert_eq!(only(&by_token["started"], "job_id"), of_push);
    let runs = hooked.runs().await;
    let (tried, built) = (&runs[0]["trigger"], &runs[1]["trigger"]);
    assert_eq!(tried["gitlab_merge_request_id"], 3);
    assert_eq!(tried["github_pull_request_id"], Value::Null);
    assert_eq!(tried["schema_override"], format!("dbt_cloud_pr_{of_request}_3"));
    assert_eq!(built["cause"], "push to `main` at GitLab, commit 22222222");
    assert_eq!(built["cause_category"], "merge");
    assert_eq!(built["schema_override"], Value::Null);
    assert_eq!((&built["git_sha"], &built["git_branch"]), (&json!(SECOND), &json!("main")));
}

#[tokio::test]
async fn a_delivery_that_comes_twice_starts_nothing_twice() {
    let hooked = Hooked::new().await;
    hooked.merge_job().await;
    let again = "this delivery came before and was acted on";
    let body = push("main", FIRST);
    assert!(taken(hooked.github("push", "1", &body)).await["message"].is_null());
    let other = push("main", SECOND);
    assert_eq!(taken(hooked.github("push", "1", &other)).await["message"], again);
    // An id is not signed: the same body under another one is the same delivery.
    assert_eq!(taken(hooked.github("push", "2", &body)).await["message"], again);
    assert!(taken(hooked.gitlab("Push Hook", "1", &other)).await["message"].is_null());
    assert_eq!(taken(hooked.gitlab("Push Hook", "1", &other)).await["message"], again);
    let token = |key: &str, value: &str, body: &str| {
        let request = hooked.hook.unsigned(body).header("X-Gitlab-Event", "Push Hook");
        request.header("X-Gitlab-Token", &hooked.hook.secret).header(key, value)
    };
    let third = push("main", THIRD);
    for (key, value) in [("Idempotency-Key", "9"), ("X-Gitlab-Event-UUID", "9")] {
        assert!(taken(token(key, value, &body)).await["message"].is_null());
        assert_eq!(taken(token(key, value, &body)).await["message"], again);
        assert!(
            taken(token("Idempotency-Key", &format!("{key}-third"), &third)).await["message"]
                .is_null()
        );
    }
    assert_eq!(hooked.runs().await.len(), 6);
    // What started nothing may come again.
    let draft = hooked.pull_request_job().await;
    let body = proposal(1, FIRST).replace(r#""draft":false"#, r#""draft":true"#);
    let told = taken(hooked.github("pull_request", "8", &body)).await;
    assert_eq!(only(&told["not_started"], "job_id"), draft);
    let path = hooked.house.acme.v2(&format!("/jobs/{draft}/"));
    let job = hooked.house.acme.admin.get(&path).await.data();
    let mut job = job;
    job["triggers_on_draft_pr"] = json!(true);
    let saved = hooked.house.acme.admin.post(&path, job).await;
    assert_eq!(saved.status(), 200, "{}", saved.text());
    let told = taken(hooked.github("pull_request", "8", &body)).await;
    assert_eq!(only(&told["started"], "job_id"), draft);
}

#[tokio::test]
async fn a_delivery_is_known_for_thirty_days() {
    const DAY: i64 = 24 * 3_600;
    let hooked = Hooked::new().await;
    let job = hooked.merge_job().await;
    let pushed = async |id: &str, commit: &str| {
        taken(hooked.github("push", id, &push("main", commit))).await
    };
    assert_eq!(only(&pushed("1", FIRST).await["started"], "job_id"), job);
    hooked.house.wait(29 * DAY);
    assert_eq!(only(&pushed("2", SECOND).await["started"], "job_id"), job);
    let again = "this delivery came before and was acted on";
    assert_eq!(pushed("1", FIRST).await["message"], again);
    hooked.house.wait(2 * DAY);
    assert_eq!(only(&pushed("3", THIRD).await["started"], "job_id"), job);
    assert_eq!(only(&pushed("1", FIRST).await["started"], "job_id"), job);
    assert_eq!(pushed("2", SECOND).await["message"], again);
}

#[tokio::test]
async fn a_newer_commit_of_a_pull_request_ends_the_runs_of_the_older_ones() {
    let hooked = Hooked::new().await;
    let job = hooked.pull_request_job().await;
    let first = only(&hooked.proposed(7, FIRST).await["started"], "run_id");
    let (begun, _) = hooked.house.begin(&["a step"]).await;
    assert_eq!(begun.get(), first);
    let beside = only(&hooked.proposed(8, FIRST).await["started"], "run_id");

    let second = hooked.proposed(7, SECOND).await;
    let third = hooked.proposed(7, THIRD).await;

    assert_eq!(second["cancelled_run_ids"], json!([first]));
    let second = only(&second["started"], "run_id");
    assert_eq!(third["cancelled_run_ids"], json!([second]), "the first was asked already");
    let third = only(&third["started"], "run_id");
    let runs = hooked.runs().await;
    let status = |id: i64| runs.iter().find(|run| run["id"] == id).unwrap()["status"].clone();
    assert_eq!([status(beside), status(second), status(third)], [json!(1), json!(30), json!(1)]);
    let permit = hooked.house.runner().await.also().unwrap();
    assert!(hooked.house.app.store.run(&permit, begun).await.unwrap().cancel_requested);
    let ended = runs.iter().find(|run| run["id"] == second).unwrap();
    let said = "cancelled before it began: its pull request has a newer commit";
    assert_eq!(ended["status_message"], said);

    let reopened = proposal(7, THIRD).replace("synchronize", "reopened");
    let told = taken(hooked.github("pull_request", "reopened", &reopened)).await;
    let reason = format!("run {third} is of this commit");
    assert_eq!(told["not_started"], json!([{ "job_id": job, "reason": reason }]));
    // Back to the first commit, whose run is asked to stop: that is no run of it any more.
    let back = proposal(7, FIRST).replace("synchronize", "edited");
    let back = back.replacen('{', r#"{"changes":{"base":{}},"#, 1);
    let told = taken(hooked.github("pull_request", "back", &back)).await;
    assert_eq!(only(&told["started"], "job_id"), job);
    assert_eq!(told["cancelled_run_ids"], json!([third]));
}

#[tokio::test]
async fn a_merge_and_its_push_start_a_job_once() {
    let hooked = Hooked::new().await;
    let job = hooked.merge_job().await;
    let merged = |commit: &str| {
        let body = proposal(7, FIRST).replace("synchronize", "closed");
        body.replace(r#""merged":false"#, r#""merged":true"#).replace(THIRD, commit)
    };
    let first = taken(hooked.github("push", "1", &push("main", SECOND))).await;
    let run = only(&first["started"], "run_id");
    let after = taken(hooked.github("pull_request", "2", &merged(SECOND))).await;
    let reason = format!("run {run} is of this commit");
    assert_eq!(after["not_started"], json!([{ "job_id": job, "reason": reason }]));

    let before = taken(hooked.github("pull_request", "3", &merged(THIRD))).await;
    assert_eq!(only(&before["started"], "job_id"), job);
    let push_of_it = taken(hooked.github("push", "4", &push("main", THIRD))).await;
    assert_eq!(only(&push_of_it["not_started"], "job_id"), job);
    // A branch that goes back to an older commit is built again.
    let back = taken(hooked.gitlab("Push Hook", "5", &push("main", SECOND))).await;
    assert_eq!(only(&back["started"], "job_id"), job);
}

#[tokio::test]
async fn other_branches_and_other_hosts_start_nothing_and_say_why() {
    let hooked = Hooked::new().await;
    let github = hooked.job(json!({ "github_webhook": true })).await;
    let gitlab = hooked.job(json!({ "git_provider_webhook": true })).await;
    let merges = hooked.merge_job().await;
    let path = hooked.house.sales.v3(&format!("/environments/{}/", hooked.house.production));
    let mut environment = hooked.house.acme.admin.get(&path).await.data();
    environment["use_custom_branch"] = json!(true);
    environment["custom_branch"] = json!("release");
    let saved = hooked.house.acme.admin.post(&path, environment).await;
    assert_eq!(saved.status(), 200, "{}", saved.text());

    let proposed = hooked.proposed(7, FIRST).await;
    let pushed = taken(hooked.github("push", "2", &push("main", FIRST))).await;

    let elsewhere = "its environment builds the branch `release`";
    let other = "its triggers are not about GitHub (`github_webhook`)";
    assert_eq!(
        proposed["not_started"],
        json!([
            { "job_id": github, "reason": elsewhere },
            { "job_id": gitlab, "reason": other },
        ])
    );
    assert_eq!(pushed["not_started"], json!([{ "job_id": merges, "reason": elsewhere }]));
    assert!(hooked.runs().await.is_empty());
    let pushed = taken(hooked.github("push", "3", &push("release", FIRST))).await;
    assert_eq!(only(&pushed["started"], "job_id"), merges);
}

#[tokio::test]
async fn what_is_closed_starts_nothing_and_says_so() {
    let hooked = Hooked::new().await;
    let job = hooked.merge_job().await;
    let (house, admin) = (&hooked.house, &hooked.house.acme.admin);
    let push = |id: &str| hooked.github("push", id, &push("main", FIRST));
    let message = |told: Value| told["message"].as_str().unwrap().to_owned();

    let lock = async |locked: bool| {
        let said = admin.patch(&house.acme.v2("/"), json!({ "locked": locked })).await;
        assert_eq!(said.status(), 200, "{}", said.text());
    };
    lock(true).await;
    assert_eq!(message(taken(push("1")).await), "the account is locked: it queues no runs");
    lock(false).await;

    let ping = hooked.github("ping", "2", r#"{"zen":"x"}"#);
    assert_eq!(message(taken(ping).await), "the address and the secret are right");

    let deleted = admin.delete(&house.acme.v2(&format!("/jobs/{job}/"))).await;
    assert_eq!(deleted.status(), 200, "{}", deleted.text());
    let none = "no job of the project is started by such an event";
    assert_eq!(message(taken(push("1")).await), none);
    hooked.merge_job().await;

    let named = admin.post(&house.sales.v3("/"), json!({ "repository_id": null })).await;
    assert_eq!(named.status(), 200, "{}", named.text());
    let other = "the project is not built from this repository";
    assert_eq!(message(taken(push("1")).await), other);

    let deleted = admin.delete(&house.sales.v3("/")).await;
    assert_eq!(deleted.status(), 200, "{}", deleted.text());
    assert_eq!(message(taken(push("1")).await), "the project is deleted");
    assert!(hooked.runs().await.is_empty());
}

#[tokio::test]
async fn a_deleted_repository_takes_its_hook_along() {
    let hooked = Hooked::new().await;
    let (house, admin) = (&hooked.house, &hooked.house.acme.admin);
    let named = admin.post(&house.sales.v3("/"), json!({ "repository_id": null })).await;
    assert_eq!(named.status(), 200, "{}", named.text());
    let path = house.sales.v3(&format!("/repositories/{}/", hooked.repository));
    assert_eq!(admin.delete(&path).await.status(), 200);
    let push = hooked.github("push", "1", &push("main", FIRST));
    assert_eq!(TestAnswer::of(push).await.status(), 403);
    assert_eq!(admin.get(&hooked.admin_path()).await.status(), 404);
}

#[tokio::test]
async fn an_account_that_restricts_addresses_admits_hosts_at_those_alone() {
    let hooked = Hooked::on(TestApp::behind(&["127.0.0.1"]).await).await;
    let job = hooked.merge_job().await;
    let admin = &hooked.house.acme.admin;
    let rules = hooked.house.acme.v3("/ip-restrictions/");
    let rule = json!({
        "name": "host", "type": 1, "rule_set_enabled": true,
        "cidrs": [{ "cidr": "203.0.113.0/24" }, { "cidr": "127.0.0.1" }],
    });
    let made = admin.post(&rules, rule).await;
    assert_eq!(made.status(), 201, "{}", made.text());
    let from = |address: &str, id: &str, commit: &str| {
        let delivery = hooked.github("push", id, &push("main", commit));
        delivery.header("X-Forwarded-For", address)
    };
    let refused = TestAnswer::of(from("198.51.100.1", "1", FIRST)).await;
    assert_eq!(refused.status(), 403, "{}", refused.text());
    let told = taken(from("203.0.113.9", "1", FIRST)).await;
    assert_eq!(only(&told["started"], "job_id"), job);
}

#[tokio::test]
async fn a_secret_that_is_changed_between_check_and_commit_starts_nothing() {
    let hooked = Hooked::new().await;
    hooked.merge_job().await;
    let store = &hooked.house.app.store;
    let key = hooked.hook.path.rsplit('/').next().unwrap().parse().unwrap();
    let (hook, principal) =
        store.git_host(&key, &Origin::local(), |_| true).await.unwrap().unwrap();
    hooked.house.wait(1);
    armed(&hooked.house, &hooked.admin_path()).await;

    let caller = Caller::new(principal, Origin::local()).into();
    let permit = authorize(&caller, hooked.house.acme.id).unwrap();
    let event = wire::git_event(GitHost::GitHub, "push", push("main", FIRST).as_bytes()).unwrap();
    let refused = store.take_git_delivery(&permit, &hook, &event, &["x".to_owned()]).await;

    assert!(matches!(refused, Err(StoreError::CredentialChanged)), "{refused:?}");
    assert!(hooked.runs().await.is_empty());
}

/// A body large enough that to look at its signature is what takes the time.
#[tokio::test]
async fn an_unknown_address_takes_as_long_as_a_wrong_signature() {
    let hooked = Hooked::new().await;
    let unknown = format!("/hooks/git/ghk_{}", "x".repeat(27));
    let body = push("main", FIRST) + &" ".repeat(300_000);
    let mut times = [const { Vec::new() }; 2];
    for _ in 0..60 {
        for (times, path) in times.iter_mut().zip([&hooked.hook.path, &unknown]) {
            let request = hooked.house.app.anonymous().request(Method::POST, path);
            let request = request.header("X-GitHub-Event", "push").body(body.clone());
            let request = request.header("X-Hub-Signature-256", "sha256=00");
            let begun = Instant::now();
            assert_eq!(TestAnswer::of(request).await.status(), 403);
            times.push(begun.elapsed());
        }
    }
    let [known, unknown] = times.map(|mut times| {
        times.sort_unstable();
        times[times.len() / 2]
    });
    let (least, most) = (known.min(unknown), known.max(unknown));
    assert!(most < least + least / 2 + Duration::from_millis(1), "{known:?} {unknown:?}");
}
