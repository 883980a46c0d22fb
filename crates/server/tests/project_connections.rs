//! Connections of one project and its adapters over the API (contract, section 11: what the
//! documents call legacy).

mod common;

use common::House;
use serde_json::{Value, json};

fn postgres() -> Value {
    json!({
        "account_id": null, "name": "db", "type": "postgres", "state": 1,
        "details": { "hostname": "db.internal", "dbname": "shop", "tunnel_enabled": false },
    })
}

async fn make(house: &House, body: Value) -> Value {
    let made = house.acme.admin.post(&house.sales.v3("/connections/"), body).await;
    assert_eq!(made.status(), 201, "{}", made.text());
    made.data()
}

fn at(house: &House, made: &Value) -> String {
    house.sales.v3(&format!("/connections/{}/", made["id"]))
}

#[tokio::test]
async fn one_is_made_read_changed_echoed_and_deleted_in_both_slash_forms() {
    let house = House::new().await;
    let admin = &house.acme.admin;
    for slash in ["", "/"] {
        let made = make(&house, postgres()).await;
        assert_eq!(made["project_id"], house.sales.id.get());
        assert_eq!(made["created_by_id"], house.acme.admin_id.get());
        assert_eq!(
            (&made["type"], &made["adapter_version"]),
            (&json!("postgres"), &json!("postgres_v0"))
        );
        let details = json!({
            "hostname": "db.internal", "dbname": "shop", "port": 5432, "retries": null,
        });
        assert_eq!(made["details"], details);
        let one = house.sales.v3(&format!("/connections/{}{slash}", made["id"]));
        assert_eq!(admin.get(&one).await.data(), made);
        let changed = admin.post(&one, json!({ "name": "new", "details": { "port": 5433 } })).await;
        assert_eq!(changed.status(), 200, "{}", changed.text());
        assert_eq!(
            changed.data()["details"]["hostname"],
            "db.internal",
            "keys that are absent stay"
        );
        assert_eq!(
            (&changed.data()["name"], &changed.data()["details"]["port"]),
            (&json!("new"), &json!(5433))
        );
        let mut whole = changed.data();
        assert_eq!(
            admin.post(&one, whole.clone()).await.data(),
            whole,
            "a whole object comes back"
        );
        whole["state"] = json!(2);
        assert_eq!(admin.post(&one, whole).await.data()["state"], 2);
        assert_eq!(admin.get(&one).await.json()["status"]["code"], 404);
        assert_eq!(admin.delete(&one).await.status(), 404);
        let again = make(&house, postgres()).await;
        let deleted = admin.delete(&at(&house, &again)).await;
        assert_eq!((deleted.status(), &deleted.data()["state"]), (200, &json!(2)));
    }
    let listed = admin.get(&house.sales.v3("/connections/?state=all")).await.data();
    let states: Vec<_> = listed.as_array().unwrap().iter().map(|row| &row["state"]).collect();
    assert_eq!(states, [2, 2, 2, 2]);
}

#[tokio::test]
async fn each_is_seen_by_its_own_face_only() {
    let house = House::new().await;
    let (admin, acme) = (&house.acme.admin, &house.acme);
    let own = make(&house, postgres()).await;
    let shared = json!({ "name": "shared", "adapter_version": "duckdb_v0",
        "config": { "path": "shop.duckdb" } });
    let shared = admin.post(&acme.v3("/connections/"), shared).await.id();
    let id = own["id"].as_i64().unwrap();
    assert_eq!(admin.get(&acme.v3("/connections/?state=all")).await.ids(), [shared]);
    assert_eq!(admin.get(&house.sales.v3("/connections/")).await.ids(), [id]);
    for (path, body) in [
        (acme.v3(&format!("/connections/{id}/")), json!({ "name": "x" })),
        (house.sales.v3(&format!("/connections/{shared}/")), json!({ "name": "x" })),
    ] {
        assert_eq!(admin.get(&path).await.status(), 404, "{path}");
        let change = if path.contains("projects") {
            admin.post(&path, body).await
        } else {
            admin.patch(&path, body).await
        };
        assert_eq!(change.status(), 404, "{path}");
        assert_eq!(admin.delete(&path).await.status(), 404, "{path}");
    }
    let tunnel = json!({ "connection_id": id, "username": "ada", "hostname": "bastion.example" });
    let tunnel = admin.post(&acme.v2("/encryptions/"), tunnel).await;
    assert_eq!((tunnel.status(), tunnel.reason("connection_id").is_empty()), (400, false));
}

#[tokio::test]
async fn the_project_and_its_environments_name_it_and_no_other_project_does() {
    let house = House::new().await;
    let admin = &house.acme.admin;
    let hr = house.acme.project("hr").await;
    let own = make(&house, postgres()).await;
    for path in [house.sales.v3("/environments/"), house.sales.url()] {
        let named = json!({ "name": "e", "connection_id": own["id"] });
        let named = admin.post(&path, named).await;
        assert!(named.status() < 300, "{path}: {}", named.text());
    }
    for path in [hr.v3("/environments/"), hr.url(), house.acme.v3("/projects/")] {
        let foreign = admin.post(&path, json!({ "name": "e", "connection_id": own["id"] })).await;
        assert_eq!(
            (foreign.status(), foreign.reason("connection_id").is_empty()),
            (400, false),
            "{path}"
        );
    }
    let included = admin.get(&format!("{}?include_related=connection", house.sales.url())).await;
    assert_eq!(included.data()["connection"]["id"], own["id"]);
    assert_eq!(included.data()["connection"]["project_id"], house.sales.id.get());
    // Who may read projects, but no data platforms, sees no connection of one.
    let narrow = house.acme.service_token().grant_everywhere("git_admin").create().await;
    let seen = narrow.get(&format!("{}?include_related=connection", house.sales.url())).await;
    let reads = narrow.get(&at(&house, &own)).await.status() == 200;
    assert_eq!(seen.data()["connection"].is_null(), !reads);
    let used = admin.delete(&at(&house, &own)).await;
    assert_eq!(used.status(), 409, "{}", used.text());
    assert_eq!(admin.delete(&house.sales.url()).await.status(), 200);
    assert_eq!(admin.get(&at(&house, &own)).await.status(), 404, "it goes with its project");
}

#[tokio::test]
async fn each_wrong_field_is_named_and_nothing_is_changed() {
    let house = House::new().await;
    let admin = &house.acme.admin;
    let (all, made) = (house.sales.v3("/connections/"), make(&house, postgres()).await);
    let one = at(&house, &made);
    for (body, field) in [
        (json!({ "name": "" }), "name"),
        (json!({ "type": "snowflake" }), "type"),
        (json!({ "type": "oracle" }), "type"),
        (json!({ "adapter_version": "duckdb_v0" }), "adapter_version"),
        (json!({ "details": { "port": 0 } }), "details.port"),
        (json!({ "details": { "hostname": null } }), "details.hostname"),
        (json!({ "details": { "password": "swordfish" } }), "details.password"),
        (
            json!({ "details": { "connection_details": { "fields": { "port": { "value": 0 } } } } }),
            "details.port",
        ),
        (json!({ "details": { "connection_details": 7 } }), "details.connection_details"),
        (json!({ "details": { "tunnel_enabled": true } }), "details.tunnel_enabled"),
        (json!({ "details": { "adapter_id": 999 } }), "details.adapter_id"),
        (json!({ "details": { "adapter_id": "swordfish" } }), "details.adapter_id"),
        (json!({ "details": 7 }), "details"),
        (json!({ "private_link_endpoint_id": "ple" }), "private_link_endpoint_id"),
        (json!({ "oauth_configuration_id": 1 }), "oauth_configuration_id"),
        (json!({ "state": 3 }), "state"),
    ] {
        let answer = admin.post(&one, body.clone()).await;
        assert_eq!(answer.status(), 400, "{body}: {}", answer.text());
        assert!(!answer.reason(field).is_empty(), "{body}: {}", answer.text());
        assert!(!answer.text().contains("swordfish"));
    }
    assert_eq!(admin.get(&one).await.data(), made);
    let empty = admin.post(&all, json!({})).await;
    for field in ["name", "type", "details"] {
        assert_eq!(empty.reason(field), "is required");
    }
    let adapter = json!({ "name": "a", "type": "adapter", "details": {} });
    assert!(!admin.post(&all, adapter).await.reason("adapter_version").is_empty());
    let file = json!({ "name": "a", "type": "adapter", "adapter_version": "duckdb_v0",
        "details": { "path": "../x" } });
    assert!(!admin.post(&all, file).await.reason("details.path").is_empty());
}

#[tokio::test]
async fn secrets_are_taken_kept_and_never_told() {
    let house = House::new().await;
    let admin = &house.acme.admin;
    let body = json!({
        "name": "flake", "type": "snowflake",
        "details": {
            "account": "a", "database": "d", "warehouse": "w", "oauth_client_id": "swordfish",
            "oauth_client_secret": "swordfish",
        },
    });
    let made = make(&house, body).await;
    let one = at(&house, &made);
    let changed = admin.post(&one, json!({ "details": { "role": "r" } })).await;
    assert_eq!(changed.data()["details"]["role"], "r");
    let audit = admin.get(&house.acme.v3("/audit-logs/?limit=2")).await;
    assert!(audit.text().contains("connection.updated"), "{}", audit.text());
    assert!(audit.text().contains("oauth_client_secret"), "that it was set is told");
    for answer in
        [admin.get(&one).await, admin.get(&house.sales.v3("/connections/")).await, changed, audit]
    {
        assert!(!answer.text().contains("swordfish"), "{}", answer.text());
    }
    assert!(!made.to_string().contains("swordfish"));
}

#[tokio::test]
async fn an_adapter_is_made_read_changed_echoed_and_deleted() {
    let house = House::new().await;
    let admin = &house.acme.admin;
    let all = house.sales.v3("/adapters/");
    let body = json!({
        "account_id": house.acme.id.get(), "project_id": house.sales.id.get(),
        "adapter_version": "databricks_v0", "metadata_json": { "a": [1, null] }, "state": 1,
    });
    let made = admin.post(&all, body).await;
    assert_eq!(made.status(), 201, "{}", made.text());
    let told = made.data();
    assert_eq!(told["metadata_json"], json!({ "a": [1, null] }));
    assert_eq!(
        (&told["created_by_id"], &told["created_by_service_token_id"]),
        (&json!(house.acme.admin_id), &Value::Null)
    );
    let one = house.sales.v3(&format!("/adapters/{}/", made.id()));
    assert_eq!(admin.get(&one).await.data(), told);
    let changed = admin.post(&one, json!({ "metadata_json": "text" })).await.data();
    assert_eq!(
        (&changed["metadata_json"], &changed["adapter_version"]),
        (&json!("text"), &json!("databricks_v0"))
    );
    assert_eq!(admin.post(&one, changed.clone()).await.data(), changed);
    for (body, field) in [
        (json!({ "adapter_version": "duckdb_v0" }), "adapter_version"),
        (json!({ "adapter_version": "oracle_v0" }), "adapter_version"),
        (json!({ "metadata_json": "x".repeat(70_000) }), "metadata_json"),
        (json!({ "state": 3 }), "state"),
    ] {
        let answer = admin.post(&one, body).await;
        assert_eq!((answer.status(), answer.reason(field).is_empty()), (400, false), "{field}");
    }
    assert_eq!(admin.post(&all, json!({})).await.reason("adapter_version"), "is required");
    assert_eq!(admin.post(&one, json!({ "state": 2 })).await.data()["state"], 2);
    assert_eq!(admin.get(&one).await.status(), 404);
    assert_eq!(admin.delete(&one).await.status(), 404);
    let (token_id, token) =
        house.acme.service_token().grant("job_admin", &house.sales).create_with_id().await;
    let made = token.post(&all, json!({ "adapter_version": "duckdb_v0" })).await;
    assert_eq!(
        (&made.data()["created_by_service_token_id"], &made.data()["metadata_json"]),
        (&json!(token_id), &json!({}))
    );
    assert_eq!(
        token.delete(&house.sales.v3(&format!("/adapters/{}/", made.id()))).await.status(),
        200
    );
}

#[tokio::test]
async fn credentials_and_connections_are_made_by_an_adapter_and_keep_it() {
    let house = House::new().await;
    let admin = &house.acme.admin;
    let hr = house.acme.project("hr").await;
    let adapter = async |project: &testkit::TestProject, version: &str| {
        let body = json!({ "adapter_version": version });
        admin.post(&project.v3("/adapters/"), body).await.id()
    };
    let (spark, file) =
        (adapter(&house.sales, "databricks_v0").await, adapter(&house.sales, "duckdb_v0").await);
    let theirs = adapter(&hr, "duckdb_v0").await;
    let details = json!({
        "adapter_id": spark,
        "connection_details": {
            "fields": {
                "host": { "metadata": {}, "value": "one.databricks.example" },
                "http_path": { "value": "/sql/1.0/warehouses/1" },
            },
            "field_order": ["host", "http_path"],
        },
    });
    let connection =
        make(&house, json!({ "name": "bricks", "type": "adapter", "details": details })).await;
    assert_eq!(connection["adapter_version"], "databricks_v0");
    assert_eq!(connection["details"]["adapter_id"], spark);
    let host = &connection["details"]["connection_details"]["fields"]["host"];
    assert_eq!(host, &json!({ "value": "one.databricks.example" }));
    let echoed = admin.post(&at(&house, &connection), connection.clone()).await;
    assert_eq!(echoed.data(), connection, "{}", echoed.text());
    let body = json!({ "type": "adapter", "adapter_id": file, "default_schema": "s" });
    let credential = admin.post(&house.sales.v3("/credentials/"), body.clone()).await;
    assert_eq!(credential.status(), 201, "{}", credential.text());
    assert_eq!(
        (&credential.data()["adapter_id"], &credential.data()["adapter_version"]),
        (&json!(file), &json!("duckdb_v0"))
    );
    let one = house.sales.v3(&format!("/credentials/{}/", credential.id()));
    assert_eq!(admin.patch(&one, credential.data()).await.data(), credential.data());
    // Of another project, of another platform, of nobody.
    for (id, field) in [
        (theirs, "adapter_id"),
        (spark, "adapter_version"),
        (999, "adapter_id"),
        (-1, "adapter_id"),
    ] {
        let answer = admin.patch(&one, json!({ "adapter_id": id })).await;
        assert_eq!(
            (answer.status(), answer.reason(field).is_empty()),
            (400, false),
            "{id}: {}",
            answer.text()
        );
        let mut body = body.clone();
        body["adapter_version"] = json!("duckdb_v0");
        body["adapter_id"] = json!(id);
        let answer = admin.post(&house.sales.v3("/credentials/"), body).await;
        assert_eq!(
            (answer.status(), answer.reason("adapter_id").is_empty()),
            (400, false),
            "{id}: {}",
            answer.text()
        );
    }
    for (id, named) in [(spark, at(&house, &connection)), (file, one)] {
        let adapter = house.sales.v3(&format!("/adapters/{id}/"));
        assert_eq!(admin.delete(&adapter).await.status(), 409);
        assert_eq!(admin.delete(&named).await.status(), 200);
        assert_eq!(admin.delete(&adapter).await.status(), 200);
    }
}

#[tokio::test]
async fn those_of_another_project_or_account_are_not_there() {
    let house = House::new().await;
    let hr = house.acme.project("hr").await;
    let rival = house.app.account("rival").await;
    let connection = make(&house, postgres()).await["id"].as_i64().unwrap();
    let adapter = house
        .acme
        .admin
        .post(&house.sales.v3("/adapters/"), json!({ "adapter_version": "duckdb_v0" }))
        .await
        .id();
    let of_hr = house.acme.service_token().grant("job_admin", &hr).create().await;
    let viewer = house.acme.service_token().grant("analyst_read", &house.sales).create().await;
    let runner = house.acme.service_token().grant("job_runner", &house.sales).create().await;
    for (noun, id, body) in [
        ("connections", connection, postgres()),
        ("adapters", adapter, json!({ "adapter_version": "duckdb_v0" })),
    ] {
        let here = house.sales.v3(&format!("/{noun}/{id}/"));
        let all = house.sales.v3(&format!("/{noun}/"));
        let elsewhere = hr.v3(&format!("/{noun}/{id}/"));
        for (client, path, status) in [
            (&house.acme.admin, &elsewhere, 404),
            (&of_hr, &here, 404),
            (&rival.admin, &here, 404),
            (&runner, &here, 403),
            (&house.app.anonymous(), &here, 401),
        ] {
            assert_eq!(client.get(path).await.status(), status, "{path}");
            assert_eq!(client.post(path, json!({ "state": 1 })).await.status(), status, "{path}");
            assert_eq!(client.delete(path).await.status(), status, "{path}");
        }
        for client in [&of_hr, &rival.admin] {
            assert_eq!(client.post(&all, body.clone()).await.status(), 404, "{all}");
        }
        assert_eq!(viewer.get(&here).await.status(), 200);
        for refused in [
            viewer.post(&here, json!({})).await,
            viewer.post(&all, body.clone()).await,
            viewer.delete(&here).await,
        ] {
            assert_eq!(refused.status(), 403, "{}", refused.text());
        }
        for (key, value) in [("project_id", hr.id.get()), ("account_id", rival.id.get())] {
            let mut named = body.clone();
            named[key] = value.into();
            assert_eq!(house.acme.admin.post(&all, named.clone()).await.status(), 404);
            assert_eq!(house.acme.admin.post(&here, named).await.status(), 404);
        }
    }
    assert_eq!(of_hr.get(&house.sales.v3("/connections/")).await.status(), 404);
    assert_eq!(of_hr.get(&hr.v3("/connections/")).await.data(), json!([]));
    assert_eq!(runner.get(&house.sales.v3("/connections/")).await.status(), 403);
}
