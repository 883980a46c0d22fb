//! Profiles and extended attributes of environments over the API (documents: v3 `profiles/`).

mod common;

use common::House;
use serde_json::{Value, json};

/// A connection, a credential and extended attributes of the project.
async fn parts(house: &House) -> (i64, i64, i64) {
    let admin = &house.acme.admin;
    let connection = json!({ "name": "Shop", "adapter_version": "duckdb_v0",
        "config": { "path": "shop.duckdb" } });
    let connection = admin.post(&house.acme.v3("/connections/"), connection).await.id();
    let credential = json!({ "type": "adapter", "adapter_version": "duckdb_v0",
        "default_schema": "marts" });
    let credential = admin.post(&house.sales.v3("/credentials/"), credential).await.id();
    let attributes = json!({ "extended_attributes": { "threads": 2 } });
    let attributes = admin.post(&house.sales.v3("/extended-attributes/"), attributes).await.id();
    (connection, credential, attributes)
}

fn body(house: &House, (connection, credential, attributes): (i64, i64, i64)) -> Value {
    json!({ "account_id": house.acme.id.get(), "project_id": house.sales.id.get(), "key": "prod",
        "connection_id": connection, "credentials_id": credential,
        "extended_attributes_id": attributes })
}

#[tokio::test]
async fn one_is_made_listed_changed_echoed_and_deleted() {
    let house = House::new().await;
    let admin = &house.acme.admin;
    let parts = parts(&house).await;
    let all = house.sales.v3("/profiles/");
    let made = admin.post(&all, body(&house, parts)).await;
    assert_eq!(made.status(), 201, "{}", made.text());
    assert_eq!(made.data()["primary_bindings"], json!([]));
    let id = made.id();
    let path = house.sales.v3(&format!("/profiles/{id}/"));
    let changed =
        admin.patch(&path, json!({ "pk": id, "key": "main", "extended_attributes_id": null }));
    let changed = changed.await.data();
    assert_eq!(
        (&changed["key"], &changed["extended_attributes_id"]),
        (&json!("main"), &Value::Null)
    );
    assert_eq!(changed["connection_id"], parts.0, "what is absent is kept");
    assert_eq!(admin.patch(&path, changed).await.status(), 200, "a whole object comes back");
    for (query, found) in [
        ("key=main", 1),
        ("key=prod", 0),
        (&format!("connection_id={}", parts.0), 1),
        (&format!("profile_ids={id},99"), 1),
        ("profile_ids=99", 0),
    ] {
        let listed = admin.get(&format!("{all}?{query}")).await;
        assert_eq!(listed.data().as_array().unwrap().len(), found, "{query}: {}", listed.text());
    }
    assert_eq!(admin.delete(&path).await.data()["state"], 2);
    assert_eq!(admin.get(&path).await.status(), 404);
    assert_eq!(admin.delete(&path).await.status(), 404);
    assert_eq!(admin.patch(&path, json!({ "key": "x" })).await.status(), 404);
}

#[tokio::test]
async fn an_environment_names_a_profile_and_a_run_connects_by_it() {
    let house = House::new().await;
    let admin = &house.acme.admin;
    let parts = parts(&house).await;
    let profile = admin.post(&house.sales.v3("/profiles/"), body(&house, parts)).await.id();
    let path = house.sales.v3(&format!("/environments/{}/", house.production));
    let named = admin.post(&path, json!({ "primary_profile_id": profile })).await;
    assert_eq!(named.data()["primary_profile_id"], profile, "{}", named.text());
    let shown = admin.get(&house.sales.v3(&format!("/profiles/{profile}/"))).await.data();
    let binding = json!({ "id": house.production.get(), "name": "production",
        "type": "deployment", "deployment_type": "production" });
    assert_eq!(shown["primary_bindings"], json!([binding]));

    let job = house.job("nightly").await;
    house.run(job).await;
    let claimed =
        house.app.store.claim_run(&house.runner().await, &common::worker()).await.unwrap().unwrap();
    assert_eq!(claimed.connection.unwrap().id.get(), parts.0);
    assert_eq!(claimed.credential.unwrap().id.get(), parts.1);
    assert_eq!(Value::Object(claimed.attributes), json!({ "threads": 2 }));
}

#[tokio::test]
async fn what_is_named_stays_until_nothing_names_it() {
    let house = House::new().await;
    let admin = &house.acme.admin;
    let parts = parts(&house).await;
    let profile = admin.post(&house.sales.v3("/profiles/"), body(&house, parts)).await.id();
    let environment = house.sales.v3(&format!("/environments/{}/", house.production));
    let attributes = house.sales.v3(&format!("/extended-attributes/{}/", parts.2));
    let profile = (house.sales.v3(&format!("/profiles/{profile}/")), profile);
    let set = json!({ "primary_profile_id": profile.1, "extended_attributes_id": parts.2 });
    let set = admin.post(&environment, set).await;
    assert_eq!(set.data()["extended_attributes_id"], parts.2, "{}", set.text());
    let connection = house.acme.v3(&format!("/connections/{}/", parts.0));
    let credential = house.sales.v3(&format!("/credentials/{}/", parts.1));
    for path in [&attributes, &profile.0, &connection, &credential] {
        let refused = admin.delete(path).await;
        assert_eq!(refused.status(), 409, "{path}: {}", refused.text());
    }
    let clear = json!({ "primary_profile_id": null, "extended_attributes_id": null });
    assert_eq!(admin.post(&environment, clear).await.status(), 200);
    for path in [&profile.0, &attributes, &connection, &credential] {
        let gone = admin.delete(path).await;
        assert_eq!(gone.status(), 200, "{path}: {}", gone.text());
    }
}

#[tokio::test]
async fn what_is_wrong_is_named_and_nothing_is_made() {
    let house = House::new().await;
    let admin = &house.acme.admin;
    let parts = parts(&house).await;
    let other = house.acme.project("other").await;
    let theirs = json!({ "extended_attributes": {} });
    let theirs = admin.post(&other.v3("/extended-attributes/"), theirs).await.id();
    let path = house.sales.v3("/profiles/");
    for (field, value) in [
        ("key", json!("1prod")),
        ("key", json!("a--b")),
        ("key", json!("ends_")),
        ("key", Value::Null),
        ("connection_id", json!(999)),
        ("connection_id", Value::Null),
        ("credentials_id", json!(999)),
        ("extended_attributes_id", json!(theirs)),
        ("state", json!(3)),
    ] {
        let mut body = body(&house, parts);
        body[field] = value;
        let answer = admin.post(&path, body).await;
        assert_eq!(answer.status(), 400, "{field}: {}", answer.text());
        assert!(!answer.reason(field).is_empty(), "{field}: {}", answer.text());
    }
    assert_eq!(admin.get(&path).await.data(), json!([]));
    assert_eq!(admin.post(&path, body(&house, parts)).await.status(), 201);
    let twice = admin.post(&path, body(&house, parts)).await;
    assert_eq!((twice.status(), twice.reason("key").is_empty()), (400, false));
    let environment = house.sales.v3(&format!("/environments/{}/", house.production));
    for (field, value) in [("extended_attributes_id", theirs), ("primary_profile_id", 999)] {
        let answer = admin.post(&environment, json!({ field: value })).await;
        assert_eq!((answer.status(), answer.reason(field).is_empty()), (400, false), "{field}");
    }
}

#[tokio::test]
async fn another_project_another_account_and_a_narrow_token_are_refused() {
    let house = House::new().await;
    let parts = parts(&house).await;
    let id = house.acme.admin.post(&house.sales.v3("/profiles/"), body(&house, parts)).await.id();
    let other = house.acme.project("other").await;
    let rival = house.app.account("rival").await;
    let all = house.sales.v3("/profiles/");
    let one = house.sales.v3(&format!("/profiles/{id}/"));
    let narrow = house.acme.service_token().grant("job_runner", &house.sales).create().await;
    let elsewhere = house.acme.service_token().grant("admin", &other).create().await;
    for path in [&all, &one] {
        assert_eq!(narrow.get(path).await.status(), 403, "{path}");
        assert_eq!(elsewhere.get(path).await.status(), 404, "{path}");
        assert_eq!(rival.admin.get(path).await.status(), 404, "{path}");
        assert_eq!(house.app.anonymous().get(path).await.status(), 401, "{path}");
    }
    assert_eq!(narrow.post(&all, body(&house, parts)).await.status(), 403);
    assert_eq!(narrow.patch(&one, json!({ "key": "x" })).await.status(), 403);
    assert_eq!(elsewhere.delete(&one).await.status(), 404);
    assert_eq!(house.acme.admin.get(&other.v3(&format!("/profiles/{id}/"))).await.status(), 404);
}
