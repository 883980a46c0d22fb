//! Accounts, whoami and constants: what any valid token may read of its own account.

use domain::authz::License;
use serde_json::{Value, json};
use testkit::{TestAccount, TestApp};

#[tokio::test]
async fn a_token_without_any_grant_lists_its_own_account_and_may_do_nothing_else() {
    let app = TestApp::new().await;
    let (acme, _rival) = (app.account("acme").await, app.account("rival").await);
    let bare = acme.service_token().create().await;
    for path in ["/api/v2/accounts/", "/api/v3/accounts/", "/api/v2/accounts", "/api/v3/accounts"] {
        assert_eq!(bare.get(path).await.ids(), [acme.id.get()], "{path}");
    }
    assert_eq!(bare.get(&acme.v2("/")).await.status(), 403);
    assert_eq!(bare.get(&acme.v3("/service-tokens/")).await.status(), 403);
}

#[tokio::test]
async fn an_account_has_the_keys_that_strict_clients_read() {
    let app = TestApp::new().await;
    let acme = app.account("acme").await;
    let viewer = acme.service_token().grant_everywhere("job_viewer").create().await;
    let answer = viewer.get(&acme.v2("/")).await;
    assert_eq!(answer.status(), 200);
    let data = answer.data();
    assert_eq!(data["id"], acme.id.get());
    assert_eq!(data["name"], "acme");
    assert_eq!(data["locked"], false);
    assert_eq!(data["state"], 1);
    // dbt-mcp puts a non-empty one before its host names.
    for key in ["static_subdomain", "vanity_subdomain"] {
        assert_eq!(data.get(key), Some(&Value::Null), "{key}");
    }
    assert_eq!(data["run_slots"], Value::Null, "settings need account_settings");
    assert_eq!(acme.admin.get(&acme.v2("/")).await.data()["run_slots"], 5);
}

#[tokio::test]
async fn sets_that_open_other_apis_only_do_not_read_the_account_record() {
    let app = TestApp::new().await;
    let acme = app.account("acme").await;
    for set in ["metadata_only", "semantic_layer_only"] {
        let token = acme.service_token().grant_everywhere(set).create().await;
        assert_eq!(token.get(&acme.v2("/")).await.status(), 403, "{set}");
        assert_eq!(token.get("/api/v2/accounts/").await.status(), 200, "{set}");
    }
    assert_eq!(app.anonymous().get("/api/v2/accounts/").await.status(), 401);
}

#[tokio::test]
async fn another_account_is_not_found() {
    let app = TestApp::new().await;
    let (acme, rival) = (app.account("acme").await, app.account("rival").await);
    let (theirs, nobodys) =
        (acme.admin.get(&rival.v2("/")).await, acme.admin.get("/api/v2/accounts/999/").await);
    assert_eq!(theirs.status(), 404);
    assert_eq!(theirs.bytes(), nobodys.bytes());
}

#[tokio::test]
async fn whoami_names_the_user_or_the_token() {
    let app = TestApp::new().await;
    let acme = app.account("acme").await;
    let admin = acme.admin.get("/api/v2/whoami/").await.data();
    assert_eq!(admin["user"]["email"], "admin@acme.example");
    assert_eq!(admin["principal"], format!("user:{}", acme.admin_id));
    let (id, token) = acme.service_token().create_with_id().await;
    let token = token.get("/api/v2/whoami").await.data();
    assert_eq!(token["user"], Value::Null);
    assert_eq!(token["principal"], format!("service_token:{id}"));
    assert_eq!(token["account_id"], acme.id.get());
    let (_, reader) = acme.user("bob@acme.example", License::ReadOnly, &[]).await;
    let reader = reader.get("/api/v2/whoami/").await.data();
    assert_eq!(reader["user"]["license_type"], "read_only");
}

#[tokio::test]
async fn constants_name_every_permission_set() {
    let app = TestApp::new().await;
    let acme = app.account("acme").await;
    let bare = acme.service_token().create().await;
    let sets = bare.get("/api/v2/constants/").await.data()["permissions_sets"].clone();
    assert_eq!(sets["job_admin"], "Job Admin");
    assert_eq!(sets.as_object().unwrap().len(), 31);
    assert_eq!(app.anonymous().get("/api/v2/constants/").await.status(), 401);
}

#[tokio::test]
async fn a_read_only_licence_replaces_what_groups_give() {
    let app = TestApp::new().await;
    let acme = app.account("acme").await;
    let sales = acme.project("sales").await;
    let (_, bob) = acme.user("bob@acme.example", License::ReadOnly, &["account_admin"]).await;
    assert_eq!(bob.get(&sales.url()).await.status(), 200);
    assert_eq!(bob.post(&sales.url(), json!({ "name": "x" })).await.status(), 403);
    assert_eq!(bob.get(&acme.v3("/audit-logs/")).await.status(), 403);
}

async fn acme() -> (TestApp, TestAccount) {
    let app = TestApp::new().await;
    let acme = app.account("acme").await;
    (app, acme)
}

#[tokio::test]
async fn an_account_is_changed_by_post_and_by_patch_and_keeps_what_is_absent() {
    let (_app, acme) = acme().await;
    let path = acme.v2("/");
    let named = acme.admin.patch(&path, json!({ "name": "Acme Ltd" })).await;
    assert_eq!((named.status(), &named.data()["name"]), (200, &json!("Acme Ltd")));
    let body = json!({ "run_slots": 9, "state": 1, "docs_job_id": null });
    let changed = acme.admin.post(&path, body).await;
    assert_eq!(
        (&changed.data()["run_slots"], &changed.data()["name"]),
        (&json!(9), &json!("Acme Ltd"))
    );
    let echoed = acme.admin.post(&path, changed.data()).await;
    assert_eq!(echoed.status(), 200, "{}", echoed.text());
    assert_eq!(acme.admin.get(&path).await.data()["run_slots"], 9);
    let groups = acme.admin.get(&acme.v2("/?include_related=groups")).await.data();
    assert_eq!(groups["groups"][0]["name"], "Owner");
    // A service token that writes account settings does it, too.
    let token = acme.service_token().grant_everywhere("account_admin").create().await;
    assert_eq!(token.patch(&path, json!({ "name": "Acme" })).await.status(), 200);
}

#[tokio::test]
async fn what_is_wrong_with_an_account_is_named() {
    let (app, acme) = acme().await;
    let path = acme.v2("/");
    for (body, field) in [
        (json!({ "name": "" }), "name"),
        (json!({ "state": 2 }), "state"),
        (json!({ "plan": "platinum" }), "plan"),
        (json!({ "plan": "cancelled" }), "plan"),
        (json!({ "run_slots": 0 }), "run_slots"),
        (json!({ "run_slots": 1001 }), "run_slots"),
        (json!({ "developer_seats": -1 }), "developer_seats"),
        (json!({ "lock_reason": "a\nb" }), "lock_reason"),
        (json!({ "docs_job_id": 7 }), "docs_job_id"),
    ] {
        let answer = acme.admin.patch(&path, body.clone()).await;
        assert_eq!(answer.status(), 400, "{body}: {}", answer.text());
        assert!(!answer.reason(field).is_empty(), "{body}: {}", answer.text());
    }
    let rival = app.account("rival").await;
    assert_eq!(rival.admin.patch(&path, json!({ "name": "x" })).await.status(), 404);
    let viewer = acme.service_token().grant_everywhere("account_viewer").create().await;
    assert_eq!(viewer.patch(&path, json!({ "name": "x" })).await.status(), 403);
    assert_eq!(viewer.post(&path, json!({ "name": "x" })).await.status(), 403);
    assert_eq!(app.anonymous().patch(&path, json!({})).await.status(), 401);
}

#[tokio::test]
async fn whether_tokens_may_mint_is_changed_by_users_alone() {
    let (_app, acme) = acme().await;
    let path = acme.v2("/");
    let token = acme.service_token().grant_everywhere("account_admin").create().await;
    let refused = token.patch(&path, json!({ "tokens_may_mint": false })).await;
    assert_eq!(refused.status(), 403);
    assert!(refused.text().contains("changed by a user"), "{}", refused.text());
    let off = acme.admin.patch(&path, json!({ "tokens_may_mint": false })).await;
    assert_eq!((off.status(), &off.data()["tokens_may_mint"]), (200, &json!(false)));
    assert_eq!(token.patch(&path, json!({ "tokens_may_mint": true })).await.status(), 403);
    let echo = token.patch(&path, json!({ "tokens_may_mint": false, "name": "x" })).await;
    assert_eq!(echo.status(), 200, "an echo changes nothing: {}", echo.text());
    let mint = json!({ "name": "t", "permission_grants": [] });
    assert_eq!(token.post(&acme.v3("/service-tokens/"), mint).await.status(), 403);
}

#[tokio::test]
async fn a_downgrade_over_the_api_makes_sets_inert_at_once() {
    let (_app, acme) = acme().await;
    let sales = acme.project("sales").await;
    let viewer = acme.service_token().grant("job_viewer", &sales).create().await;
    assert_eq!(viewer.get(&sales.url()).await.status(), 200);
    let changed = acme.admin.patch(&acme.v2("/"), json!({ "plan": "team" })).await;
    assert_eq!((changed.status(), &changed.data()["plan"]), (200, &json!("team")));
    assert_eq!(changed.data()["developer_seats"], 8);
    assert_eq!(viewer.get(&sales.url()).await.status(), 403);
    let back = json!({ "plan": "enterprise_2025" });
    assert_eq!(acme.admin.patch(&acme.v2("/"), back).await.status(), 200);
    assert_eq!(viewer.get(&sales.url()).await.status(), 200);
}
