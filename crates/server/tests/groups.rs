//! Groups over the API: contract section 10, SECURITY lines 18, 20, 21.
#![expect(clippy::indexing_slicing, reason = "what fails here is a failed test")]

use domain::{Plan, authz::License};
use serde_json::{Value, json};
use testkit::{TestAccount, TestApp};

async fn acme() -> (TestApp, TestAccount) {
    let app = TestApp::new().await;
    let acme = app.account("acme").await;
    (app, acme)
}

async fn group(acme: &TestAccount, name: &str) -> i64 {
    let made = acme.admin.post(&acme.v3("/groups/"), json!({ "name": name })).await;
    assert_eq!(made.status(), 201, "{}", made.text());
    made.id()
}

async fn named(acme: &TestAccount, name: &str) -> Value {
    let found = acme.admin.get(&acme.v3(&format!("/groups/?name={name}"))).await.data();
    found[0].clone()
}

fn row(set: &str) -> Value {
    json!({ "permission_set": set, "all_projects": true })
}

async fn gives(acme: &TestAccount, group: i64, rows: Value) {
    let path = acme.v3(&format!("/group-permissions/{group}/"));
    let answer = acme.admin.post(&path, rows).await;
    assert_eq!(answer.status(), 200, "{}", answer.text());
}

async fn assign(acme: &TestAccount, user: i64, groups: &[i64]) -> testkit::TestAnswer {
    let body = json!({ "user_id": user, "desired_group_ids": groups });
    acme.admin.post(&acme.v3("/assign-groups/"), body).await
}

#[tokio::test]
async fn an_account_begins_with_owner_member_and_everyone() {
    let app = TestApp::new().await;
    for plan in [Plan::Team, Plan::Enterprise] {
        let account = app.account_on(&format!("a-{plan}"), plan).await;
        let answer = account.admin.get(&account.v3("/groups/")).await;
        let groups = answer.data();
        let names: Vec<_> = (0..3).map(|at| groups[at]["name"].clone()).collect();
        assert_eq!(names, ["Owner", "Member", "Everyone"], "{plan}");
        assert_eq!(groups[0]["group_permissions"][0]["permission_set"], "account_admin");
        assert_eq!(groups[1]["group_permissions"][0]["permission_set"], "member");
        assert_eq!(groups[2]["group_permissions"], json!([]));
        assert_eq!(groups[2]["assign_by_default"], true);
        let members: Vec<_> = (0..3).map(|at| groups[at]["member_count"].clone()).collect();
        assert_eq!(members, [1, 0, 1]);
        assert_eq!(answer.json()["extra"]["pagination"]["total_count"], 3);
    }
}

#[tokio::test]
async fn one_is_made_read_changed_echoed_and_deleted() {
    let (_app, acme) = acme().await;
    let body = json!({ "account_id": acme.id.get(), "name": "loaders", "state": 1,
        "assign_by_default": false, "sso_mapping_groups": ["okta-loaders"] });
    let made = acme.admin.post(&acme.v3("/groups/"), body).await;
    assert_eq!(made.status(), 201, "{}", made.text());
    let path = acme.v3(&format!("/groups/{}/", made.id()));
    let read = acme.admin.get(&path).await;
    assert_eq!(read.data()["sso_mapping_groups"], json!(["okta-loaders"]));
    assert_eq!(
        (&read.data()["member_count"], &read.data()["scim_managed"]),
        (&json!(0), &json!(false))
    );
    let changed = acme.admin.post(&path, json!({ "name": "loaders 2" })).await;
    assert_eq!(changed.data()["sso_mapping_groups"], json!(["okta-loaders"]), "absent is kept");
    assert_eq!(acme.admin.post(&path, changed.data()).await.status(), 200, "an echo comes back");
    let gone = acme.admin.post(&path, json!({ "state": 2 })).await;
    assert_eq!((gone.status(), &gone.data()["state"]), (200, &json!(2)));
    assert_eq!(acme.admin.get(&path).await.status(), 404);
    assert_eq!(acme.admin.post(&path, json!({ "state": 2 })).await.status(), 404);
    let listed = acme.admin.get(&acme.v3("/groups/?state=deleted")).await;
    assert_eq!(listed.ids(), [made.id()]);
    let found = acme.admin.get(&acme.v3("/groups/?name__icontains=VERY&order_by=-name")).await;
    assert_eq!(found.data()[0]["name"], "Everyone");
}

#[tokio::test]
async fn what_is_wrong_is_named_and_nothing_is_made() {
    let (app, acme) = acme().await;
    let rival = app.account("rival").await;
    let many: Vec<_> = (0..101).map(|at| format!("g{at}")).collect();
    for (body, field) in [
        (json!({}), "name"),
        (json!({ "name": " " }), "name"),
        (json!({ "name": "x", "state": 3 }), "state"),
        (json!({ "name": "x", "sso_mapping_groups": ["a\nb"] }), "sso_mapping_groups"),
        (json!({ "name": "x", "sso_mapping_groups": many }), "sso_mapping_groups"),
    ] {
        let answer = acme.admin.post(&acme.v3("/groups/"), body.clone()).await;
        assert_eq!(answer.status(), 400, "{body}: {}", answer.text());
        assert!(!answer.reason(field).is_empty(), "{body}: {}", answer.text());
    }
    let theirs = json!({ "name": "x", "account_id": rival.id.get() });
    assert_eq!(acme.admin.post(&acme.v3("/groups/"), theirs).await.status(), 404);
    assert_eq!(acme.admin.get(&acme.v3("/groups/")).await.ids().len(), 3);

    let id = group(&acme, "loaders").await;
    let (sales, hr) = (acme.project("sales").await, rival.project("hr").await);
    let path = acme.v3(&format!("/group-permissions/{id}/"));
    for (rows, field) in [
        (json!([row("no_such_set")]), "[0].permission_set"),
        (
            json!([{ "permission_set": "account_admin", "project_id": sales.id.get() }]),
            "[0].project_id",
        ),
        (json!([{ "permission_set": "job_admin", "all_projects": false }]), "[0].project_id"),
        (json!([{ "permission_set": "job_admin", "project_id": hr.id.get() }]), "project_id"),
        (json!([row("job_admin"), row("job_admin")]), "permission_set"),
        (
            json!([{ "permission_set": "analyst", "writable_environment_categories": ["moon"] }]),
            "[0].writable_environment_categories",
        ),
    ] {
        let answer = acme.admin.post(&path, rows.clone()).await;
        assert_eq!(answer.status(), 400, "{rows}: {}", answer.text());
        assert!(!answer.reason(field).is_empty(), "{rows}: {}", answer.text());
    }
    assert_eq!(acme.admin.post(&acme.v3("/group-permissions/999/"), json!([])).await.status(), 404);
}

#[tokio::test]
async fn what_a_group_is_given_its_members_hold_at_their_next_request() {
    let (_app, acme) = acme().await;
    let (sales, hr) = (acme.project("sales").await, acme.project("hr").await);
    let (bob, client) = acme.user("bob@acme.example", License::Developer, &[]).await;
    let id = group(&acme, "sales people").await;
    assert_eq!(assign(&acme, bob.get(), &[id]).await.ids(), [id]);
    assert_eq!(client.get(&sales.url()).await.status(), 403);
    let rows = json!([
        { "account_id": acme.id.get(), "group_id": id, "permission_set": "job_viewer",
          "all_projects": false, "project_id": sales.id.get(), "state": 1,
          "writable_environment_categories": [] },
        { "permission_set": "billing_admin", "all_projects": true, "state": 2 },
    ]);
    gives(&acme, id, rows).await;
    assert_eq!(client.get(&sales.url()).await.status(), 200);
    assert_eq!(client.get(&hr.url()).await.status(), 404);
    let read = acme.admin.get(&acme.v3(&format!("/groups/{id}/"))).await.data();
    assert_eq!(read["member_count"], 1);
    let rows = read["group_permissions"].as_array().unwrap().clone();
    assert_eq!(rows.len(), 1, "a row with state 2 counts as not there");
    assert_eq!(
        (&rows[0]["project_id"], &rows[0]["group_id"]),
        (&json!(sales.id.get()), &json!(id))
    );

    // Replaced as a whole, and a project that is deleted leaves nothing behind.
    gives(&acme, id, json!([{ "permission_set": "job_viewer", "project_id": hr.id.get() }])).await;
    assert_eq!(client.get(&sales.url()).await.status(), 404);
    assert_eq!(client.get(&hr.url()).await.status(), 200);
    assert_eq!(acme.admin.delete(&hr.url()).await.status(), 200);
    let read = acme.admin.get(&acme.v3(&format!("/groups/{id}/"))).await.data();
    assert_eq!(read["group_permissions"], json!([]));

    // Deleted, it gives nothing.
    gives(&acme, id, json!([row("job_viewer")])).await;
    assert_eq!(client.get(&sales.url()).await.status(), 200);
    acme.admin.post(&acme.v3(&format!("/groups/{id}/")), json!({ "state": 2 })).await;
    assert_eq!(client.get(&sales.url()).await.status(), 403);
}

#[tokio::test]
async fn nobody_gives_a_group_or_gains_by_one_more_than_they_hold() {
    let (_app, acme) = acme().await;
    let owner = named(&acme, "Owner").await["id"].as_i64().unwrap();
    let everyone = named(&acme, "Everyone").await["id"].as_i64().unwrap();
    let (sue, security) =
        acme.user("sue@acme.example", License::Developer, &["security_admin"]).await;
    let (ann, project_admin) = acme.user("ann@acme.example", License::Developer, &["admin"]).await;

    // Security Admin writes groups, and Admin members: neither makes an Account Admin of anybody.
    let path = acme.v3(&format!("/group-permissions/{everyone}/"));
    let refused = security.post(&path, json!([row("account_admin")])).await;
    assert_eq!(refused.status(), 403);
    assert!(refused.text().contains("beyond what you hold"), "{}", refused.text());
    assert_eq!(security.post(&path, json!([row("security_admin")])).await.status(), 200);
    assert_eq!(security.post(&path, json!([])).await.status(), 200);
    for (user, client) in [(sue, &security), (ann, &project_admin)] {
        let theirs = acme.admin.get(&acme.v3(&format!("/users/{user}/"))).await.data();
        let theirs = theirs["permissions"][0]["groups"].as_array().unwrap().clone();
        let mut ids: Vec<i64> = theirs.iter().map(|it| it["id"].as_i64().unwrap()).collect();
        ids.push(owner);
        let body = json!({ "user_id": user.get(), "desired_group_ids": ids });
        let refused = client.post(&acme.v3("/assign-groups/"), body).await;
        assert_eq!(refused.status(), 403, "{user}: {}", refused.text());
        let body = json!({ "user_id": user.get(), "desired_group_ids": [everyone] });
        assert_eq!(client.post(&acme.v3("/assign-groups/"), body).await.status(), 200, "{user}");
    }
    // Nor does a group of theirs that takes people in by itself.
    let (_, again) = acme.user("tom@acme.example", License::Developer, &["security_admin"]).await;
    let path = acme.v3(&format!("/groups/{owner}/"));
    for change in [json!({ "assign_by_default": true }), json!({ "sso_mapping_groups": ["all"] })] {
        assert_eq!(again.post(&path, change.clone()).await.status(), 403, "{change}");
        assert_eq!(acme.admin.post(&path, change.clone()).await.status(), 200, "{change}");
    }
    // A service token is held to the same.
    let token = acme.service_token().grant_everywhere("security_admin").create().await;
    let path = acme.v3(&format!("/group-permissions/{everyone}/"));
    assert_eq!(token.post(&path, json!([row("account_admin")])).await.status(), 403);
}

#[tokio::test]
async fn a_plan_offers_groups_its_own_sets_and_those_of_the_built_in_groups() {
    let app = TestApp::new().await;
    for (plan, set, status) in [
        (Plan::Team, "job_viewer", 400),
        (Plan::Team, "job_admin", 200),
        (Plan::Team, "member", 200),
        (Plan::Developer, "account_admin", 200),
        (Plan::Developer, "job_admin", 400),
        (Plan::Enterprise, "member", 200),
        (Plan::Enterprise, "fusion_admin", 200),
    ] {
        let account = app.account_on(&format!("{plan}-{}", set.replace('_', "-")), plan).await;
        let id = group(&account, "ours").await;
        let path = account.v3(&format!("/group-permissions/{id}/"));
        let answer = account.admin.post(&path, json!([row(set)])).await;
        assert_eq!(answer.status(), status, "{plan} {set}: {}", answer.text());
        if status == 400 {
            let reason = answer.reason("permission_set");
            assert!(reason.contains(set) && reason.contains("groups"), "{reason}");
        }
    }
}

#[tokio::test]
async fn somebody_is_always_left_who_can_run_the_account() {
    let (_app, acme) = acme().await;
    let owner = named(&acme, "Owner").await["id"].as_i64().unwrap();
    let deletes =
        acme.admin.post(&acme.v3(&format!("/groups/{owner}/")), json!({ "state": 2 })).await;
    assert_eq!(deletes.status(), 409, "{}", deletes.text());
    let path = acme.v3(&format!("/group-permissions/{owner}/"));
    assert_eq!(acme.admin.post(&path, json!([])).await.status(), 409);
    assert_eq!(assign(&acme, acme.admin_id.get(), &[]).await.status(), 409);
    assert_eq!(acme.admin.get(&acme.v3(&format!("/groups/{owner}/"))).await.status(), 200);

    // With another one, it can be done.
    let (bob, _) = acme.user("bob@acme.example", License::Developer, &[]).await;
    assert_eq!(assign(&acme, bob.get(), &[owner]).await.status(), 200);
    assert_eq!(assign(&acme, acme.admin_id.get(), &[]).await.status(), 200);
    assert_eq!(acme.admin.get(&acme.v3("/groups/")).await.status(), 403);
}

#[tokio::test]
async fn users_are_put_into_groups_of_their_own_account_alone() {
    let (app, acme) = acme().await;
    let rival = app.account("rival").await;
    let (bob, _) = acme.user("bob@acme.example", License::Developer, &[]).await;
    let ours = group(&acme, "ours").await;
    let theirs = rival.admin.get(&rival.v3("/groups/")).await.ids()[0];
    for (body, field) in [
        (json!({ "desired_group_ids": [ours] }), "user_id"),
        (json!({ "user_id": 0, "desired_group_ids": [ours] }), "user_id"),
        (json!({ "user_id": bob.get() }), "desired_group_ids"),
        (json!({ "user_id": bob.get(), "desired_group_ids": [theirs] }), "desired_group_ids"),
        (json!({ "user_id": bob.get(), "desired_group_ids": [-1] }), "desired_group_ids"),
        (json!({ "user_id": rival.admin_id.get(), "desired_group_ids": [ours] }), "user_id"),
    ] {
        let answer = acme.admin.post(&acme.v3("/assign-groups/"), body.clone()).await;
        assert_eq!(answer.status(), 400, "{body}: {}", answer.text());
        assert!(!answer.reason(field).is_empty(), "{body}: {}", answer.text());
    }
    for path in [acme.v3(&format!("/groups/{theirs}/")), rival.v3(&format!("/groups/{ours}/"))] {
        assert_eq!(acme.admin.get(&path).await.status(), 404, "{path}");
        assert_eq!(app.anonymous().get(&path).await.status(), 401, "{path}");
    }
    let narrow = acme.service_token().grant_everywhere("job_viewer").create().await;
    assert_eq!(narrow.get(&acme.v3("/groups/")).await.status(), 403);
    assert_eq!(narrow.post(&acme.v3("/groups/"), json!({ "name": "x" })).await.status(), 403);
    let body = json!({ "user_id": bob.get(), "desired_group_ids": [] });
    assert_eq!(narrow.post(&acme.v3("/assign-groups/"), body).await.status(), 403);
    let path = acme.v3(&format!("/group-permissions/{ours}/"));
    assert_eq!(narrow.post(&path, json!([])).await.status(), 403);
}

#[tokio::test]
async fn a_project_shows_the_groups_that_name_it_when_it_is_asked() {
    let (_app, acme) = acme().await;
    let (sales, hr) = (acme.project("sales").await, acme.project("hr").await);
    let id = group(&acme, "sales people").await;
    gives(&acme, id, json!([{ "permission_set": "job_viewer", "project_id": sales.id.get() }]))
        .await;
    assert_eq!(acme.admin.get(&sales.url()).await.data()["group_permissions"], Value::Null);
    let path = acme.v3("/projects/?include_related=[group_permissions]");
    let projects = acme.admin.get(&path).await.data();
    assert_eq!(projects[0]["group_permissions"][0]["group_id"], id);
    assert_eq!(projects[1]["group_permissions"], json!([]), "{}", hr.id);
    let viewer = acme.service_token().grant("job_viewer", &sales).create().await;
    assert_eq!(viewer.get(&path).await.data()[0]["group_permissions"], Value::Null);
}

#[tokio::test]
async fn a_list_of_groups_takes_as_many_statements_however_long_it_is() {
    let (app, acme) = acme().await;
    let statements = async || {
        let before = app.store.statements();
        assert_eq!(acme.admin.get(&acme.v3("/groups/")).await.status(), 200);
        app.store.statements() - before
    };
    let few = statements().await;
    for at in 0..5 {
        let id = group(&acme, &format!("g{at}")).await;
        gives(&acme, id, json!([row("job_viewer")])).await;
    }
    assert_eq!(statements().await, few);
    assert!(few <= 6, "{few}");
}
