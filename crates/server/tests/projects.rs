//! Projects and repositories over the API, v2 and v3: contract sections 4 to 6, 12 and 13.

use domain::authz::License;
use reqwest::Method;
use serde_json::{Value, json};
use testkit::{TestAccount, TestAnswer, TestApp, TestProject};

async fn acme() -> (TestApp, TestAccount, TestProject) {
    let app = TestApp::new().await;
    let acme = app.account("acme").await;
    let sales = acme.project("sales").await;
    (app, acme, sales)
}

/// The collections of projects in both versions.
fn collections(acme: &TestAccount) -> [String; 2] {
    [acme.v2("/projects"), acme.v3("/projects")]
}

async fn repository(acme: &TestAccount, project: &TestProject, remote: &str) -> i64 {
    let made =
        acme.admin.post(&project.v3("/repositories/"), json!({ "remote_url": remote })).await;
    assert_eq!(made.status(), 201, "{}", made.text());
    made.id()
}

async fn connection(acme: &TestAccount) -> i64 {
    let body = json!({
        "name": "file", "adapter_version": "duckdb_v0", "config": { "path": "shop.duckdb" },
    });
    acme.admin.post(&acme.v3("/connections/"), body).await.id()
}

async fn environment(acme: &TestAccount, project: &TestProject) -> i64 {
    let body = json!({ "name": "Prod", "type": "deployment" });
    acme.admin.post(&project.v3("/environments/"), body).await.id()
}

#[tokio::test]
async fn a_project_is_made_read_changed_and_deleted_in_both_versions_and_slash_forms() {
    let (_app, acme, _) = acme().await;
    for collection in collections(&acme) {
        for slash in ["", "/"] {
            let made =
                acme.admin.post(&format!("{collection}{slash}"), json!({ "name": "a" })).await;
            assert_eq!(made.status(), 201, "{}", made.text());
            assert_eq!(made.json()["status"]["code"], 201);
            let one = format!("{collection}/{}{slash}", made.id());
            assert_eq!(acme.admin.get(&one).await.data(), made.data());
            let changed = acme.admin.post(&one, json!({ "name": "b", "type": 1 })).await;
            assert_eq!(changed.status(), 200);
            assert_eq!(
                (&changed.data()["name"], &changed.data()["type"]),
                (&json!("b"), &json!(1))
            );
            let deleted = acme.admin.delete(&one).await;
            assert_eq!((deleted.status(), &deleted.data()["state"]), (200, &json!(2)));
            for answer in [acme.admin.get(&one).await, acme.admin.delete(&one).await] {
                assert_eq!((answer.status(), &answer.json()["status"]["code"]), (404, &json!(404)));
            }
        }
    }
}

#[tokio::test]
async fn a_whole_project_that_is_echoed_stays_as_it_is_and_state_2_deletes_it() {
    let (_app, acme, sales) = acme().await;
    let repository = repository(&acme, &sales, "/srv/shop").await;
    let connection = connection(&acme).await;
    let body = json!({
        "description": "all of it", "dbt_project_subdirectory": "dbt",
        "repository_id": repository, "connection_id": connection,
    });
    let before = acme.admin.post(&sales.url(), body).await.data();
    assert_eq!(before["description"], "all of it");
    let mut whole = before.clone();
    whole["uid"] = "".into();
    whole["environments"] = json!([{}]);
    assert_eq!(acme.admin.post(&sales.url(), whole.clone()).await.data(), before);
    let cleared = json!({ "repository_id": null, "connection_id": null });
    assert_eq!(acme.admin.post(&sales.url(), cleared).await.data()["repository_id"], Value::Null);
    whole["state"] = json!(2);
    let gone = acme.admin.post(&sales.url(), whole).await;
    assert_eq!((gone.status(), &gone.data()["state"]), (200, &json!(2)));
    assert_eq!(acme.admin.get(&sales.url()).await.status(), 404);
    assert_eq!(acme.admin.post(&sales.url(), json!({ "state": 2 })).await.status(), 404);
}

#[tokio::test]
async fn each_wrong_field_of_a_project_is_named_and_nothing_is_changed() {
    let (_app, acme, sales) = acme().await;
    let before = acme.admin.get(&sales.url()).await.data();
    for (field, value) in [
        ("name", json!("")),
        ("name", json!("x".repeat(256))),
        ("name", json!("a\u{7}")),
        ("name", json!(7)),
        ("description", json!("x".repeat(4097))),
        ("type", json!(2)),
        ("dbt_project_subdirectory", json!("/etc")),
        ("connection_id", json!(-1)),
        ("connection_id", json!(999)),
        ("repository_id", json!(999)),
        ("docs_job_id", json!(999)),
        ("freshness_job_id", json!("nightly")),
        ("semantic_layer_config_id", json!(3)),
        ("state", json!(3)),
    ] {
        let body = json!({ field: value });
        let answer = acme.admin.post(&sales.url(), body.clone()).await;
        assert_eq!(answer.status(), 400, "{body}: {}", answer.text());
        assert!(!answer.reason(field).is_empty(), "{body}: {}", answer.text());
    }
    assert_eq!(acme.admin.get(&sales.url()).await.data(), before);
    let refused = acme.admin.post(&acme.v3("/projects/"), json!({ "type": 0 })).await;
    assert_eq!((refused.status(), refused.reason("name").as_str()), (400, "is required"));
    assert_eq!(acme.admin.get(&acme.v3("/projects/")).await.ids(), [sales.id.get()]);
}

#[tokio::test]
async fn malformed_and_oversized_bodies_are_refused_and_leave_nothing() {
    let (_app, acme, sales) = acme().await;
    let path = acme.v3("/projects/");
    for (text, status) in [("{", 400), ("[]", 400), ("nul", 400), ("{\"name\":\"a\"} x", 400)] {
        let request = acme.admin.request(Method::POST, &path).body(text);
        assert_eq!(TestAnswer::of(request).await.status(), status, "{text}");
    }
    let large = json!({ "name": "a", "description": "x".repeat(1 << 20) });
    assert_eq!(acme.admin.post(&path, large).await.status(), 413);
    assert_eq!(acme.admin.get(&path).await.ids(), [sales.id.get()]);
}

#[tokio::test]
async fn who_may_not_is_told_401_403_or_404() {
    let (app, acme, sales) = acme().await;
    let hr = acme.project("hr").await;
    let viewer = acme.service_token().grant("job_viewer", &sales).create().await;
    let (_, reader) = acme.user("bob@acme.example", License::ReadOnly, &[]).await;
    for collection in collections(&acme) {
        assert_eq!(app.anonymous().get(&collection).await.status(), 401);
        assert_eq!(app.anonymous().post(&collection, json!({ "name": "a" })).await.status(), 401);
        assert_eq!(viewer.post(&collection, json!({ "name": "a" })).await.status(), 403);
        assert_eq!(viewer.get(&collection).await.ids(), [sales.id.get()]);
        let (seen, unseen) =
            (format!("{collection}/{}", sales.id), format!("{collection}/{}", hr.id));
        assert_eq!(viewer.get(&seen).await.status(), 200);
        assert_eq!(viewer.get(&unseen).await.status(), 404);
        assert_eq!(
            viewer.get(&unseen).await.bytes(),
            viewer.get("/api/v3/accounts/1/projects/999").await.bytes()
        );
        for client in [&viewer, &reader] {
            assert_eq!(client.post(&seen, json!({ "name": "b" })).await.status(), 403);
            assert_eq!(client.delete(&seen).await.status(), 403);
        }
        for bad in ["0", "-1", "x", "9223372036854775808", "999"] {
            assert_eq!(acme.admin.get(&format!("{collection}/{bad}")).await.status(), 404, "{bad}");
        }
    }
}

#[tokio::test]
async fn a_writer_of_one_project_does_not_reach_another() {
    let (_app, acme, sales) = acme().await;
    let hr = acme.project("hr").await;
    let token = acme.service_token().grant("admin", &sales).create().await;
    assert_eq!(token.post(&sales.url(), json!({ "name": "b" })).await.status(), 200);
    assert_eq!(token.post(&hr.url(), json!({ "name": "b" })).await.status(), 404);
    assert_eq!(token.delete(&hr.url()).await.status(), 404);
    assert_eq!(acme.admin.get(&hr.url()).await.data()["name"], "hr");
}

#[tokio::test]
async fn a_body_that_names_another_account_is_not_found() {
    let (app, acme, sales) = acme().await;
    let rival = app.account("rival").await;
    let theirs = rival.project("theirs").await;
    let body = json!({ "name": "a", "account_id": rival.id.get() });
    assert_eq!(acme.admin.post(&acme.v3("/projects/"), body.clone()).await.status(), 404);
    assert_eq!(acme.admin.post(&sales.url(), body).await.status(), 404);
    let own = json!({ "name": "a", "account_id": acme.id.get() });
    assert_eq!(acme.admin.post(&acme.v3("/projects/"), own).await.status(), 201);
    assert_eq!(acme.admin.get(&theirs.url()).await.status(), 404);
    let through_ours = acme.v3(&format!("/projects/{}/", theirs.id));
    assert_eq!(acme.admin.get(&through_ours).await.status(), 404);
    assert_eq!(acme.admin.delete(&through_ours).await.status(), 404);
    let remote = repository(&rival, &theirs, "/srv/theirs").await;
    let linked = acme.admin.post(&sales.url(), json!({ "repository_id": remote })).await;
    assert_eq!((linked.status(), linked.reason("repository_id").is_empty()), (400, false));
}

#[tokio::test]
async fn a_list_pages_orders_and_filters() {
    let (_app, acme, sales) = acme().await;
    let hr = acme.project("HR").await;
    let ops = acme.project("Sales ops").await;
    let (sales, hr, ops) = (sales.id.get(), hr.id.get(), ops.id.get());
    for collection in collections(&acme) {
        let ids = async |query: &str| acme.admin.get(&format!("{collection}/?{query}")).await.ids();
        assert_eq!(ids("").await, [sales, hr, ops]);
        assert_eq!(ids("order_by=-id&limit=2").await, [ops, hr]);
        assert_eq!(ids("offset=2").await, [ops]);
        assert_eq!(ids("offset=9").await, [0; 0]);
        assert_eq!(ids("name__icontains=SALES").await, [sales, ops]);
        assert_eq!(ids(&format!("pk__in=[{hr},{ops}]")).await, [hr, ops]);
        assert_eq!(ids(&format!("pk__gt={sales}&pk={hr}")).await, [hr]);
        assert_eq!(ids("unknown=1&account_id=&include_related=").await, [sales, hr, ops]);
        let extra =
            acme.admin.get(&format!("{collection}?limit=1&offset=1")).await.json()["extra"].clone();
        assert_eq!(extra["filters"]["limit"], 1);
        assert_eq!(extra["filters"]["offset"], 1);
        assert_eq!(extra["pagination"], json!({ "count": 1, "total_count": 3 }));
        for bad in ["limit=0", "limit=101", "offset=-1", "order_by=shoe_size", "state=3", "pk=x"] {
            let answer = acme.admin.get(&format!("{collection}?{bad}")).await;
            assert_eq!(answer.status(), 400, "{bad}");
        }
    }
}

#[tokio::test]
async fn deleted_projects_are_listed_where_they_are_asked_for_and_say_so() {
    let (_app, acme, sales) = acme().await;
    let hr = acme.project("hr").await;
    acme.admin.delete(&hr.url()).await;
    let states = async |query: &str| {
        let rows = acme.admin.get(&acme.v3(&format!("/projects/?{query}"))).await.data();
        let rows = rows.as_array().unwrap().clone();
        rows.iter().map(|row| (row["id"].clone(), row["state"].clone())).collect::<Vec<_>>()
    };
    let (there, gone) = ((json!(sales.id.get()), json!(1)), (json!(hr.id.get()), json!(2)));
    let both = [there, gone];
    assert_eq!(states("").await, both[..1]);
    assert_eq!(states("state=deleted").await, both[1..]);
    assert_eq!(states("state=2").await, both[1..]);
    assert_eq!(states("state=all").await, both);
}

#[tokio::test]
async fn related_objects_come_when_asked_for_in_any_of_the_five_spellings() {
    let (_app, acme, sales) = acme().await;
    let repository = repository(&acme, &sales, "/srv/shop").await;
    let connection = connection(&acme).await;
    let environment = environment(&acme, &sales).await;
    let links = json!({ "repository_id": repository, "connection_id": connection });
    acme.admin.post(&sales.url(), links).await;
    let plain = acme.admin.get(&sales.url()).await.data();
    for key in [
        "connection",
        "repository",
        "environments",
        "group_permissions",
        "docs_job",
        "freshness_job",
        "fusion_readiness",
        "default_version",
    ] {
        assert_eq!(plain.get(key), Some(&Value::Null), "{key}");
    }
    for spelling in [
        "include_related=connection,repository,environments",
        "include_related=connection&include_related=repository&include_related=environments",
        "include_related=[\"connection\",\"repository\",\"environments\"]",
        "include_related=['connection','repository','environments']",
        "include_related=[connection,repository,environments,no_such_thing]",
    ] {
        let one = acme.admin.get(&format!("{}?{spelling}", sales.url())).await.data();
        let listed = acme.admin.get(&acme.v2(&format!("/projects/?{spelling}"))).await.data();
        for project in [one, listed[0].clone()] {
            assert_eq!(project["connection"]["id"], connection, "{spelling}");
            assert_eq!(project["repository"]["remote_url"], "/srv/shop", "{spelling}");
            assert_eq!(project["environments"][0]["id"], environment, "{spelling}");
            assert_eq!(project["environments"][0]["jobs"], Value::Null, "{spelling}");
        }
    }
    let some = acme.admin.get(&format!("{}?include_related=repository", sales.url())).await.data();
    assert_eq!((&some["connection"], &some["environments"]), (&Value::Null, &Value::Null));
}

#[tokio::test]
async fn related_objects_that_the_caller_may_not_read_stay_null() {
    let (_app, acme, sales) = acme().await;
    let repository = repository(&acme, &sales, "/srv/shop").await;
    let connection = connection(&acme).await;
    let environment = environment(&acme, &sales).await;
    let links = json!({ "repository_id": repository, "connection_id": connection });
    acme.admin.post(&sales.url(), links).await;
    let all = "include_related=connection,repository,environments";
    let viewer = acme.service_token().grant("job_viewer", &sales).create().await;
    let accounts = acme.service_token().grant_everywhere("account_viewer").create().await;
    let security = acme.service_token().grant_everywhere("security_admin").create().await;
    for (client, reads) in [
        (&viewer, (Value::Null, Value::Null, json!(environment))),
        (&accounts, (Value::Null, json!(repository), json!(environment))),
        (&security, (Value::Null, Value::Null, Value::Null)),
        (&acme.admin, (json!(connection), json!(repository), json!(environment))),
    ] {
        let project = client.get(&format!("{}?{all}", sales.url())).await.data();
        let seen = (
            project["connection"]["id"].clone(),
            project["repository"]["id"].clone(),
            project["environments"][0]["id"].clone(),
        );
        assert_eq!(seen, reads);
        assert_eq!(project["connection_id"], connection);
    }
}

#[tokio::test]
async fn environments_that_come_along_are_those_of_projects_where_the_caller_reads_them() {
    let (_app, acme, sales) = acme().await;
    let hr = acme.project("hr").await;
    let (shown, _hidden) = (environment(&acme, &sales).await, environment(&acme, &hr).await);
    let token = acme
        .service_token()
        .grant("job_viewer", &sales)
        .grant_everywhere("security_admin")
        .create()
        .await;
    let rows = token.get(&acme.v3("/projects/?include_related=environments")).await.data();
    assert_eq!(rows[0]["environments"][0]["id"], shown);
    assert_eq!(rows[1]["environments"], Value::Null);
}

#[tokio::test]
async fn a_repository_is_made_read_changed_and_deleted_in_both_versions_and_slash_forms() {
    let (_app, acme, sales) = acme().await;
    for slash in ["", "/"] {
        let v3 = sales.v3(&format!("/repositories{slash}"));
        let body = json!({ "remote_url": "https://git.example/acme/shop.git", "state": 1 });
        let made = acme.admin.post(&v3, body).await;
        assert_eq!(made.status(), 201, "{}", made.text());
        assert_eq!(made.data()["full_name"], "acme/shop");
        assert_eq!(made.data().get("deploy_key"), Some(&Value::Null));
        let one = sales.v3(&format!("/repositories/{}{slash}", made.id()));
        let through_v2 = acme.v2(&format!("/repositories/{}{slash}", made.id()));
        assert_eq!(acme.admin.get(&one).await.data(), made.data());
        assert_eq!(acme.admin.get(&through_v2).await.data(), made.data());
        let change = json!({ "git_clone_strategy": "git_clone" });
        let changed = acme.admin.post(&one, change).await;
        assert_eq!(changed.data()["git_clone_strategy"], "git_clone");
        assert_eq!(changed.data()["remote_url"], made.data()["remote_url"]);
        let mut whole = changed.data();
        assert_eq!(acme.admin.post(&one, whole.clone()).await.data(), changed.data());
        whole["state"] = json!(2);
        assert_eq!(acme.admin.post(&one, whole).await.data()["state"], 2);
        assert_eq!(acme.admin.get(&one).await.status(), 404);
        assert_eq!(acme.admin.delete(&one).await.status(), 404);

        let body = json!({ "remote_url": "/srv/shop", "project_id": sales.id.get() });
        let made = acme.admin.post(&acme.v2(&format!("/repositories{slash}")), body).await;
        assert_eq!(made.status(), 201, "{}", made.text());
        let one = acme.v2(&format!("/repositories/{}{slash}", made.id()));
        let deleted = acme.admin.delete(&one).await;
        assert_eq!((deleted.status(), &deleted.data()["state"]), (200, &json!(2)));
        assert_eq!(acme.admin.delete(&one).await.status(), 404);
    }
}

#[tokio::test]
async fn repositories_are_listed_by_project_and_remote() {
    let (_app, acme, sales) = acme().await;
    let hr = acme.project("hr").await;
    let (first, second) =
        (repository(&acme, &sales, "/srv/shop").await, repository(&acme, &hr, "/srv/hr").await);
    let v2 = async |query: &str| {
        acme.admin.get(&acme.v2(&format!("/repositories/?{query}"))).await.ids()
    };
    assert_eq!(v2("").await, [first, second]);
    assert_eq!(v2(&format!("project_id={}", hr.id)).await, [second]);
    assert_eq!(v2(&format!("project_id__in=[{},{}]", hr.id, sales.id)).await, [first, second]);
    assert_eq!(v2("remote_url=/srv/shop").await, [first]);
    assert_eq!(acme.admin.get(&hr.v3("/repositories/")).await.ids(), [second]);
    let other = hr.v3(&format!("/repositories/?project_id={}", sales.id));
    assert_eq!(acme.admin.get(&other).await.ids(), [0; 0]);
    acme.admin.delete(&acme.v2(&format!("/repositories/{first}"))).await;
    let all = acme.admin.get(&acme.v2("/repositories/?state=all")).await.data();
    assert_eq!((&all[0]["state"], &all[1]["state"]), (&json!(2), &json!(1)));
}

#[tokio::test]
async fn each_wrong_field_of_a_repository_is_named() {
    let (_app, acme, sales) = acme().await;
    for (field, value) in [
        ("remote_url", Value::Null),
        ("remote_url", json!("ext::sh -c id")),
        ("remote_url", json!("https://ada:swordfish@git.example/shop.git")),
        ("git_clone_strategy", json!("carrier_pigeon")),
        ("remote_backend", json!("attic")),
        ("github_installation_id", json!(4)),
        ("state", json!(2)),
    ] {
        let mut body = json!({ "remote_url": "/srv/shop", "project_id": sales.id.get() });
        body[field] = value;
        for path in [sales.v3("/repositories/"), acme.v2("/repositories/")] {
            let answer = acme.admin.post(&path, body.clone()).await;
            assert_eq!(answer.status(), 400, "{body}: {}", answer.text());
            assert!(!answer.reason(field).is_empty(), "{body}: {}", answer.text());
            assert!(!answer.text().contains("swordfish"));
        }
    }
    let no_project =
        acme.admin.post(&acme.v2("/repositories/"), json!({ "remote_url": "/a" })).await;
    assert_eq!(
        (no_project.status(), no_project.reason("project_id").as_str()),
        (400, "is required")
    );
    assert_eq!(acme.admin.get(&acme.v2("/repositories/")).await.ids(), [0; 0]);
}

#[tokio::test]
async fn repositories_out_of_reach_are_told_401_403_or_404() {
    let (app, acme, sales) = acme().await;
    let hr = acme.project("hr").await;
    let (ours, theirs) =
        (repository(&acme, &sales, "/srv/shop").await, repository(&acme, &hr, "/srv/hr").await);
    let viewer = acme.service_token().grant("job_viewer", &sales).create().await;
    let writer = acme.service_token().grant("git_admin", &sales).create().await;
    let billing = acme.service_token().grant_everywhere("billing_admin").create().await;
    let body = json!({ "remote_url": "/srv/x" });
    let paths = [
        (sales.v3("/repositories"), sales.v3(&format!("/repositories/{ours}"))),
        (acme.v2("/repositories"), acme.v2(&format!("/repositories/{ours}"))),
    ];
    for (collection, one) in paths {
        assert_eq!(app.anonymous().get(&collection).await.status(), 401);
        assert_eq!(app.anonymous().delete(&one).await.status(), 401);
        assert_eq!(billing.get(&collection).await.status(), 403);
        assert_eq!(billing.get(&one).await.status(), 403);
        assert_eq!(viewer.post(&collection, body.clone()).await.status(), 403);
        assert_eq!(viewer.delete(&one).await.status(), 403);
    }
    for outside in [
        hr.v3("/repositories"),
        hr.v3(&format!("/repositories/{theirs}")),
        // Another project's id under one's own, and one's own under another.
        sales.v3(&format!("/repositories/{theirs}")),
        hr.v3(&format!("/repositories/{ours}")),
        acme.v2(&format!("/repositories/{theirs}")),
        acme.v3("/projects/999/repositories"),
    ] {
        assert_eq!(writer.get(&outside).await.status(), 404, "{outside}");
        assert!(
            [404, 405].contains(&writer.post(&outside, body.clone()).await.status()),
            "{outside}"
        );
    }
    assert_eq!(acme.admin.get(&acme.v3("/projects/999/repositories")).await.status(), 404);
    assert_eq!(acme.admin.get(&hr.v3(&format!("/repositories/{ours}"))).await.status(), 404);
    assert_eq!(acme.admin.delete(&hr.v3(&format!("/repositories/{ours}"))).await.status(), 404);
    for named in [
        json!({ "remote_url": "/a", "project_id": hr.id.get() }),
        json!({ "remote_url": "/a", "account_id": 999 }),
    ] {
        assert_eq!(acme.admin.post(&sales.v3("/repositories"), named.clone()).await.status(), 404);
        assert_eq!(writer.post(&acme.v2("/repositories"), named).await.status(), 404);
    }
}

#[tokio::test]
async fn a_repository_that_its_project_uses_stays() {
    let (_app, acme, sales) = acme().await;
    let id = repository(&acme, &sales, "/srv/shop").await;
    acme.admin.post(&sales.url(), json!({ "repository_id": id })).await;
    let one = sales.v3(&format!("/repositories/{id}"));
    assert_eq!(acme.admin.delete(&one).await.status(), 409);
    assert_eq!(acme.admin.post(&one, json!({ "state": 2 })).await.status(), 409);
    assert_eq!(acme.admin.delete(&acme.v2(&format!("/repositories/{id}"))).await.status(), 409);
    acme.admin.post(&sales.url(), json!({ "repository_id": null })).await;
    assert_eq!(acme.admin.delete(&one).await.status(), 200);
}
