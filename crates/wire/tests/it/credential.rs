use domain::{
    AccountId, CredentialId, ProjectId,
    warehouse_credential::{CredentialSpec, Login, WarehouseCredential},
};
use insta::assert_snapshot;
use serde_json::{Value, json};
use wire::v3::{Credential, CredentialBody};

use super::{at, body, echo, fields, pretty, reasons};

fn spec(login: Login) -> CredentialSpec {
    CredentialSpec {
        login,
        schema: "analytics".to_owned(),
        target_name: "default".to_owned(),
        threads: 8,
        adapter_id: None,
    }
}

fn ada() -> Login {
    Login::Postgres { username: "ada".to_owned() }
}

fn credential(login: Login) -> WarehouseCredential {
    WarehouseCredential {
        id: CredentialId::new(7).unwrap(),
        account: AccountId::new(1).unwrap(),
        project: ProjectId::new(2).unwrap(),
        spec: spec(login),
        created_at: at("2026-11-23T12:00:00Z"),
        updated_at: at("2026-11-23T12:00:00Z"),
    }
}

/// What a body makes, its secret as text.
fn create(json: &Value) -> Result<(CredentialSpec, Option<String>), wire::Invalid> {
    let (spec, secret) = body::<CredentialBody>(json).create()?;
    Ok((spec, secret.map(|secret| secret.reveal().to_owned())))
}

fn apply(json: &Value, login: Login) -> Result<(CredentialSpec, Option<String>), wire::Invalid> {
    let (spec, secret) = body::<CredentialBody>(json).apply(spec(login))?;
    Ok((spec, secret.map(|secret| secret.reveal().to_owned())))
}

#[test]
fn an_answer_has_every_key_and_no_secret() {
    assert_snapshot!(pretty(&Credential::from(&credential(ada()))), @r#"
    {
      "id": 7,
      "account_id": 1,
      "project_id": 2,
      "type": "postgres",
      "adapter_version": "postgres_v0",
      "adapter_id": null,
      "username": "ada",
      "default_schema": "analytics",
      "schema": "analytics",
      "auth_type": null,
      "user": "ada",
      "role": null,
      "database": null,
      "warehouse": null,
      "target_name": "default",
      "threads": 8,
      "credential_details": {
        "field_order": [
          "schema",
          "target_name",
          "threads",
          "user"
        ],
        "fields": {
          "schema": {
            "value": "analytics"
          },
          "target_name": {
            "value": "default"
          },
          "threads": {
            "value": 8
          },
          "user": {
            "value": "ada"
          }
        }
      },
      "state": 1,
      "created_at": "2026-11-23T12:00:00.000000+00:00",
      "updated_at": "2026-11-23T12:00:00.000000+00:00"
    }
    "#);
}

#[test]
fn a_whole_object_that_is_echoed_changes_nothing_and_keeps_the_secret() {
    for login in [ada(), Login::DuckDb] {
        let echo = echo(&Credential::from(&credential(login.clone())));
        assert_eq!(apply(&echo, login.clone()).unwrap(), (spec(login), None));
    }
}

#[test]
fn the_type_postgres_has_flat_fields() {
    let made = create(&json!({
        "type": "postgres", "default_schema": "analytics", "username": "ada",
        "password": "swordfish", "target_name": "default", "threads": 8, "state": 1,
    }));
    assert_eq!(made.unwrap(), (spec(ada()), Some("swordfish".to_owned())));
}

#[test]
fn the_type_adapter_has_details_with_values_or_objects() {
    let made = create(&json!({
        "type": "adapter", "adapter_version": "postgres_v0",
        "credential_details": { "field_order": [], "fields": {
            "schema": { "metadata": { "label": "Schema" }, "value": "analytics" },
            "user": "ada", "password": { "value": "swordfish" },
            "threads": { "value": "8" }, "target_name": { "value": null },
        } },
    }));
    assert_eq!(made.unwrap(), (spec(ada()), Some("swordfish".to_owned())));
    let made = create(&json!({
        "type": "adapter", "adapter_version": "duckdb_v0", "threads": 8,
        "credential_details": { "fields": { "schema": "analytics" } },
    }));
    assert_eq!(made.unwrap(), (spec(Login::DuckDb), None));
}

#[test]
fn a_secret_that_is_left_out_null_or_empty_is_kept() {
    for left_out in [json!({}), json!({ "password": null }), json!({ "password": "" })] {
        assert_eq!(apply(&left_out, ada()).unwrap().1, None);
    }
    let changed = apply(&json!({ "password": "tuna" }), ada());
    assert_eq!(changed.unwrap(), (spec(ada()), Some("tuna".to_owned())));
}

#[test]
fn a_secret_of_the_wrong_type_is_refused_and_not_repeated() {
    let refused = wire::from_json::<CredentialBody>(br#"{"password": 90210}"#);
    assert_snapshot!(pretty(&reasons(refused)), @r#"
    {
      "password": "does not fit"
    }
    "#);
    let refused = create(&json!({
        "type": "adapter", "adapter_version": "postgres_v0",
        "credential_details": { "fields": { "password": 90210, "user": "a", "schema": "s" } },
    }));
    assert_snapshot!(pretty(&reasons(refused)), @r#"
    {
      "credential_details.fields.password": "must be a text"
    }
    "#);
}

#[test]
fn a_body_does_not_show_its_secret() {
    let body: CredentialBody = body(&json!({
        "password": "swordfish", "credential_details": { "fields": { "password": "swordfish" } },
    }));
    assert!(!format!("{body:?}").contains("swordfish"));
}

#[test]
fn every_wrong_field_is_named_at_once() {
    let refused = create(&json!({ "type": "postgres", "threads": 65, "state": 7 }));
    assert_snapshot!(pretty(&reasons(refused)), @r#"
    {
      "default_schema": "is required",
      "state": "must be 1 (active), or 2 (deleted) for what is there",
      "threads": "must be a whole number from 1 to 64",
      "username": "is required"
    }
    "#);
    let refused = create(&json!({
        "type": "adapter", "adapter_version": "duckdb_v0", "username": "ada", "password": "x",
        "credential_details": { "fields": { "schema": "a\nb", "token": "t", "threads": 0 } },
    }));
    assert_snapshot!(pretty(&reasons(refused)), @r#"
    {
      "credential_details.fields.schema": "must not contain control characters",
      "credential_details.fields.threads": "must be a whole number from 1 to 64",
      "credential_details.fields.token": "is not a field of `duckdb_v0`",
      "default_schema": "is required",
      "password": "is not a field of `duckdb_v0`",
      "username": "is not a field of `duckdb_v0`"
    }
    "#);
}

#[test]
fn types_that_are_not_known_are_refused() {
    for (kind, version, field) in [
        (Value::Null, Value::Null, "type"),
        (json!("oracle"), Value::Null, "type"),
        (json!("oracle"), json!("postgres_v0"), "type"),
        (json!("adapter"), Value::Null, "adapter_version"),
        (json!("adapter"), json!("oracle_v0"), "adapter_version"),
        (json!("postgres"), json!("duckdb_v0"), "adapter_version"),
    ] {
        let refused = create(&json!({
            "type": kind, "adapter_version": version, "default_schema": "s",
        }));
        assert_eq!(fields(refused), [field], "{kind} {version}");
    }
}

#[test]
fn the_type_snowflake_has_flat_fields_of_its_own() {
    let given = json!({ "type": "snowflake", "auth_type": "keypair", "user": "ada",
        "schema": "analytics", "warehouse": "wh", "private_key": "KEY", "threads": 8 });
    let (made, secret) = create(&given).unwrap();
    assert_eq!(secret.as_deref(), Some(r#"{"private_key":"KEY"}"#));
    assert_eq!(made.login.adapter_version(), "snowflake_v0");
    let told = Credential::from(&WarehouseCredential { spec: made.clone(), ..credential(ada()) });
    assert_eq!((told.r#type.as_str(), told.user.as_deref()), ("snowflake", Some("ada")));
    assert_eq!((told.warehouse.as_deref(), told.role.as_deref()), (Some("wh"), None));
    let (same, kept) = apply(&echo(&told), made.login.clone()).unwrap();
    assert_eq!((same, kept), (made.clone(), None), "an echo changes nothing");
    let changed = apply(&json!({ "auth_type": "sso" }), made.login);
    assert_eq!(reasons(changed)["auth_type"], "must be `password` or `keypair`");
}

#[test]
fn the_type_adapter_reads_details_by_the_table_of_adapters() {
    let (made, secret) = create(&json!({
        "type": "adapter", "adapter_version": "databricks_v0", "threads": 8, "target_name": "default",
        "credential_details": { "field_order": [], "fields": {
            "schema": { "value": "analytics" }, "token": { "value": "dapi" },
            "catalog": { "value": "main" } } },
    }))
    .unwrap();
    assert_eq!(secret.as_deref(), Some(r#"{"token":"dapi"}"#));
    assert_eq!(made.schema, "analytics");
    let refused = create(&json!({
        "type": "adapter", "adapter_version": "teradata_v0", "default_schema": "s",
        "credential_details": { "fields": { "password": 7, "wings": "two" } },
    }));
    assert_snapshot!(pretty(&reasons(refused)), @r#"
    {
      "credential_details.fields.password": "must be a text",
      "credential_details.fields.wings": "is not a key of `teradata_v0`",
      "user": "is required"
    }
    "#);
}

#[test]
fn a_credential_stays_for_its_platform() {
    let refused = apply(&json!({ "type": "postgres", "username": "ada" }), Login::DuckDb);
    assert_eq!(reasons(refused)["type"], "cannot be changed: it is for `duckdb_v0`");
}
