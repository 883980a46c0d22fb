use domain::{
    AccountId, ConnectionId,
    connection::{Connection as DomainConnection, ConnectionSpec, DuckDbPath, Platform},
};
use insta::assert_snapshot;
use serde_json::{Value, json};
use wire::v3::{Connection, ConnectionBody, ConnectionRow, RelatedConnection};

use super::{at, body, echo, fields, name, pretty, reasons};

fn postgres() -> ConnectionSpec {
    let platform = Platform::Postgres {
        hostname: "db.internal".to_owned(),
        dbname: "shop".to_owned(),
        port: 5433,
        retries: Some(2),
    };
    ConnectionSpec::named(name("warehouse"), platform)
}

fn duckdb() -> ConnectionSpec {
    let platform = Platform::DuckDb { path: DuckDbPath::parse("shop.duckdb").unwrap() };
    ConnectionSpec::named(name("file"), platform)
}

fn connection(spec: ConnectionSpec) -> DomainConnection {
    DomainConnection {
        id: ConnectionId::new(5).unwrap(),
        account: AccountId::new(1).unwrap(),
        project: None,
        spec,
        created_by: None,
        environments: 3,
        tunnel: false,
        created_at: at("2026-11-23T12:00:00Z"),
        updated_at: at("2026-11-23T12:00:00Z"),
    }
}

fn create(json: &Value) -> Result<ConnectionSpec, wire::Invalid> {
    body::<ConnectionBody>(json).create()
}

fn apply(json: &Value, old: ConnectionSpec) -> Result<ConnectionSpec, wire::Invalid> {
    body::<ConnectionBody>(json).apply(old)
}

#[test]
fn an_answer_has_every_key() {
    assert_snapshot!(pretty(&Connection::from(&connection(postgres()))), @r#"
    {
      "id": 5,
      "account_id": 1,
      "name": "warehouse",
      "adapter_version": "postgres_v0",
      "environment__count": 3,
      "state": 1,
      "private_link_endpoint_id": null,
      "is_ssh_tunnel_enabled": false,
      "oauth_configuration_id": null,
      "platform_metadata_credentials_id": null,
      "analytics_credentials_id": null,
      "created_at": "2026-11-23T12:00:00.000000+00:00",
      "updated_at": "2026-11-23T12:00:00.000000+00:00",
      "config": {
        "hostname": "db.internal",
        "dbname": "shop",
        "port": 5433,
        "retries": 2
      },
      "oauth_redirect_uri": null,
      "is_configured_for_native_oauth": false
    }
    "#);
}

#[test]
fn a_row_of_a_list_has_no_config_but_a_count_of_environments() {
    let row = serde_json::to_value(ConnectionRow::from(&connection(duckdb()))).unwrap();
    assert_eq!(row.get("config"), None);
    assert_eq!(row["environment__count"], 3);
    assert_eq!(row["adapter_version"], "duckdb_v0");
}

#[test]
fn what_projects_carry_along_tells_where_a_server_is_and_nothing_of_a_file() {
    let related = RelatedConnection::from(&connection(postgres()));
    assert_eq!((related.r#type.as_str(), related.port), ("postgres", Some(5433)));
    let related = RelatedConnection::from(&connection(duckdb()));
    assert_eq!((related.r#type.as_str(), related.hostname), ("adapter", None));
}

#[test]
fn an_answer_reads_back_as_it_was() {
    for spec in [postgres(), duckdb()] {
        let answer = Connection::from(&connection(spec));
        let text = serde_json::to_string(&answer).unwrap();
        assert_eq!(serde_json::from_str::<Connection>(&text).unwrap(), answer);
    }
}

#[test]
fn a_whole_object_that_is_echoed_changes_nothing() {
    for spec in [postgres(), duckdb()] {
        let echo = echo(&Connection::from(&connection(spec.clone())));
        assert_eq!(apply(&echo, spec.clone()).unwrap(), spec);
        assert_eq!(create(&echo).unwrap(), spec);
    }
}

#[test]
fn config_is_merged_key_by_key() {
    let changed = apply(&json!({ "config": { "port": null, "dbname": "hr" } }), postgres());
    let platform = Platform::Postgres {
        hostname: "db.internal".to_owned(),
        dbname: "hr".to_owned(),
        port: 5432,
        retries: Some(2),
    };
    assert_eq!(changed.unwrap(), ConnectionSpec::named(name("warehouse"), platform));
    let refused = apply(&json!({ "config": { "hostname": null } }), postgres());
    assert_eq!(fields(refused), ["config.hostname"]);
}

#[test]
fn keys_that_a_platform_does_not_have_are_refused_by_name() {
    let refused = create(&json!({
        "name": "a", "adapter_version": "duckdb_v0",
        "config": { "path": "a.duckdb", "hostname": "h", "token": "t" },
    }));
    assert_snapshot!(pretty(&reasons(refused)), @r#"
    {
      "config.hostname": "is not a key of `duckdb_v0`",
      "config.token": "is not a key of `duckdb_v0`"
    }
    "#);
}

#[test]
fn every_wrong_field_is_named_at_once() {
    let refused = create(&json!({
        "adapter_version": "postgres_v0", "is_ssh_tunnel_enabled": true,
        "private_link_endpoint_id": "ple", "oauth_configuration_id": 4, "state": 2,
        "config": { "hostname": "", "dbname": "x".repeat(64), "port": 65536, "retries": -1 },
    }));
    assert_snapshot!(pretty(&reasons(refused)), @r#"
    {
      "config.dbname": "must have at most 63 characters",
      "config.hostname": "must not be empty",
      "config.port": "must be a whole number from 1 to 65535",
      "config.retries": "must be a whole number from 0 to 10",
      "is_ssh_tunnel_enabled": "is true once the connection has an SSH tunnel: make one under `encryptions`",
      "name": "is required",
      "oauth_configuration_id": "is not supported by this server: leave it out, or null",
      "private_link_endpoint_id": "is not supported by this server: leave it out, or null",
      "state": "must be 1 (active), or 2 (deleted) for what is there"
    }
    "#);
    let refused = create(&json!({}));
    assert_eq!(fields(refused), ["adapter_version", "config", "name"]);
}

#[test]
fn other_platforms_are_read_by_the_table_of_adapters() {
    let body = json!({
        "name": "a", "adapter_version": "snowflake_v0",
        "config": { "account": "a", "database": "d", "warehouse": "w", "role": null,
            "oauth_client_secret": "swordfish" },
    });
    let told = Connection::from(&connection(create(&body).unwrap()));
    assert_snapshot!(pretty(&told.config), @r#"
    {
      "account": "a",
      "database": "d",
      "warehouse": "w",
      "client_session_keep_alive": false,
      "role": null,
      "allow_sso": false
    }
    "#);
    let secrets = self::body::<ConnectionBody>(&body).secrets(None);
    assert_eq!(secrets.to_text().reveal(), r#"{"oauth_client_secret":"swordfish"}"#);
    assert!(!format!("{:?}", self::body::<ConnectionBody>(&body)).contains("swordfish"));
    let refused = create(&json!({ "name": "a", "adapter_version": "oracle_v0", "config": {} }));
    assert_eq!(fields(refused), ["adapter_version"]);
}

#[test]
fn a_connection_stays_on_its_platform() {
    let config = json!({ "adapter_version": "duckdb_v0", "config": { "path": "a.duckdb" } });
    let reason = &reasons(apply(&config, postgres()))["adapter_version"];
    assert_eq!(reason, "cannot be changed: it is `postgres_v0`");
}

#[test]
fn a_file_outside_of_the_accounts_folder_is_refused() {
    for path in ["/etc/passwd", "../a.duckdb", "a/../../b", "md:cloud", ""] {
        let refused = create(&json!({
            "name": "a", "adapter_version": "duckdb_v0", "config": { "path": path },
        }));
        assert_eq!(fields(refused), ["config.path"], "{path}");
    }
}
