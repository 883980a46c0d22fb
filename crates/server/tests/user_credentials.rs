//! Users' own credentials over the API: contract (documents: v3 `users/{user_id}/credentials/`).

mod common;

use common::House;
use domain::authz::License;
use serde_json::{Value, json};
use testkit::{TestClient, TestProject};

async fn credential(house: &House, project: &TestProject) -> i64 {
    let body = json!({ "type": "postgres", "default_schema": "dbt_bob", "username": "bob",
        "password": "swordfish", "threads": 4, "target_name": "default" });
    let made = house.acme.admin.post(&project.v3("/credentials/"), body).await;
    assert_eq!(made.status(), 201, "{}", made.text());
    made.id()
}

/// A user who may develop in every project: the path of what is their own, and their token.
async fn developer(house: &House, name: &str) -> (i64, String, TestClient) {
    let email = format!("{name}@acme.example");
    let (id, client) = house.acme.user(&email, License::Developer, &["developer"]).await;
    (id.get(), format!("/api/v3/users/{id}/credentials/"), client)
}

fn body(project: &TestProject, credential: i64) -> Value {
    json!({ "project_id": project.id.get(), "credentials_id": credential, "state": 1 })
}

#[tokio::test]
async fn a_user_makes_reads_changes_and_deletes_their_own() {
    let house = House::new().await;
    let (bob, all, client) = developer(&house, "bob").await;
    let (first, second) =
        (credential(&house, &house.sales).await, credential(&house, &house.sales).await);
    let mut whole = body(&house.sales, first);
    whole["account_id"] = json!(house.acme.id.get());
    whole["user_id"] = json!(bob);
    let made = client.post(&all, whole).await;
    assert_eq!(made.status(), 201, "{}", made.text());
    let told = made.data();
    assert_eq!((&told["user_id"], &told["credentials_id"]), (&json!(bob), &json!(first)));
    assert_eq!((&told["credentials"], &told["project"]), (&Value::Null, &Value::Null));
    let one = format!("{all}{}/", made.id());
    assert_eq!(client.get(&one).await.data(), told);
    assert_eq!(client.get(&all).await.ids(), [made.id()]);
    let related = client.get(&format!("{one}?include_related=credentials,project")).await;
    assert_eq!(related.data()["credentials"]["default_schema"], "dbt_bob");
    assert_eq!(related.data()["project"]["name"], "sales");
    assert!(!related.text().contains("swordfish"));
    assert_eq!(client.post(&one, told.clone()).await.data(), told, "a whole object comes back");
    let changed = client.post(&one, json!({ "credentials_id": second })).await;
    assert_eq!(changed.data()["credentials_id"], second);
    let twice = client.post(&all, body(&house.sales, first)).await;
    assert_eq!((twice.status(), twice.reason("project_id").is_empty()), (400, false));
    assert_eq!(client.post(&one, json!({ "state": 2 })).await.data()["state"], 2);
    assert_eq!(client.get(&one).await.status(), 404);
    assert_eq!(client.delete(&one).await.status(), 404);
    let again = client.post(&all, body(&house.sales, first)).await.id();
    assert_eq!(client.delete(&format!("{all}{again}")).await.data()["state"], 2);
    let path = house.sales.v3(&format!("/credentials/{first}/"));
    assert_eq!(house.acme.admin.get(&path).await.status(), 200, "the credential itself stays");
}

#[tokio::test]
async fn nobody_else_reads_or_writes_them_not_even_an_admin() {
    let house = House::new().await;
    let (bob, all, client) = developer(&house, "bob").await;
    let (_, _, cyd) = developer(&house, "cyd").await;
    let rival = house.app.account("rival").await;
    let own = credential(&house, &house.sales).await;
    let made = client.post(&all, body(&house.sales, own)).await;
    let one = format!("{all}{}/", made.id());
    let token = house.acme.service_token().grant_everywhere("account_admin").create().await;
    for (other, status) in [
        (&house.acme.admin, 404),
        (&cyd, 404),
        (&rival.admin, 404),
        (&token, 403),
        (&house.app.anonymous(), 401),
    ] {
        assert_eq!(other.get(&all).await.status(), status);
        assert_eq!(other.get(&one).await.status(), status);
        assert_eq!(other.post(&all, body(&house.sales, own)).await.status(), status);
        assert_eq!(other.post(&one, json!({ "credentials_id": own })).await.status(), status);
        assert_eq!(other.delete(&one).await.status(), status);
    }
    // Another's under one's own path, and in one's own name.
    let cyds = format!("/api/v3/users/{}/credentials/", house.acme.admin_id);
    assert_eq!(house.acme.admin.get(&format!("{cyds}{}/", made.id())).await.status(), 404);
    assert_eq!(house.acme.admin.delete(&format!("{cyds}{}/", made.id())).await.status(), 404);
    let mut named = body(&house.sales, own);
    named["user_id"] = json!(bob);
    assert_eq!(house.acme.admin.post(&cyds, named).await.status(), 404);
    assert_eq!(house.acme.admin.get(&cyds).await.data(), json!([]));
    assert_eq!(client.get(&one).await.data(), made.data());
}

#[tokio::test]
async fn a_user_names_what_they_may_develop_with_and_no_more() {
    let house = House::new().await;
    let hr = house.acme.project("hr").await;
    let rival = house.app.account("rival").await;
    let theirs = rival.project("theirs").await;
    let (_, all, client) = developer(&house, "bob").await;
    let (ours, of_hr) = (credential(&house, &house.sales).await, credential(&house, &hr).await);
    for (body, field) in [
        (json!({}), "project_id"),
        (json!({}), "credentials_id"),
        (body(&house.sales, of_hr), "credentials_id"),
        (body(&house.sales, 999), "credentials_id"),
        (body(&house.sales, -1), "credentials_id"),
        (
            json!({ "project_id": house.sales.id.get(), "credentials_id": ours, "state": 3 }),
            "state",
        ),
    ] {
        let answer = client.post(&all, body.clone()).await;
        assert_eq!(
            (answer.status(), answer.reason(field).is_empty()),
            (400, false),
            "{body}: {}",
            answer.text()
        );
    }
    assert_eq!(client.post(&all, body(&theirs, ours)).await.status(), 404);
    let one = format!("{all}{}/", client.post(&all, body(&house.sales, ours)).await.id());
    let moved = client.post(&one, json!({ "project_id": hr.id.get() })).await;
    assert_eq!((moved.status(), moved.reason("project_id").is_empty()), (400, false));
    // Who develops nowhere has nothing to develop with.
    let (ann, reader) = house.acme.user("ann@acme.example", License::ReadOnly, &[]).await;
    let path = format!("/api/v3/users/{ann}/credentials/");
    assert_eq!(reader.post(&path, body(&house.sales, ours)).await.status(), 403);
    assert_eq!(reader.get(&path).await.data(), json!([]));
}

#[tokio::test]
async fn they_go_with_their_user_and_take_along_what_nothing_else_names() {
    let house = House::new().await;
    let admin = &house.acme.admin;
    let hr = house.acme.project("hr").await;
    let (bob, all, client) = developer(&house, "bob").await;
    let (alone, shared) = (credential(&house, &house.sales).await, credential(&house, &hr).await);
    client.post(&all, body(&house.sales, alone)).await;
    client.post(&all, body(&hr, shared)).await;
    let environment = json!({ "name": "Prod", "credentials_id": shared });
    assert_eq!(admin.post(&hr.v3("/environments/"), environment).await.status(), 201);
    let license = admin.get(&house.acme.v3(&format!("/users/{bob}/"))).await.data();
    let license = license["license"]["id"].as_i64().unwrap();
    let left = json!({ "license_type": "developer", "state": 2 });
    let left = admin.post(&house.acme.v2(&format!("/permissions/{license}/")), left).await;
    assert_eq!(left.status(), 200, "{}", left.text());
    assert_eq!(client.get(&all).await.status(), 401);
    let gone = house.sales.v3(&format!("/credentials/{alone}/"));
    assert_eq!(admin.get(&gone).await.status(), 404);
    let stays = hr.v3(&format!("/credentials/{shared}/"));
    assert_eq!(admin.get(&stays).await.status(), 200);
    let audit = admin.get(&house.acme.v3("/audit-logs/?limit=10")).await.text();
    for event in ["user_credentials.deleted", "warehouse_credential.deleted", "user.removed"] {
        assert!(audit.contains(event), "{event}");
    }
}

#[tokio::test]
async fn they_go_with_their_credential_and_with_their_project() {
    let house = House::new().await;
    let hr = house.acme.project("hr").await;
    let (_, all, client) = developer(&house, "bob").await;
    let (first, second) = (credential(&house, &house.sales).await, credential(&house, &hr).await);
    client.post(&all, body(&house.sales, first)).await;
    let kept = client.post(&all, body(&hr, second)).await.id();
    let path = house.sales.v3(&format!("/credentials/{first}/"));
    assert_eq!(house.acme.admin.delete(&path).await.status(), 200);
    assert_eq!(client.get(&all).await.ids(), [kept]);
    assert_eq!(house.acme.admin.delete(&hr.url()).await.status(), 200);
    assert_eq!(client.get(&all).await.data(), json!([]));
}
