//! The documentation site of a project, and how fresh its sources are, through the router.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failure is a failed test")]

mod common;

use common::House;
use domain::{
    RunId,
    authz::{Category, License},
    run::Outcome,
};
use serde_json::{Value, json};
use testkit::TestClient;

const SOURCES: &str = include_str!("../../domain/tests/artifacts/sources.json");

/// A run of the job that left this and ended so.
async fn left(house: &House, job: i64, files: &[(&str, &str)], outcome: Outcome) -> RunId {
    house.run(job).await;
    let (run, steps) = house.begin(&["Invoke dbt with `dbt docs generate`"]).await;
    house.step(&steps[0], "", Outcome::Success).await;
    let (runner, lease) = (house.runner().await, house.lease(run));
    for (path, text) in files {
        house.app.store.put_artifact(&runner, &lease, 1, path, text.as_bytes()).await.unwrap();
    }
    house.finish(run, outcome).await;
    run
}

/// A run that generated docs with this page.
async fn documented(house: &House, job: i64, page: &str, outcome: Outcome) {
    left(house, job, &[("catalog.json", "{}"), ("static_index.html", page)], outcome).await;
}

fn docs(house: &House) -> String {
    format!("/docs/{}/{}/", house.acme.id, house.sales.id)
}

fn freshness(house: &House) -> String {
    house.sales.v3("/source-freshness/")
}

async fn set(house: &House, body: Value) {
    let answer = house.acme.admin.post(&house.sales.v3("/"), body).await;
    assert_eq!(answer.status(), 200, "{}", answer.text());
}

#[tokio::test]
async fn the_page_is_that_of_the_newest_good_run_in_production_and_cannot_act_for_its_reader() {
    let house = House::new().await;
    let (admin, path) = (&house.acme.admin, docs(&house));
    let none = admin.get(&path).await;
    assert_eq!(none.status(), 404, "{}", none.text());
    assert_eq!(none.json()["status"]["developer_message"], "no run has generated docs yet");
    let job = house.job("nightly").await;
    documented(&house, job, "<html>old</html>", Outcome::Success).await;
    documented(&house, job, "<html>new</html>", Outcome::Success).await;
    // What does not count: a run that failed, one without docs, one elsewhere.
    documented(&house, job, "<html>failed</html>", Outcome::Error).await;
    left(&house, job, &[("manifest.json", "{}")], Outcome::Success).await;
    let mut elsewhere = house.body("elsewhere");
    elsewhere["environment_id"] =
        json!(house.environment(&house.sales, Category::Staging).await.get());
    let elsewhere = house.job_of(elsewhere).await;
    documented(&house, elsewhere, "<html>staging</html>", Outcome::Success).await;

    let page = admin.get(&path).await;
    assert_eq!((page.status(), page.text().as_str()), (200, "<html>new</html>"));
    for (header, value) in [
        ("content-type", "text/html; charset=utf-8"),
        (
            "content-security-policy",
            "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; \
             style-src 'unsafe-inline'; img-src data:; font-src data:",
        ),
        ("x-content-type-options", "nosniff"),
        ("cache-control", "no-store"),
        ("referrer-policy", "no-referrer"),
    ] {
        assert_eq!(page.header(header), value, "{header}");
    }
    assert_eq!(admin.get(path.trim_end_matches('/')).await.status(), 200);
    let asked = admin.get(&format!("{path}?theme=dark")).await;
    assert_eq!((asked.status(), asked.reason("query").is_empty()), (400, false));
}

#[tokio::test]
async fn a_docs_job_is_the_one_whose_page_is_shown() {
    let house = House::new().await;
    let (nightly, weekly) = (house.job("nightly").await, house.job("weekly").await);
    documented(&house, weekly, "<html>weekly</html>", Outcome::Success).await;
    documented(&house, nightly, "<html>nightly</html>", Outcome::Success).await;
    let admin = &house.acme.admin;
    assert_eq!(admin.get(&docs(&house)).await.text(), "<html>nightly</html>");
    set(&house, json!({ "docs_job_id": weekly })).await;
    assert_eq!(admin.get(&docs(&house)).await.text(), "<html>weekly</html>");
    // One that has left nothing shows nothing, rather than what is another's.
    let fresh = house.job("fresh").await;
    set(&house, json!({ "docs_job_id": fresh })).await;
    assert_eq!(admin.get(&docs(&house)).await.status(), 404);
}

#[tokio::test]
async fn the_freshness_of_sources_is_told_table_by_table() {
    let house = House::new().await;
    let (admin, path) = (&house.acme.admin, freshness(&house));
    let none = admin.get(&path).await;
    assert_eq!(none.status(), 404, "{}", none.text());
    let why = none.json()["status"]["developer_message"].clone();
    assert_eq!(why, "no run has looked at the freshness of sources yet");
    let job = house.job("nightly").await;
    // Also of a run that failed afterwards: dbt has looked.
    let run = left(&house, job, &[("sources.json", SOURCES)], Outcome::Error).await;

    let told = admin.get(&path).await;
    assert_eq!(told.status(), 200, "{}", told.text());
    let told = told.data();
    assert_eq!((&told["run_id"], &told["job_id"]), (&json!(run.get()), &json!(job)));
    assert_eq!(told["project_id"], house.sales.id.get());
    assert_eq!(told["generated_at"], "2026-11-23T17:28:15.919880+00:00");
    let sources = told["sources"].as_array().unwrap();
    let statuses: Vec<_> = sources.iter().map(|row| &row["status"]).collect();
    assert_eq!(statuses, ["pass", "error", "warn"]);
    assert_eq!(
        sources[2],
        json!({
            "unique_id": "source.shop.shop_raw.raw_orders", "source_name": "shop_raw",
            "table_name": "raw_orders", "status": "warn", "run_id": run.get(),
            "max_loaded_at": "2025-02-05T09:00:00.000000+00:00",
            "snapshotted_at": "2026-11-23T17:28:15.870695+00:00",
            "age_seconds": 56_708_895.870_695, "error": null,
            "criteria": {
                "warn_after": { "count": 1, "period": "day" },
                "error_after": { "count": 3650, "period": "day" }, "filter": null,
            },
        })
    );
}

#[tokio::test]
async fn a_freshness_job_is_the_one_that_is_told_of_and_what_it_left_has_to_be_dbts() {
    let house = House::new().await;
    let (nightly, hourly) = (house.job("nightly").await, house.job("hourly").await);
    let empty = r#"{"metadata":{},"results":[]}"#;
    let first = left(&house, hourly, &[("sources.json", empty)], Outcome::Success).await;
    let second = left(&house, nightly, &[("sources.json", SOURCES)], Outcome::Success).await;
    let admin = &house.acme.admin;
    assert_eq!(admin.get(&freshness(&house)).await.data()["run_id"], second.get());
    set(&house, json!({ "freshness_job_id": hourly })).await;
    let told = admin.get(&freshness(&house)).await.data();
    assert_eq!((&told["run_id"], &told["sources"]), (&json!(first.get()), &json!([])));
    left(&house, hourly, &[("sources.json", "not JSON")], Outcome::Success).await;
    let unread = admin.get(&freshness(&house)).await;
    assert_eq!(unread.status(), 409, "{}", unread.text());
    assert!(unread.text().contains("cannot be read"), "{}", unread.text());
}

#[tokio::test]
async fn read_only_tokens_and_users_open_docs_and_freshness_and_write_nothing() {
    let house = House::new().await;
    let hr = house.acme.project("hr").await;
    let job = house.job("nightly").await;
    let files =
        [("catalog.json", "{}"), ("static_index.html", "<html>"), ("sources.json", SOURCES)];
    left(&house, job, &files, Outcome::Success).await;
    let paths = [docs(&house), freshness(&house)];
    let all = async |client: &TestClient| {
        let mut statuses = Vec::new();
        for path in &paths {
            statuses.push(client.get(path).await.status());
        }
        statuses
    };
    let token = || house.acme.service_token();
    let reader = token().grant("readonly", &house.sales).create().await;
    assert_eq!(all(&reader).await, [200, 200]);
    let trigger = house.acme.v2(&format!("/jobs/{job}/run/"));
    assert_eq!(reader.post(&trigger, json!({ "cause": "x" })).await.status(), 403);
    let settings = json!({ "docs_job_id": job });
    assert_eq!(reader.post(&house.sales.v3("/"), settings).await.status(), 403);
    let (_, user) = house.acme.user("eve@acme.example", License::ReadOnly, &[]).await;
    assert_eq!(all(&user).await, [200, 200]);

    let narrow = token().grant("metadata_only", &house.sales).create().await;
    assert_eq!(all(&narrow).await, [403, 403]);
    let elsewhere = token().grant("readonly", &hr).create().await;
    assert_eq!(all(&elsewhere).await, [404, 404]);
    let rival = house.app.account("rival").await;
    assert_eq!(all(&rival.admin).await, [404, 404]);
    assert_eq!(all(&house.app.anonymous()).await, [401, 401]);
    // Nothing of a deleted project is shown.
    assert_eq!(house.acme.admin.delete(&house.sales.v3("/")).await.status(), 200);
    assert_eq!(all(&house.acme.admin).await, [404, 404]);
}
