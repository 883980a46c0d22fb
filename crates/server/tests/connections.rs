//! Connections and warehouse credentials over the API: contract sections 4 to 6, 11 and 13.

use serde_json::{Value, json};
use testkit::{TestAccount, TestApp, TestProject};

async fn acme() -> (TestApp, TestAccount, TestProject) {
    let app = TestApp::new().await;
    let acme = app.account("acme").await;
    let sales = acme.project("sales").await;
    (app, acme, sales)
}

fn postgres() -> Value {
    json!({
        "name": "db", "adapter_version": "postgres_v0",
        "config": { "hostname": "db.internal", "dbname": "shop" },
    })
}

fn login() -> Value {
    json!({
        "type": "postgres", "default_schema": "analytics", "username": "ada",
        "password": "swordfish", "target_name": "default", "threads": 8,
    })
}

async fn connection(acme: &TestAccount) -> i64 {
    let made = acme.admin.post(&acme.v3("/connections/"), postgres()).await;
    assert_eq!(made.status(), 201, "{}", made.text());
    made.id()
}

async fn credential(acme: &TestAccount, project: &TestProject) -> i64 {
    let made = acme.admin.post(&project.v3("/credentials/"), login()).await;
    assert_eq!(made.status(), 201, "{}", made.text());
    made.id()
}

#[tokio::test]
async fn a_connection_is_made_read_patched_and_deleted_in_both_slash_forms() {
    let (_app, acme, _) = acme().await;
    for slash in ["", "/"] {
        let made = acme.admin.post(&acme.v3(&format!("/connections{slash}")), postgres()).await;
        assert_eq!(made.status(), 201, "{}", made.text());
        assert_eq!(made.data()["config"]["port"], 5432);
        let one = acme.v3(&format!("/connections/{}{slash}", made.id()));
        assert_eq!(acme.admin.get(&one).await.data(), made.data());
        let patched = acme.admin.patch(&one, json!({ "config": { "port": 5433 } })).await;
        assert_eq!(patched.status(), 200, "{}", patched.text());
        let config = json!({
            "hostname": "db.internal", "dbname": "shop", "port": 5433, "retries": null,
        });
        assert_eq!(patched.data()["config"], config);
        let mut whole = patched.data();
        assert_eq!(acme.admin.patch(&one, whole.clone()).await.data(), patched.data());
        whole["state"] = json!(2);
        assert_eq!(acme.admin.patch(&one, whole).await.data()["state"], 2);
        assert_eq!(acme.admin.get(&one).await.status(), 404);
        assert_eq!(acme.admin.delete(&one).await.status(), 404);
        let again = connection(&acme).await;
        let one = acme.v3(&format!("/connections/{again}{slash}"));
        let deleted = acme.admin.delete(&one).await;
        assert_eq!((deleted.status(), &deleted.data()["state"]), (200, &json!(2)));
        assert_eq!(acme.admin.get(&one).await.json()["status"]["code"], 404);
    }
}

#[tokio::test]
async fn a_list_of_connections_has_no_config_and_counts_environments() {
    let (_app, acme, sales) = acme().await;
    let id = connection(&acme).await;
    let file = json!({
        "name": "file", "adapter_version": "duckdb_v0", "config": { "path": "shop.duckdb" },
    });
    let file = acme.admin.post(&acme.v3("/connections"), file).await.id();
    let environment = json!({ "name": "Prod", "connection_id": id });
    acme.admin.post(&sales.v3("/environments/"), environment).await;
    let listed = acme.admin.get(&acme.v3("/connections/")).await;
    assert_eq!(listed.ids(), [id, file]);
    let row = listed.data()[0].clone();
    assert_eq!(row.get("config"), None);
    assert_eq!(row["environment__count"], 1);
    assert_eq!(row["adapter_version"], "postgres_v0");
    let ids =
        async |query: &str| acme.admin.get(&acme.v3(&format!("/connections?{query}"))).await.ids();
    assert_eq!(ids("adapter_version=duckdb_v0").await, [file]);
    assert_eq!(ids("name__icontains=D").await, [id]);
    assert_eq!(ids("order_by=-id&limit=1").await, [file]);
    acme.admin.delete(&acme.v3(&format!("/connections/{file}"))).await;
    assert_eq!(ids("").await, [id]);
    let all = acme.admin.get(&acme.v3("/connections?state=all")).await.data();
    assert_eq!((&all[0]["state"], &all[1]["state"]), (&json!(1), &json!(2)));
}

#[tokio::test]
async fn a_connection_counts_environments_that_reach_it_by_a_profile_or_by_their_project() {
    let (_app, acme, sales) = acme().await;
    let (first, second) = (connection(&acme).await, connection(&acme).await);
    let one = |id: i64| acme.v3(&format!("/connections/{id}/"));
    // How many environments connect by each, as the list and as one of them says.
    let counts = async || {
        let rows = acme.admin.get(&acme.v3("/connections/")).await.data();
        let mut told = Vec::new();
        for (row, id) in rows.as_array().unwrap().iter().zip([first, second]) {
            let count = row["environment__count"].as_u64().unwrap();
            assert_eq!(acme.admin.get(&one(id)).await.data()["environment__count"], count);
            told.push(count);
        }
        told
    };
    let environment = async |body: Value| {
        let made = acme.admin.post(&sales.v3("/environments/"), body).await;
        assert_eq!(made.status(), 201, "{}", made.text());
        made.id()
    };
    environment(json!({ "name": "by its own word", "connection_id": first })).await;
    let bare = environment(json!({ "name": "by nothing" })).await;
    assert_eq!(counts().await, [1, 0]);
    acme.admin.post(&sales.url(), json!({ "connection_id": second })).await;
    assert_eq!(counts().await, [1, 1]);
    let profile = json!({ "key": "prod", "connection_id": second,
        "credentials_id": credential(&acme, &sales).await });
    let profile = acme.admin.post(&sales.v3("/profiles/"), profile).await.id();
    let body = json!({ "name": "by a profile", "connection_id": first,
        "primary_profile_id": profile });
    environment(body).await;
    assert_eq!(counts().await, [1, 2], "a profile goes before what the environment says");
    acme.admin.delete(&sales.v3(&format!("/environments/{bare}/"))).await;
    assert_eq!(counts().await, [1, 1]);
}

#[tokio::test]
async fn a_connection_tells_of_its_ssh_tunnel_and_takes_the_echo() {
    let (_app, acme, sales) = acme().await;
    let (with, without) = (connection(&acme).await, connection(&acme).await);
    let one = acme.v3(&format!("/connections/{with}/"));
    let told = async || acme.admin.get(&one).await.data()["is_ssh_tunnel_enabled"].clone();
    assert_eq!(told().await, false);
    let tunnel = json!({ "connection_id": with, "username": "ada", "hostname": "bastion.example" });
    let tunnel = acme.admin.post(&acme.v2("/encryptions/"), tunnel).await;
    assert_eq!(tunnel.status(), 201, "{}", tunnel.text());
    let whole = acme.admin.get(&one).await.data();
    assert_eq!(whole["is_ssh_tunnel_enabled"], true);
    let rows = acme.admin.get(&acme.v3("/connections/")).await.data();
    let enabled = [&rows[0]["is_ssh_tunnel_enabled"], &rows[1]["is_ssh_tunnel_enabled"]];
    assert_eq!(enabled, [true, false]);
    assert_eq!(acme.admin.patch(&one, whole.clone()).await.data(), whole);
    let other = acme.v3(&format!("/connections/{without}/"));
    let claimed = acme.admin.patch(&other, json!({ "is_ssh_tunnel_enabled": true })).await;
    assert_eq!(
        (claimed.status(), claimed.reason("is_ssh_tunnel_enabled").is_empty()),
        (400, false)
    );
    acme.admin.post(&sales.url(), json!({ "connection_id": with })).await;
    let project = acme.admin.get(&format!("{}?include_related=connection", sales.url())).await;
    assert_eq!(project.data()["connection"]["tunnel_enabled"], true);
    acme.admin.delete(&acme.v2(&format!("/encryptions/{}/", tunnel.id()))).await;
    assert_eq!(told().await, false);
}

#[tokio::test]
async fn each_wrong_field_of_a_connection_is_named_and_nothing_is_changed() {
    let (_app, acme, _) = acme().await;
    let id = connection(&acme).await;
    let one = acme.v3(&format!("/connections/{id}/"));
    let before = acme.admin.get(&one).await.data();
    for (body, field) in [
        (json!({ "name": "" }), "name"),
        (json!({ "adapter_version": "duckdb_v0" }), "adapter_version"),
        (json!({ "adapter_version": "snowflake_v0" }), "adapter_version"),
        (json!({ "adapter_version": "oracle_v0" }), "adapter_version"),
        (json!({ "config": { "port": 0 } }), "config.port"),
        (json!({ "config": { "port": "5432" } }), "config.port"),
        (json!({ "config": { "hostname": null } }), "config.hostname"),
        (json!({ "config": { "dbname": "x".repeat(64) } }), "config.dbname"),
        (json!({ "config": { "retries": 11 } }), "config.retries"),
        (json!({ "config": { "password": "swordfish" } }), "config.password"),
        (json!({ "config": 7 }), "config"),
        (json!({ "is_ssh_tunnel_enabled": true }), "is_ssh_tunnel_enabled"),
        (json!({ "private_link_endpoint_id": "ple" }), "private_link_endpoint_id"),
        (json!({ "oauth_configuration_id": 1 }), "oauth_configuration_id"),
        (json!({ "state": 3 }), "state"),
    ] {
        let answer = acme.admin.patch(&one, body.clone()).await;
        assert_eq!(answer.status(), 400, "{body}: {}", answer.text());
        assert!(!answer.reason(field).is_empty(), "{body}: {}", answer.text());
        assert!(!answer.text().contains("swordfish"));
    }
    assert_eq!(acme.admin.get(&one).await.data(), before);
    let body = json!({ "name": "a", "adapter_version": "no_such_v0", "config": {} });
    let answer = acme.admin.post(&acme.v3("/connections"), body).await;
    assert_eq!((answer.status(), answer.reason("adapter_version").is_empty()), (400, false));
    let empty = acme.admin.post(&acme.v3("/connections"), json!({})).await;
    for field in ["name", "adapter_version", "config"] {
        assert_eq!(empty.reason(field), "is required");
    }
    assert_eq!(acme.admin.get(&acme.v3("/connections")).await.ids(), [id]);
}

/// A `config` with what the schema of the adapter requires, and each of its secrets.
fn smallest(schema: &Value) -> Value {
    let fields = schema["fields"].as_object().cloned().unwrap_or_default();
    let wanted =
        fields.iter().filter(|(_, field)| field["required"] == true || field["secret"] == true);
    let value = |name: &str, field: &Value| match (name, field["type"].as_str().unwrap_or_default())
    {
        ("http_path", _) => json!("/sql/1.0/warehouses/1"),
        ("host", _) => json!("one.databricks.example"),
        (_, "number") => field["minimum"].clone(),
        _ if field["secret"] == true => json!("swordfish"),
        _ => json!("x"),
    };
    wanted.map(|(name, field)| (name.clone(), value(name, field))).collect()
}

#[tokio::test]
async fn every_adapter_is_described_taken_and_never_shows_its_secrets() {
    let (app, acme, sales) = acme().await;
    let versions = [
        "apache_spark_v0",
        "athena_v0",
        "bigquery_v0",
        "bigquery_v1",
        "databricks_spark_v0",
        "databricks_v0",
        "duckdb_v0",
        "fabric_v0",
        "postgres_v0",
        "redshift_v0",
        "salesforce_v0",
        "snowflake_v0",
        "synapse_v0",
        "teradata_v0",
        "trino_v0",
    ];
    for version in versions {
        let schema = format!("/api/v3/adapter-schema/?adapter_version={version}");
        let schema = acme.admin.get(&schema).await.data();
        let adapter = &schema["adapter"];
        let config = smallest(&adapter["connection"]);
        let body = json!({ "name": version, "adapter_version": version, "config": config });
        let made = acme.admin.post(&acme.v3("/connections/"), body.clone()).await;
        assert_eq!(made.status(), 201, "{version}: {}", made.text());
        let one = acme.v3(&format!("/connections/{}/", made.id()));
        let echoed = acme.admin.patch(&one, made.data()).await;
        assert_eq!(echoed.data(), made.data(), "{version}: {}", echoed.text());
        for (name, field) in adapter["connection"]["fields"].as_object().unwrap() {
            let told = made.data()["config"].get(name).is_some();
            assert_eq!(told, field["secret"] != true, "{version}: {name}");
            let mut without = body.clone();
            without["config"].as_object_mut().unwrap().remove(name);
            let answer = acme.admin.post(&acme.v3("/connections/"), without).await;
            let expected = if field["required"] == true { 400 } else { 201 };
            assert_eq!(answer.status(), expected, "{version}: {name}: {}", answer.text());
            let wrong = acme.admin.patch(&one, json!({ "config": { name: { "a": 1 } } })).await;
            let expected = if field["type"] == "ignored" { 200 } else { 400 };
            assert_eq!(wrong.status(), expected, "{version}: {name}: {}", wrong.text());
        }
        let details = json!({ "fields": smallest(&adapter["credential"]) });
        let body = json!({ "type": "adapter", "adapter_version": version,
            "default_schema": "s", "credential_details": details });
        let credential = acme.admin.post(&sales.v3("/credentials/"), body).await;
        assert_eq!(credential.status(), 201, "{version}: {}", credential.text());
        let one = sales.v3(&format!("/credentials/{}/", credential.id()));
        let echoed = acme.admin.patch(&one, credential.data()).await;
        assert_eq!(echoed.data(), credential.data(), "{version}: {}", echoed.text());
        for answer in [made, credential] {
            assert!(!answer.text().contains("swordfish"), "{}", answer.text());
        }
    }
    for path in ["/api/v3/adapter-schema/", "/api/v3/adapter-schema/?adapter_version=oracle_v0"] {
        let answer = acme.admin.get(path).await;
        assert_eq!((answer.status(), answer.reason("adapter_version").is_empty()), (400, false));
    }
    let schema = "/api/v3/adapter-schema/?adapter_version=duckdb_v0";
    assert_eq!(app.anonymous().get(schema).await.status(), 401);
}

#[tokio::test]
async fn connections_out_of_reach_are_told_401_403_or_404() {
    let (app, acme, sales) = acme().await;
    let rival = app.account("rival").await;
    let (id, theirs) = (connection(&acme).await, connection(&rival).await);
    let (collection, one) = (acme.v3("/connections"), acme.v3(&format!("/connections/{id}")));
    let viewer = acme.service_token().grant("job_viewer", &sales).create().await;
    let billing = acme.service_token().grant_everywhere("billing_admin").create().await;
    for path in [&collection, &one] {
        assert_eq!(app.anonymous().get(path).await.status(), 401);
        assert_eq!(billing.get(path).await.status(), 403);
    }
    assert_eq!(app.anonymous().patch(&one, json!({})).await.status(), 401);
    assert_eq!(app.anonymous().delete(&one).await.status(), 401);
    assert_eq!(viewer.post(&collection, postgres()).await.status(), 403);
    assert_eq!(viewer.patch(&one, json!({ "name": "b" })).await.status(), 403);
    assert_eq!(viewer.delete(&one).await.status(), 403);
    for outside in [
        rival.v3(&format!("/connections/{theirs}")),
        acme.v3(&format!("/connections/{theirs}")),
        acme.v3("/connections/x"),
    ] {
        assert_eq!(acme.admin.get(&outside).await.status(), 404, "{outside}");
        assert_eq!(acme.admin.patch(&outside, json!({ "name": "b" })).await.status(), 404);
        assert_eq!(acme.admin.delete(&outside).await.status(), 404, "{outside}");
    }
    assert_eq!(acme.admin.get(&rival.v3("/connections")).await.status(), 404);
    let mut named = postgres();
    named["account_id"] = rival.id.get().into();
    assert_eq!(acme.admin.post(&collection, named.clone()).await.status(), 404);
    assert_eq!(acme.admin.patch(&one, named).await.status(), 404);
    assert_eq!(acme.admin.get(&collection).await.ids(), [id]);
}

#[tokio::test]
async fn a_connection_that_is_used_stays() {
    let (_app, acme, sales) = acme().await;
    let id = connection(&acme).await;
    let environment = json!({ "name": "Prod", "connection_id": id });
    let environment = acme.admin.post(&sales.v3("/environments/"), environment).await.id();
    let one = acme.v3(&format!("/connections/{id}"));
    assert_eq!(acme.admin.delete(&one).await.status(), 409);
    assert_eq!(acme.admin.patch(&one, json!({ "state": 2 })).await.status(), 409);
    acme.admin.delete(&sales.v3(&format!("/environments/{environment}"))).await;
    assert_eq!(acme.admin.delete(&one).await.status(), 200);
}

#[tokio::test]
async fn a_credential_is_made_read_changed_and_deleted_in_both_slash_forms() {
    let (_app, acme, sales) = acme().await;
    for slash in ["", "/"] {
        let made = acme.admin.post(&sales.v3(&format!("/credentials{slash}")), login()).await;
        assert_eq!(made.status(), 201, "{}", made.text());
        let one = sales.v3(&format!("/credentials/{}{slash}", made.id()));
        assert_eq!(acme.admin.get(&one).await.data(), made.data());
        assert_eq!(made.data()["threads"], 8);
        assert_eq!(acme.admin.post(&one, json!({ "threads": 2 })).await.data()["threads"], 2);
        let patched = acme.admin.patch(&one, json!({ "username": "bob" })).await;
        assert_eq!(
            (&patched.data()["username"], &patched.data()["threads"]),
            (&json!("bob"), &json!(2))
        );
        let mut whole = patched.data();
        assert_eq!(acme.admin.post(&one, whole.clone()).await.data(), patched.data());
        assert_eq!(
            acme.admin.get(&sales.v3(&format!("/credentials{slash}"))).await.ids(),
            [made.id()]
        );
        whole["state"] = json!(2);
        assert_eq!(acme.admin.post(&one, whole).await.data()["state"], 2);
        assert_eq!(acme.admin.get(&one).await.status(), 404);
        assert_eq!(acme.admin.delete(&one).await.status(), 404);
        let one = sales.v3(&format!("/credentials/{}{slash}", credential(&acme, &sales).await));
        let deleted = acme.admin.delete(&one).await;
        assert_eq!((deleted.status(), &deleted.data()["state"]), (200, &json!(2)));
        assert_eq!(acme.admin.get(&one).await.json()["status"]["code"], 404);
    }
}

#[tokio::test]
async fn the_secret_of_a_credential_is_in_no_answer_and_not_in_the_database() {
    let (app, acme, sales) = acme().await;
    let details = json!({
        "type": "adapter", "adapter_version": "postgres_v0",
        "credential_details": { "fields": {
            "schema": { "value": "analytics" }, "user": { "value": "ada" },
            "password": { "value": "swordfish" }, "threads": { "value": 4 },
        }, "field_order": [] },
    });
    for body in [login(), details] {
        let made = acme.admin.post(&sales.v3("/credentials"), body).await;
        assert_eq!(made.status(), 201, "{}", made.text());
        let one = sales.v3(&format!("/credentials/{}", made.id()));
        let answers = [
            acme.admin.get(&one).await,
            acme.admin.get(&sales.v3("/credentials")).await,
            acme.admin.post(&one, json!({ "password": "swordfish" })).await,
            acme.admin.patch(&one, json!({ "password": "swordfish", "threads": 0 })).await,
            acme.admin.patch(&one, json!({ "password": ["swordfish"] })).await,
            acme.admin.delete(&one).await,
            made,
        ];
        for answer in answers {
            assert!(!answer.text().contains("swordfish"), "{}", answer.text());
        }
    }
    for entry in std::fs::read_dir(app.folder()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let bytes = std::fs::read(&path).unwrap();
            let found = bytes.windows(9).any(|window| window == b"swordfish");
            assert!(!found, "{}", path.display());
        }
    }
}

#[tokio::test]
async fn a_duckdb_credential_needs_a_schema_and_nobody_to_log_in() {
    let (_app, acme, sales) = acme().await;
    let body =
        json!({ "type": "adapter", "adapter_version": "duckdb_v0", "default_schema": "main" });
    let made = acme.admin.post(&sales.v3("/credentials"), body).await;
    assert_eq!(made.status(), 201, "{}", made.text());
    let data = made.data();
    assert_eq!((&data["type"], &data["adapter_version"]), (&json!("adapter"), &json!("duckdb_v0")));
    assert_eq!(data["credential_details"]["fields"]["schema"]["value"], "main");
    assert_eq!((&data["target_name"], &data["threads"]), (&json!("default"), &json!(4)));
    let one = sales.v3(&format!("/credentials/{}", made.id()));
    let refused = acme.admin.post(&one, json!({ "password": "x" })).await;
    assert_eq!((refused.status(), refused.reason("password").is_empty()), (400, false));
}

#[tokio::test]
async fn each_wrong_field_of_a_credential_is_named_and_nothing_is_changed() {
    let (_app, acme, sales) = acme().await;
    let id = credential(&acme, &sales).await;
    let one = sales.v3(&format!("/credentials/{id}"));
    let before = acme.admin.get(&one).await.data();
    for (body, field) in [
        (json!({ "type": "snowflake" }), "type"),
        (json!({ "type": "adapter", "adapter_version": "duckdb_v0" }), "type"),
        (json!({ "adapter_version": "athena_v0" }), "adapter_version"),
        (json!({ "default_schema": "a\nb" }), "default_schema"),
        (json!({ "username": "x".repeat(256) }), "username"),
        (json!({ "password": 7 }), "password"),
        (json!({ "password": "x".repeat(4097) }), "password"),
        (json!({ "target_name": "\u{0}" }), "target_name"),
        (json!({ "threads": 0 }), "threads"),
        (json!({ "threads": 65 }), "threads"),
        (
            json!({ "credential_details": { "fields": { "token": "t" } } }),
            "credential_details.fields.token",
        ),
        (
            json!({ "credential_details": { "fields": { "schema": 1 } } }),
            "credential_details.fields.schema",
        ),
        (json!({ "state": -1 }), "state"),
    ] {
        for answer in
            [acme.admin.post(&one, body.clone()).await, acme.admin.patch(&one, body.clone()).await]
        {
            assert_eq!(answer.status(), 400, "{body}: {}", answer.text());
            assert!(!answer.reason(field).is_empty(), "{body}: {}", answer.text());
        }
    }
    assert_eq!(acme.admin.get(&one).await.data(), before);
    let empty = acme.admin.post(&sales.v3("/credentials"), json!({ "type": "postgres" })).await;
    for field in ["default_schema", "username"] {
        assert_eq!(empty.reason(field), "is required");
    }
    assert_eq!(acme.admin.get(&sales.v3("/credentials")).await.ids(), [id]);
}

#[tokio::test]
async fn credentials_out_of_reach_are_told_401_403_or_404() {
    let (app, acme, sales) = acme().await;
    let hr = acme.project("hr").await;
    let (ours, theirs) = (credential(&acme, &sales).await, credential(&acme, &hr).await);
    let viewer = acme.service_token().grant("job_viewer", &sales).create().await;
    let writer = acme.service_token().grant("admin", &sales).create().await;
    let (collection, one) = (sales.v3("/credentials"), sales.v3(&format!("/credentials/{ours}")));
    for path in [&collection, &one] {
        assert_eq!(app.anonymous().get(path).await.status(), 401);
        assert_eq!(app.anonymous().post(path, login()).await.status(), 401);
        assert_eq!(viewer.get(path).await.status(), 403);
        assert_eq!(viewer.post(path, login()).await.status(), 403);
    }
    assert_eq!(viewer.patch(&one, login()).await.status(), 403);
    assert_eq!(viewer.delete(&one).await.status(), 403);
    assert_eq!(writer.get(&collection).await.ids(), [ours]);
    for outside in [
        hr.v3("/credentials"),
        hr.v3(&format!("/credentials/{theirs}")),
        // Another project's id under one's own, and one's own under another.
        sales.v3(&format!("/credentials/{theirs}")),
        hr.v3(&format!("/credentials/{ours}")),
        acme.v3("/projects/999/credentials"),
    ] {
        assert_eq!(writer.get(&outside).await.status(), 404, "{outside}");
        assert_eq!(writer.post(&outside, login()).await.status(), 404, "{outside}");
    }
    let crossed = hr.v3(&format!("/credentials/{ours}"));
    assert_eq!(acme.admin.get(&crossed).await.status(), 404);
    assert_eq!(acme.admin.patch(&crossed, json!({ "threads": 2 })).await.status(), 404);
    assert_eq!(acme.admin.delete(&crossed).await.status(), 404);
    for (key, value) in [("project_id", hr.id.get()), ("account_id", 999)] {
        let mut named = login();
        named[key] = value.into();
        assert_eq!(acme.admin.post(&collection, named.clone()).await.status(), 404);
        assert_eq!(acme.admin.patch(&one, named).await.status(), 404);
    }
    assert_eq!(acme.admin.get(&hr.v3("/credentials")).await.ids(), [theirs]);
}

#[tokio::test]
async fn a_credential_that_is_used_stays() {
    let (_app, acme, sales) = acme().await;
    let id = credential(&acme, &sales).await;
    let environment = json!({ "name": "Prod", "credentials_id": id });
    let environment = acme.admin.post(&sales.v3("/environments/"), environment).await.id();
    let one = sales.v3(&format!("/credentials/{id}"));
    assert_eq!(acme.admin.delete(&one).await.status(), 409);
    assert_eq!(acme.admin.post(&one, json!({ "state": 2 })).await.status(), 409);
    acme.admin.delete(&sales.v3(&format!("/environments/{environment}"))).await;
    assert_eq!(acme.admin.delete(&one).await.status(), 200);
}
