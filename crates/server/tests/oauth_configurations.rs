//! OAuth configurations over the API (documents: v3 `oauth-configurations/`).

use serde_json::{Value, json};
use testkit::TestApp;

const SECRET: &str = "the-client-secret-of-this-test";

fn body() -> Value {
    json!({ "type": "entra", "name": "Warehouse sign-in", "client_id": "c-1",
        "client_secret": SECRET, "authorize_url": "https://idp.example/authorize",
        "token_url": "https://idp.example/token", "redirect_uri": "https://here.example/complete",
        "extra_data": { "application_id_uri": "api://warehouse" } })
}

#[tokio::test]
async fn one_is_made_read_changed_and_deleted_and_its_secret_is_in_no_answer_and_no_file() {
    let app = TestApp::new().await;
    let acme = app.account("acme").await;
    let all = acme.v3("/oauth-configurations/");
    let made = acme.admin.post(&all, body()).await;
    assert_eq!(made.status(), 201, "{}", made.text());
    let one = format!("{all}{}/", made.id());
    let read = acme.admin.get(&one).await;
    assert_eq!(read.data()["extra_data"]["application_id_uri"], "api://warehouse");
    assert_eq!(read.data()["authorize_url"], "https://idp.example/authorize");
    let changed = acme.admin.post(&one, json!({ "name": "Other", "client_id": null })).await;
    let data = changed.data();
    assert_eq!((&data["name"], &data["client_id"]), (&json!("Other"), &Value::Null));
    assert_eq!(data["token_url"], "https://idp.example/token", "what is absent is kept");
    let again = acme.admin.post(&one, json!({ "client_secret": format!("{SECRET}-2") })).await;
    assert_eq!(again.status(), 200);
    assert_eq!(acme.admin.get(&format!("{all}?type=entra")).await.ids(), [made.id()]);
    assert_eq!(acme.admin.get(&format!("{all}?client_id=c-1")).await.ids(), [0; 0]);
    let audit = acme.admin.get(&acme.v3("/audit-logs/")).await;
    assert!(audit.text().contains(r#""secret":"set""#), "that it was set is recorded");
    for answer in [&made, &read, &changed, &again, &audit] {
        assert!(!answer.text().contains(SECRET), "{}", answer.text());
    }
    let deleted = acme.admin.delete(&one).await;
    assert_eq!((deleted.status(), &deleted.data()["state"]), (200, &json!(2)));
    assert_eq!(acme.admin.get(&one).await.status(), 404);
    let folder = app.folder().to_owned();
    for file in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if file.is_file() {
            let bytes = std::fs::read(&file).unwrap();
            let found = bytes.windows(SECRET.len()).any(|window| window == SECRET.as_bytes());
            assert!(!found, "{}", file.display());
        }
    }
}

#[tokio::test]
async fn what_is_wrong_is_named_and_the_narrow_are_refused() {
    let app = TestApp::new().await;
    let acme = app.account("acme").await;
    let all = acme.v3("/oauth-configurations/");
    for (body, field) in [
        (json!({}), "type"),
        (json!({ "type": "okta", "token_url": "ftp://x" }), "token_url"),
        (json!({ "type": "okta", "authorize_url": "https://u:p@idp.example" }), "authorize_url"),
        (json!({ "type": "okta", "redirect_uri": "nowhere" }), "redirect_uri"),
        (json!({ "type": "okta", "client_secret": "x".repeat(4_097) }), "client_secret"),
        (json!({ "type": "okta", "state": 3 }), "state"),
    ] {
        let answer = acme.admin.post(&all, body.clone()).await;
        assert_eq!(answer.status(), 400, "{body}: {}", answer.text());
        assert!(!answer.reason(field).is_empty(), "{body}: {}", answer.text());
    }
    let rival = app.account("rival").await;
    let theirs = rival.admin.post(&rival.v3("/oauth-configurations/"), body()).await.id();
    let path = format!("{all}{theirs}/");
    assert_eq!(acme.admin.get(&path).await.status(), 404);
    assert_eq!(acme.admin.post(&path, body()).await.status(), 404);
    assert_eq!(acme.admin.delete(&path).await.status(), 404);
    let narrow = acme.service_token().grant_everywhere("job_admin").create().await;
    assert_eq!(narrow.get(&all).await.status(), 403);
    assert_eq!(narrow.post(&all, body()).await.status(), 403);
    assert_eq!(app.anonymous().get(&all).await.status(), 401);
}
