//! May this token do that here? `POST /api/v3/accounts/{account_id}/check/`

use serde_json::{Value, json};
use testkit::{TestAccount, TestApp, TestClient};

async fn ask(client: &TestClient, acme: &TestAccount, question: Value) -> Value {
    let answer = client.post(&acme.v3("/check/"), question).await;
    assert_eq!(answer.status(), 200, "{}", answer.text());
    answer.data()
}

#[tokio::test]
async fn a_token_asks_what_it_may_do_and_learns_why_not() {
    let app = TestApp::new().await;
    let acme = app.account("acme").await;
    let (sales, hr) = (acme.project("sales").await, acme.project("hr").await);
    let token = acme.service_token().grant("job_admin", &sales).create().await;
    let trigger =
        |project: i64| json!({ "resource": "runs", "action": "write", "project_id": project });

    let here = ask(&token, &acme, trigger(sales.id.get())).await;
    assert_eq!((&here["allowed"], &here["reason"]), (&json!(true), &Value::Null));
    assert_eq!(here["projects"], json!([sales.id.get()]));

    let there = ask(&token, &acme, trigger(hr.id.get())).await;
    assert_eq!(there["allowed"], false);
    assert!(there["reason"].as_str().unwrap().contains("other projects"), "{there}");

    let billing = ask(&token, &acme, json!({ "resource": "billing", "action": "read" })).await;
    assert_eq!(billing["reason"], "no grant holds read on billing");
    assert_eq!(billing["permission_sets"][0]["key"], "billing_admin");
}

#[tokio::test]
async fn categories_count_where_a_set_is_raised() {
    let app = TestApp::new().await;
    let acme = app.account("acme").await;
    let sales = acme.project("sales").await;
    let token = acme.service_token().grant_raised("analyst", &sales, &["staging"]).create().await;
    for (category, allowed) in [("staging", true), ("production", false), ("other", false)] {
        let question = json!({
            "resource": "runs", "action": "write", "project_id": sales.id.get(),
            "environment_category": category,
        });
        assert_eq!(ask(&token, &acme, question).await["allowed"], allowed, "{category}");
    }
    let whole = json!({ "resource": "runs", "action": "write", "project_id": sales.id.get() });
    let whole = ask(&token, &acme, whole).await;
    assert!(whole["reason"].as_str().unwrap().contains("staging environments only"), "{whole}");
}

#[tokio::test]
async fn another_token_is_asked_about_by_those_who_read_service_tokens_only() {
    let app = TestApp::new().await;
    let acme = app.account("acme").await;
    let (id, token) = acme.service_token().grant_everywhere("job_viewer").create_with_id().await;
    let question = json!({ "resource": "jobs", "action": "read", "service_token_id": id });
    let seen = ask(&acme.admin, &acme, question.clone()).await;
    assert_eq!((&seen["allowed"], &seen["projects"]), (&json!(true), &json!("all")));
    assert_eq!(token.post(&acme.v3("/check/"), question).await.status(), 403);
    let nobody = json!({ "resource": "jobs", "action": "read", "service_token_id": 999 });
    assert_eq!(acme.admin.post(&acme.v3("/check/"), nobody).await.status(), 404);
    // Asking is no use of that token.
    app.store.flush_last_used().await.unwrap();
    let path = acme.v3(&format!("/service-tokens/{id}/"));
    let used = acme.admin.get(&path).await.data()["last_used"].clone();
    assert_ne!(used, Value::Null, "it was used once, by itself");
}

#[tokio::test]
async fn a_question_that_cannot_be_is_refused_field_by_field() {
    let app = TestApp::new().await;
    let acme = app.account("acme").await;
    for (question, field) in [
        (json!({}), "resource"),
        (json!({ "resource": "jobs" }), "action"),
        (json!({ "resource": "moons", "action": "read" }), "resource"),
        (json!({ "resource": "jobs", "action": "own" }), "action"),
        (json!({ "resource": "jobs", "action": "read", "project_id": 0 }), "project_id"),
        (
            json!({ "resource": "jobs", "action": "read", "environment_category": "moon" }),
            "environment_category",
        ),
        (
            json!({ "resource": "jobs", "action": "read", "environment_category": "staging" }),
            "project_id",
        ),
        (json!({ "resource": "jobs", "action": "read", "projct_id": 1 }), "projct_id"),
    ] {
        let answer = acme.admin.post(&acme.v3("/check/"), question.clone()).await;
        assert_eq!(answer.status(), 400, "{question}");
        assert!(!answer.reason(field).is_empty(), "{question}: {}", answer.text());
    }
    let (path, empty) = (acme.v3("/check/"), json!({}));
    assert_eq!(app.anonymous().post(&path, empty).await.status(), 401);
}
