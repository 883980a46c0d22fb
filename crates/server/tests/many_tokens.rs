//! What is done to many service tokens at once is what was shown before, and nothing else.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "what fails here is a failed test"
)]

use domain::authz::License;
use serde_json::{Value, json};
use testkit::{TestAccount, TestAnswer, TestApp, TestClient};

const DAY: i64 = 86_400;

struct Shelf {
    app: TestApp,
    acme: TestAccount,
}

impl Shelf {
    async fn new() -> Self {
        let app = TestApp::new().await;
        let acme = app.account("acme").await;
        Self { app, acme }
    }

    async fn token(&self, name: &str, set: &str) -> (i64, TestClient) {
        self.acme.service_token().named(name).grant_everywhere(set).create_with_id().await
    }

    fn later(&self, seconds: i64) {
        self.app.clock.set(self.app.clock.now().plus_seconds(seconds));
    }

    async fn revoke(&self, by: &TestClient, body: Value) -> TestAnswer {
        by.post(&self.acme.v3("/service-tokens/revoke/"), body).await
    }

    async fn rotate(&self, body: Value, key: &str) -> TestAnswer {
        let path = self.acme.v3("/service-tokens/rotate/");
        let request = self.acme.admin.request(reqwest::Method::POST, &path).json(&body);
        TestAnswer::of(request.header("Idempotency-Key", key)).await
    }

    /// The ids that a filter means, by a dry run.
    async fn meant(&self, filter: Value) -> Vec<i64> {
        let plan =
            self.revoke(&self.acme.admin, json!({ "filter": filter, "dry_run": true })).await;
        assert_eq!(plan.status(), 200, "{}", plan.text());
        assert_eq!(plan.data()["dry_run"], true);
        ids(&plan)
    }
}

fn ids(answer: &TestAnswer) -> Vec<i64> {
    let tokens = answer.data()["tokens"].as_array().cloned().unwrap();
    tokens.iter().map(|token| token["id"].as_i64().unwrap()).collect()
}

#[tokio::test]
async fn a_filter_means_the_tokens_that_meet_all_of_it() {
    let shelf = Shelf::new().await;
    let (old, old_client) = shelf.token("ci-old", "job_viewer").await;
    let (used, used_client) = shelf.token("ci-used", "job_viewer").await;
    let (other, _) = shelf.token("nightly", "job_viewer").await;
    old_client.get("/api/v3/accounts/").await;
    shelf.later(20 * DAY);
    // Used this moment, and not written down yet.
    used_client.get("/api/v3/accounts/").await;
    let (new, _) = shelf.token("ci-new", "job_viewer").await;

    assert_eq!(shelf.meant(json!({ "unused_for_days": 20 })).await, [old, other]);
    assert!(shelf.meant(json!({ "unused_for_days": 21 })).await.is_empty());
    assert_eq!(shelf.meant(json!({ "name_prefix": "ci-" })).await, [old, used, new]);
    let both = json!({ "name_prefix": "ci-", "unused_for_days": 20 });
    assert_eq!(shelf.meant(both).await, [old]);
    assert_eq!(shelf.meant(json!({ "created_before": "2026-11-24" })).await, [old, used, other]);
    assert_eq!(shelf.meant(json!({ "ids": [new, other, 999] })).await, [other, new]);
    assert!(shelf.meant(json!({ "advised": true })).await.is_empty());
    let disabled = json!({ "disabled": true });
    shelf
        .acme
        .admin
        .post(&shelf.acme.v3(&format!("/service-tokens/{new}/")), disabled.clone())
        .await;
    assert_eq!(shelf.meant(disabled).await, [new]);
    let ada = shelf.acme.admin_id.get();
    assert_eq!(shelf.meant(json!({ "responsible_user_id": ada })).await, [old, used, other, new]);
}

#[tokio::test]
async fn what_was_shown_is_what_is_revoked_or_nothing_is() {
    let shelf = Shelf::new().await;
    let (one, client) = shelf.token("ci-1", "job_viewer").await;
    let (two, _) = shelf.token("ci-2", "job_viewer").await;
    let (kept, _) = shelf.token("nightly", "job_viewer").await;
    let (asker, by_token) = shelf.token("ci-admin", "account_admin").await;
    let all = json!({ "name_prefix": "ci-" });
    let admin = &shelf.acme.admin;

    let told = |expected: &[i64]| json!({ "filter": all, "expected_ids": expected });
    for wrong in [vec![one], vec![one, two, kept], vec![], vec![one, two, kept, asker]] {
        let refused = shelf.revoke(&by_token, told(&wrong)).await;
        assert_eq!(refused.status(), 409, "{wrong:?}: {}", refused.text());
    }
    assert_eq!(client.get("/api/v3/accounts/").await.status(), 200);
    let planned = json!({ "filter": all, "dry_run": true });
    assert_eq!(ids(&shelf.revoke(&by_token, planned).await), [one, two], "never the one that asks");
    let done = shelf.revoke(&by_token, told(&[one, two])).await;
    assert_eq!((done.status(), ids(&done)), (200, vec![one, two]));
    assert_eq!(client.get("/api/v3/accounts/").await.status(), 401);
    let left = admin.get(&shelf.acme.v3("/service-tokens/")).await.ids();
    assert_eq!(left, [kept, asker]);
    let log = admin.get(&shelf.acme.v3("/audit-logs/?limit=100")).await.text();
    assert_eq!(log.matches("\"service_token.revoked\"").count(), 2);
}

#[tokio::test]
async fn what_is_asked_of_many_is_refused_where_it_could_mean_all_by_mistake() {
    let shelf = Shelf::new().await;
    let (token, _) = shelf.token("ci-1", "job_viewer").await;
    let filter = json!({ "name_prefix": "ci-" });
    for (body, field) in [
        (json!({}), "filter"),
        (json!({ "filter": {}, "dry_run": true }), "filter"),
        (json!({ "filter": { "name_prefix": "" } }), "filter.name_prefix"),
        (json!({ "filter": { "unused_for_days": 0 } }), "filter.unused_for_days"),
        (json!({ "filter": { "created_before": "soon" } }), "filter.created_before"),
        (json!({ "filter": { "ids": [1, 0] } }), "filter.ids[1]"),
        (json!({ "filter": { "unused_fr_days": 9 } }), "body"),
        (json!({ "filter": filter }), "expected_ids"),
        (json!({ "filter": filter, "expected_ids": vec![1; 501] }), "expected_ids"),
    ] {
        for route in ["revoke", "rotate"] {
            let path = shelf.acme.v3(&format!("/service-tokens/{route}/"));
            let refused = shelf.acme.admin.post(&path, body.clone()).await;
            assert_eq!(refused.status(), 400, "{route} {body}: {}", refused.text());
            let said = refused.text();
            assert!(field == "body" || said.contains(&format!("\"{field}\"")), "{body}: {said}");
        }
    }
    let there = shelf.acme.v3(&format!("/service-tokens/{token}/"));
    assert_eq!(shelf.acme.admin.get(&there).await.status(), 200);
}

#[tokio::test]
async fn a_filter_is_rotated_in_one_call_whose_lost_answer_is_told_again() {
    let shelf = Shelf::new().await;
    let (one, old) = shelf.token("ci-1", "job_viewer").await;
    let (two, _) = shelf.token("ci-2", "job_admin").await;
    let (off, _) = shelf.token("ci-off", "job_admin").await;
    let path = shelf.acme.v3(&format!("/service-tokens/{off}/"));
    shelf.acme.admin.post(&path, json!({ "disabled": true })).await;
    let filter = json!({ "name_prefix": "ci-" });

    let plan = shelf.rotate(json!({ "filter": filter, "dry_run": true }), "p").await;
    assert_eq!(ids(&plan), [one, two, off]);
    let told = plan.data();
    assert_eq!(told["tokens"][0]["skipped"], Value::Null);
    assert!(told["tokens"][2]["skipped"].as_str().unwrap().contains("is disabled"), "{told}");
    assert!(!plan.text().contains("ngst_"));

    let body = json!({ "filter": filter, "expected_ids": [one, two], "overlap_minutes": 5 });
    let rotated = shelf.rotate(body.clone(), "k").await;
    assert_eq!((rotated.status(), ids(&rotated)), (200, vec![one, two]), "{}", rotated.text());
    let again = shelf.rotate(body.clone(), "k").await;
    assert_eq!(again.data(), rotated.data(), "a lost answer is told again");
    for token in rotated.data()["tokens"].as_array().unwrap() {
        let client = shelf.app.presenting(token["token_string"].as_str().unwrap());
        assert_eq!(client.get("/api/v3/accounts/").await.status(), 200);
        assert_eq!(token["old_secret_ends_at"], "2026-11-23T12:05:00.000000+00:00");
    }
    assert_eq!(old.get("/api/v3/accounts/").await.status(), 200, "for five minutes more");
    shelf.later(5 * 60);
    assert_eq!(old.get("/api/v3/accounts/").await.status(), 401);

    // The key names that request alone; without it, what was shown is no longer what is meant.
    let other = json!({ "filter": filter, "expected_ids": [one] });
    assert_eq!(shelf.rotate(other.clone(), "k").await.status(), 422);
    assert_eq!(shelf.rotate(other, "n").await.status(), 409);
    shelf.later(600);
    let fresh = shelf.rotate(body, "k").await;
    assert_eq!(fresh.status(), 200, "{}", fresh.text());
    assert_ne!(fresh.data(), rotated.data(), "after ten minutes the answer is forgotten");
}

#[tokio::test]
async fn somebody_answers_for_each_token_and_somebody_else_once_they_leave() {
    let shelf = Shelf::new().await;
    let (acme, admin) = (&shelf.acme, &shelf.acme.admin);
    let (grace, by_grace) =
        acme.user("grace@example.com", License::Developer, &["account_admin"]).await;
    let (ian, _) = acme.user("ian@example.com", License::Developer, &["job_viewer"]).await;
    let of = async |id: i64| {
        let path = acme.v3(&format!("/service-tokens/{id}/"));
        admin.get(&path).await.data()["responsible_user_id"].clone()
    };
    let make = async |by: &TestClient, name: &str, more: Value| {
        let mut body = json!({
            "name": name,
            "permission_grants": [{ "permission_set": "account_admin", "all_projects": true }],
        });
        body.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
        by.post(&acme.v3("/service-tokens/"), body).await
    };

    // Its maker; of one that a token makes, who answers for that; or who is named.
    let first = make(&by_grace, "first", json!({})).await;
    assert_eq!(first.data()["responsible_user_id"], grace.get());
    let minting = shelf.app.presenting(first.data()["token_string"].as_str().unwrap());
    let second = make(&minting, "second", json!({})).await;
    assert_eq!(second.data()["responsible_user_id"], grace.get());
    let third = make(admin, "third", json!({ "responsible_user_id": ian.get() })).await;
    assert_eq!(of(third.id()).await, ian.get());
    for nobody in [json!(999), json!(0), json!(-1)] {
        let refused = make(admin, "x", json!({ "responsible_user_id": nobody })).await;
        assert_eq!(refused.status(), 400, "{}", refused.text());
        assert!(!refused.reason("responsible_user_id").is_empty());
    }

    // Changed, and listed by.
    let path = acme.v3(&format!("/service-tokens/{}/", third.id()));
    let changed = admin.post(&path, json!({ "responsible_user_id": grace.get() })).await;
    assert_eq!(changed.data()["responsible_user_id"], grace.get());
    let listed = acme.v3(&format!("/service-tokens/?responsible_user_id={grace}"));
    let graces = [first.id(), second.id(), third.id()];
    assert_eq!(admin.get(&listed).await.ids(), graces);

    // Handed on: to whom is named, else to who removes.
    let license = async |user: i64| {
        let users = admin.get(&acme.v2("/users/")).await.data();
        let user = users.as_array().unwrap().iter().find(|one| one["id"] == user).cloned();
        user.unwrap()["permissions"][0]["id"].as_i64().unwrap()
    };
    let leave = async |user: i64, more: Value| {
        let mut body = json!({ "state": 2 });
        body.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
        admin.post(&acme.v2(&format!("/permissions/{}/", license(user).await)), body).await
    };
    for wrong in [grace.get(), 999] {
        let refused = leave(grace.get(), json!({ "service_tokens_to": wrong })).await;
        assert_eq!(refused.status(), 400, "{}", refused.text());
        assert!(!refused.reason("service_tokens_to").is_empty());
    }
    let left = leave(grace.get(), json!({ "service_tokens_to": ian.get() })).await;
    assert_eq!(left.status(), 200, "{}", left.text());
    for token in graces {
        assert_eq!(of(token).await, ian.get());
    }
    assert_eq!(leave(ian.get(), json!({})).await.status(), 200);
    assert_eq!(of(first.id()).await, acme.admin_id.get());
    let log = admin.get(&acme.v3("/audit-logs/?limit=100")).await.text();
    assert_eq!(log.matches("\"service_token.responsible_changed\"").count(), 7, "1 + 3 + 3");
}
