//! Each object has every key that its document requires (contract, section 13); what is related is
//! null until it is asked for by name, and there once it is (section 4).

mod common;

use common::House;
use serde_json::{Value, json};

struct Object {
    path: String,
    /// What the document marks as required, and is not related.
    required: &'static [&'static str],
    /// What comes along by its name.
    related: &'static [&'static str],
}

/// A project with all that can come along with it and with what it holds.
async fn objects(house: &House) -> Vec<Object> {
    let (admin, acme, sales) = (&house.acme.admin, &house.acme, &house.sales);
    let made = async |path: String, body: Value| {
        let made = admin.post(&path, body).await;
        assert!(made.status() < 300, "{path}: {}", made.text());
        made.id()
    };
    let connection = json!({ "name": "c", "adapter_version": "duckdb_v0",
        "config": { "path": "c.duckdb" } });
    let connection = made(acme.v3("/connections/"), connection).await;
    let credential = json!({ "type": "adapter", "adapter_version": "duckdb_v0",
        "default_schema": "s" });
    let credential = made(sales.v3("/credentials/"), credential).await;
    let remote = json!({ "remote_url": "https://git.example/acme/shop.git" });
    let repository = made(sales.v3("/repositories/"), remote).await;
    let group = made(acme.v3("/groups/"), json!({ "name": "g" })).await;
    let row = json!([{ "permission_set": "analyst", "project_id": sales.id.get(),
        "all_projects": false }]);
    admin.post(&acme.v3(&format!("/group-permissions/{group}/")), row).await;
    let environment = house.production;
    let named = json!({ "connection_id": connection, "credentials_id": credential });
    made(sales.v3(&format!("/environments/{environment}/")), named).await;
    let job = house.job("nightly").await;
    let links = json!({ "connection_id": connection, "repository_id": repository,
        "docs_job_id": job, "freshness_job_id": job });
    made(sales.url(), links).await;
    let run = house.run(job).await;
    let project = &["created_at", "default_version", "fusion_readiness", "id", "updated_at"];
    let of_project = &[
        "connection",
        "docs_job",
        "environments",
        "freshness_job",
        "group_permissions",
        "repository",
    ];
    vec![
        Object {
            path: acme.v2(&format!("/projects/{}/", sales.id)),
            required: project,
            related: of_project,
        },
        Object { path: sales.url(), required: project, related: of_project },
        Object {
            path: sales.v3(&format!("/environments/{environment}/")),
            required: &[
                "created_at",
                "fusion_readiness",
                "id",
                "is_deferrable",
                "raw_dbt_version",
                "updated_at",
            ],
            related: &["project", "credentials", "connection", "repository"],
        },
        Object {
            path: acme.v2(&format!("/environments/{environment}/")),
            required: &["created_at", "id", "raw_dbt_version", "updated_at"],
            related: &["repository", "connection", "jobs", "custom_environment_variables"],
        },
        Object {
            path: acme.v2(&format!("/jobs/{job}/")),
            required: &[
                "created_at",
                "fusion_readiness",
                "id",
                "is_deferrable",
                "job_completion_trigger_condition",
                "lifecycle_webhooks_url",
                "raw_dbt_version",
                "run_failure_count",
                "updated_at",
            ],
            related: &[
                "account",
                "project",
                "environment",
                "custom_environment_variables",
                "most_recent_run",
            ],
        },
        Object {
            path: acme.v2(&format!("/runs/{run}/")),
            required: &[
                "id",
                "account_id",
                "status",
                "created_at",
                "updated_at",
                "href",
                "job_id",
                "deprecation",
                "can_retry",
                "retry_not_supported_reason",
                "used_repo_cache",
            ],
            related: &["trigger", "job", "environment", "repository", "run_steps", "audit"],
        },
    ]
}

/// Whether a related key holds nothing: null, but of `run_steps`, which may not be, `[]`.
fn is_empty(key: &str, related: &Value) -> bool {
    if key == "run_steps" { *related == json!([]) } else { related.is_null() }
}

#[tokio::test]
async fn each_required_key_is_there_and_what_is_related_comes_by_its_name_alone() {
    let house = House::new().await;
    let objects = objects(&house).await;
    house.begin(&["Invoke dbt with `dbt build`"]).await;
    for Object { path, required, related } in objects {
        let bare = house.acme.admin.get(&path).await.data();
        for key in required.iter().chain(related) {
            assert!(bare.get(key).is_some(), "{path} has no `{key}`: {bare}");
        }
        for asked in related {
            let told =
                house.acme.admin.get(&format!("{path}?include_related={asked}")).await.data();
            for key in related {
                let there = !is_empty(key, &told[*key]);
                assert_eq!(there, key == asked, "{path}?include_related={asked}: `{key}`");
                assert!(is_empty(key, &bare[*key]), "{path}: `{key}` was not asked for");
            }
        }
    }
}

#[tokio::test]
async fn the_jobs_of_a_project_come_along_as_far_as_they_are_there_and_may_be_read() {
    let house = House::new().await;
    let (admin, sales) = (&house.acme.admin, &house.sales);
    let (docs, freshness) = (house.job("docs").await, house.job("freshness").await);
    let links = json!({ "docs_job_id": docs, "freshness_job_id": freshness });
    admin.post(&sales.url(), links).await;
    let asked = format!("{}?include_related=docs_job,freshness_job", sales.url());
    let told = admin.get(&asked).await.data();
    assert_eq!(
        (&told["docs_job"]["name"], &told["freshness_job"]["id"]),
        (&json!("docs"), &json!(freshness))
    );
    let narrow = house.acme.service_token().grant("git_admin", sales).create().await;
    let seen = narrow.get(&asked).await.data();
    let reads = narrow.get(&house.acme.v2(&format!("/jobs/{docs}/"))).await.status() == 200;
    assert_eq!(seen["docs_job"].is_null(), !reads);
    admin.delete(&house.acme.v2(&format!("/jobs/{docs}/"))).await;
    let told = admin.get(&asked).await.data();
    assert_eq!((&told["docs_job"], told["freshness_job"].is_null()), (&Value::Null, false));
}
