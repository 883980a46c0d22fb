//! Where an account asks for it, one person proposes what lets a token do more, and another accepts.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "what fails here is a failed test"
)]

use domain::authz::License;
use serde_json::{Value, json};
use testkit::{TestAccount, TestAnswer, TestApp, TestClient};

/// An account that asks for two, its admin, a second admin, and a token with Job Viewer.
struct Two {
    app: TestApp,
    acme: TestAccount,
    grace: TestClient,
    token: i64,
}

impl Two {
    async fn new() -> Self {
        let app = TestApp::new().await;
        let acme = app.account("acme").await;
        let (_, grace) =
            acme.user("grace@example.com", License::Developer, &["account_admin"]).await;
        let (token, _) = acme.service_token().grant_everywhere("job_viewer").create_with_id().await;
        let policy = json!({ "widening_is_proposed": true });
        let set = acme.admin.post(&acme.v3("/service-token-policy/"), policy).await;
        assert_eq!(set.data()["widening_is_proposed"], true, "{}", set.text());
        Self { app, acme, grace, token }
    }

    fn permissions(&self) -> String {
        self.acme.v3(&format!("/service-tokens/{}/permissions/", self.token))
    }

    /// Ada asks for these sets, everywhere.
    async fn grant(&self, sets: &[&str]) -> TestAnswer {
        self.acme.admin.post(&self.permissions(), rows(sets)).await
    }

    /// What the token is granted.
    async fn granted(&self) -> Vec<String> {
        let rows = self.acme.admin.get(&self.permissions()).await.data();
        let set = |row: &Value| row["permission_set"].as_str().unwrap().to_owned();
        rows.as_array().unwrap().iter().map(set).collect()
    }

    async fn settle(&self, by: &TestClient, proposal: i64, how: &str) -> TestAnswer {
        let path = self.acme.v3(&format!("/service-token-proposals/{proposal}/{how}/"));
        by.post(&path, json!({})).await
    }
}

fn rows(sets: &[&str]) -> Value {
    sets.iter().map(|set| json!({ "permission_set": set, "all_projects": true })).collect()
}

#[tokio::test]
async fn what_widens_is_done_once_a_second_person_accepts_it_and_what_narrows_at_once() {
    let two = Two::new().await;
    let proposed = two.grant(&["job_viewer", "job_admin"]).await;
    assert_eq!(proposed.status(), 202, "{}", proposed.text());
    let told = proposed.data();
    assert_eq!((told["status"].as_str(), &told["restrictions"]), (Some("open"), &Value::Null));
    assert_eq!(told["permission_grants"].as_array().unwrap().len(), 2);
    assert_eq!(told["expires_at"], "2026-11-30T12:00:00.000000+00:00");
    assert_eq!(two.granted().await, ["job_viewer"], "nothing is done yet");

    // Not by who proposed it, also not through a token that they make.
    let own = two.settle(&two.acme.admin, proposed.id(), "accept").await;
    assert_eq!(own.status(), 403);
    assert!(own.text().contains("another person"), "{}", own.text());
    let through = two.acme.service_token().grant_everywhere("account_admin").create().await;
    let refused = two.settle(&through, proposed.id(), "accept").await;
    assert_eq!(refused.status(), 403);
    assert!(refused.text().contains("by a user"), "{}", refused.text());
    let by_token = through.post(&two.permissions(), rows(&["job_viewer", "job_admin"])).await;
    assert_eq!(by_token.status(), 403, "nor proposed: {}", by_token.text());

    let accepted = two.settle(&two.grace, proposed.id(), "accept").await;
    assert_eq!(accepted.status(), 200, "{}", accepted.text());
    assert_eq!(accepted.data()["status"], "accepted");
    assert_eq!(two.granted().await, ["job_viewer", "job_admin"]);
    let again = two.settle(&two.grace, proposed.id(), "accept").await;
    assert_eq!(again.status(), 409, "{}", again.text());

    assert_eq!(two.grant(&["job_viewer"]).await.status(), 200);
    assert_eq!(two.granted().await, ["job_viewer"]);
    let settled = two.acme.v3("/service-token-proposals/?state=all");
    assert_eq!(two.acme.admin.get(&settled).await.ids(), [proposed.id()]);
    let open = two.acme.v3("/service-token-proposals/");
    assert!(two.acme.admin.get(&open).await.ids().is_empty());
    let log = two.acme.admin.get(&two.acme.v3("/audit-logs/?limit=100")).await;
    for event in ["service_token_proposal.made", "service_token_proposal.accepted"] {
        assert!(log.text().contains(event), "{event}");
    }
}

#[tokio::test]
async fn restrictions_are_loosened_by_two_and_tightened_by_one() {
    let two = Two::new().await;
    let path = two.acme.v3(&format!("/service-tokens/{}/restrictions/", two.token));
    let one = two.acme.v3(&format!("/service-tokens/{}/", two.token));
    let tight = json!({ "read_only": true, "rate": { "per_second": 5 } });
    assert_eq!(two.acme.admin.post(&path, tight).await.status(), 200);
    let told = two.acme.admin.get(&one).await.data();
    assert_eq!(told["restrictions"]["read_only"], true, "a read of the token tells them");
    assert_eq!(told["responsible_user_id"], two.acme.admin_id.get());
    let echo = two.acme.admin.post(&one, told).await;
    assert_eq!(echo.status(), 200, "and they may be echoed: {}", echo.text());
    let other = json!({ "restrictions": { "read_only": true } });
    assert_eq!(two.acme.admin.post(&one, other).await.status(), 400);

    let proposed = two.acme.admin.post(&path, json!({ "read_only": true })).await;
    assert_eq!(proposed.status(), 202, "{}", proposed.text());
    assert_eq!(proposed.data()["restrictions"]["rate"], Value::Null);
    assert_eq!(proposed.data()["permission_grants"], Value::Null);
    let held = two.acme.admin.get(&path).await.data();
    assert_eq!(held["rate"]["per_second"], 5, "nothing is done yet");
    assert_eq!(two.settle(&two.grace, proposed.id(), "accept").await.status(), 200);
    assert_eq!(two.acme.admin.get(&path).await.data()["rate"], Value::Null);
}

#[tokio::test]
async fn a_proposal_is_void_once_something_changed_that_it_was_made_on() {
    let two = Two::new().await;
    let propose = async || two.grant(&["job_viewer", "job_admin"]).await;

    // One at a time; who proposed it takes it back, another rejects it.
    let first = propose().await;
    assert_eq!(propose().await.status(), 409);
    let withdrawn = two.settle(&two.acme.admin, first.id(), "reject").await;
    assert_eq!(withdrawn.data()["status"], "withdrawn");
    let second = propose().await.id();
    assert_eq!(two.settle(&two.grace, second, "reject").await.data()["status"], "rejected");
    assert_eq!(two.settle(&two.grace, second, "accept").await.status(), 409);

    // The token changed.
    let third = propose().await.id();
    assert_eq!(two.grant(&[]).await.status(), 200, "narrowing is not held up");
    let void = two.settle(&two.grace, third, "accept").await;
    assert_eq!(void.status(), 409);
    assert!(void.text().contains("the token changed"), "{}", void.text());
    two.settle(&two.grace, third, "reject").await;

    // Who accepts holds less, or who proposed it does by now.
    let (_, ian) = two.acme.user("ian@example.com", License::Developer, &["security_admin"]).await;
    let fourth = propose().await.id();
    let less = two.settle(&ian, fourth, "accept").await;
    assert_eq!(less.status(), 403, "{}", less.text());
    two.settle(&two.grace, fourth, "reject").await;
    let (eve_id, eve) =
        two.acme.user("eve@example.com", License::Developer, &["account_admin"]).await;
    let by_eve = eve.post(&two.permissions(), rows(&["job_admin"])).await;
    assert_eq!(by_eve.status(), 202, "{}", by_eve.text());
    let groups = json!({ "user_id": eve_id.get(), "desired_group_ids": [] });
    let assigned = two.acme.admin.post(&two.acme.v3("/assign-groups/"), groups).await;
    assert_eq!(assigned.status(), 200, "{}", assigned.text());
    let void = two.settle(&two.grace, by_eve.id(), "accept").await;
    assert_eq!(void.status(), 409, "{}", void.text());
    assert!(void.text().contains("does not hold any more"), "{}", void.text());
    two.settle(&two.grace, by_eve.id(), "reject").await;

    // Its time is over.
    let last = propose().await.id();
    two.app.clock.set(two.app.clock.now().plus_seconds(7 * 86_400));
    let over = two.settle(&two.grace, last, "accept").await;
    assert_eq!(over.status(), 409, "{}", over.text());
    let shown = two.acme.v3(&format!("/service-token-proposals/{last}/"));
    assert_eq!(two.grace.get(&shown).await.data()["status"], "over");
    assert!(two.granted().await.is_empty(), "and through all this the token gained nothing");

    // One about a token that is gone is taken back.
    let gone = propose().await.id();
    let token = two.acme.v3(&format!("/service-tokens/{}/", two.token));
    assert_eq!(two.acme.admin.delete(&token).await.status(), 200);
    assert_eq!(two.settle(&two.grace, gone, "accept").await.status(), 409);
}
