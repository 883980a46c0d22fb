//! Extended attributes over the API (contract section 11).

use serde_json::{Value, json};
use testkit::{TestAccount, TestApp, TestProject};

async fn acme() -> (TestApp, TestAccount, TestProject) {
    let app = TestApp::new().await;
    let acme = app.account("acme").await;
    let sales = acme.project("sales").await;
    (app, acme, sales)
}

async fn make(acme: &TestAccount, project: &TestProject, keys: Value) -> i64 {
    let body = json!({ "extended_attributes": keys, "state": 1 });
    let made = acme.admin.post(&project.v3("/extended-attributes/"), body).await;
    assert_eq!(made.status(), 201, "{}", made.text());
    made.id()
}

#[tokio::test]
async fn they_are_made_read_replaced_and_deleted() {
    let (_app, acme, sales) = acme().await;
    let id = make(&acme, &sales, json!({ "threads": 8, "nested": { "a": [1] } })).await;
    let path = sales.v3(&format!("/extended-attributes/{id}/"));
    let read = acme.admin.get(&path).await.data();
    assert_eq!(read["extended_attributes"], json!({ "threads": 8, "nested": { "a": [1] } }));
    let patched = acme.admin.patch(&path, json!({ "extended_attributes": { "b": null } })).await;
    assert_eq!(patched.data()["extended_attributes"], json!({ "b": null }));
    assert_eq!(acme.admin.patch(&path, patched.data()).await.status(), 200);
    // dbtc writes them by POST.
    let written = acme.admin.post(&path, json!({ "extended_attributes": { "c": 1 } })).await;
    assert_eq!(written.data()["extended_attributes"], json!({ "c": 1 }));
    assert_eq!(acme.admin.delete(&path).await.data()["state"], 2);
    assert_eq!(acme.admin.get(&path).await.status(), 404);
    assert_eq!(acme.admin.delete(&path).await.status(), 404);
}

#[tokio::test]
async fn what_is_wrong_is_named() {
    let (_app, acme, sales) = acme().await;
    let path = sales.v3("/extended-attributes/");
    let large = json!({ "x": "y".repeat(70_000) });
    for body in
        [json!({}), json!({ "extended_attributes": large }), json!({ "extended_attributes": 1 })]
    {
        let answer = acme.admin.post(&path, body).await;
        assert_eq!(answer.status(), 400, "{}", answer.text());
        assert!(!answer.reason("extended_attributes").is_empty(), "{}", answer.text());
    }
}

#[tokio::test]
async fn those_of_another_project_or_account_are_not_there() {
    let (app, acme, sales) = acme().await;
    let hr = acme.project("hr").await;
    let rival = app.account("rival").await;
    let id = make(&acme, &sales, json!({})).await;
    let elsewhere = hr.v3(&format!("/extended-attributes/{id}/"));
    assert_eq!(acme.admin.get(&elsewhere).await.status(), 404);
    assert_eq!(acme.admin.delete(&elsewhere).await.status(), 404);
    assert_eq!(acme.admin.patch(&elsewhere, json!({})).await.status(), 404);
    let here = sales.v3(&format!("/extended-attributes/{id}/"));
    assert_eq!(rival.admin.get(&here).await.status(), 404);
    let of_hr = acme.service_token().grant("job_admin", &hr).create().await;
    assert_eq!(of_hr.get(&here).await.status(), 404);
    let viewer = acme.service_token().grant("analyst_read", &sales).create().await;
    assert_eq!(viewer.get(&here).await.status(), 200);
    assert_eq!(viewer.patch(&here, json!({})).await.status(), 403);
}
