//! Users and their licences over the API: contract section 10; permissions README, 8 and 9.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "what fails here is a failed test"
)]

use domain::{Plan, authz::License};
use serde_json::{Value, json};
use testkit::{TestAccount, TestApp, TestClient};

async fn acme() -> (TestApp, TestAccount) {
    let app = TestApp::new().await;
    let acme = app.account("acme").await;
    (app, acme)
}

/// The id of a user's licence, which the documents call a permission.
async fn license_of(acme: &TestAccount, user: impl std::fmt::Display) -> i64 {
    let user = acme.admin.get(&acme.v3(&format!("/users/{user}/"))).await.data();
    user["license"]["id"].as_i64().unwrap()
}

async fn change(
    by: &TestClient,
    acme: &TestAccount,
    license: i64,
    to: &str,
) -> testkit::TestAnswer {
    let body = json!({ "license_type": to, "state": 1 });
    by.post(&acme.v2(&format!("/permissions/{license}/")), body).await
}

#[tokio::test]
async fn users_are_listed_with_licence_and_groups() {
    let (app, acme) = acme().await;
    let (_bob, client) = acme.user("bob@acme.example", License::ReadOnly, &[]).await;
    let page = acme.admin.get(&acme.v3("/users/?order_by=-email&limit=1")).await;
    assert_eq!(page.json()["extra"]["pagination"]["total_count"], 2);
    let row = page.data()[0].clone();
    assert_eq!(
        (&row["email"], &row["license"]["license_type"]),
        (&json!("bob@acme.example"), &json!("read_only"))
    );
    assert_eq!((&row["is_active"], &row["fullname"]), (&json!(true), &json!("")));
    assert_eq!(row["permissions"][0]["license_type"], "read_only");
    assert_eq!(row["permissions"][0]["id"], row["license"]["id"]);
    assert_eq!(row["permissions"][0]["groups"][0]["name"], "Everyone");
    let v2 = acme.admin.get(&acme.v2("/users/?email__icontains=BOB")).await;
    assert_eq!(v2.data()[0]["permissions"][0]["groups"][0]["name"], "Everyone");
    assert_eq!(v2.ids().len(), 1);
    let me = client.get("/api/v2/whoami/").await.data();
    assert_eq!(me["user"]["permissions"][0]["groups"][0]["name"], "Everyone");
    assert!(me["user"]["permissions"][0]["groups"][0]["id"].is_i64());
    let wrong = acme.admin.get(&acme.v3("/users/?order_by=password")).await;
    assert_eq!((wrong.status(), wrong.reason("order_by").is_empty()), (400, false));
    let before = app.store.statements();
    acme.admin.get(&acme.v3("/users/")).await;
    assert!(app.store.statements() - before <= 8);
}

#[tokio::test]
async fn one_is_read_by_whoever_reads_members_and_by_themselves() {
    let (app, acme) = acme().await;
    let rival = app.account("rival").await;
    let (bob, client) = acme.user("bob@acme.example", License::Developer, &[]).await;
    let paths = [
        format!("/api/v2/users/{bob}/"),
        acme.v2(&format!("/users/{bob}/")),
        acme.v3(&format!("/users/{bob}/")),
    ];
    for path in &paths {
        assert_eq!(acme.admin.get(path).await.data()["email"], "bob@acme.example", "{path}");
        assert_eq!(rival.admin.get(path).await.status(), 404, "{path}");
        assert_eq!(app.anonymous().get(path).await.status(), 401, "{path}");
    }
    assert_eq!(client.get(&paths[0]).await.status(), 200);
    assert_eq!(client.get(&paths[1]).await.status(), 403);
    let admin = format!("/api/v2/users/{}/", acme.admin_id);
    assert_eq!(client.get(&admin).await.status(), 403);
    let theirs = acme.v3(&format!("/users/{}/", rival.admin_id));
    assert_eq!(acme.admin.get(&theirs).await.status(), 404);
    let narrow = acme.service_token().grant_everywhere("job_viewer").create().await;
    for path in [acme.v2("/users/"), acme.v3("/users/"), admin] {
        assert_eq!(narrow.get(&path).await.status(), 403, "{path}");
    }
}

#[tokio::test]
async fn names_are_changed_by_oneself_and_by_who_writes_members() {
    let (app, acme) = acme().await;
    let rival = app.account("rival").await;
    let (bob, client) = acme.user("bob@acme.example", License::ReadOnly, &[]).await;
    // The same person in another account, which knows them by names of its own.
    let (_, elsewhere) = rival.user("bob@acme.example", License::Developer, &[]).await;
    let path = format!("/api/v2/users/{bob}/");
    let named = client.post(&path, json!({ "first_name": "Bob", "last_name": "Loader" })).await;
    assert_eq!((named.status(), &named.data()["last_name"]), (200, &json!("Loader")));
    let named = acme.admin.post(&path, json!({ "first_name": "Robert" })).await;
    assert_eq!(
        (&named.data()["first_name"], &named.data()["last_name"]),
        (&json!("Robert"), &json!("Loader"))
    );
    let found = acme.admin.get(&acme.v3("/users/?name__icontains=rt%20lo")).await.data();
    assert_eq!(found[0]["fullname"], "Robert Loader");
    assert_eq!(elsewhere.get(&path).await.data()["first_name"], "");
    let wrong = client.post(&path, json!({ "first_name": "a\u{7}" })).await;
    assert_eq!((wrong.status(), wrong.reason("first_name").is_empty()), (400, false));
    let others = format!("/api/v2/users/{}/", acme.admin_id);
    assert_eq!(client.post(&others, json!({ "first_name": "x" })).await.status(), 403);
    assert_eq!(rival.admin.post(&others, json!({ "first_name": "x" })).await.status(), 404);
    let token = acme.service_token().grant_everywhere("account_admin").create().await;
    assert_eq!(token.post(&path, json!({ "first_name": "" })).await.data()["first_name"], "");
}

#[tokio::test]
async fn a_licence_replaces_what_groups_give_from_the_next_request_on() {
    let (_app, acme) = acme().await;
    let sales = acme.project("sales").await;
    let (bob, client) = acme.user("bob@acme.example", License::Developer, &["account_admin"]).await;
    let license = license_of(&acme, bob).await;
    assert_eq!(client.get(&acme.v3("/service-tokens/")).await.status(), 200);

    let changed = change(&acme.admin, &acme, license, "read_only").await;
    assert_eq!((changed.status(), &changed.data()["license_type"]), (200, &json!("read_only")));
    assert_eq!(client.get(&sales.url()).await.status(), 200);
    assert_eq!(client.post(&sales.url(), json!({ "name": "x" })).await.status(), 403);
    assert_eq!(client.get(&acme.v3("/service-tokens/")).await.status(), 403);

    assert_eq!(change(&acme.admin, &acme, license, "it").await.status(), 200);
    assert_eq!(client.get(&sales.url()).await.status(), 200, "Security Admin reads projects");
    assert_eq!(client.get(&acme.v3("/groups/")).await.status(), 200);
    assert_eq!(client.get(&acme.v3("/connections/")).await.status(), 200);
    assert_eq!(client.get(&acme.v2("/jobs/")).await.status(), 403);

    assert_eq!(change(&acme.admin, &acme, license, "developer").await.status(), 200);
    assert_eq!(client.get(&acme.v3("/service-tokens/")).await.status(), 200);
    assert_eq!(change(&acme.admin, &acme, license, "developer").await.status(), 200, "no change");
}

#[tokio::test]
async fn nobody_gives_a_licence_that_lets_its_user_do_more_than_they_could() {
    let (_app, acme) = acme().await;
    let (ann, admin) = acme.user("ann@acme.example", License::Developer, &["admin"]).await;
    let (sue, security) =
        acme.user("sue@acme.example", License::Developer, &["security_admin"]).await;
    let (bob, _) = acme.user("bob@acme.example", License::ReadOnly, &["account_admin"]).await;
    let (ann, sue, bob) =
        (license_of(&acme, ann).await, license_of(&acme, sue).await, license_of(&acme, bob).await);
    // An IT licence is more than Admin holds; a Developer licence wakes the group's Account Admin.
    assert_eq!(change(&admin, &acme, ann, "it").await.status(), 403);
    let refused = change(&security, &acme, bob, "developer").await;
    assert_eq!(refused.status(), 403, "{}", refused.text());
    assert_eq!(change(&security, &acme, sue, "it").await.status(), 403);
    assert_eq!(change(&acme.admin, &acme, bob, "developer").await.status(), 200);
}

#[tokio::test]
async fn what_is_wrong_with_a_licence_is_named() {
    let (app, acme) = acme().await;
    let rival = app.account("rival").await;
    let license = license_of(&acme, acme.admin_id).await;
    let path = acme.v2(&format!("/permissions/{license}/"));
    for (body, field) in [
        (json!({}), "license_type"),
        (json!({ "license_type": "explorer", "state": 1 }), "license_type"),
        (json!({ "license_type": "developer", "state": 3 }), "state"),
    ] {
        let answer = acme.admin.post(&path, body.clone()).await;
        assert_eq!(answer.status(), 400, "{body}: {}", answer.text());
        assert!(!answer.reason(field).is_empty(), "{body}: {}", answer.text());
    }
    let theirs = license_of(&rival, rival.admin_id).await;
    assert_eq!(change(&acme.admin, &acme, theirs, "read_only").await.status(), 404);
    let narrow = acme.service_token().grant_everywhere("job_viewer").create().await;
    assert_eq!(change(&narrow, &acme, license, "developer").await.status(), 403);
    assert_eq!(app.anonymous().post(&path, json!({})).await.status(), 401);
}

#[tokio::test]
async fn the_last_who_can_run_the_account_keeps_licence_and_place() {
    let (_app, acme) = acme().await;
    let license = license_of(&acme, acme.admin_id).await;
    for to in ["read_only", "it", "analyst"] {
        let refused = change(&acme.admin, &acme, license, to).await;
        assert_eq!(refused.status(), 409, "{to}: {}", refused.text());
    }
    let path = acme.v2(&format!("/permissions/{license}/"));
    let refused = acme.admin.post(&path, json!({ "license_type": "developer", "state": 2 })).await;
    assert_eq!(refused.status(), 409, "{}", refused.text());
    assert_eq!(acme.admin.get(&acme.v3("/users/")).await.status(), 200);
}

#[tokio::test]
async fn a_user_who_leaves_takes_their_tokens_along_and_leaves_service_tokens_behind() {
    let (app, acme) = acme().await;
    let (bob, client) = acme.user("bob@acme.example", License::Developer, &["account_admin"]).await;
    let tokens = acme.v3("/service-tokens/");
    let body = json!({ "name": "bob's", "permission_grants": [
        { "permission_set": "account_admin", "all_projects": true } ] });
    let made = client.post(&tokens, body).await;
    let service = app.presenting(made.data()["token_string"].as_str().unwrap());
    let told = json!({ "user_id": bob.get(), "type": 1, "on_failure": [], "on_success": [],
        "on_cancel": [], "on_warning": [] });
    assert_eq!(acme.admin.post(&acme.v2("/notifications/"), told.clone()).await.status(), 201);
    let invited = json!({ "email_addresses": ["eve@acme.example"], "license_type": "read_only" });
    let invited = client.post(&acme.v3("/invites/"), invited).await;
    let link = invited.data()["links"][0]["link"].as_str().unwrap().to_owned();

    let license = license_of(&acme, bob).await;
    let path = acme.v2(&format!("/permissions/{license}/"));
    let gone = acme.admin.post(&path, json!({ "license_type": "developer", "state": 2 })).await;
    assert_eq!((gone.status(), &gone.data()["state"]), (200, &json!(2)), "{}", gone.text());
    assert_eq!(client.get("/api/v2/whoami/").await.status(), 401);
    assert_eq!(service.get("/api/v2/whoami/").await.status(), 200);
    assert_eq!(acme.admin.get(&acme.v3(&format!("/users/{bob}/"))).await.status(), 404);
    assert_eq!(acme.admin.post(&path, json!({ "state": 2 })).await.status(), 404);
    assert_eq!(acme.admin.get(&acme.v3("/users/")).await.ids(), [acme.admin_id.get()]);
    let left = acme.admin.get(&acme.v3("/users/?state=deleted")).await.data();
    assert_eq!((&left[0]["id"], &left[0]["is_active"]), (&json!(bob.get()), &json!(false)));
    assert_eq!(acme.admin.get(&acme.v2("/notifications/")).await.data(), json!([]));
    let refused = acme.admin.post(&acme.v2("/notifications/"), told).await;
    assert!(!refused.reason("user_id").is_empty(), "{}", refused.text());
    let (_, secret) = link.split_once('#').unwrap();
    let late = app.anonymous().post("/api/v3/invites/accept/", json!({ "token": secret })).await;
    assert_eq!(late.status(), 400, "what they sent is taken back");
}

#[tokio::test]
async fn seats_are_those_of_the_plan_and_on_enterprise_those_of_the_account() {
    let app = TestApp::new().await;
    let team = app.account_on("team", Plan::Team).await;
    let rows = team.admin.get(&team.v2("/licenses/")).await;
    assert_eq!(rows.json()["extra"]["pagination"]["total_count"], 1);
    let seats = rows.data()[0].clone();
    let totals = ["developer", "read_only", "it", "analyst", "explorer"]
        .map(|license| seats[license]["total"].clone());
    assert_eq!(totals, [8, 5, 1, 0, 0]);
    let developer = json!({ "limited": true, "over_limit": false, "total": 8, "in_use": 1,
        "available": 7, "assigned": 1, "enterprise_plan": false });
    assert_eq!(seats["developer"], developer);
    assert_eq!(team.admin.get(&team.v2("/")).await.data()["developer_seats"], 8);
    let fixed = team.admin.post(&team.v2("/"), json!({ "developer_seats": 9 })).await;
    assert_eq!((fixed.status(), fixed.reason("developer_seats").is_empty()), (400, false));

    let (_app, acme) = acme().await;
    let free = acme.admin.get(&acme.v2("/licenses/")).await.data()[0]["developer"].clone();
    assert_eq!((&free["limited"], &free["enterprise_plan"]), (&json!(false), &json!(true)));
    let told = acme.admin.post(&acme.v2("/"), json!({ "it_seats": 1 })).await;
    assert_eq!((told.status(), &told.data()["it_seats"]), (200, &json!(1)), "{}", told.text());
    let (bob, _) = acme.user("bob@acme.example", License::ReadOnly, &[]).await;
    let (eve, _) = acme.user("eve@acme.example", License::ReadOnly, &[]).await;
    let (bob, eve) = (license_of(&acme, bob).await, license_of(&acme, eve).await);
    assert_eq!(change(&acme.admin, &acme, bob, "it").await.status(), 200);
    let full = change(&acme.admin, &acme, eve, "it").await;
    assert_eq!(full.status(), 409, "{}", full.text());
    acme.admin.post(&acme.v2("/"), json!({ "it_seats": Value::Null })).await;
    assert_eq!(change(&acme.admin, &acme, eve, "it").await.status(), 200);
    let narrow = acme.service_token().grant_everywhere("metadata_only").create().await;
    assert_eq!(narrow.get(&acme.v2("/licenses/")).await.status(), 403);
}
