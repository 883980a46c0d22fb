//! Usage, billing, and who reaches a project: additions of ours.

mod common;

use common::House;
use domain::{authz::License, run::Outcome};
use serde_json::{Value, json};

fn results(models: usize) -> bytes::Bytes {
    let results: Vec<_> = (0..models)
        .map(|n| json!({ "status": "success", "unique_id": format!("model.shop.m{n}") }))
        .collect();
    json!({ "args": { "which": "build" }, "results": results }).to_string().into()
}

/// A run of the job that takes 90 s and builds models in its last step.
async fn ran(house: &House, job: i64, models: usize) {
    house.run(job).await;
    let (run, steps) = house.begin(&["dbt deps", "dbt build"]).await;
    house.wait(90);
    for step in &steps {
        house.step(step, "done", Outcome::Success).await;
    }
    let (permit, lease) = (house.runner().await, house.lease(run));
    let (store, results) = (&house.app.store, results(models));
    let put = store.put_artifact(&permit, &lease, 2, "run_results.json", &results[..]);
    assert!(put.await.is_ok());
    house.finish(run, Outcome::Success).await;
}

#[tokio::test]
async fn usage_is_told_by_month_and_project_out_of_our_own_records() {
    let house = House::new().await;
    let job = house.job("nightly").await;
    ran(&house, job, 3).await;
    ran(&house, job, 2).await;
    house.wait(20 * 24 * 60 * 60);
    ran(&house, job, 4).await;
    // One that never started counts as a run of no time.
    let queued = house.run(job).await;
    let cancel = house.acme.v2(&format!("/runs/{queued}/cancel/"));
    assert_eq!(house.acme.admin.post(&cancel, json!({})).await.status(), 200);
    house.run(job).await;
    let path = house.acme.v3("/usage/");
    let usage = house.acme.admin.get(&path).await;
    assert_eq!(usage.status(), 200, "{}", usage.text());
    let row = |month: &str, runs: u64, minutes: f64, models: u64| {
        json!({ "month": month, "project_id": house.sales.id.get(), "project_name": "sales",
            "runs": runs, "run_minutes": minutes, "models_built": models })
    };
    let rows = json!([row("2026-11", 2, 3.0, 5), row("2026-12", 2, 1.5, 4)]);
    assert_eq!(usage.data()["rows"], rows);
    assert_eq!(usage.data()["seats"], json!({ "developer": 1 }));
    let november = house.acme.admin.get(&format!("{path}?to=2026-11")).await;
    assert_eq!(november.data()["rows"], json!([row("2026-11", 2, 3.0, 5)]));
    let later = house.acme.admin.get(&format!("{path}?from=2026-12&to=2027-01")).await;
    assert_eq!(later.data()["rows"], json!([row("2026-12", 2, 1.5, 4)]));
    let table = house.acme.admin.get(&format!("{path}?format=csv")).await;
    assert_eq!(table.header("content-type"), "text/csv; charset=utf-8");
    let text = table.text();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 3, "{text}");
    assert_eq!(lines[1], format!(r#""2026-11","{}","sales","2","3","5""#, house.sales.id));
    for (query, field) in [("from=2026-13", "from"), ("to=x", "to"), ("format=xml", "format")] {
        let wrong = house.acme.admin.get(&format!("{path}?{query}")).await;
        assert_eq!((wrong.status(), wrong.reason(field).is_empty()), (400, false), "{query}");
    }
}

#[tokio::test]
async fn billing_says_plan_and_seats_and_where_bills_go() {
    let house = House::new().await;
    house.acme.user("ben@acme.example", License::ReadOnly, &[]).await;
    let path = house.acme.v3("/billing/");
    let admin = &house.acme.admin;
    let told = admin.get(&path).await.data();
    let expected = json!({ "account_id": house.acme.id.get(), "plan": "enterprise",
        "billing_email": null, "seats": { "developer": 1, "read_only": 1 } });
    assert_eq!(told, expected);
    let body = json!({ "billing_email": "Bills@acme.example", "plan": "team" });
    let changed = admin.put(&path, body).await;
    assert_eq!(changed.data()["billing_email"], "bills@acme.example", "{}", changed.text());
    assert_eq!(changed.data()["plan"], "enterprise", "a plan is not changed here");
    let table = admin.get(&format!("{path}?format=csv")).await.text();
    assert!(table.contains(r#""enterprise","bills@acme.example","read_only","1""#), "{table}");
    let cleared = admin.post(&path, json!({ "billing_email": null })).await;
    assert_eq!(cleared.data()["billing_email"], Value::Null);
    for body in [json!({}), json!({ "billing_email": "x" })] {
        assert!(!admin.put(&path, body).await.reason("billing_email").is_empty());
    }
    let theirs = json!({ "account_id": 999, "billing_email": null });
    assert_eq!(admin.put(&path, theirs).await.status(), 404);
}

#[tokio::test]
async fn a_billing_administrator_sees_usage_and_billing_and_nobody_narrower_does() {
    let house = House::new().await;
    let rival = house.app.account("rival").await;
    let biller = house.acme.service_token().grant_everywhere("billing_admin").create().await;
    let viewer = house.acme.service_token().grant_everywhere("account_viewer").create().await;
    let narrow = house.acme.service_token().grant_everywhere("job_admin").create().await;
    let body = json!({ "billing_email": "bills@acme.example" });
    for path in [house.acme.v3("/usage/"), house.acme.v3("/billing/")] {
        assert_eq!(biller.get(&path).await.status(), 200, "{path}");
        assert_eq!(viewer.get(&path).await.status(), 200, "{path}");
        assert_eq!(narrow.get(&path).await.status(), 403, "{path}");
        assert_eq!(rival.admin.get(&path).await.status(), 404, "{path}");
        assert_eq!(house.app.anonymous().get(&path).await.status(), 401, "{path}");
    }
    let path = house.acme.v3("/billing/");
    assert_eq!(biller.put(&path, body.clone()).await.status(), 200);
    assert_eq!(viewer.put(&path, body).await.status(), 403);
}

#[tokio::test]
async fn a_project_says_which_groups_and_tokens_reach_it_and_how() {
    let house = House::new().await;
    let hr = house.acme.project("hr").await;
    house.acme.user("ben@acme.example", License::Developer, &["analyst"]).await;
    let raised = house.acme.service_token().named("ci");
    let (ci, _) =
        raised.grant_raised("developer", &house.sales, &["staging"]).create_with_id().await;
    let everywhere = house.acme.service_token().named("runner").grant_everywhere("job_runner");
    let (runner, _) = everywhere.create_with_id().await;
    house.acme.service_token().named("elsewhere").grant("job_admin", &hr).create().await;
    let (gone, _) = house
        .acme
        .service_token()
        .named("gone")
        .grant("job_admin", &house.sales)
        .create_with_id()
        .await;
    house.acme.admin.delete(&house.acme.v3(&format!("/service-tokens/{gone}/"))).await;
    let told = house.acme.admin.get(&house.sales.v3("/permissions/")).await;
    assert_eq!(told.status(), 200, "{}", told.text());
    let row = |set: &str, all: bool, raised: &[&str]| {
        json!({ "permission_set": set, "all_projects": all, "in_force": true,
            "writable_environment_categories": raised })
    };
    let tokens = json!([
        { "id": ci, "name": "ci", "permissions": [row("developer", false, &["staging"])] },
        { "id": runner, "name": "runner", "permissions": [row("job_runner", true, &[])] },
    ]);
    assert_eq!(told.data()["service_tokens"], tokens);
    let groups = told.data()["groups"].as_array().unwrap().clone();
    let analysts =
        groups.iter().find(|group| group["permissions"][0]["permission_set"] == "analyst");
    assert_eq!(analysts.unwrap()["members"], 1);
    // Held to the caller's projects, and to the account.
    let of_hr = house.acme.service_token().grant("admin", &hr).create().await;
    assert_eq!(of_hr.get(&hr.v3("/permissions/")).await.status(), 200);
    assert_eq!(of_hr.get(&house.sales.v3("/permissions/")).await.status(), 404);
    let narrow = house.acme.service_token().grant("job_runner", &house.sales).create().await;
    assert_eq!(narrow.get(&house.sales.v3("/permissions/")).await.status(), 403);
    let rival = house.app.account("rival").await;
    assert_eq!(rival.admin.get(&house.sales.v3("/permissions/")).await.status(), 404);
    let nowhere = house.acme.v3("/projects/999/permissions/");
    assert_eq!(house.acme.admin.get(&nowhere).await.status(), 404);
    assert_eq!(house.app.anonymous().get(&nowhere).await.status(), 401);
}
