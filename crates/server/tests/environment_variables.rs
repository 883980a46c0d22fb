//! Environment variables over the API (contract, section 9): of projects, environments, jobs and
//! users; one at a time and in bulk.

mod common;

use common::House;
use domain::authz::{Category, License};
use serde_json::{Value, json};

const HIDDEN: &str = "hunter2-hunter2";

fn of_project(name: &str, value: &str) -> Value {
    json!({ "name": name, "type": "project", "raw_value": value })
}

async fn make(house: &House, body: Value) -> i64 {
    let path = house.sales.v3("/environment-variables/");
    let made = house.acme.admin.post(&path, body).await;
    assert_eq!(made.status(), 201, "{}", made.text());
    made.id()
}

async fn table(house: &House) -> Value {
    let path = house.sales.v3("/environment-variables/environment/");
    house.acme.admin.get(&path).await.data()
}

#[tokio::test]
async fn a_value_is_made_changed_echoed_and_deleted() {
    let house = House::new().await;
    let admin = &house.acme.admin;
    let mut body = of_project("DBT_REGION", "eu");
    body["account_id"] = json!(house.acme.id.get());
    body["project_id"] = json!(house.sales.id.get());
    let id = make(&house, body).await;
    let path = house.sales.v3(&format!("/environment-variables/{id}/"));
    let changed = admin.post(&path, json!({ "raw_value": "us" })).await;
    assert_eq!((changed.status(), &changed.data()["display_value"]), (200, &json!("us")));
    let echoed = admin.post(&path, changed.data()).await;
    assert_eq!(echoed.data()["display_value"], "us", "{}", echoed.text());
    let shown = table(&house).await;
    assert_eq!(shown["environments"], json!(["project", "production"]));
    assert_eq!(
        shown["variables"],
        json!({ "DBT_REGION": { "project": { "id": id, "value": "us" } } })
    );
    assert_eq!(admin.delete(&path).await.data()["state"], 2);
    assert_eq!(admin.delete(&path).await.status(), 404);
    assert_eq!(admin.post(&path, json!({ "raw_value": "x" })).await.status(), 404);
    assert_eq!(table(&house).await["variables"], json!({}));
    let id = make(&house, of_project("DBT_REGION", "eu")).await;
    let path = house.sales.v3(&format!("/environment-variables/{id}/"));
    assert_eq!(admin.post(&path, json!({ "state": 2 })).await.data()["state"], 2);
}

#[tokio::test]
async fn a_secret_is_in_no_answer_no_record_and_not_in_the_database() {
    let house = House::new().await;
    let id = make(&house, of_project("DBT_ENV_SECRET_KEY", HIDDEN)).await;
    let path = house.sales.v3(&format!("/environment-variables/{id}/"));
    let other = house.acme.admin.post(&path, json!({ "raw_value": format!("{HIDDEN}-2") })).await;
    assert_eq!(other.data()["display_value"], "*****");
    let bulk = json!({ "env_var": { "name": "DBT_ENV_SECRET_KEY", "production": HIDDEN } });
    let bulk = house.acme.admin.put(&house.sales.v3("/environment-variables/bulk/"), bulk).await;
    assert_eq!(bulk.status(), 200, "{}", bulk.text());
    let shown = table(&house).await;
    assert_eq!(shown["variables"]["DBT_ENV_SECRET_KEY"]["production"]["value"], "*****");
    for entry in std::fs::read_dir(house.app.folder()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let bytes = std::fs::read(&path).unwrap();
            let found = bytes.windows(HIDDEN.len()).any(|window| window == HIDDEN.as_bytes());
            assert!(!found, "{} holds the secret", path.display());
        }
    }
}

#[tokio::test]
async fn a_job_takes_its_own_value_before_the_environments_and_the_projects() {
    let house = House::new().await;
    let job = house.job("nightly").await;
    let (project, production) = (house.sales.id, house.production);
    make(&house, of_project("DBT_A", "1")).await;
    make(&house, of_project("DBT_B", "1")).await;
    make(&house, of_project("DBT_C", "1")).await;
    make(&house, of_project("DBT_ENV_SECRET_D", HIDDEN)).await;
    let of_environment = |name: &str| {
        json!({ "name": name, "type": "environment",
        "environment_id": production.get(), "project_id": project.get(), "raw_value": "2" })
    };
    make(&house, of_environment("DBT_B")).await;
    make(&house, of_environment("DBT_C")).await;
    let own = make(
        &house,
        json!({ "name": "DBT_C", "type": "job", "job_definition_id": job, "raw_value": "3" }),
    )
    .await;
    make(&house, json!({ "name": "DBT_A", "type": "user", "raw_value": "mine" })).await;

    let query = format!("/environment-variables/job/?job_definition_id={job}");
    let shown = house.acme.admin.get(&house.sales.v3(&query)).await.data();
    assert_eq!(shown["DBT_C"]["job"], json!({ "id": own, "value": "3" }));
    assert_eq!(shown["DBT_C"]["environment"]["value"], "2");
    assert_eq!(shown["DBT_A"].as_object().unwrap().len(), 1, "{shown}");
    assert_eq!(shown["DBT_ENV_SECRET_D"]["project"]["value"], "*****");

    house.run(job).await;
    let claimed =
        house.app.store.claim_run(&house.runner().await, &common::worker()).await.unwrap().unwrap();
    let given = claimed.variables.iter().map(|(name, value)| (name.as_str(), value.reveal()));
    assert_eq!(
        given.collect::<Vec<_>>(),
        [("DBT_A", "1"), ("DBT_B", "2"), ("DBT_C", "3"), ("DBT_ENV_SECRET_D", HIDDEN)]
    );

    let related = "include_related=custom_environment_variables";
    let jobs = house.acme.admin.get(&house.acme.v2(&format!("/jobs/{job}/?{related}"))).await;
    assert_eq!(jobs.data()["custom_environment_variables"][0]["id"], own, "{}", jobs.text());
    let path = house.acme.v2(&format!("/environments/{production}/?{related}"));
    let environment = house.acme.admin.get(&path).await.data();
    assert_eq!(environment["custom_environment_variables"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn bulk_takes_one_object_and_a_list_and_does_all_or_nothing() {
    let house = House::new().await;
    let admin = &house.acme.admin;
    let path = house.sales.v3("/environment-variables/bulk/");
    let one = json!({ "env_var": { "new_name": "DBT_A", "project": "1", "production": "2" } });
    let made = admin.post(&path, one.clone()).await;
    assert_eq!(made.status(), 201, "{}", made.text());
    assert_eq!(made.data()["new_var_ids"].as_array().unwrap().len(), 2);
    assert_eq!(admin.post(&path, one).await.status(), 400);
    let list = json!({ "env_var": [
        { "new_name": "DBT_B", "project": "1" }, { "new_name": "DBT_C", "nowhere": "1" } ] });
    let refused = admin.post(&path, list).await;
    assert_eq!((refused.status(), refused.reason("env_var").is_empty()), (400, false));
    assert!(table(&house).await["variables"].get("DBT_B").is_none(), "none of them was made");

    let id = table(&house).await["variables"]["DBT_A"]["production"]["id"].to_string();
    let edit =
        json!({ "env_vars": { "name": "DBT_A", "new_name": "DBT_Z", "project": "9", id: "" } });
    let edited = admin.put(&path, edit).await;
    assert_eq!(edited.status(), 200, "{}", edited.text());
    assert_eq!(edited.data()["deleted_var_ids"].as_array().unwrap().len(), 1);
    let shown = table(&house).await["variables"].clone();
    assert_eq!(shown["DBT_Z"]["project"]["value"], "9", "{shown}");
    assert_eq!(shown.as_object().unwrap().len(), 1);

    let gone = admin.delete_with(&path, json!({ "name": "DBT_Z" })).await;
    assert_eq!((gone.status(), table(&house).await["variables"].clone()), (200, json!({})));
    assert_eq!(admin.delete_with(&path, json!({ "name": "DBT_Z" })).await.status(), 404);
    assert_eq!(admin.delete_with(&path, json!({})).await.status(), 400);
}

#[tokio::test]
async fn what_is_wrong_is_named_and_nothing_is_made() {
    let house = House::new().await;
    let other = house.acme.project("other").await;
    let elsewhere = house.environment(&other, Category::Staging).await;
    let path = house.sales.v3("/environment-variables/");
    make(&house, of_project("DBT_A", "1")).await;
    let wrong = [
        (json!({ "type": "project", "raw_value": "1" }), "name"),
        (of_project("REGION", "1"), "name"),
        (of_project("DBT_region", "1"), "name"),
        (of_project("DBT_", "1"), "name"),
        (of_project("DBT_PROFILES_DIR", "1"), "name"),
        (of_project("DBT_A", "2"), "name"),
        (of_project("DBT_B", "a\0b"), "raw_value"),
        (json!({ "name": "DBT_B", "type": "project" }), "raw_value"),
        (json!({ "name": "DBT_B", "raw_value": "1" }), "type"),
        (json!({ "name": "DBT_B", "type": "team", "raw_value": "1" }), "type"),
        (json!({ "name": "DBT_B", "type": "job", "raw_value": "1" }), "job_definition_id"),
        (
            json!({ "name": "DBT_B", "type": "environment", "raw_value": "1",
                "environment_id": elsewhere.get() }),
            "environment_id",
        ),
        (json!({ "name": "DBT_B", "type": "user", "raw_value": "1", "user_id": 999 }), "user_id"),
        (json!({ "name": "DBT_B", "type": "project", "raw_value": "1", "state": 3 }), "state"),
    ];
    for (body, field) in wrong {
        let answer = house.acme.admin.post(&path, body.clone()).await;
        assert_eq!(answer.status(), 400, "{body}: {}", answer.text());
        assert!(!answer.reason(field).is_empty(), "{body}: {}", answer.text());
    }
    let bulk = house.sales.v3("/environment-variables/bulk/");
    for (body, field) in [
        (json!({}), "env_var"),
        (json!({ "env_var": 7 }), "env_var"),
        (json!({ "env_var": { "project": "1" } }), "new_name"),
        (json!({ "env_var": { "new_name": "DBT_B" } }), "env_var"),
        (json!({ "env_var": { "new_name": "DBT_B", "project": 7 } }), "env_var.project"),
    ] {
        let answer = house.acme.admin.post(&bulk, body.clone()).await;
        assert_eq!((answer.status(), answer.reason(field).is_empty()), (400, false), "{body}");
    }
    let edits = [
        (json!({ "env_var": { "new_name": "DBT_B" } }), "name"),
        (json!({ "env_var": { "name": "DBT_NONE", "project": "1" } }), "name"),
        (json!({ "env_var": { "name": "DBT_A", "new_name": "DBT_ENV_SECRET_A" } }), "new_name"),
    ];
    for (body, field) in edits {
        let answer = house.acme.admin.put(&bulk, body.clone()).await;
        assert_eq!((answer.status(), answer.reason(field).is_empty()), (400, false), "{body}");
    }
    let jobs = house.acme.admin.get(&house.sales.v3("/environment-variables/job/")).await;
    assert_eq!((jobs.status(), jobs.reason("job_definition_id").is_empty()), (400, false));
    assert_eq!(table(&house).await["variables"].as_object().unwrap().len(), 1);
}

#[tokio::test]
async fn a_users_own_value_is_for_that_user_alone() {
    let house = House::new().await;
    let (_, bob) = house.acme.user("bob@acme.example", License::Developer, &["admin"]).await;
    make(&house, of_project("DBT_A", "1")).await;
    let mine = json!({ "name": "DBT_A", "type": "user", "raw_value": "mine" });
    let id = make(&house, mine.clone()).await;
    let shown = house.acme.admin.get(&house.sales.v3("/environment-variables/user/")).await.data();
    assert_eq!(shown["DBT_A"]["user"], json!({ "id": id, "value": "mine" }));
    let theirs = bob.get(&house.sales.v3("/environment-variables/user/")).await;
    assert_eq!(theirs.status(), 200, "{}", theirs.text());
    assert!(theirs.data()["DBT_A"].get("user").is_none());
    let path = house.sales.v3(&format!("/environment-variables/{id}/"));
    assert_eq!(bob.post(&path, json!({ "raw_value": "x" })).await.status(), 404);
    assert_eq!(bob.delete(&path).await.status(), 404);
    let asked = format!("/environment-variables/user/?user_id={}", house.acme.admin_id);
    assert_eq!(bob.get(&house.sales.v3(&asked)).await.status(), 404);
    let token = house.acme.service_token().grant("admin", &house.sales).create().await;
    let refused = token.post(&house.sales.v3("/environment-variables/"), mine).await;
    assert_eq!(refused.status(), 403, "{}", refused.text());
    assert_eq!(token.get(&house.sales.v3("/environment-variables/user/")).await.status(), 403);
}

#[tokio::test]
async fn values_go_with_their_environment_and_their_job() {
    let house = House::new().await;
    let staging = house.environment(&house.sales, Category::Staging).await;
    let job = house.job("nightly").await;
    let of_job =
        json!({ "name": "DBT_A", "type": "job", "job_definition_id": job, "raw_value": "1" });
    make(&house, of_job).await;
    let of_staging = json!({ "name": "DBT_B", "type": "environment",
        "environment_id": staging.get(), "raw_value": "1" });
    let id = make(&house, of_staging).await;
    let gone = house.sales.v3(&format!("/environments/{staging}/"));
    assert_eq!(house.acme.admin.delete(&gone).await.status(), 200);
    let path = house.sales.v3(&format!("/environment-variables/{id}/"));
    assert_eq!(house.acme.admin.post(&path, json!({})).await.status(), 404);
    assert_eq!(
        house.acme.admin.delete(&house.acme.v2(&format!("/jobs/{job}/"))).await.status(),
        200
    );
    let bulk = house.sales.v3("/environment-variables/bulk/");
    let left = house.acme.admin.delete_with(&bulk, json!({ "name": "DBT_A" })).await;
    assert_eq!(left.status(), 404);
}

#[tokio::test]
async fn another_project_another_account_and_a_narrow_token_are_refused() {
    let house = House::new().await;
    let other = house.acme.project("other").await;
    let rival = house.app.account("rival").await;
    let id = make(&house, of_project("DBT_A", "1")).await;
    let here = house.sales.v3("/environment-variables/");
    let one = house.sales.v3(&format!("/environment-variables/{id}/"));
    let table = house.sales.v3("/environment-variables/environment/");
    let reader = house.acme.service_token().grant("job_viewer", &house.sales).create().await;
    assert_eq!(reader.get(&table).await.status(), 200);
    assert_eq!(reader.post(&here, of_project("DBT_B", "1")).await.status(), 403);
    assert_eq!(reader.delete(&one).await.status(), 403);
    let elsewhere = house.acme.service_token().grant("admin", &other).create().await;
    for path in [&here, &one] {
        assert_eq!(elsewhere.post(path, of_project("DBT_B", "1")).await.status(), 404, "{path}");
        assert_eq!(rival.admin.post(path, of_project("DBT_B", "1")).await.status(), 404, "{path}");
    }
    let through = other.v3(&format!("/environment-variables/{id}/"));
    assert_eq!(house.acme.admin.post(&through, json!({ "raw_value": "2" })).await.status(), 404);
    let bulk = house.sales.v3("/environment-variables/bulk/");
    let body = json!({ "env_var": { "name": "DBT_A", "project": "2" } });
    assert_eq!(elsewhere.put(&bulk, body.clone()).await.status(), 404);
    assert_eq!(house.app.anonymous().put(&bulk, body).await.status(), 401);
}
