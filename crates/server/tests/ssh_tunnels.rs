//! SSH tunnels over the API (documents: v2 `encryptions/`).

use serde_json::{Value, json};
use testkit::{TestAccount, TestApp};

async fn connection(acme: &TestAccount) -> i64 {
    let body = json!({ "name": "db", "adapter_version": "postgres_v0",
        "config": { "hostname": "db.internal", "dbname": "shop" } });
    acme.admin.post(&acme.v3("/connections/"), body).await.id()
}

fn body(connection: i64) -> Value {
    json!({ "connection_id": connection, "username": "ada", "port": 2222,
        "hostname": "bastion.example", "state": 1 })
}

#[tokio::test]
async fn one_is_made_with_a_key_read_changed_echoed_and_goes_with_its_connection() {
    let app = TestApp::new().await;
    let acme = app.account("acme").await;
    let connection = connection(&acme).await;
    let all = acme.v2("/encryptions/");
    let made = acme.admin.post(&all, body(connection)).await;
    assert_eq!(made.status(), 201, "{}", made.text());
    let key = made.data()["public_key"].clone();
    assert!(key.as_str().unwrap().starts_with("ssh-ed25519 AAAA"), "{key}");
    let one = acme.v2(&format!("/encryptions/{}/", made.id()));
    let changed = acme.admin.post(&one, json!({ "port": 22 })).await;
    assert_eq!((&changed.data()["port"], &changed.data()["public_key"]), (&json!(22), &key));
    assert_eq!(acme.admin.post(&one, changed.data()).await.data()["public_key"], key);
    let listed = acme.admin.get(&format!("{all}?connection_id={connection}")).await;
    assert_eq!(listed.ids(), [made.id()]);
    assert_eq!(acme.admin.get(&format!("{all}?connection_id=99")).await.data(), json!([]));
    assert!(!listed.text().contains("PRIVATE"));
    let twice = acme.admin.post(&all, body(connection)).await;
    assert_eq!((twice.status(), twice.reason("connection_id").is_empty()), (400, false));
    let gone = acme.admin.delete(&acme.v3(&format!("/connections/{connection}/"))).await;
    assert_eq!(gone.status(), 200, "{}", gone.text());
    assert_eq!(acme.admin.get(&one).await.status(), 404);
    assert_eq!(acme.admin.delete(&one).await.status(), 404);
}

#[tokio::test]
async fn what_is_wrong_is_named_and_what_is_out_of_reach_is_refused() {
    let app = TestApp::new().await;
    let acme = app.account("acme").await;
    let sales = acme.project("sales").await;
    let rival = app.account("rival").await;
    let connection = connection(&acme).await;
    let all = acme.v2("/encryptions/");
    for (field, value) in [
        ("connection_id", json!(999)),
        ("connection_id", Value::Null),
        ("username", json!("-oProxyCommand=id")),
        ("hostname", json!("a b")),
        ("hostname", Value::Null),
        ("port", json!(0)),
        ("port", json!(70_000)),
        ("state", json!(3)),
    ] {
        let mut body = body(connection);
        body[field] = value;
        let answer = acme.admin.post(&all, body).await;
        assert_eq!((answer.status(), answer.reason(field).is_empty()), (400, false), "{field}");
    }
    let id = acme.admin.post(&all, body(connection)).await.id();
    let one = acme.v2(&format!("/encryptions/{id}/"));
    let narrow = acme.service_token().grant("job_runner", &sales).create().await;
    for path in [&all, &one] {
        assert_eq!(narrow.post(path, body(connection)).await.status(), 403, "{path}");
        assert_eq!(rival.admin.get(path).await.status(), 404, "{path}");
        assert_eq!(app.anonymous().get(path).await.status(), 401, "{path}");
    }
    let theirs = rival.v2(&format!("/encryptions/{id}/"));
    assert_eq!(rival.admin.get(&theirs).await.status(), 404);
    assert_eq!(acme.admin.delete(&one).await.data()["state"], 2);
}
