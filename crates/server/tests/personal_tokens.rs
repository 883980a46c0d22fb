//! Personal tokens: a user's own keys, which no service token may touch.

use domain::{Timestamp, authz::License};
use serde_json::json;
use testkit::TestApp;

#[tokio::test]
async fn a_user_makes_reads_and_deletes_tokens_of_their_own() {
    let app = TestApp::new().await;
    let acme = app.account("acme").await;
    let path = acme.v3(&format!("/users/{}/account-apikeys/", acme.admin_id));
    let made = acme.admin.post(&path, json!({ "name": "laptop" })).await;
    assert_eq!(made.status(), 201);
    let secret = made.data()["token_string"].as_str().unwrap().to_owned();
    assert!(secret.starts_with("ngpt_"));
    let laptop = app.presenting(&secret);
    assert_eq!(laptop.get(&acme.v3("/service-tokens/")).await.status(), 200);

    let one = format!("{path}{}", made.id());
    assert_eq!(acme.admin.get(&one).await.data()["name"], "laptop");
    assert!(acme.admin.get(&path).await.ids().contains(&made.id()));
    assert!(!acme.admin.get(&path).await.text().contains("token_string"));
    assert_eq!(acme.admin.delete(&one).await.status(), 200);
    assert_eq!(laptop.get("/api/v2/whoami/").await.status(), 401);
    assert_eq!(acme.admin.get(&one).await.status(), 404);
    assert_eq!(acme.admin.delete(&one).await.status(), 404);
}

#[tokio::test]
async fn a_token_that_is_rotated_has_a_new_secret_and_the_old_one_stops_at_once() {
    let app = TestApp::new().await;
    let acme = app.account("acme").await;
    let path = acme.v3(&format!("/users/{}/account-apikeys/", acme.admin_id));
    let made = acme.admin.post(&path, json!({ "name": "laptop" })).await;
    let old = app.presenting(made.data()["token_string"].as_str().unwrap());
    let one = format!("{path}{}/", made.id());
    let service = acme.service_token().grant_everywhere("account_admin").create().await;
    let (_, bens) = acme.user("ben@acme.example", License::Developer, &["account_admin"]).await;
    // Even by itself.
    let rotated = old.post(&one, json!({})).await;
    assert_eq!(rotated.status(), 200, "{}", rotated.text());
    assert_eq!((rotated.id(), &rotated.data()["name"]), (made.id(), &json!("laptop")));
    let secret = rotated.data()["token_string"].as_str().unwrap().to_owned();
    assert_ne!(secret, old.secret());
    assert_eq!(rotated.header("cache-control"), "no-store");
    assert_eq!(old.get("/api/v2/whoami/").await.status(), 401);
    assert_eq!(app.presenting(&secret).get("/api/v2/whoami/").await.status(), 200);
    assert!(!acme.admin.get(&one).await.text().contains("token_string"), "once");
    let audit = acme.admin.get(&acme.v3("/audit-logs/?limit=1")).await;
    assert_eq!(audit.data()[0]["event_type"], "personal_token.rotated");
    assert!(!audit.text().contains(&secret));
    // The first token, which ends by itself, ends when it would have.
    let first = acme.admin.get(&path).await.ids()[0];
    let rotated = acme.admin.post(&format!("{path}{first}/"), json!({})).await;
    assert_eq!(rotated.data()["expires_at"], "2026-12-23T12:00:00.000000+00:00");
    let admin = app.presenting(rotated.data()["token_string"].as_str().unwrap());
    assert_eq!(admin.delete(&one).await.status(), 200);
    assert_eq!(admin.post(&one, json!({})).await.status(), 404, "one that is deleted stays so");
    assert_eq!(bens.post(&format!("{path}{first}/"), json!({})).await.status(), 404);
    assert_eq!(service.post(&format!("{path}{first}/"), json!({})).await.status(), 403);
}

#[tokio::test]
async fn the_first_token_of_an_account_ends_by_itself_after_thirty_days() {
    let app = TestApp::new().await;
    let acme = app.account("acme").await;
    let path = acme.v3(&format!("/users/{}/account-apikeys/", acme.admin_id));
    let first = acme.admin.get(&path).await.data()[0].clone();
    assert_eq!(first["expires_at"], "2026-12-23T12:00:00.000000+00:00");
    app.clock.set(Timestamp::parse("2026-12-23T11:59:59Z").unwrap());
    let made = acme.admin.post(&path, json!({ "name": "lasting" })).await;
    let lasting = app.presenting(made.data()["token_string"].as_str().unwrap());
    app.clock.set(Timestamp::parse("2026-12-23T12:00:00Z").unwrap());
    assert_eq!(acme.admin.get("/api/v2/whoami/").await.status(), 401);
    assert_eq!(lasting.get("/api/v2/whoami/").await.status(), 200);
}

#[tokio::test]
async fn nobody_reaches_the_tokens_of_another_user() {
    let app = TestApp::new().await;
    let acme = app.account("acme").await;
    let (bob, bobs) = acme.user("bob@acme.example", License::Developer, &["admin"]).await;
    let path = acme.v3(&format!("/users/{bob}/account-apikeys/"));
    let made = bobs.post(&path, json!({ "name": "b" })).await;
    assert_eq!(made.status(), 201);
    for answer in [
        acme.admin.get(&path).await,
        acme.admin.get(&format!("{path}{}", made.id())).await,
        acme.admin.post(&path, json!({ "name": "mine" })).await,
        acme.admin.delete(&format!("{path}{}", made.id())).await,
    ] {
        assert_eq!(answer.status(), 404, "{}", answer.text());
    }
    assert_eq!(bobs.get("/api/v2/whoami/").await.status(), 200);
}

#[tokio::test]
async fn every_service_token_is_refused_account_admin_too() {
    let app = TestApp::new().await;
    let acme = app.account("acme").await;
    let token = acme.service_token().grant_everywhere("account_admin").create().await;
    let path = acme.v3(&format!("/users/{}/account-apikeys/", acme.admin_id));
    assert_eq!(token.get(&path).await.status(), 403);
    assert_eq!(token.post(&path, json!({ "name": "x" })).await.status(), 403);
    assert_eq!(app.anonymous().get(&path).await.status(), 401);
}

#[tokio::test]
async fn a_name_is_required_and_bounded() {
    let app = TestApp::new().await;
    let acme = app.account("acme").await;
    let path = acme.v3(&format!("/users/{}/account-apikeys/", acme.admin_id));
    for body in [json!({}), json!({ "name": "" }), json!({ "name": "a\nb" }), json!({ "name": 1 })]
    {
        let answer = acme.admin.post(&path, body.clone()).await;
        assert_eq!(answer.status(), 400, "{body}");
        assert!(!answer.reason("name").is_empty(), "{body}");
    }
}

#[tokio::test]
async fn a_user_has_five_hundred_tokens_at_most() {
    let app = TestApp::new().await;
    let acme = app.account("acme").await;
    let path = acme.v3(&format!("/users/{}/account-apikeys/", acme.admin_id));
    for _ in 1..500 {
        assert_eq!(acme.admin.post(&path, json!({ "name": "t" })).await.status(), 201);
    }
    let full = acme.admin.post(&path, json!({ "name": "t" })).await;
    assert_eq!(full.status(), 409, "{}", full.text());
    assert!(full.text().contains("at most 500"), "{}", full.text());
    let made = acme.admin.get(&format!("{path}?limit=1")).await;
    assert_eq!(made.json()["extra"]["pagination"]["total_count"], 500);
    assert_eq!(acme.admin.delete(&format!("{path}{}", made.ids()[0])).await.status(), 200);
}

#[tokio::test]
async fn each_change_of_a_personal_token_is_in_the_audit() {
    let app = TestApp::new().await;
    let acme = app.account("acme").await;
    let path = acme.v3(&format!("/users/{}/account-apikeys/", acme.admin_id));
    let made = acme.admin.post(&path, json!({ "name": "laptop" })).await;
    let one = format!("{path}{}/", made.id());
    acme.admin.post(&one, json!({})).await;
    acme.admin.delete(&one).await;
    let audit = acme.admin.get(&acme.v3("/audit-logs/?limit=3")).await;
    let events: Vec<_> = audit
        .data()
        .as_array()
        .unwrap()
        .iter()
        .map(|record| {
            assert_eq!(record["actor"]["id"], json!(acme.admin_id.to_string()), "{record}");
            record["event_type"].as_str().unwrap().to_owned()
        })
        .collect();
    let expected = ["personal_token.revoked", "personal_token.rotated", "personal_token.created"];
    assert_eq!(events, expected);
}
