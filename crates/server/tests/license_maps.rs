//! Licence maps over the API (documents: v3 `license-maps/`).

use serde_json::json;
use testkit::TestApp;

#[tokio::test]
async fn one_is_made_read_changed_listed_and_deleted() {
    let app = TestApp::new().await;
    let acme = app.account("acme").await;
    let path = acme.v3("/license-maps/");
    let body = json!({ "account_id": acme.id.get(), "license_type": "it", "state": 1,
        "sso_license_mapping_groups": ["okta-it"] });
    let made = acme.admin.post(&path, body).await;
    assert_eq!(made.status(), 201, "{}", made.text());
    let one = format!("{path}{}/", made.id());
    let changed = acme.admin.post(&one, json!({ "license_type": "read_only" })).await;
    assert_eq!(changed.data()["license_type"], "read_only");
    assert_eq!(changed.data()["sso_license_mapping_groups"], json!(["okta-it"]));
    assert_eq!(acme.admin.get(&one).await.data(), changed.data());
    assert_eq!(acme.admin.get(&format!("{path}?license_type=read_only")).await.ids(), [made.id()]);
    assert_eq!(acme.admin.delete(&one).await.data()["state"], 2);
    assert_eq!(acme.admin.get(&one).await.status(), 404);
    assert_eq!(acme.admin.delete(&one).await.status(), 404);
}

#[tokio::test]
async fn what_is_wrong_is_named_and_who_may_not_is_refused() {
    let app = TestApp::new().await;
    let (acme, rival) = (app.account("acme").await, app.account("rival").await);
    let path = acme.v3("/license-maps/");
    for (body, field) in [
        (json!({}), "license_type"),
        (json!({ "license_type": "x" }), "license_type"),
        (json!({ "license_type": "it", "state": 4 }), "state"),
        (
            json!({ "license_type": "it", "sso_license_mapping_groups": [""] }),
            "sso_license_mapping_groups",
        ),
    ] {
        let answer = acme.admin.post(&path, body.clone()).await;
        assert_eq!(answer.status(), 400, "{body}: {}", answer.text());
        assert!(!answer.reason(field).is_empty(), "{body}: {}", answer.text());
    }
    let made = acme.admin.post(&path, json!({ "license_type": "it" })).await.id();
    let one = format!("{path}{made}/");
    let viewer = acme.service_token().grant_everywhere("account_viewer").create().await;
    assert_eq!(viewer.get(&one).await.status(), 200);
    assert_eq!(viewer.post(&path, json!({ "license_type": "it" })).await.status(), 403);
    assert_eq!(viewer.delete(&one).await.status(), 403);
    assert_eq!(rival.admin.get(&one).await.status(), 404);
    assert_eq!(rival.admin.get(&rival.v3(&format!("/license-maps/{made}/"))).await.status(), 404);
    assert_eq!(app.anonymous().get(&path).await.status(), 401);
}
