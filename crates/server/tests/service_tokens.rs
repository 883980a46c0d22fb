//! Service tokens over the API: contract section 7, SECURITY lines 5, 17 to 22, 31, 40.

use domain::{
    Name, Plan, Timestamp,
    authz::{Action, License, PermissionSet, ServiceTokens, SystemTask, Write, authorize},
    service_token::ServiceToken,
};
use reqwest::Method;
use serde_json::{Value, json};
use store::ImportedToken;
use testkit::{TestAccount, TestAnswer, TestApp};

async fn acme() -> (TestApp, TestAccount) {
    let app = TestApp::new().await;
    let acme = app.account("acme").await;
    (app, acme)
}

fn row(set: &str) -> Value {
    json!({ "permission_set": set, "all_projects": true })
}

#[tokio::test]
async fn the_secret_is_in_the_answer_to_creating_and_in_no_other() {
    let (_app, acme) = acme().await;
    let path = acme.v3("/service-tokens/");
    let body = json!({ "name": "loader", "permission_grants": [row("job_admin")] });
    let made = acme.admin.post(&path, body).await;
    assert_eq!(made.status(), 201);
    assert_eq!(made.header("cache-control"), "no-store");
    let secret = made.data()["token_string"].as_str().unwrap().to_owned();
    assert!(secret.starts_with("ngst_"));

    let one = format!("{path}{}/", made.id());
    let reads = [
        acme.admin.get(&path).await,
        acme.admin.get(&one).await,
        acme.admin.get(&format!("{one}permissions/")).await,
        acme.admin.put(&one, json!({ "name": "other" })).await,
        acme.admin.delete(&one).await,
    ];
    for answer in reads {
        assert_eq!(answer.status(), 200);
        assert!(!answer.text().contains(&secret));
        assert!(!answer.text().contains("token_string"));
    }
}

#[tokio::test]
async fn terraform_makes_a_token_without_grants_and_then_posts_the_list() {
    let (app, acme) = acme().await;
    let sales = acme.project("sales").await;
    let path = acme.v3("/service-tokens/");
    let body =
        json!({ "id": null, "account_id": acme.id.get(), "uid": "", "name": "tf", "state": 1 });
    let made = acme.admin.post(&path, body).await;
    assert_eq!(made.status(), 201);
    let token = app.presenting(made.data()["token_string"].as_str().unwrap());
    assert_eq!(token.get("/api/v3/accounts/").await.ids(), [acme.id.get()]);
    assert_eq!(token.get(&sales.url()).await.status(), 403);

    let rows = format!("{path}{}/permissions/", made.id());
    let list = json!([{
        "account_id": acme.id.get(), "service_token_id": made.id(), "permission_set": "job_admin",
        "all_projects": false, "project_id": sales.id.get(), "state": 1,
        "writable_environment_categories": [],
    }]);
    let replaced = acme.admin.post(&rows, list).await;
    assert_eq!(replaced.status(), 200);
    assert_eq!(replaced.data()[0]["project_id"], sales.id.get());
    assert_eq!(token.get(&sales.url()).await.status(), 200);
    assert_eq!(acme.admin.get(&rows).await.json()["extra"]["pagination"]["total_count"], 1);
}

#[tokio::test]
async fn a_state_that_is_neither_1_nor_2_is_refused() {
    let (_app, acme) = acme().await;
    let (id, _) = acme.service_token().grant_everywhere("job_admin").create_with_id().await;
    let path = acme.v3(&format!("/service-tokens/{id}"));
    let answer = acme.admin.put(&path, json!({ "name": "a", "state": 3 })).await;
    assert_eq!(answer.status(), 400);
    assert_eq!(answer.reason("state"), "must be 1 (active) or 2 (deleted)");
    assert_eq!(acme.admin.get(&path).await.data()["name"], "a token");
}

#[tokio::test]
async fn a_token_is_renamed_by_put_and_by_post_and_deleted_by_state_2() {
    let (_app, acme) = acme().await;
    let (id, token) = acme.service_token().grant_everywhere("job_admin").create_with_id().await;
    let path = acme.v3(&format!("/service-tokens/{id}"));
    assert_eq!(acme.admin.put(&path, json!({ "name": "b" })).await.data()["name"], "b");
    let mut whole = acme.admin.get(&path).await.data();
    whole["name"] = json!("c");
    assert_eq!(acme.admin.post(&path, whole.clone()).await.data()["name"], "c");
    whole["state"] = json!(2);
    let gone = acme.admin.post(&path, whole).await;
    assert_eq!((gone.status(), gone.data()["state"].clone()), (200, json!(2)));
    assert_eq!(token.get("/api/v2/whoami").await.status(), 401);
    assert_eq!(acme.admin.get(&path).await.status(), 404);
    assert_eq!(acme.admin.delete(&path).await.status(), 404);
    let listed = acme.admin.get(&acme.v3("/service-tokens/?state=deleted")).await;
    assert_eq!(listed.ids(), [id]);
}

#[tokio::test]
async fn grants_are_replaced_as_a_whole_or_not_at_all() {
    let (_app, acme) = acme().await;
    let (id, _) = acme.service_token().grant_everywhere("job_admin").create_with_id().await;
    let path = acme.v3(&format!("/service-tokens/{id}/permissions/"));
    let bad = json!([row("metadata_only"), row("no_such_set")]);
    let refused = acme.admin.post(&path, bad).await;
    assert_eq!(refused.status(), 400);
    assert_eq!(refused.reason("[1].permission_set"), "is not the key of a permission set");
    assert_eq!(acme.admin.get(&path).await.data()[0]["permission_set"], "job_admin");
    let good = json!([row("metadata_only"), row("job_viewer")]);
    assert_eq!(acme.admin.post(&path, good).await.data().as_array().unwrap().len(), 2);
    assert_eq!(acme.admin.post(&path, json!([])).await.data(), json!([]));
}

#[tokio::test]
async fn a_set_that_the_plan_lacks_is_refused_by_name_and_plan() {
    let app = TestApp::new().await;
    let offered: [(Plan, &[&str]); 4] = [
        (Plan::Developer, &["semantic_layer_only"]),
        (Plan::Starter, &["semantic_layer_only"]),
        (
            Plan::Team,
            &[
                "account_admin",
                "owner",
                "member",
                "job_admin",
                "readonly",
                "metadata_only",
                "semantic_layer_only",
            ],
        ),
        (Plan::Enterprise, &["job_viewer", "billing_admin", "stakeholder"]),
    ];
    for (plan, sets) in offered {
        let acme = app.account_on(&format!("a-{plan}"), plan).await;
        for set in sets {
            let body = json!({ "name": "t", "permission_grants": [row(set)] });
            let made = acme.admin.post(&acme.v3("/service-tokens/"), body).await;
            assert_eq!(made.status(), 201, "{plan} {set}: {}", made.text());
        }
        let lacking = if plan == Plan::Enterprise { "scim_only" } else { "job_viewer" };
        let body = json!({ "name": "t", "permission_grants": [row(lacking)] });
        let refused = acme.admin.post(&acme.v3("/service-tokens/"), body).await;
        assert_eq!(refused.status(), 400, "{plan}");
        let reason = refused.reason("permission_set");
        assert!(reason.contains(lacking) && reason.contains(plan.key()), "{reason}");
    }
}

#[tokio::test]
async fn nobody_hands_out_more_than_they_hold() {
    let (app, acme) = acme().await;
    // A user whose group holds Account Admin on an account where it is all there is may do all;
    // a token may do what its maker may, and no more.
    let minter = acme.service_token().grant_everywhere("account_admin").create().await;
    let path = acme.v3("/service-tokens/");
    let body = json!({ "name": "t", "permission_grants": [row("account_admin")] });
    assert_eq!(minter.post(&path, body.clone()).await.status(), 201);

    // Security Admin reads service tokens and writes none; Member on Team likewise.
    let reader = acme.service_token().grant_everywhere("security_admin").create().await;
    assert_eq!(reader.get(&path).await.status(), 200);
    assert_eq!(reader.post(&path, body).await.status(), 403);
    drop(app);
}

#[tokio::test]
async fn only_a_developer_licence_makes_tokens() {
    let (_app, acme) = acme().await;
    let body = json!({ "name": "t", "permission_grants": [row("job_admin")] });
    let cases = [
        (License::Developer, 201),
        (License::Analyst, 403),
        (License::ReadOnly, 403),
        (License::It, 403),
    ];
    for (license, status) in cases {
        let email = format!("{license}@acme.example");
        let (_, user) = acme.user(&email, license, &["account_admin"]).await;
        let answer = user.post(&acme.v3("/service-tokens/"), body.clone()).await;
        assert_eq!(answer.status(), status, "{license}: {}", answer.text());
    }
}

#[tokio::test]
async fn an_account_can_keep_its_tokens_from_minting() {
    let (app, acme) = acme().await;
    let minter = acme.service_token().grant_everywhere("account_admin").create().await;
    let body = json!({ "name": "t", "permission_grants": [row("job_admin")] });
    let path = acme.v3("/service-tokens/");
    assert_eq!(minter.post(&path, body.clone()).await.status(), 201);

    let admin = acme.admin_caller().await;
    let permit = domain::authz::authorize(&admin, acme.id).unwrap();
    let change = store::AccountChange { tokens_may_mint: Some(false), ..Default::default() };
    app.store.update_account(&permit, change).await.unwrap();

    assert_eq!(minter.post(&path, body.clone()).await.status(), 403);
    assert_eq!(minter.get(&path).await.status(), 200);
    assert_eq!(acme.admin.post(&path, body).await.status(), 201);
}

#[tokio::test]
async fn a_downgrade_makes_sets_inert_at_once() {
    let (app, acme) = acme().await;
    let sales = acme.project("sales").await;
    let viewer = acme.service_token().grant("job_viewer", &sales).create().await;
    assert_eq!(viewer.get(&sales.url()).await.status(), 200);
    let admin = acme.admin_caller().await;
    let permit = domain::authz::authorize(&admin, acme.id).unwrap();
    let change = store::AccountChange { plan: Some(Plan::Team.into()), ..Default::default() };
    app.store.update_account(&permit, change).await.unwrap();
    assert_eq!(viewer.get(&sales.url()).await.status(), 403);
    assert_eq!(viewer.get("/api/v2/whoami").await.status(), 200);
}

#[tokio::test]
async fn an_empty_project_list_is_a_mistake_and_never_all() {
    let (_app, acme) = acme().await;
    let path = acme.v3("/service-tokens/");
    let cases = [
        (json!({ "permission_set": "job_admin", "project_ids": [] }), "project_ids"),
        (json!({ "permission_set": "job_admin", "all_projects": false }), "project_id"),
        (
            json!({ "permission_set": "job_admin", "all_projects": true, "project_id": 1 }),
            "all_projects",
        ),
        (json!({ "permission_set": "account_admin", "project_id": 1 }), "project_id"),
        (json!({ "permission_set": "job_admin", "project_id": -1 }), "project_id"),
        (
            json!({ "permission_set": "job_admin", "project_id": 9_223_372_036_854_775_808_u64 }),
            "project_id",
        ),
        (
            json!({ "permission_set": "job_admin", "project_ids": [9_223_372_036_854_775_808_u64] }),
            "project_ids[0]",
        ),
        (json!({ "project_id": 1 }), "permission_set"),
        (
            json!({ "permission_set": "analyst", "writable_environment_categories": ["moon"] }),
            "writable_environment_categories",
        ),
    ];
    for (grant, field) in cases {
        let body = json!({ "name": "t", "permission_grants": [grant] });
        let answer = acme.admin.post(&path, body).await;
        assert_eq!(answer.status(), 400, "{field}: {}", answer.text());
        assert!(
            !answer.reason(&format!("permission_grants[0].{field}")).is_empty(),
            "{}",
            answer.text()
        );
    }
    assert_eq!(acme.admin.get(&path).await.ids(), Vec::<i64>::new());
}

#[tokio::test]
async fn a_project_of_another_account_is_no_project() {
    let (app, acme) = acme().await;
    let rival = app.account("rival").await;
    let theirs = rival.project("theirs").await;
    for id in [theirs.id.get(), 999_999] {
        let body = json!({
            "name": "t", "permission_grants": [{ "permission_set": "job_admin", "project_id": id }],
        });
        let answer = acme.admin.post(&acme.v3("/service-tokens/"), body).await;
        assert_eq!(answer.status(), 400);
        let reason = answer.reason("project_id");
        assert_eq!(reason.replace(&id.to_string(), "ID"), reason_for_unknown(&acme).await);
    }
}

#[tokio::test]
async fn a_deleted_project_is_no_project() {
    let (_app, acme) = acme().await;
    let gone = acme.project("gone").await;
    assert_eq!(acme.admin.delete(&gone.url()).await.status(), 200);
    let (id, _) = acme.service_token().create_with_id().await;
    let grant = json!([{ "permission_set": "job_admin", "project_id": gone.id.get() }]);
    let body = json!({ "name": "t", "permission_grants": grant });
    let made = acme.admin.post(&acme.v3("/service-tokens/"), body).await;
    let path = acme.v3(&format!("/service-tokens/{id}/permissions/"));
    for answer in [made, acme.admin.post(&path, grant).await] {
        assert_eq!(answer.status(), 400, "{}", answer.text());
        assert!(answer.reason("project_id").contains("is no project of this account"));
    }
}

async fn reason_for_unknown(acme: &TestAccount) -> String {
    let body = json!({
        "name": "t", "permission_grants": [{ "permission_set": "job_admin", "project_id": 424_242 }],
    });
    let answer = acme.admin.post(&acme.v3("/service-tokens/"), body).await;
    answer.reason("project_id").replace("424242", "ID")
}

#[tokio::test]
async fn deleting_the_last_project_of_a_grant_widens_nothing() {
    let (_app, acme) = acme().await;
    let (sales, hr) = (acme.project("sales").await, acme.project("hr").await);
    let (id, token) = acme.service_token().grant("job_admin", &sales).create_with_id().await;
    assert_eq!(acme.admin.delete(&sales.url()).await.status(), 200);
    assert_eq!(token.get(&sales.url()).await.status(), 403);
    assert_eq!(token.get(&hr.url()).await.status(), 403);
    let rows = acme.admin.get(&acme.v3(&format!("/service-tokens/{id}/permissions/"))).await;
    assert_eq!(rows.data(), json!([]));
    let again = acme.project("sales").await;
    assert!(again.id > hr.id);
}

#[tokio::test]
async fn names_are_bounded_and_free_of_control_characters() {
    let (_app, acme) = acme().await;
    let path = acme.v3("/service-tokens/");
    let fits = "é".repeat(255);
    assert_eq!(acme.admin.post(&path, json!({ "name": fits })).await.status(), 201);
    let long = "x".repeat(256);
    for name in ["", "   ", "a\nb", "a\u{0}b", "a\u{1b}[31m", long.as_str()] {
        let answer = acme.admin.post(&path, json!({ "name": name })).await;
        assert_eq!(answer.status(), 400, "{name:?}");
        assert!(!answer.reason("name").is_empty(), "{name:?}");
    }
    for (body, field) in [
        (json!({}), "name"),
        (json!({ "name": 7 }), "name"),
        (json!({ "name": null }), "name"),
        (json!({ "name": "a", "permission_grants": "all" }), "permission_grants"),
        (json!({ "name": "a", "permission_grants": [7] }), "permission_grants[0]"),
        (json!("name"), "body"),
    ] {
        let answer = acme.admin.post(&path, body.clone()).await;
        assert_eq!(answer.status(), 400, "{body}: {}", answer.text());
        assert!(!answer.reason(field).is_empty(), "{body}: {}", answer.text());
    }
}

#[tokio::test]
async fn ten_thousand_grants_duplicates_and_large_bodies_are_refused() {
    let (_app, acme) = acme().await;
    let path = acme.v3("/service-tokens/");
    let many = vec![row("job_admin"); 10_000];
    let answer = acme.admin.post(&path, json!({ "name": "t", "permission_grants": &many })).await;
    assert_eq!(answer.status(), 400);
    assert!(answer.reason("permission_grants").contains("at most 500"));

    let twice = [row("job_admin"), row("job_admin")];
    let answer = acme.admin.post(&path, json!({ "name": "t", "permission_grants": &twice })).await;
    assert_eq!(answer.status(), 400);
    assert_eq!(answer.reason("permission_grants"), "grants `job_admin` on all projects twice");

    let (id, _) = acme.service_token().create_with_id().await;
    let rows = acme.v3(&format!("/service-tokens/{id}/permissions/"));
    for (list, field, words) in
        [(json!(many), "body", "at most 500"), (json!(twice), "permission_grants", "twice")]
    {
        let answer = acme.admin.post(&rows, list).await;
        assert_eq!(answer.status(), 400);
        assert!(answer.reason(field).contains(words), "{}", answer.text());
    }
    assert_eq!(acme.admin.get(&rows).await.data(), json!([]));
    acme.admin.delete(&acme.v3(&format!("/service-tokens/{id}/"))).await;

    let answer = acme.admin.post(&path, json!({ "name": "x".repeat(1 << 20) })).await;
    assert_eq!(answer.status(), 413);
    assert!(!answer.reason("body").is_empty());

    let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
    let request = acme.admin.request(Method::POST, &path).body(deep);
    assert_eq!(TestAnswer::of(request).await.status(), 400);

    let request = acme.admin.request(Method::POST, &path).body("{\"name\": ");
    let answer = TestAnswer::of(request).await;
    assert_eq!(answer.status(), 400);
    assert!(answer.reason("body").contains("JSON"));
    assert_eq!(acme.admin.get(&path).await.ids(), Vec::<i64>::new());
}

#[tokio::test]
async fn forbidden_fields_of_a_body_are_ignored_and_never_stored() {
    let (_app, acme) = acme().await;
    let body = json!({
        "id": 77, "uid": "mine", "name": "t", "created_at": "2001-01-01T00:00:00Z",
        "last_used": "2001-01-01T00:00:00Z", "token_string": "ngst_mine", "digest": "00",
        "account_identifier": "x",
    });
    let made = acme.admin.post(&acme.v3("/service-tokens/"), body).await;
    assert_eq!(made.status(), 201);
    let data = made.data();
    assert_ne!(data["id"], 77);
    assert_ne!(data["uid"], "mine");
    assert_eq!(data["created_at"], "2026-11-23T12:00:00.000000+00:00");
    assert_eq!(data["last_used"], Value::Null);
    let other = json!({ "name": "t", "account_id": 999 });
    assert_eq!(acme.admin.post(&acme.v3("/service-tokens/"), other).await.status(), 404);
}

#[tokio::test]
async fn a_token_that_is_not_there_cannot_be_changed_either() {
    let (_app, acme) = acme().await;
    let one = acme.v3("/service-tokens/999999/");
    let rows = format!("{one}permissions/");
    for answer in [
        acme.admin.get(&rows).await,
        acme.admin.put(&one, json!({ "name": "t" })).await,
        acme.admin.post(&one, json!({ "name": "t" })).await,
        acme.admin.post(&one, json!({ "name": "t", "state": 2 })).await,
        acme.admin.post(&rows, json!([row("job_admin")])).await,
        acme.admin.post(&rows, json!([])).await,
    ] {
        assert_eq!(answer.status(), 404, "{}", answer.text());
    }
}

#[tokio::test]
async fn project_0_beside_all_projects_means_none_as_terraform_writes_it() {
    let (_app, acme) = acme().await;
    let grant = json!({ "permission_set": "job_admin", "all_projects": true, "project_id": 0 });
    let body = json!({ "name": "t", "permission_grants": [grant] });
    let made = acme.admin.post(&acme.v3("/service-tokens/"), body).await;
    assert_eq!(made.status(), 201, "{}", made.text());
    assert_eq!(made.data()["permission_grants"][0]["project_id"], Value::Null);
}

#[tokio::test]
async fn an_account_that_is_full_takes_no_token_more() {
    let (app, acme) = acme().await;
    let importer = app.system(SystemTask::Importer, acme.id).await;
    let permit = authorize(&importer, acme.id).unwrap();
    let token = |number: u64| ImportedToken {
        name: Name::parse(format!("t{number}")).unwrap(),
        grants: Vec::new(),
        created_at: app.clock.now(),
        last_used: None,
    };
    let all = (0..ServiceToken::MAX_PER_ACCOUNT).map(token).collect();
    app.store.import_service_tokens(&permit, all).await.unwrap();
    let refused = acme.admin.post(&acme.v3("/service-tokens/"), json!({ "name": "t" })).await;
    assert_eq!(refused.status(), 409);
    assert!(refused.text().contains("at most 5000 service tokens"), "{}", refused.text());
}

/// SECURITY line 18 over HTTP: those who may make tokens hold all that a token can carry, so what
/// exceeds them cannot be asked for; that it is refused where it can is held in `domain` and
/// `store`.
#[tokio::test]
async fn whoever_may_make_tokens_may_make_every_set_that_tokens_carry() {
    let (app, acme) = acme().await;
    let path = acme.v3("/service-tokens/");
    let (mut makers, mut made) = (0, 0);
    for maker in PermissionSet::all() {
        let body = json!({ "name": "m", "permission_grants": [row(maker.key())] });
        let created = acme.admin.post(&path, body).await;
        if created.status() != 201 {
            continue;
        }
        let secret = created.data()["token_string"].as_str().unwrap().to_owned();
        let client = app.presenting(&secret);
        let may = maker.row().rights.allow(Action::of::<Write, ServiceTokens>());
        for set in PermissionSet::all() {
            let body = json!({ "name": "t", "permission_grants": [row(set.key())] });
            let answer = client.post(&path, body).await;
            // What the plan lacks for tokens is refused to all makers alike.
            let fine =
                if may { [201, 400].contains(&answer.status()) } else { answer.status() == 403 };
            assert!(fine, "{maker} makes {set}: {}", answer.text());
            made += usize::from(answer.status() == 201);
        }
        makers += usize::from(may);
    }
    assert!(makers >= 1 && made > 20, "{makers} makers, {made} tokens");
}

#[tokio::test]
async fn ids_that_cannot_be_are_not_found() {
    let (_app, acme) = acme().await;
    for id in ["0", "-1", "9223372036854775808", "abc", "1e3", "%00"] {
        let answer = acme.admin.get(&acme.v3(&format!("/service-tokens/{id}/"))).await;
        assert_eq!(answer.status(), 404, "{id}: {}", answer.text());
        assert_eq!(answer.json()["status"]["code"], 404);
    }
    let account = acme.admin.get("/api/v3/accounts/99999999999999999999/service-tokens/").await;
    assert_eq!(account.status(), 404);
}

#[tokio::test]
async fn lists_are_cut_as_asked() {
    let (_app, acme) = acme().await;
    for name in ["a", "b", "c"] {
        acme.service_token().named(name).grant_everywhere("job_admin").create().await;
    }
    let list = |query: &str| acme.v3(&format!("/service-tokens/?{query}"));
    let page = acme.admin.get(&list("limit=2&offset=1&order_by=-name&state=1")).await;
    let names: Vec<_> = page.data().as_array().unwrap().iter().map(|t| t["name"].clone()).collect();
    assert_eq!(names, ["b", "a"]);
    let extra = &page.json()["extra"];
    assert_eq!(extra["filters"]["limit"], 2);
    assert_eq!(extra["filters"]["offset"], 1);
    assert_eq!(extra["pagination"], json!({ "count": 2, "total_count": 3 }));
    assert_eq!(extra["order_by"], "-name");
    let past = acme.admin.get(&list("offset=10")).await;
    assert_eq!(past.json()["extra"]["pagination"], json!({ "count": 0, "total_count": 3 }));
    for (query, field) in [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=x", "limit"),
        ("offset=-1", "offset"),
        ("offset=99999999999", "offset"),
        ("state=9", "state"),
        ("order_by=digest", "order_by"),
    ] {
        let answer = acme.admin.get(&list(query)).await;
        assert_eq!(answer.status(), 400, "{query}");
        assert!(!answer.reason(field).is_empty(), "{query}: {}", answer.text());
    }
    assert_eq!(acme.admin.get(&list("include_related=&account_id=1&x=y")).await.ids().len(), 3);
}

#[tokio::test]
async fn a_list_answers_with_a_slash_and_without_and_never_by_a_redirect() {
    let (_app, acme) = acme().await;
    for path in [acme.v3("/service-tokens"), acme.v3("/service-tokens/")] {
        assert_eq!(acme.admin.get(&path).await.status(), 200);
        assert_eq!(acme.admin.post(&path, json!({ "name": "t" })).await.status(), 201);
    }
    let wrong =
        TestAnswer::of(acme.admin.request(Method::PATCH, &acme.v3("/service-tokens/"))).await;
    assert_eq!((wrong.status(), wrong.json()["status"]["code"].clone()), (405, json!(405)));
}

#[tokio::test]
async fn last_used_is_written_in_a_batch_and_old_tokens_are_told_to_rotate() {
    let (app, acme) = acme().await;
    let (id, token) = acme.service_token().grant_everywhere("job_admin").create_with_id().await;
    let path = acme.v3(&format!("/service-tokens/{id}/"));
    assert_eq!(acme.admin.get(&path).await.data()["advisory"], Value::Null);
    app.clock.set(Timestamp::parse("2026-11-23T13:00:00Z").unwrap());
    token.get("/api/v2/whoami/").await;
    assert_eq!(acme.admin.get(&path).await.data()["last_used"], Value::Null);
    app.store.flush_last_used().await.unwrap();
    let used = acme.admin.get(&path).await.data()["last_used"].clone();
    assert_eq!(used, "2026-11-23T13:00:00.000000+00:00");

    for (made, advised) in [("2023-07-18T23:59:59Z", true), ("2023-07-19T00:00:00Z", false)] {
        app.clock.set(Timestamp::parse(made).unwrap());
        let (id, _) = acme.service_token().grant_everywhere("job_admin").create_with_id().await;
        let data = acme.admin.get(&acme.v3(&format!("/service-tokens/{id}/"))).await.data();
        assert_eq!(data["advisory"]["action"] == "rotate", advised, "{made}");
    }
}

#[tokio::test]
async fn reading_one_token_takes_two_statements() {
    let (app, acme) = acme().await;
    let (id, _) = acme.service_token().grant_everywhere("job_admin").create_with_id().await;
    let before = app.store.statements();
    acme.admin.get(&acme.v3(&format!("/service-tokens/{id}/"))).await;
    assert_eq!(app.store.statements() - before, 2, "who asks, and what");
    let before = app.store.statements();
    acme.admin.get(&acme.v3(&format!("/service-tokens/{id}/"))).await;
    assert_eq!(app.store.statements() - before, 1, "who asks is known for 2 s");
}

#[tokio::test]
async fn every_change_of_a_token_is_in_the_audit_with_its_author_and_request() {
    let (app, acme) = acme().await;
    let (id, _) =
        acme.service_token().named("=cmd()").grant_everywhere("job_admin").create_with_id().await;
    let path = acme.v3(&format!("/service-tokens/{id}"));
    acme.admin.put(&path, json!({ "name": "renamed" })).await;
    acme.admin.post(&format!("{path}/permissions"), json!([row("job_viewer")])).await;
    let delete = acme.admin.request(Method::DELETE, &path);
    let deleted = TestAnswer::of(delete.header("User-Agent", "a test's client")).await;
    assert_eq!(acme.admin.delete(&path).await.status(), 404, "what is not done is not recorded");

    let admin = acme.admin_caller().await;
    let permit = domain::authz::authorize(&admin, acme.id).unwrap();
    let records = app.store.audit_records(&permit, 0, 100).await.unwrap();
    let of_token: Vec<_> =
        records.iter().filter(|record| record.object == format!("service_token:{id}")).collect();
    let events: Vec<_> = of_token.iter().map(|record| record.event.as_str()).collect();
    assert_eq!(
        events,
        [
            "service_token.created",
            "service_token.renamed",
            "service_token.grants_replaced",
            "service_token.revoked",
        ]
    );
    let last = of_token.last().unwrap();
    assert_eq!(last.actor, format!("user:{}", acme.admin_id));
    assert_eq!(last.request_id, deleted.header("x-request-id"));
    assert_eq!(last.address.as_deref(), Some("127.0.0.1"));
    assert_eq!(last.change["before"]["name"], "renamed");
    assert_eq!(last.change["after"]["state"]["is"], "revoked");
    assert_eq!(last.agent, "a test's client");
    assert_eq!(last.at, app.clock.now());
    app.store.verify_audit(&permit).await.unwrap();
}
