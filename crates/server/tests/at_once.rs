//! Two updates at once, each of another field, both survive: what a body leaves out is what it is
//! by the time that the change is made.

mod common;

use common::House;
use reqwest::Method;
use serde_json::{Value, json};
use testkit::TestAnswer;

/// Changes two fields of one object at once, round after round, each time to something new.
async fn both_survive(house: &House, method: Method, path: &str, fields: [(&str, &str); 2]) {
    let admin = &house.acme.admin;
    let change = async |(field, word): (&str, &str), round: u32| {
        let value = json!(format!("{word}{round}"));
        let (outer, inner) = field.split_once('.').unwrap_or((field, ""));
        let body = match inner {
            "" => json!({ outer: value }),
            inner => json!({ outer: { inner: value } }),
        };
        let answer = TestAnswer::of(admin.request(method.clone(), path).json(&body)).await;
        assert_eq!(answer.status(), 200, "{path} {body}: {}", answer.text());
    };
    for round in 0..12 {
        tokio::join!(change(fields[0], round), change(fields[1], round));
        let told = admin.get(path).await.data();
        for (field, word) in fields {
            let pointer = format!("/{}", field.replace('.', "/"));
            let expected = Value::from(format!("{word}{round}"));
            assert_eq!(told.pointer(&pointer), Some(&expected), "{path} {field}: {told}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_updates_at_once_of_different_fields_both_survive() {
    let house = House::new().await;
    let (acme, sales) = (&house.acme, &house.sales);
    let made = async |path: String, body: Value| {
        let made = acme.admin.post(&path, body).await;
        assert!(made.status() < 300, "{path}: {}", made.text());
        made.id()
    };
    let job = acme.v2(&format!("/jobs/{}/", house.job("nightly").await));
    let environment = format!("/environments/{}/", house.production);
    let connection = json!({ "name": "db", "adapter_version": "postgres_v0",
        "config": { "hostname": "db.internal", "dbname": "shop" } });
    let connection = made(acme.v3("/connections/"), connection).await;
    let own = json!({ "name": "db", "type": "postgres",
        "details": { "hostname": "db.internal", "dbname": "shop" } });
    let own = made(sales.v3("/connections/"), own).await;
    let credential = json!({ "type": "postgres", "default_schema": "s", "username": "ada" });
    let credential = made(sales.v3("/credentials/"), credential).await;
    let hook = json!({ "name": "hook", "client_url": "https://hooks.example/",
        "event_types": ["job.run.errored"] });
    let hook = acme.admin.post(&acme.v3("/webhooks/subscriptions"), hook).await.data();
    let hook = hook["id"].as_str().unwrap_or_default();
    for (method, path, fields) in [
        (Method::POST, job.clone(), ["name", "description"]),
        (Method::POST, job, ["settings.target_name", "compare_changes_flags"]),
        (Method::POST, acme.v2(&environment), ["name", "custom_branch"]),
        (Method::POST, sales.v3(&environment), ["name", "custom_branch"]),
        (Method::POST, sales.url(), ["name", "description"]),
        (
            Method::PATCH,
            acme.v3(&format!("/connections/{connection}/")),
            ["config.hostname", "config.dbname"],
        ),
        (
            Method::POST,
            sales.v3(&format!("/connections/{own}/")),
            ["details.hostname", "details.dbname"],
        ),
        (
            Method::PATCH,
            sales.v3(&format!("/credentials/{credential}/")),
            ["default_schema", "username"],
        ),
        (Method::PUT, acme.v3(&format!("/webhooks/subscription/{hook}")), ["name", "description"]),
        (Method::POST, format!("/api/v2/users/{}/", acme.admin_id), ["first_name", "last_name"]),
    ] {
        let [first, second] = fields;
        both_survive(&house, method, &path, [(first, "a"), (second, "b")]).await;
    }
}
