//! Another secret for a service token over the API: told once, replayed to whoever asked, and never
//! a lock-out. SECURITY lines 5, 26 and 27.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "what fails here is a failed test"
)]

use domain::authz::License;
use reqwest::Method;
use serde_json::{Value, json};
use testkit::{TestAccount, TestAnswer, TestApp, TestClient};

const ACCOUNTS: &str = "/api/v3/accounts/";

struct House {
    app: TestApp,
    acme: TestAccount,
    id: i64,
    /// Presents the secret that the token was made with.
    token: TestClient,
}

async fn house() -> House {
    let app = TestApp::new().await;
    let acme = app.account("acme").await;
    let (id, token) = acme.service_token().grant_everywhere("job_admin").create_with_id().await;
    House { app, acme, id, token }
}

impl House {
    fn path(&self, rest: &str) -> String {
        self.acme.v3(&format!("/service-tokens/{}/{rest}", self.id))
    }

    async fn rotate(&self, body: Value) -> TestAnswer {
        self.acme.admin.post(&self.path("rotate/"), body).await
    }

    async fn rotate_as(&self, client: &TestClient, key: &str, body: Value) -> TestAnswer {
        let request = client.request(Method::POST, &self.path("rotate/")).json(&body);
        TestAnswer::of(request.header("Idempotency-Key", key)).await
    }

    /// A client that presents the secret of an answer.
    fn with(&self, answer: &TestAnswer) -> TestClient {
        self.app.presenting(answer.data()["token_string"].as_str().unwrap())
    }

    fn wait(&self, seconds: i64) {
        self.app.clock.set(self.app.clock.now().plus_seconds(seconds));
    }
}

#[tokio::test]
async fn a_new_secret_is_told_once_and_the_old_one_works_beside_it_until_its_end() {
    let house = house().await;
    let rotated = house.rotate(json!({ "overlap_minutes": 60 })).await;
    assert_eq!(rotated.status(), 200, "{}", rotated.text());
    assert_eq!(rotated.header("cache-control"), "no-store");
    assert_eq!(rotated.data()["old_secret_ends_at"], "2026-11-23T13:00:00.000000+00:00");
    assert_eq!(rotated.id(), house.id);
    assert_eq!(rotated.data()["permission_grants"][0]["permission_set"], "job_admin");
    let new = house.with(&rotated);
    for read in ["", "permissions/", "?include_related=[\"service_token_permissions\"]"] {
        assert!(!house.acme.admin.get(&house.path(read)).await.text().contains(new.secret()));
    }
    let all = house.acme.admin.get(&house.acme.v3("/service-token-credentials/")).await;
    assert!(!all.text().contains(new.secret()));

    assert_eq!(house.token.get(ACCOUNTS).await.status(), 200);
    assert_eq!(new.get(ACCOUNTS).await.status(), 200);
    house.wait(3_600);
    let unknown = house.app.presenting("ngst_nothing").get(ACCOUNTS).await;
    let over = house.token.get(ACCOUNTS).await;
    assert_eq!((over.status(), over.bytes()), (401, unknown.bytes()));
    assert_eq!(over.lasting_headers(), unknown.lasting_headers());
    assert_eq!(new.get(ACCOUNTS).await.status(), 200);
}

/// The reply is lost: the client never saw the new secret, and the old one is about to end.
#[tokio::test]
async fn a_lost_reply_locks_nobody_out() {
    let house = house().await;
    let body = json!({ "overlap_minutes": 0 });
    let lost = house.rotate_as(&house.acme.admin, "drill-1", body.clone()).await;
    let secret = lost.data()["token_string"].clone();
    assert_eq!(house.token.get(ACCOUNTS).await.status(), 401, "the old secret is over");

    let again = house.rotate_as(&house.acme.admin, "drill-1", body.clone()).await;
    assert_eq!((again.status(), again.data()), (200, lost.data()));
    assert_eq!(house.with(&again).get(ACCOUNTS).await.status(), 200);

    // Another caller's key is another key, and so is the same after ten minutes.
    let sets = ["account_admin"];
    let (_, other) = house.acme.user("bob@acme.example", License::Developer, &sets).await;
    let theirs = house.rotate_as(&other, "drill-1", json!({ "overlap_minutes": 60 })).await;
    assert_eq!(theirs.status(), 200);
    assert_ne!(theirs.data()["token_string"], secret);
    house.wait(600);
    let late = house.rotate_as(&house.acme.admin, "drill-1", body).await;
    assert_eq!(late.status(), 409, "{}", late.text());
}

#[tokio::test]
async fn a_key_with_another_question_is_422_and_one_that_cannot_be_is_400() {
    let house = house().await;
    let (other, _) = house.acme.service_token().create_with_id().await;
    house.rotate_as(&house.acme.admin, "a-key", json!({ "overlap_minutes": 5 })).await;

    let other_body =
        house.rotate_as(&house.acme.admin, "a-key", json!({ "overlap_minutes": 6 })).await;
    assert_eq!(other_body.status(), 422, "{}", other_body.text());
    assert_eq!(other_body.json()["status"]["code"], 422);
    assert!(!other_body.reason("idempotency-key").is_empty(), "{}", other_body.text());
    let path = house.acme.v3(&format!("/service-tokens/{other}/rotate/"));
    let elsewhere =
        house.acme.admin.request(Method::POST, &path).header("Idempotency-Key", "a-key");
    assert_eq!(TestAnswer::of(elsewhere.body(r#"{"overlap_minutes":5}"#)).await.status(), 422);

    for key in ["", "a key", &"k".repeat(256)] {
        let refused = house.rotate_as(&house.acme.admin, key, json!({})).await;
        assert_eq!(refused.status(), 400, "{key}");
        assert!(!refused.reason("idempotency-key").is_empty(), "{}", refused.text());
    }
    let twice = house.acme.admin.request(Method::POST, &house.path("rotate/"));
    let twice = twice.header("Idempotency-Key", "a").header("Idempotency-Key", "b");
    assert_eq!(TestAnswer::of(twice).await.status(), 400);
}

#[tokio::test]
async fn of_two_rotations_at_the_same_moment_one_wins() {
    let house = house().await;
    let (one, two) = tokio::join!(house.rotate(json!({})), house.rotate(json!({})));
    let (won, lost) = if one.status() == 200 { (one, two) } else { (two, one) };
    assert_eq!((won.status(), lost.status()), (200, 409), "{}", lost.text());
    assert!(lost.text().contains("being rotated already"), "{}", lost.text());
    assert_eq!(house.with(&won).get(ACCOUNTS).await.status(), 200);
    assert_eq!(house.token.get(ACCOUNTS).await.status(), 200);
}

#[tokio::test]
async fn an_overlap_is_bounded_by_the_accounts_policy() {
    let house = house().await;
    let too_long = house.rotate(json!({ "overlap_minutes": 10_081 })).await;
    assert_eq!(too_long.status(), 400);
    assert!(too_long.reason("overlap_minutes").contains("10080"), "{}", too_long.text());
    for (body, field) in [
        (json!({ "overlap_minutes": -1 }), "overlap_minutes"),
        (json!({ "overlap_minutes": "x" }), "overlap_minutes"),
        (json!({ "minutes_after_first_use": 0 }), "minutes_after_first_use"),
        (json!({ "minutes_after_first_use": 43_201 }), "minutes_after_first_use"),
    ] {
        let refused = house.rotate(body.clone()).await;
        assert_eq!(refused.status(), 400, "{body}");
        assert!(!refused.reason(field).is_empty(), "{body}: {}", refused.text());
    }
    let policy = json!({ "longest_overlap_minutes": 30, "longest_life_days": { "job_admin": 1 } });
    house.acme.admin.post(&house.acme.v3("/service-token-policy/"), policy).await;

    let rotated = house.rotate(json!({})).await;

    assert_eq!(rotated.data()["old_secret_ends_at"], "2026-11-23T12:30:00.000000+00:00");
    assert_eq!(rotated.data()["expires_at"], "2026-11-24T12:00:00.000000+00:00", "and its life");
}

#[tokio::test]
async fn a_rotation_can_be_cancelled_while_the_old_secret_works() {
    let house = house().await;
    let new = house.with(&house.rotate(json!({ "overlap_minutes": 60 })).await);

    let cancelled = house.acme.admin.post(&house.path("rotate/cancel/"), json!({})).await;

    assert_eq!((cancelled.status(), cancelled.id()), (200, house.id), "{}", cancelled.text());
    assert_eq!(new.get(ACCOUNTS).await.status(), 401);
    house.wait(1_000_000);
    assert_eq!(house.token.get(ACCOUNTS).await.status(), 200);
    let again = house.acme.admin.post(&house.path("rotate/cancel/"), json!({})).await;
    assert_eq!(again.status(), 409, "{}", again.text());
}

#[tokio::test]
async fn who_still_sends_the_old_secret_is_listed_with_time_address_and_agent() {
    let house = house().await;
    house.rotate(json!({ "overlap_minutes": 1 })).await;
    let old = house.token.request(Method::GET, ACCOUNTS).header("User-Agent", "forgotten-cron");
    assert_eq!(TestAnswer::of(old).await.status(), 200);
    house.wait(60);
    let late = house.token.request(Method::GET, ACCOUNTS).header("User-Agent", "late-cron");
    assert_eq!(TestAnswer::of(late).await.status(), 401);
    house.app.store.flush_last_used().await.unwrap();

    let path = house.acme.v3(&format!("/service-token-credentials/?service_token_id={}", house.id));
    let listed = house.acme.admin.get(&path).await.data();

    assert_eq!(listed.as_array().unwrap().len(), 2);
    let (old, new) = (&listed[0], &listed[1]);
    assert_eq!((&old["state"], &new["state"]), (&json!("over"), &json!("open")));
    assert_eq!(old["last_used_agent"], "forgotten-cron", "a refused use is no use");
    assert_eq!(old["last_used_address"], "127.0.0.1");
    let senders = old["senders"].as_array().unwrap();
    assert_eq!(senders.len(), 2);
    assert_eq!((&senders[0]["agent"], &senders[0]["refused"]), (&json!("late-cron"), &json!(true)));
    assert_eq!(senders[0]["last_used"], "2026-11-23T12:01:00.000000+00:00");
    assert_eq!(new["senders"], json!([]));
}

#[tokio::test]
async fn each_change_of_secrets_is_in_the_audit_and_none_of_them_holds_one() {
    let house = house().await;
    let first = house.with(&house.rotate_as(&house.acme.admin, "k", json!({})).await);
    house.acme.admin.post(&house.path("rotate/cancel/"), json!({})).await;
    let second = house.with(&house.rotate(json!({ "overlap_minutes": 0 })).await);
    house.acme.admin.post(&house.path(""), json!({ "expires_at": "2027-01-01" })).await;
    house.acme.admin.post(&house.path(""), json!({ "disabled": true })).await;
    house.acme.admin.post(&house.path(""), json!({ "disabled": false })).await;
    house.token.get(ACCOUNTS).await;
    house.app.store.flush_last_used().await.unwrap();

    let permit = domain::authz::authorize(&house.acme.admin_caller().await, house.acme.id).unwrap();
    let records = house.app.store.audit_records(&permit, 0, 100).await.unwrap();
    let object = format!("service_token:{}", house.id);
    let of_token = records.iter().filter(|record| record.object == object);
    let events: Vec<_> = of_token.map(|record| record.event.as_str()).collect();
    assert_eq!(
        events,
        [
            "service_token.created",
            "service_token.rotated",
            "service_token.rotation_cancelled",
            "service_token.rotated",
            "service_token.expiry_changed",
            "service_token.disabled",
            "service_token.enabled",
            "service_token.old_secret_used",
        ]
    );
    house.app.store.verify_audit(&permit).await.unwrap();
    let written = format!("{records:?}");
    for client in [&house.token, &first, &second] {
        assert!(!written.contains(client.secret()));
    }
}

#[tokio::test]
async fn who_may_not_write_service_tokens_rotates_none_not_even_itself() {
    let house = house().await;
    let refused = house.rotate_as(&house.token, "k", json!({})).await;
    assert_eq!(refused.status(), 403, "{}", refused.text());
    assert!(refused.text().contains("service_tokens"), "{}", refused.text());
    assert_eq!(house.acme.admin.delete(&house.path("")).await.status(), 200);
    let gone = house.rotate(json!({})).await;
    assert_eq!(gone.status(), 404);
}
