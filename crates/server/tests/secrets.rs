//! A secret's plain text is in one answer, once, and nowhere else: not in a log, not in a file,
//! not in another answer. SECURITY lines 3, 5 to 8; invariant 8 of ARCHITECTURE.md.
//!
//! One test in a program of its own, since it listens to everything that is logged.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "what fails here is a failed test"
)]

mod common;

use std::{
    io::Write,
    path::Path,
    sync::{Arc, Mutex},
};

use common::receiver::{OK, Receiver};
use reqwest::Method;
use serde_json::json;
use testkit::{TestAccount, TestAnswer, TestApp, TestProject};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn no_secret_is_logged_written_or_answered_twice() {
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .init();
    let mut app = TestApp::new().await;
    let acme = app.account("acme").await;
    let sales = acme.project("sales").await;
    let (id, token) = acme.service_token().grant("job_admin", &sales).create_with_id().await;
    let password = "correct-horse-battery-staple";

    // Every way to present it, good and bad, and what a caller might do next.
    let paths =
        ["/api/v2/whoami/", "/api/v3/accounts/", &sales.url(), &acme.v3("/service-tokens/")];
    let mut answers = Vec::new();
    for path in paths {
        answers.push(token.get(path).await);
        answers.push(token.get(&format!("{path}?access_token={}", token.secret())).await);
        let twice = token.request(Method::GET, path).header("Authorization", token.secret());
        answers.push(TestAnswer::of(twice).await);
        answers
            .push(token.post(path, json!({ "name": token.secret(), "x": token.secret() })).await);
    }
    // In a field or a path where it does not belong.
    let one = acme.v3(&format!("/service-tokens/{id}/"));
    let misplaced = [
        (one.clone(), json!({ "state": token.secret() })),
        (format!("{one}permissions/"), json!([{ "permission_set": token.secret() }])),
        (format!("{one}permissions/"), json!([{ "project_id": token.secret() }])),
        (acme.v3("/check/"), json!({ "resource": token.secret(), "action": token.secret() })),
        (sales.v3("/credentials/"), json!({ "type": "postgres", "threads": password })),
        (sales.v3("/credentials/"), json!({ "type": password })),
        (sales.v3("/environments/"), json!({ "name": "e", "type": token.secret() })),
        (acme.v2("/jobs/"), json!({ "name": "j", "execute_steps": [token.secret()] })),
        (acme.v3("/connections/"), json!({ "name": "c", "adapter_version": password })),
        (sales.v3("/connections/"), json!({ "name": "c", "type": password })),
        (
            sales.v3("/connections/"),
            json!({ "name": "c", "type": "postgres", "details": { "port": password } }),
        ),
        (
            sales.v3("/connections/"),
            json!({ "name": "c", "type": "adapter", "details": { "adapter_id": password } }),
        ),
        (sales.v3("/adapters/"), json!({ "adapter_version": password })),
        (format!("{one}{}/", token.secret()), json!({})),
    ];
    for (path, body) in misplaced {
        let answer = acme.admin.post(&path, body).await;
        assert!((400..500).contains(&answer.status()), "{path}: {}", answer.text());
        answers.push(answer);
    }
    for query in ["limit", "order_by", "state", "project_id"] {
        let path = acme.v2(&format!("/jobs/?{query}={password}"));
        answers.push(acme.admin.get(&path).await);
    }
    answers.push(acme.admin.get(&acme.v3(&format!("/projects/{}/", token.secret()))).await);
    let credential = json!({
        "type": "postgres", "default_schema": "s", "username": "u", "password": password,
        "target_name": "default", "threads": 4,
    });
    answers.push(acme.admin.post(&sales.v3("/credentials/"), credential).await);
    answers.push(acme.admin.get(&sales.v3("/credentials/")).await);
    for remote in ["https://git.example/a/b", "git@git.example:a/b"] {
        let repository = json!({ "remote_url": remote, "git_token": password });
        answers.push(acme.admin.post(&sales.v3("/repositories/"), repository).await);
    }
    answers.push(acme.admin.get(&sales.v3("/repositories/")).await);
    answers.push(acme.admin.delete(&acme.v3(&format!("/service-tokens/{id}/"))).await);
    answers.push(token.get("/api/v2/whoami/").await);
    let (signing, signature) = delivered(&acme, &sales).await;
    let remote = json!({ "remote_url": "https://git.example/acme/shop" });
    let repository = acme.admin.post(&sales.v3("/repositories/"), remote).await.id();
    let hook = sales.v3(&format!("/repositories/{repository}/webhook/"));
    let armed = acme.admin.post(&hook, json!({})).await.data();
    let hook_secret = armed["secret"].as_str().unwrap();
    let url = armed["url"].as_str().unwrap().strip_prefix(app.url()).unwrap().to_owned();
    for proof in [hook_secret, "wrong"] {
        let sent = app.anonymous().request(Method::POST, &url).body("{}");
        let sent = sent.header("X-Gitlab-Event", "Push Hook").header("X-Gitlab-Token", proof);
        answers.push(TestAnswer::of(sent).await);
    }
    answers.push(acme.admin.get(&hook).await);
    answers.push(acme.admin.get(&acme.v3("/webhooks/subscriptions")).await);
    let admin = acme.admin_caller().await;
    let permit = domain::authz::authorize(&admin, acme.id).unwrap();
    let audit = format!("{:?}", app.store.audit_records(&permit, 0, 100).await.unwrap());
    let events = format!("{:?}", app.store.events_after(0).await.unwrap());
    app.stop().await;

    let logged = String::from_utf8_lossy(&log.0.lock().unwrap()).into_owned();
    assert!(logged.len() > 1_000, "the log was heard");
    for secret in [token.secret(), acme.admin.secret(), password, &signing, &signature, hook_secret]
    {
        for (index, answer) in answers.iter().enumerate() {
            assert!(!answer.text().contains(secret), "answer {index}: {}", answer.text());
        }
        assert!(!logged.contains(secret), "in the log");
        assert!(!audit.contains(secret), "in the audit");
        assert!(!events.contains(secret), "in the events");
        assert_eq!(found_in(app.folder(), secret.as_bytes()), None);
    }
}

/// Has a webhook sent the end of a run; gives what it is signed with, and the signature.
async fn delivered(acme: &TestAccount, sales: &TestProject) -> (String, String) {
    let receiver = Receiver::answering(&[OK]).await;
    let post = async |path: &str, body| {
        let answer = acme.admin.post(path, body).await;
        assert!(answer.status() < 300, "{path}: {}", answer.text());
        answer
    };
    let body = json!({
        "name": "ops", "client_url": receiver.url, "event_types": ["job.run.completed"],
    });
    let made = post(&acme.v3("/webhooks/subscriptions"), body).await.data();
    let body = json!({ "name": "production", "type": "deployment" });
    let environment = post(&sales.v3("/environments/"), body).await.id();
    let body = json!({
        "name": "nightly", "project_id": sales.id.get(), "environment_id": environment,
    });
    let job = post(&acme.v2("/jobs/"), body).await.id();
    let run = post(&acme.v2(&format!("/jobs/{job}/run/")), json!({ "cause": "x" })).await.id();
    post(&acme.v2(&format!("/runs/{run}/cancel/")), json!({})).await;
    let delivery = receiver.came(1).await.remove(0);
    let secret = made["hmac_secret"].as_str().unwrap().to_owned();
    assert!(delivery.is_signed_with(&secret));
    let (_, signature) = delivery.head.split_once("authorization: ").unwrap();
    (secret, signature.chars().take(64).collect())
}

fn found_in(folder: &Path, secret: &[u8]) -> Option<String> {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if let Some(found) = found_in(&path, secret) {
                return Some(found);
            }
        } else {
            let bytes = std::fs::read(&path).unwrap();
            if bytes.windows(secret.len()).any(|window| window == secret) {
                return Some(path.display().to_string());
            }
        }
    }
    None
}
