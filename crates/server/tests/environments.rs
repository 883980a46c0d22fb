//! Environments over the API, v2 and v3: contract sections 4 to 6, 8, 12 and 13.

use reqwest::Method;
use serde_json::{Value, json};
use testkit::{TestAccount, TestAnswer, TestApp, TestProject};

async fn acme() -> (TestApp, TestAccount, TestProject) {
    let app = TestApp::new().await;
    let acme = app.account("acme").await;
    let sales = acme.project("sales").await;
    (app, acme, sales)
}

async fn make(acme: &TestAccount, project: &TestProject, body: Value) -> i64 {
    let made = acme.admin.post(&project.v3("/environments/"), body).await;
    assert_eq!(made.status(), 201, "{}", made.text());
    made.id()
}

async fn prod(acme: &TestAccount, project: &TestProject) -> i64 {
    let body = json!({ "name": "Prod", "type": "deployment", "deployment_type": "production" });
    make(acme, project, body).await
}

#[tokio::test]
async fn an_environment_is_made_read_changed_and_deleted_in_both_versions_and_slash_forms() {
    let (_app, acme, sales) = acme().await;
    for base in [sales.v3("/environments"), acme.v2("/environments")] {
        for slash in ["", "/"] {
            let body = json!({
                "name": "Prod", "type": "deployment", "deployment_type": "production",
                "project_id": sales.id.get(),
            });
            let made = acme.admin.post(&format!("{base}{slash}"), body).await;
            assert_eq!(made.status(), 201, "{}", made.text());
            let one = format!("{base}/{}{slash}", made.id());
            assert_eq!(acme.admin.get(&one).await.data(), made.data());
            let changed = acme.admin.post(&one, json!({ "deployment_type": "staging" })).await;
            assert_eq!(changed.status(), 200);
            assert_eq!(changed.data()["deployment_type"], "staging");
            assert_eq!(changed.data()["name"], "Prod");
            let deleted = acme.admin.delete(&one).await;
            assert_eq!((deleted.status(), &deleted.data()["state"]), (200, &json!(2)));
            for answer in [acme.admin.get(&one).await, acme.admin.delete(&one).await] {
                assert_eq!((answer.status(), &answer.json()["status"]["code"]), (404, &json!(404)));
            }
        }
    }
}

#[tokio::test]
async fn the_keys_that_strict_clients_read_are_there() {
    let (_app, acme, sales) = acme().await;
    let id = prod(&acme, &sales).await;
    let v3 = acme.admin.get(&sales.v3(&format!("/environments/{id}/"))).await.data();
    let v2 = acme.admin.get(&acme.v2(&format!("/environments/{id}/"))).await.data();
    for environment in [&v3, &v2] {
        assert_eq!(environment["project_id"], sales.id.get());
        assert_eq!(environment["dbt_version"], environment["raw_dbt_version"]);
        assert_eq!(environment["deployment_type"], "production");
        for key in [
            "jobs",
            "custom_environment_variables",
            "project",
            "credentials",
            "connection",
            "repository",
            "extended_attributes_id",
        ] {
            assert_eq!(environment.get(key), Some(&Value::Null), "{key}");
        }
    }
    assert_eq!(v3["is_deferrable"], true);
    assert_eq!(v3.get("primary_profile_id"), Some(&Value::Null));
    let development = make(&acme, &sales, json!({ "name": "IDE", "type": "development" })).await;
    let development =
        acme.admin.get(&sales.v3(&format!("/environments/{development}"))).await.data();
    assert_eq!(development.get("deployment_type"), Some(&Value::Null));
    assert_eq!(development["is_deferrable"], false);
}

#[tokio::test]
async fn a_whole_environment_that_is_echoed_stays_as_it_is_and_state_2_deletes_it() {
    let (_app, acme, sales) = acme().await;
    for base in [sales.v3("/environments"), acme.v2("/environments")] {
        let body = json!({
            "name": "CI", "type": "deployment", "dbt_version": "1.11.2", "supports_docs": true,
            "use_custom_branch": true, "custom_branch": "main", "project_id": sales.id.get(),
        });
        let before = acme.admin.post(&base, body).await;
        let one = format!("{base}/{}/", before.id());
        let mut whole = before.data();
        whole["project"] = json!({});
        whole["created_at"] = Value::Null;
        let mut after = acme.admin.post(&one, whole.clone()).await.data();
        after["updated_at"] = before.data()["updated_at"].clone();
        assert_eq!(after, before.data());
        whole["state"] = json!(2);
        assert_eq!(acme.admin.post(&one, whole).await.data()["state"], 2);
        assert_eq!(acme.admin.get(&one).await.status(), 404);
    }
}

#[tokio::test]
async fn v3_lists_and_deletes_over_the_whole_account() {
    let (_app, acme, sales) = acme().await;
    let hr = acme.project("hr").await;
    let (first, second) = (prod(&acme, &sales).await, prod(&acme, &hr).await);
    for path in [acme.v3("/environments"), acme.v3("/environments/"), acme.v2("/environments/")] {
        let ids = async |query: String| acme.admin.get(&format!("{path}?{query}")).await.ids();
        assert_eq!(ids(String::new()).await, [first, second]);
        assert_eq!(ids(format!("project_id={}", hr.id)).await, [second]);
        assert_eq!(ids(format!("project_id__in=[{}]", sales.id)).await, [first]);
    }
    let one = acme.v3(&format!("/environments/{first}/"));
    let deleted = acme.admin.delete(&one).await;
    assert_eq!((deleted.status(), &deleted.data()["state"]), (200, &json!(2)));
    assert_eq!(acme.admin.delete(&one).await.status(), 404);
    let all = acme.admin.get(&acme.v3("/environments/?state=all")).await.data();
    assert_eq!((&all[0]["state"], &all[1]["state"]), (&json!(2), &json!(1)));
    let method = TestAnswer::of(acme.admin.request(Method::PUT, &one)).await;
    assert_eq!((method.status(), &method.json()["status"]["code"]), (405, &json!(405)));
}

#[tokio::test]
async fn a_list_filters_by_what_the_wire_calls_its_fields() {
    let (_app, acme, sales) = acme().await;
    let production = prod(&acme, &sales).await;
    let body = json!({ "name": "Stage", "type": "deployment", "deployment_type": "staging" });
    let staging = make(&acme, &sales, body).await;
    let general = make(&acme, &sales, json!({ "name": "CI", "type": "deployment" })).await;
    let body = json!({ "name": "IDE", "type": "development", "dbt_version": "1.10.0" });
    let development = make(&acme, &sales, body).await;
    for path in [sales.v3("/environments/"), acme.v3("/environments"), acme.v2("/environments")] {
        let ids = async |query: &str| acme.admin.get(&format!("{path}?{query}")).await.ids();
        assert_eq!(ids("type=deployment").await, [production, staging, general]);
        assert_eq!(ids("type=development").await, [development]);
        assert_eq!(ids("deployment_type=staging").await, [staging]);
        assert_eq!(ids("deployment_type__in=[production,staging]").await, [production, staging]);
        assert_eq!(ids("dbt_version=1.10.0").await, [development]);
        assert_eq!(ids("name=CI").await, [general]);
        assert_eq!(ids("name__icontains=st").await, [staging]);
        assert_eq!(ids("order_by=-name&limit=2").await, [staging, production]);
        assert_eq!(acme.admin.get(&format!("{path}?order_by=colour")).await.status(), 400);
    }
}

#[tokio::test]
async fn each_wrong_field_is_named_and_nothing_is_changed() {
    let (_app, acme, sales) = acme().await;
    let id = prod(&acme, &sales).await;
    let (v3, v2) =
        (sales.v3(&format!("/environments/{id}/")), acme.v2(&format!("/environments/{id}")));
    let before = acme.admin.get(&v3).await.data();
    for (field, value) in [
        ("name", json!(" ")),
        ("name", json!(["a"])),
        ("type", json!("holiday")),
        ("deployment_type", json!("beta")),
        ("dbt_version", json!("1.11 --upgrade")),
        ("connection_id", json!(999)),
        ("connection_id", json!(-4)),
        ("credentials_id", json!(999)),
        ("use_custom_branch", json!("yes")),
        ("custom_branch", json!("--upload-pack=id")),
        ("extended_attributes_id", json!(8)),
        ("primary_profile_id", json!(9)),
        ("enable_dbt_state", json!(true)),
        ("state", json!(0)),
    ] {
        let body = json!({ field: value });
        for path in [&v3, &v2] {
            let answer = acme.admin.post(path, body.clone()).await;
            assert_eq!(answer.status(), 400, "{body}: {}", answer.text());
            assert!(!answer.reason(field).is_empty(), "{body}: {}", answer.text());
        }
    }
    assert_eq!(acme.admin.get(&v3).await.data(), before);
    let missing = acme.admin.post(&sales.v3("/environments/"), json!({ "state": 2 })).await;
    assert_eq!((missing.status(), missing.reason("name").as_str()), (400, "is required"));
    assert!(!missing.reason("state").is_empty());
    let missing = acme.admin.post(&acme.v2("/environments/"), json!({ "name": "a" })).await;
    assert_eq!((missing.status(), missing.reason("project_id").as_str()), (400, "is required"));
    assert_eq!(acme.admin.get(&acme.v2("/environments/")).await.ids(), [id]);
}

#[tokio::test]
async fn related_objects_come_when_asked_for_in_any_of_the_five_spellings() {
    let (_app, acme, sales) = acme().await;
    let connection = json!({
        "name": "db", "adapter_version": "postgres_v0",
        "config": { "hostname": "db.internal", "dbname": "shop" },
    });
    let connection = acme.admin.post(&acme.v3("/connections/"), connection).await.id();
    let credential = json!({
        "type": "postgres", "default_schema": "dbt", "username": "ada", "password": "swordfish",
        "target_name": "default", "threads": 4,
    });
    let credential = acme.admin.post(&sales.v3("/credentials/"), credential).await.id();
    let remote = json!({ "remote_url": "/srv/shop" });
    let repository = acme.admin.post(&sales.v3("/repositories/"), remote).await.id();
    let links = json!({ "repository_id": repository, "dbt_project_subdirectory": "dbt" });
    acme.admin.post(&sales.url(), links).await;
    let body = json!({ "name": "Prod", "connection_id": connection, "credentials_id": credential });
    let id = make(&acme, &sales, body).await;
    for spelling in [
        "include_related=project,connection,credentials,repository",
        "include_related=project&include_related=connection&include_related=credentials\
         &include_related=repository",
        "include_related=[\"project\",\"connection\",\"credentials\",\"repository\"]",
        "include_related=['project','connection','credentials','repository']",
        "include_related=[project,connection,credentials,repository,jobs]",
    ] {
        for path in [
            sales.v3(&format!("/environments/{id}?{spelling}")),
            acme.v2(&format!("/environments/{id}/?{spelling}")),
            sales.v3(&format!("/environments/?{spelling}")),
            acme.v3(&format!("/environments?{spelling}")),
            acme.v2(&format!("/environments/?{spelling}")),
        ] {
            let answer = acme.admin.get(&path).await;
            let data = answer.data();
            let environment = data.get(0).unwrap_or(&data);
            assert_eq!(environment["project"]["name"], "sales", "{path}");
            assert_eq!(environment["connection"]["hostname"], "db.internal", "{path}");
            assert_eq!(environment["credentials"]["username"], "ada", "{path}");
            assert_eq!(environment["repository"]["remote_url"], "/srv/shop", "{path}");
            assert!(!answer.text().contains("swordfish"));
            if path.contains("/v2/") {
                assert_eq!(environment["repository_id"], repository);
                assert_eq!(environment["dbt_project_subdirectory"], "dbt");
            } else {
                assert_eq!(environment.get("jobs"), Some(&Value::Null));
            }
        }
    }
    let one =
        acme.admin.get(&sales.v3(&format!("/environments/{id}?include_related="))).await.data();
    assert_eq!((&one["project"], &one["credentials"]), (&Value::Null, &Value::Null));
}

#[tokio::test]
async fn related_objects_that_the_caller_may_not_read_stay_null() {
    let (_app, acme, sales) = acme().await;
    let credential = json!({
        "type": "postgres", "default_schema": "dbt", "username": "ada", "threads": 4,
    });
    let credential = acme.admin.post(&sales.v3("/credentials/"), credential).await.id();
    let id = make(&acme, &sales, json!({ "name": "Prod", "credentials_id": credential })).await;
    let path = sales.v3(&format!("/environments/{id}?include_related=project,credentials"));
    let viewer = acme.service_token().grant("job_viewer", &sales).create().await;
    assert_eq!(viewer.get(&sales.v3("/credentials/")).await.status(), 403);
    let seen = viewer.get(&path).await.data();
    assert_eq!(seen["project"]["name"], "sales");
    assert_eq!((&seen["credentials_id"], &seen["credentials"]), (&json!(credential), &Value::Null));
}

#[tokio::test]
async fn v2_lists_the_jobs_of_an_environment_where_they_are_asked_for() {
    let (_app, acme, sales) = acme().await;
    let with = prod(&acme, &sales).await;
    let without = make(&acme, &sales, json!({ "name": "General" })).await;
    let job = json!({ "name": "nightly", "project_id": sales.id.get(), "environment_id": with });
    let job = acme.admin.post(&acme.v2("/jobs/"), job).await;
    assert_eq!(job.status(), 201, "{}", job.text());
    let asked = "include_related=jobs,custom_environment_variables";
    let rows = acme.admin.get(&acme.v2(&format!("/environments/?{asked}"))).await.data();
    assert_eq!(rows[0]["jobs"][0]["id"], job.id());
    assert_eq!(rows[0]["custom_environment_variables"], json!([]));
    assert_eq!((&rows[1]["id"], &rows[1]["jobs"]), (&json!(without), &json!([])));
    let one = acme.admin.get(&acme.v2(&format!("/environments/{with}?{asked}"))).await.data();
    assert_eq!(one["jobs"], rows[0]["jobs"]);
    // v3 never does: Terraform reads a text there.
    let v3 = acme.admin.get(&acme.v3(&format!("/environments/?{asked}"))).await.data();
    assert_eq!(v3[0].get("jobs"), Some(&Value::Null));
}

#[tokio::test]
async fn who_may_not_is_told_401_403_or_404() {
    let (app, acme, sales) = acme().await;
    let hr = acme.project("hr").await;
    let (ours, theirs) = (prod(&acme, &sales).await, prod(&acme, &hr).await);
    let viewer = acme.service_token().grant("job_viewer", &sales).create().await;
    let writer = acme.service_token().grant("job_admin", &sales).create().await;
    let billing = acme.service_token().grant_everywhere("billing_admin").create().await;
    let body = json!({ "name": "a", "project_id": sales.id.get() });
    for (collection, one) in [
        (sales.v3("/environments"), sales.v3(&format!("/environments/{ours}"))),
        (acme.v2("/environments"), acme.v2(&format!("/environments/{ours}"))),
    ] {
        for path in [&collection, &one] {
            assert_eq!(app.anonymous().get(path).await.status(), 401);
            assert_eq!(app.anonymous().post(path, body.clone()).await.status(), 401);
            assert_eq!(billing.get(path).await.status(), 403);
            assert_eq!(viewer.get(path).await.status(), 200);
            assert_eq!(viewer.post(path, body.clone()).await.status(), 403);
        }
        assert_eq!(app.anonymous().delete(&one).await.status(), 401);
        assert_eq!(viewer.delete(&one).await.status(), 403);
        assert_eq!(writer.get(&collection).await.ids(), [ours]);
    }
    for outside in [
        hr.v3("/environments"),
        hr.v3(&format!("/environments/{theirs}")),
        // Another project's id under one's own, and one's own under another.
        sales.v3(&format!("/environments/{theirs}")),
        hr.v3(&format!("/environments/{ours}")),
        acme.v2(&format!("/environments/{theirs}")),
        acme.v3("/projects/999/environments"),
        acme.v3("/projects/x/environments"),
    ] {
        assert_eq!(writer.get(&outside).await.status(), 404, "{outside}");
        assert_eq!(writer.post(&outside, json!({ "name": "a" })).await.status(), 404, "{outside}");
    }
    for one in [
        sales.v3(&format!("/environments/{theirs}")),
        acme.v2(&format!("/environments/{theirs}")),
        acme.v3(&format!("/environments/{theirs}")),
    ] {
        assert_eq!(writer.delete(&one).await.status(), 404, "{one}");
    }
    assert_eq!(acme.admin.get(&acme.v3("/environments")).await.ids(), [ours, theirs]);
}

#[tokio::test]
async fn a_body_that_names_another_project_or_account_is_not_found() {
    let (app, acme, sales) = acme().await;
    let rival = app.account("rival").await;
    let (hr, theirs) = (acme.project("hr").await, rival.project("theirs").await);
    let id = prod(&acme, &sales).await;
    let (v3, v2) =
        (sales.v3(&format!("/environments/{id}")), acme.v2(&format!("/environments/{id}")));
    for named in [
        json!({ "name": "a", "project_id": theirs.id.get() }),
        json!({ "name": "a", "project_id": sales.id.get(), "account_id": rival.id.get() }),
    ] {
        for path in [sales.v3("/environments"), acme.v2("/environments"), v3.clone(), v2.clone()] {
            assert_eq!(acme.admin.post(&path, named.clone()).await.status(), 404, "{path} {named}");
        }
    }
    // An environment does not move.
    for path in [&v3, &v2] {
        let moved = json!({ "project_id": hr.id.get() });
        assert_eq!(acme.admin.post(path, moved).await.status(), 404);
    }
    assert_eq!(acme.admin.get(&acme.v2("/environments")).await.ids(), [id]);
    // A credential of another project is not one of this.
    let credential =
        json!({ "type": "adapter", "adapter_version": "duckdb_v0", "default_schema": "s" });
    let credential = acme.admin.post(&hr.v3("/credentials/"), credential).await.id();
    let answer = acme.admin.post(&v3, json!({ "credentials_id": credential })).await;
    assert_eq!((answer.status(), answer.reason("credentials_id").is_empty()), (400, false));
}

#[tokio::test]
async fn an_environment_that_has_jobs_stays() {
    let (_app, acme, sales) = acme().await;
    let id = prod(&acme, &sales).await;
    let job = json!({
        "name": "nightly", "project_id": sales.id.get(), "environment_id": id,
        "execute_steps": ["dbt build"],
    });
    let job = acme.admin.post(&acme.v2("/jobs/"), job).await;
    assert_eq!(job.status(), 201, "{}", job.text());
    for path in [
        sales.v3(&format!("/environments/{id}")),
        acme.v2(&format!("/environments/{id}")),
        acme.v3(&format!("/environments/{id}")),
    ] {
        assert_eq!(acme.admin.delete(&path).await.status(), 409, "{path}");
    }
    acme.admin.delete(&acme.v2(&format!("/jobs/{}", job.id()))).await;
    assert_eq!(acme.admin.delete(&acme.v3(&format!("/environments/{id}"))).await.status(), 200);
}
