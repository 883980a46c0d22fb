//! The Semantic Layer's settings, through the router.

mod common;

use common::House;
use domain::authz::Category;
use serde_json::{Value, json};
use testkit::TestClient;

fn configurations(house: &House) -> String {
    house.sales.v3("/semantic-layer-configurations/")
}

fn credentials(house: &House) -> String {
    house.acme.v3("/semantic-layer-credentials/")
}

fn mappings(house: &House) -> String {
    house.acme.v3("/semantic-layer-credential-to-service-token-mapping/")
}

fn credential(house: &House) -> Value {
    json!({
        "id": null, "account_id": house.acme.id.get(), "project_id": house.sales.id.get(),
        "name": "metrics", "adapter_version": "postgres_v0", "state": 1,
        "values": { "username": "ada", "password": "hunter2-sl", "port": 5432 },
    })
}

#[tokio::test]
async fn a_configuration_names_an_environment_and_the_project_tells_of_it() {
    let house = House::new().await;
    let admin = &house.acme.admin;
    let project = async || admin.get(&house.sales.url()).await.data();
    assert_eq!(project().await["semantic_layer_config_id"], Value::Null);
    let body = json!({
        "project_id": house.sales.id.get(), "environment_id": house.production.get(), "state": 1,
    });
    let made = admin.post(&configurations(&house), body.clone()).await;
    assert_eq!(made.status(), 201, "{}", made.text());
    let one = format!("{}{}/", configurations(&house), made.id());
    assert_eq!(admin.get(&one).await.data(), made.data());
    assert_eq!(project().await["semantic_layer_config_id"], made.id());
    // A project takes the id that is its own, and no other.
    let named = |id: i64| json!({ "name": "sales", "semantic_layer_config_id": id });
    let told = admin.post(&house.sales.url(), named(made.id())).await;
    assert_eq!((told.status(), &told.data()["semantic_layer_config_id"]), (200, &json!(made.id())));
    let wrong = admin.post(&house.sales.url(), named(999)).await;
    assert_eq!((wrong.status(), wrong.reason("semantic_layer_config_id").is_empty()), (400, false));
    // One a project.
    let again = admin.post(&configurations(&house), body).await;
    assert_eq!((again.status(), again.reason("project_id").is_empty()), (400, false));
    let staging = house.environment(&house.sales, Category::Staging).await.get();
    let changed = admin.post(&one, json!({ "environment_id": staging })).await;
    assert_eq!((changed.status(), &changed.data()["environment_id"]), (200, &json!(staging)));
    // What it names is not deleted under it.
    let path = house.acme.v3(&format!("/environments/{staging}/"));
    assert_eq!(admin.delete(&path).await.status(), 409);
    let gone = admin.delete(&one).await;
    assert_eq!((gone.status(), &gone.data()["state"]), (200, &json!(2)));
    assert_eq!(admin.get(&one).await.status(), 404);
    assert_eq!(project().await["semantic_layer_config_id"], Value::Null);
    assert_eq!(admin.delete(&path).await.status(), 200);
}

#[tokio::test]
async fn a_credential_tells_no_secret_and_keeps_it_over_an_update() {
    let house = House::new().await;
    let admin = &house.acme.admin;
    let made = admin.post(&credentials(&house), credential(&house)).await;
    assert_eq!(made.status(), 201, "{}", made.text());
    assert_eq!(made.data()["values"], json!({ "username": "ada", "port": 5432 }));
    assert_eq!(made.data()["schema_type"], "semantic_layer_credentials");
    let one = format!("{}{}/", credentials(&house), made.id());
    let changed = admin.post(&one, json!({ "name": "new", "values": { "username": "bob" } })).await;
    assert_eq!(changed.status(), 200, "{}", changed.text());
    assert_eq!(changed.data()["values"], json!({ "username": "bob" }));
    assert_eq!(admin.get(&one).await.data(), changed.data());
    assert_eq!(admin.get(&credentials(&house)).await.ids(), [made.id()]);
    let query = format!("{}?project_id={}", credentials(&house), house.sales.id);
    assert_eq!(admin.get(&query).await.ids(), [made.id()]);
    assert_eq!(admin.get(&format!("{}?project_id=999", credentials(&house))).await.ids(), [0; 0]);
    for file in ["narrowgate.db", "narrowgate.db-wal"] {
        let bytes = std::fs::read(house.app.folder().join(file)).unwrap_or_default();
        assert!(!bytes.windows(10).any(|part| part == b"hunter2-sl"), "{file}");
    }
    assert_eq!(admin.post(&one, json!({ "state": 2 })).await.data()["state"], 2);
    assert_eq!(admin.get(&one).await.status(), 404);
}

#[tokio::test]
async fn a_mapping_joins_a_token_and_a_credential_and_goes_with_either() {
    let house = House::new().await;
    let admin = &house.acme.admin;
    let (token, _) =
        house.acme.service_token().grant_everywhere("semantic_layer_only").create_with_id().await;
    let credential = admin.post(&credentials(&house), credential(&house)).await.id();
    let body = json!({
        "account_id": house.acme.id.get(), "project_id": house.sales.id.get(), "state": 1,
        "semantic_layer_credentials_id": credential, "service_token_id": token,
    });
    let join = async || admin.post(&mappings(&house), body.clone()).await;
    let made = join().await;
    assert_eq!(made.status(), 201, "{}", made.text());
    assert_eq!(join().await.status(), 400);
    let query = format!("{}?service_token_id={token}", mappings(&house));
    assert_eq!(admin.get(&query).await.data(), json!([made.data()]));
    let one = format!("{}{}/", mappings(&house), made.id());
    assert_eq!(admin.delete(&one).await.status(), 200);
    assert_eq!(admin.delete(&one).await.status(), 404);
    // The credential goes, and the mapping with it.
    join().await;
    let path = format!("{}{credential}/", credentials(&house));
    assert_eq!(admin.delete(&path).await.status(), 200);
    assert_eq!(admin.get(&mappings(&house)).await.ids(), [0; 0]);
    assert_eq!(
        join().await.reason("semantic_layer_credentials_id"),
        "does not name a semantic_layer_credential within reach"
    );
    // A token that is revoked is not held up.
    let credential = admin.post(&credentials(&house), self::credential(&house)).await.id();
    let mut body = body.clone();
    body["semantic_layer_credentials_id"] = json!(credential);
    assert_eq!(admin.post(&mappings(&house), body).await.status(), 201);
    let path = house.acme.v3(&format!("/service-tokens/{token}/"));
    assert_eq!(admin.delete(&path).await.status(), 200);
    assert_eq!(admin.get(&mappings(&house)).await.ids(), [0; 0]);
}

#[tokio::test]
async fn each_wrong_field_is_named() {
    let house = House::new().await;
    let hr = house.acme.project("hr").await;
    let theirs = house.environment(&hr, Category::Production).await.get();
    let admin = &house.acme.admin;
    for (field, body) in [
        ("environment_id", json!({})),
        ("environment_id", json!({ "environment_id": theirs })),
        ("environment_id", json!({ "environment_id": 999 })),
        ("environment_id", json!({ "environment_id": "x" })),
    ] {
        let answer = admin.post(&configurations(&house), body.clone()).await;
        assert_eq!((answer.status(), answer.reason(field).is_empty()), (400, false), "{body}");
    }
    for (field, value) in [
        ("name", Value::Null),
        ("project_id", Value::Null),
        ("adapter_version", json!("excel_v0")),
        ("values", json!([])),
        ("values", json!({ "password": { "deep": 1 } })),
        ("values", json!({ "password": "x".repeat(70_000) })),
        ("state", json!(3)),
    ] {
        let mut body = credential(&house);
        body.as_object_mut().unwrap().insert(field.to_owned(), value);
        let answer = admin.post(&credentials(&house), body).await;
        assert_eq!(
            (answer.status(), answer.reason(field).is_empty()),
            (400, false),
            "{field}: {}",
            answer.text()
        );
    }
    for field in ["project_id", "semantic_layer_credentials_id", "service_token_id"] {
        let answer = admin.post(&mappings(&house), json!({})).await;
        assert_eq!((answer.status(), answer.reason(field).is_empty()), (400, false), "{field}");
    }
    let mut body = credential(&house);
    body.as_object_mut().unwrap().insert("project_id".to_owned(), json!(999));
    assert_eq!(admin.post(&credentials(&house), body).await.status(), 404);
}

/// The answers to list, show and create of credentials, and to create of a configuration.
async fn all(house: &House, client: &TestClient, id: i64) -> [u16; 4] {
    [
        client.get(&credentials(house)).await.status(),
        client.get(&format!("{}{id}/", credentials(house))).await.status(),
        client.post(&credentials(house), credential(house)).await.status(),
        client
            .post(&configurations(house), json!({ "environment_id": house.production.get() }))
            .await
            .status(),
    ]
}

#[tokio::test]
async fn who_may_what_with_the_semantic_layer() {
    let house = House::new().await;
    let hr = house.acme.project("hr").await;
    let id = house.acme.admin.post(&credentials(&house), credential(&house)).await.id();
    let token = || house.acme.service_token();
    assert_eq!(all(&house, &house.app.anonymous(), id).await, [401; 4]);
    let only = token().grant_everywhere("semantic_layer_only").create().await;
    assert_eq!(all(&house, &only, id).await, [403; 4]);
    let viewer = token().grant("job_admin", &house.sales).create().await;
    assert_eq!(all(&house, &viewer, id).await, [200, 200, 403, 403]);
    let elsewhere = token().grant("admin", &hr).create().await;
    assert_eq!(all(&house, &elsewhere, id).await, [200, 404, 404, 404]);
    assert_eq!(elsewhere.get(&credentials(&house)).await.ids(), [0; 0]);
    let admin = token().grant("admin", &house.sales).create().await;
    assert_eq!(all(&house, &admin, id).await, [200, 200, 201, 201]);
}
