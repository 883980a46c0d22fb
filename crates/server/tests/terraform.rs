//! What the Terraform provider's client needs (contract, sections 6 to 9, and `clients.md`): the
//! calls that it makes and no document has, and answers that its strict reader takes.
//!
//! Service tokens that are made without grants stand in `service_tokens.rs`.
#![expect(clippy::indexing_slicing, reason = "what fails here is a failed test")]

mod common;

use common::House;
use serde_json::{Value, json};

/// Sends a whole read object back, as the provider does, with a field changed.
async fn change(house: &House, path: &str, field: &str, value: Value) -> testkit::TestAnswer {
    let mut whole = house.acme.admin.get(path).await.data();
    whole[field] = value;
    house.acme.admin.post(path, whole).await
}

/// Neither its keys hold a list: the provider reads them as text or null.
fn decodes(environment: &Value) -> bool {
    ["jobs", "custom_environment_variables"]
        .iter()
        .all(|key| matches!(environment.get(key), None | Some(Value::Null)))
}

#[tokio::test]
async fn the_provider_finds_its_account_and_takes_a_service_token_without_a_user() {
    let house = House::new().await;
    let token = house.acme.service_token().grant("job_admin", &house.sales).create().await;
    assert_eq!(token.get("/api/v2/accounts/").await.ids(), [house.acme.id.get()]);
    let who = token.get("/api/v2/whoami/").await;
    assert!(who.status() == 404 || who.data()["user"].is_null(), "{}", who.text());
}

#[tokio::test]
async fn a_project_is_made_renamed_by_post_listed_by_name_and_deleted_by_state_2() {
    let house = House::new().await;
    let admin = &house.acme.admin;
    let path = house.acme.v3("/projects/");
    let body = json!({
        "id": null, "name": "finance", "description": "", "dbt_project_subdirectory": null,
        "account_id": house.acme.id.get(), "connection_id": null, "repository_id": null,
        "state": 1, "type": 0,
    });
    let made = admin.post(&path, body).await;
    assert!(made.status() == 201 && made.id() != 0, "{}", made.text());
    let one = format!("{path}{}/", made.id());
    let related = format!("{one}?include_related=[freshness_job_id,docs_job_id]");
    let read = admin.get(&related).await.data();
    assert!(read["freshness_job_id"].is_null() && read["docs_job_id"].is_null(), "{read}");
    assert_eq!(change(&house, &one, "name", json!("money")).await.data()["name"], "money");

    let listed = admin.get(&format!("{path}?name=money&offset=0")).await;
    assert_eq!(listed.ids(), [made.id()]);
    let extra = &listed.json()["extra"];
    assert!(extra["filters"]["limit"].is_i64() && extra["filters"]["offset"].is_i64(), "{extra}");
    assert_eq!(extra["pagination"]["total_count"], 1);

    assert_eq!(change(&house, &one, "state", json!(2)).await.data()["state"], 2);
    let gone = admin.get(&one).await;
    assert_eq!((gone.status(), &gone.json()["status"]["code"]), (404, &json!(404)));
}

#[tokio::test]
async fn a_job_is_made_whole_read_in_its_environment_and_deleted_by_state_2() {
    let house = House::new().await;
    let admin = &house.acme.admin;
    let mut body = house.body("nightly");
    body["id"] = Value::Null;
    body["account_id"] = json!(house.acme.id.get());
    body["execute_steps"] = json!(["dbt build"]);
    body["dbt_version"] = Value::Null;
    body["schedule"] = json!({
        "cron": "0 3 * * *", "date": { "type": "custom_cron", "cron": "0 3 * * *" },
        "time": { "type": "every_hour", "interval": 1 },
    });
    body["triggers"] = json!({
        "github_webhook": false, "git_provider_webhook": false, "schedule": false, "on_merge": false,
        "custom_branch_only": false,
    });
    let made = house.job_of(body).await;
    let one = house.acme.v2(&format!("/jobs/{made}/"));
    let read = admin.get(&one).await.data();
    assert_eq!(read["schedule"]["cron"], "0 3 * * *");
    assert_eq!(read["schedule"]["date"]["type"], "custom_cron");

    // Without a slash, and with a list that is no JSON.
    let project = house.sales.id.get();
    let path = house.acme.v2(&format!("/jobs?project_id={project}&include_related=[environment]"));
    let listed = admin.get(&path).await;
    assert_eq!(listed.ids(), [made]);
    let environment = &listed.data()[0]["environment"];
    assert_eq!(environment["id"], house.production.get());
    assert!(decodes(environment), "{environment}");

    assert_eq!(change(&house, &one, "name", json!("hourly")).await.data()["name"], "hourly");
    assert_eq!(change(&house, &one, "state", json!(2)).await.data()["state"], 2);
    assert_eq!(admin.get(&one).await.json()["status"]["code"], 404);
}

#[tokio::test]
async fn an_environments_nulls_decode_at_both_addresses() {
    let house = House::new().await;
    let admin = &house.acme.admin;
    let project = house.sales.id.get();
    let one = house.sales.v3(&format!("/environments/{}/", house.production.get()));
    let read = admin.get(&one).await.data();
    assert!(decodes(&read), "{read}");
    let listed = admin.get(&house.acme.v3(&format!("/environments/?project_id={project}"))).await;
    assert_eq!(listed.ids(), [house.production.get()]);
    assert!(decodes(&listed.data()[0]), "{}", listed.text());
    let renamed = change(&house, &one, "name", json!("Prod")).await;
    assert_eq!(renamed.data()["name"], "Prod", "{}", renamed.text());
    assert!(decodes(&renamed.data()));
}

#[tokio::test]
async fn a_connection_is_patched_key_by_key_and_counts_its_environments_in_lists() {
    let house = House::new().await;
    let admin = &house.acme.admin;
    let path = house.acme.v3("/connections/");
    let config = json!({ "hostname": "db.example.com", "dbname": "shop", "port": 5432 });
    let body = json!({
        "account_id": house.acme.id.get(), "name": "warehouse", "adapter_version": "postgres_v0",
        "config": config,
    });
    let made = admin.post(&path, body).await;
    let one = format!("{path}{}/", made.id());
    let patched = admin.patch(&one, json!({ "config": { "dbname": "other" } })).await;
    assert_eq!(patched.data()["config"]["dbname"], "other", "{}", patched.text());
    assert_eq!(patched.data()["config"]["hostname"], "db.example.com");
    let rows = admin.get(&path).await.data();
    let row = rows.as_array().unwrap().iter().find(|row| row["id"] == made.id()).unwrap().clone();
    assert_eq!(row["environment__count"], 0);
    assert!(row["created_at"].is_string() && row["updated_at"].is_string(), "{row}");
    for key in ["private_link_endpoint_id", "oauth_configuration_id"] {
        assert_eq!(row.get(key), Some(&Value::Null), "{key}: {row}");
    }
    assert_eq!(admin.delete(&one).await.status(), 200);
    assert_eq!(admin.get(&one).await.json()["status"]["code"], 404);
}

#[tokio::test]
async fn a_credential_keeps_the_password_that_an_update_leaves_out() {
    let house = House::new().await;
    let admin = &house.acme.admin;
    let path = house.sales.v3("/credentials/");
    let body = json!({
        "id": null, "account_id": house.acme.id.get(), "project_id": house.sales.id.get(),
        "type": "postgres", "state": 1, "threads": 4, "username": "loader",
        "default_schema": "analytics", "target_name": "default", "password": "hunter2",
    });
    let made = admin.post(&path, body).await;
    assert_eq!(made.status(), 201, "{}", made.text());
    let one = format!("{path}{}/", made.id());
    let changed = change(&house, &one, "threads", json!(8)).await;
    assert_eq!(changed.data()["threads"], 8, "{}", changed.text());
    assert!(!changed.text().contains("hunter2"));
    assert_eq!(admin.delete(&one).await.status(), 200);
    assert_eq!(admin.get(&one).await.json()["status"]["code"], 404);
}

#[tokio::test]
async fn environment_variables_are_one_object_in_bulk_under_either_key() {
    let house = House::new().await;
    let admin = &house.acme.admin;
    let path = house.sales.v3("/environment-variables/bulk/");
    let new = json!({ "env_var": { "new_name": "DBT_REGION", "project": "eu" } });
    let made = admin.post(&path, new).await;
    assert!([200, 201].contains(&made.status()), "{}", made.text());
    let id = made.data()["new_var_ids"][0].as_i64();
    assert!(id.is_some(), "{}", made.text());
    let change = json!({ "env_vars": { "name": "DBT_REGION", "project": "us" } });
    let changed = admin.put(&path, change).await;
    assert_eq!(changed.status(), 200, "{}", changed.text());
    let table = admin.get(&house.sales.v3("/environment-variables/environment/")).await.data();
    assert_eq!(table["variables"]["DBT_REGION"]["project"]["value"], "us", "{table}");
    let gone = admin.delete_with(&path, json!({ "name": "DBT_REGION" })).await;
    assert_eq!(gone.status(), 200, "{}", gone.text());
    let table = admin.get(&house.sales.v3("/environment-variables/environment/")).await.data();
    assert_eq!(table["variables"], json!({}));
}

#[tokio::test]
async fn failures_say_what_the_provider_looks_for() {
    let house = House::new().await;
    let viewer = house.acme.service_token().grant("job_viewer", &house.sales).create().await;
    let refused = viewer.post(&house.acme.v2("/jobs/"), house.body("nightly")).await;
    assert_eq!(refused.status(), 403);
    let message = refused.json()["status"]["user_message"].as_str().unwrap().to_lowercase();
    assert!(message.starts_with("forbidden:") && message.contains("permission"), "{message}");
    let unknown = house.app.presenting("nobody").get("/api/v3/accounts/").await;
    assert_eq!(unknown.status(), 401);
    let message = unknown.json()["status"]["user_message"].as_str().unwrap().to_lowercase();
    assert!(message.starts_with("unauthorized:"), "{message}");
    let missing = house.acme.admin.get(&house.acme.v2("/jobs/987654/")).await;
    assert_eq!((missing.status(), &missing.json()["status"]["code"]), (404, &json!(404)));
}
