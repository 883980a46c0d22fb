//! Jobs, through the router.

mod common;

use common::House;
use domain::{authz::Category, run::Outcome};
use reqwest::Method;
use serde_json::{Value, json};
use testkit::{TestAnswer, TestClient};

#[tokio::test]
async fn a_job_is_made_read_changed_and_deleted() {
    let house = House::new().await;
    let admin = &house.acme.admin;
    let made = admin.post(&house.acme.v2("/jobs/"), house.body("Nightly")).await;
    assert_eq!(made.status(), 201);
    let (with, without) = (
        house.acme.v2(&format!("/jobs/{}/", made.id())),
        house.acme.v2(&format!("/jobs/{}", made.id())),
    );
    for path in [&with, &without] {
        assert_eq!(admin.get(path).await.data(), made.data());
    }
    house.wait(60);
    let changed = admin.post(&without, json!({ "settings": { "threads": 8 } })).await;
    assert_eq!(changed.status(), 200);
    assert_eq!(changed.data()["settings"], json!({ "threads": 8, "target_name": "default" }));
    assert_eq!(changed.data()["name"], "Nightly");
    assert!(changed.data()["updated_at"].as_str() > changed.data()["created_at"].as_str());
    let deleted = admin.delete(&with).await;
    assert_eq!((deleted.status(), &deleted.data()["state"]), (200, &json!(2)));
    assert_eq!(deleted.id(), made.id());
    for gone in [
        admin.get(&with).await,
        admin.delete(&without).await,
        admin.post(&with, json!({ "name": "again" })).await,
    ] {
        assert_eq!(gone.status(), 404);
        assert_eq!(gone.json()["status"]["code"], 404);
    }
}

#[tokio::test]
async fn a_client_that_sends_four_fields_gets_defaults() {
    let house = House::new().await;
    let job = house.job("Nightly").await;
    let data = house.acme.admin.get(&house.acme.v2(&format!("/jobs/{job}"))).await.data();
    assert_eq!(data["execute_steps"], json!(["dbt build"]));
    assert_eq!(data["settings"], json!({ "threads": 4, "target_name": "default" }));
    assert_eq!(data["execution"], json!({ "timeout_seconds": 0 }));
    assert_eq!(data["schedule"]["cron"], "0 * * * *");
    assert_eq!(data["state"], 1);
    for related in ["account", "project", "environment", "most_recent_run"] {
        assert_eq!(data.get(related), Some(&Value::Null), "{related}");
    }
}

#[tokio::test]
async fn a_body_that_cannot_be_is_told_field_by_field_and_leaves_nothing_behind() {
    let house = House::new().await;
    let path = house.acme.v2("/jobs/");
    let with = |field: &str, value: Value| {
        let mut body = house.body("Nightly");
        body[field] = value;
        body
    };
    let long = "x".repeat(256);
    for (field, body) in [
        ("name", json!({})),
        ("project_id", json!({})),
        ("environment_id", json!({})),
        ("name", with("name", json!(long))),
        ("name", with("name", json!("a\nb"))),
        ("name", with("name", json!(7))),
        ("project_id", with("project_id", json!(9_223_372_036_854_775_808_u64))),
        ("execute_steps[1]", with("execute_steps", json!(["dbt build", "rm -rf /"]))),
        ("execute_steps", with("execute_steps", json!([]))),
        ("execute_steps", with("execute_steps", json!(vec!["dbt build"; 10_000]))),
        ("settings.threads", with("settings", json!({ "threads": 65 }))),
        ("schedule.cron", with("schedule", json!({ "cron": "often" }))),
        ("state", with("state", json!(2))),
        ("environment_id", with("environment_id", json!(999))),
        ("deferring_job_definition_id", with("deferring_job_definition_id", json!(999))),
        (
            "job_completion_trigger_condition",
            with(
                "job_completion_trigger_condition",
                json!({ "condition": {
                    "job_id": 999, "project_id": house.sales.id.get(), "statuses": [10],
                } }),
            ),
        ),
    ] {
        let answer = house.acme.admin.post(&path, body).await;
        assert_eq!(answer.status(), 400, "{field}: {}", answer.text());
        assert_ne!(answer.reason(field), "", "{field}: {}", answer.text());
    }
    let raw = |body: &'static str| {
        TestAnswer::of(house.acme.admin.request(Method::POST, &path).body(body))
    };
    assert_eq!(raw("{\"name\":").await.status(), 400);
    assert_eq!(raw("").await.reason("name"), "is required");
    let form = house.acme.admin.request(Method::POST, &path);
    let form = form.header("Content-Type", "application/x-www-form-urlencoded").body("name=x");
    assert_eq!(TestAnswer::of(form).await.status(), 415);
    let big = with("description", json!("x".repeat(2 << 20)));
    assert_eq!(house.acme.admin.post(&path, big).await.status(), 413);
    assert_eq!(house.acme.admin.get(&path).await.json()["extra"]["pagination"]["total_count"], 0);
}

#[tokio::test]
async fn what_belongs_elsewhere_is_not_found_or_does_not_fit() {
    let house = House::new().await;
    let (path, hr) = (house.acme.v2("/jobs/"), house.acme.project("hr").await);
    let theirs = house.environment(&hr, Category::Production).await;
    let rival = house.app.account("rival").await;
    let foreign = rival.project("theirs").await;
    let post = async |field: &str, value: i64| {
        let mut body = house.body("Nightly");
        body[field] = json!(value);
        house.acme.admin.post(&path, body).await
    };
    let other_project = post("environment_id", theirs.get()).await;
    assert_eq!(other_project.status(), 400);
    assert_ne!(other_project.reason("environment_id"), "");
    assert_eq!(post("account_id", rival.id.get()).await.status(), 404);
    assert_eq!(post("account_id", house.acme.id.get()).await.status(), 201);
    assert!(post("project_id", foreign.id.get()).await.status() < 500);
    assert_eq!(rival.admin.get(&rival.v2("/jobs/")).await.ids(), [0; 0]);
    let job = house.job("ours").await;
    assert_eq!(rival.admin.get(&rival.v2(&format!("/jobs/{job}/"))).await.status(), 404);
    for id in ["0", "-1", "x", "9223372036854775808"] {
        let path = house.acme.v2(&format!("/jobs/{id}/"));
        assert_eq!(house.acme.admin.get(&path).await.status(), 404, "{id}");
    }
}

/// The answers to list, show, create, update and delete.
async fn all(house: &House, client: &TestClient, job: i64) -> [u16; 5] {
    let (jobs, job) = (house.acme.v2("/jobs/"), house.acme.v2(&format!("/jobs/{job}/")));
    [
        client.get(&jobs).await.status(),
        client.get(&job).await.status(),
        client.post(&jobs, house.body("made")).await.status(),
        client.post(&job, json!({ "name": "changed" })).await.status(),
        client.delete(&job).await.status(),
    ]
}

#[tokio::test]
async fn who_may_what_with_jobs() {
    let house = House::new().await;
    let (job, hr) = (house.job("Nightly").await, house.acme.project("hr").await);
    let token = || house.acme.service_token();
    let anonymous = house.app.anonymous();
    assert_eq!(all(&house, &anonymous, job).await, [401; 5]);
    let billing = token().grant_everywhere("billing_admin").create().await;
    assert_eq!(all(&house, &billing, job).await, [403; 5]);
    let viewer = token().grant("job_viewer", &house.sales).create().await;
    assert_eq!(all(&house, &viewer, job).await, [200, 200, 403, 403, 403]);
    let runner = token().grant("job_runner", &house.sales).create().await;
    assert_eq!(all(&house, &runner, job).await, [200, 200, 403, 403, 403]);
    let elsewhere = token().grant("job_admin", &hr).create().await;
    assert_eq!(all(&house, &elsewhere, job).await, [200, 404, 404, 404, 404]);
    assert_eq!(elsewhere.get(&house.acme.v2("/jobs/")).await.ids(), [0; 0]);
    // Its own project is readable, another's only the other grant's.
    let mixed = token().grant("job_viewer", &house.sales).grant("job_admin", &hr).create().await;
    assert_eq!(all(&house, &mixed, job).await, [200, 200, 403, 403, 403]);
    let admin = token().grant("job_admin", &house.sales).create().await;
    assert_eq!(all(&house, &admin, job).await, [200, 200, 201, 200, 200]);
}

#[tokio::test]
async fn a_category_raises_writing_in_its_environments_alone() {
    let house = House::new().await;
    let staging = house.environment(&house.sales, Category::Staging).await;
    let token = house.acme.service_token();
    let analyst = token.grant_raised("analyst", &house.sales, &["staging"]).create().await;
    let post = async |environment: i64| {
        let mut body = house.body("Nightly");
        body["environment_id"] = json!(environment);
        analyst.post(&house.acme.v2("/jobs/"), body).await
    };
    let refused = post(house.production.get()).await;
    assert_eq!(refused.status(), 403, "{}", refused.text());
    let made = post(staging.get()).await;
    assert_eq!(made.status(), 201);
    // A move needs both.
    let path = house.acme.v2(&format!("/jobs/{}/", made.id()));
    let moved = json!({ "environment_id": house.production.get() });
    assert_eq!(analyst.post(&path, moved).await.status(), 403);
    assert_eq!(analyst.delete(&path).await.status(), 200);
}

#[tokio::test]
async fn a_list_is_filtered_ordered_and_cut() {
    let house = House::new().await;
    let hr = house.acme.project("hr").await;
    let theirs = house.environment(&hr, Category::Production).await;
    let first = house.job("Nightly build").await;
    house.wait(1);
    let mut scheduled = house.body("Hourly");
    scheduled["triggers"] = json!({ "schedule": true });
    let second = house.job_of(scheduled).await;
    house.wait(1);
    let third = house
        .job_of(json!({
            "name": "nightly hr", "project_id": hr.id.get(), "environment_id": theirs.get(),
        }))
        .await;
    let list = async |query: &str| {
        let answer = house.acme.admin.get(&house.acme.v2(&format!("/jobs?{query}"))).await;
        assert_eq!(answer.status(), 200, "{query}: {}", answer.text());
        answer
    };
    let (sales, hr) = (house.sales.id, hr.id);
    for (query, expected) in [
        (String::new(), vec![first, second, third]),
        (format!("project_id={sales}"), vec![first, second]),
        (format!("project_id__in=[{sales},{hr}]"), vec![first, second, third]),
        (format!("project_id__in=[{hr}]&order_by=-id"), vec![third]),
        (format!("environment_id={}", house.production), vec![first, second]),
        ("name__icontains=NIGHTLY".to_owned(), vec![first, third]),
        ("triggers_schedule=true".to_owned(), vec![second]),
        (format!("pk={second}"), vec![second]),
        ("order_by=-created_at".to_owned(), vec![third, second, first]),
        ("order_by=name".to_owned(), vec![second, first, third]),
        ("limit=1&offset=1".to_owned(), vec![second]),
        ("offset=9".to_owned(), vec![]),
        ("is_system=False&account_id=77&nonsense=1".to_owned(), vec![first, second, third]),
    ] {
        assert_eq!(list(&query).await.ids(), expected, "{query}");
    }
    let page = list("limit=2&offset=1").await.json();
    assert_eq!(page["extra"]["filters"]["limit"], 2);
    assert_eq!(page["extra"]["filters"]["offset"], 1);
    assert_eq!(page["extra"]["pagination"], json!({ "count": 2, "total_count": 3 }));
    for query in ["limit=0", "limit=101", "offset=-1", "order_by=secret", "project_id=x", "state=9"]
    {
        let answer = house.acme.admin.get(&house.acme.v2(&format!("/jobs/?{query}"))).await;
        assert_eq!(answer.status(), 400, "{query}");
    }
}

#[tokio::test]
async fn a_deleted_job_is_listed_where_it_is_asked_for_and_says_so() {
    let house = House::new().await;
    let (kept, dropped) = (house.job("kept").await, house.job("dropped").await);
    let admin = &house.acme.admin;
    // Terraform deletes like this.
    let path = house.acme.v2(&format!("/jobs/{dropped}"));
    let body = json!({ "id": dropped, "name": "dropped", "state": 2 });
    let deleted = admin.post(&path, body).await;
    assert_eq!((deleted.status(), &deleted.data()["state"]), (200, &json!(2)));
    let states = async |state: &str| -> Vec<(i64, i64)> {
        let answer = admin.get(&house.acme.v2(&format!("/jobs/?state={state}"))).await;
        let rows = answer.data().as_array().unwrap().clone();
        rows.iter()
            .map(|row| (row["id"].as_i64().unwrap(), row["state"].as_i64().unwrap()))
            .collect()
    };
    assert_eq!(states("1").await, [(kept, 1)]);
    assert_eq!(states("deleted").await, [(dropped, 2)]);
    assert_eq!(states("all").await, [(kept, 1), (dropped, 2)]);
}

#[tokio::test]
async fn related_objects_come_where_they_are_asked_for_and_may_be_read() {
    let house = House::new().await;
    let job = house.job("Nightly").await;
    house.run(job).await;
    let (run, _) = house.begin(&[]).await;
    house.finish(run, Outcome::Error).await;
    let newest = house.run(job).await;
    let path = house.acme.v2(&format!("/jobs/{job}/"));
    let get = async |client: &TestClient, query: &str| {
        let answer = client.get(&format!("{path}?{query}")).await;
        assert_eq!(answer.status(), 200, "{query}: {}", answer.text());
        answer.data()
    };
    let all = "account,project,environment,custom_environment_variables,most_recent_run,\
               most_recent_completed_run,nonsense";
    let data = get(&house.acme.admin, &format!("include_related={all}")).await;
    assert_eq!(data["account"]["id"], house.acme.id.get());
    assert_eq!(data["project"]["name"], "sales");
    assert_eq!(data["environment"]["deployment_type"], "production");
    assert_eq!(data["environment"]["jobs"], Value::Null);
    assert_eq!(data["custom_environment_variables"], json!([]));
    assert_eq!(data["most_recent_run"]["id"], newest);
    assert_eq!(data["most_recent_completed_run"]["id"], run.get());
    assert_eq!(data["most_recent_completed_run"]["status"], 20);
    for spelling in [
        "include_related=project,environment",
        "include_related=project&include_related=environment",
        "include_related=[\"project\",\"environment\"]",
        "include_related=['project','environment']",
        "include_related=[project,environment]",
    ] {
        let data = get(&house.acme.admin, spelling).await;
        assert_eq!(data["project"]["id"], house.sales.id.get(), "{spelling}");
        assert_eq!(data["environment"]["id"], house.production.get(), "{spelling}");
        assert_eq!(data["account"], Value::Null, "{spelling}");
    }
    assert_eq!(get(&house.acme.admin, "include_related=").await["project"], Value::Null);
    // A Job Runner reads jobs and runs, and neither projects nor environments.
    let runner = house.acme.service_token().grant("job_runner", &house.sales).create().await;
    let data = get(&runner, &format!("include_related={all}")).await;
    assert_eq!((&data["project"], &data["environment"]), (&Value::Null, &Value::Null));
    assert_eq!(data["most_recent_run"]["id"], newest);
}

#[tokio::test]
async fn a_job_is_one_statement_and_a_page_of_them_as_many_as_one() {
    let house = House::new().await;
    let hr = house.acme.project("hr").await;
    let theirs = house.environment(&hr, Category::Staging).await;
    let mut jobs = Vec::new();
    for number in 0..100 {
        let mut body = house.body(&format!("job {number}"));
        if number % 2 == 1 {
            body["project_id"] = json!(hr.id.get());
            body["environment_id"] = json!(theirs.get());
        }
        jobs.push(house.job_of(body).await);
    }
    house.run(jobs[0]).await;
    let one = house.acme.v2(&format!("/jobs/{}/", jobs[0]));
    // Who asks is known from the requests before.
    assert_eq!(house.statements_of(&one).await, 1);
    let related = "include_related=account,project,environment,custom_environment_variables,\
                   most_recent_run,most_recent_completed_run";
    let whole = house.statements_of(&house.acme.v2(&format!("/jobs/?{related}"))).await;
    let two = house.statements_of(&house.acme.v2(&format!("/jobs/?limit=2&{related}"))).await;
    println!("{whole} statements");
    assert_eq!(whole, two);
    assert!(whole <= 7, "{whole}");
}

#[tokio::test]
async fn what_dbt_jobs_as_code_sends_comes_back() {
    let house = House::new().await;
    let parent = house.job("parent").await;
    let mut body = house.body("child");
    let sent = json!({
        "description": "two\nlines", "dbt_version": "1.11.0",
        "execute_steps": ["dbt run --select 'tag:nightly'", "dbt test"],
        "settings": { "threads": 6, "target_name": "prod" },
        "execution": { "timeout_seconds": 600 },
        "triggers": { "github_webhook": false, "git_provider_webhook": true, "schedule": true,
            "on_merge": true, "custom_branch_only": true },
        "generate_docs": true, "run_generate_sources": true, "generate_sources": true,
        "run_lint": true, "errors_on_lint_failure": false, "run_compare_changes": true,
        "compare_changes_flags": "--select state:modified+", "triggers_on_draft_pr": true,
        "job_type": "scheduled", "lifecycle_webhooks": true,
        "deferring_environment_id": house.production.get(),
        "deferring_job_definition_id": parent,
        "cost_optimization_features": ["state_aware_orchestration"],
        "force_node_selection": true,
        "job_completion_trigger_condition": { "condition": {
            "job_id": parent, "project_id": house.sales.id.get(), "statuses": [10, 30],
        } },
    });
    let fields = sent.as_object().unwrap();
    for (field, value) in fields {
        body[field] = value.clone();
    }
    body["schedule"] = json!({
        "cron": "0 14 * * 1", "date": { "type": "custom_cron", "cron": "0 14 * * 1" },
        "time": { "type": "every_hour", "interval": 1 },
    });
    let job = house.job_of(body).await;
    let path = house.acme.v2(&format!("/jobs/{job}/"));
    let read = house.acme.admin.get(&path).await.data();
    for (field, value) in fields {
        assert_eq!(&read[field], value, "{field}");
    }
    assert_eq!(read["schedule"]["cron"], "0 14 * * 1");
    assert_eq!(read["next_run"], "2026-11-23T14:00:00.000000+00:00");
    assert_eq!(read["next_run_humanized"], "2 hours");
    // What was read can be sent back whole, as several clients do.
    let again = house.acme.admin.post(&path, read.clone()).await;
    assert_eq!(again.status(), 200, "{}", again.text());
    assert_eq!(again.data(), read);
}

#[tokio::test]
async fn a_post_without_body_and_type_changes_nothing_and_other_methods_are_not_there() {
    let house = House::new().await;
    let job = house.job("Nightly").await;
    let path = house.acme.v2(&format!("/jobs/{job}"));
    let before = house.acme.admin.get(&path).await.data();
    let bare = TestAnswer::of(house.acme.admin.request(Method::POST, &path)).await;
    assert_eq!((bare.status(), bare.data()), (200, before));
    for method in [Method::PUT, Method::PATCH] {
        let answer = TestAnswer::of(house.acme.admin.request(method, &path)).await;
        assert_eq!((answer.status(), &answer.json()["status"]["code"]), (405, &json!(405)));
    }
}
