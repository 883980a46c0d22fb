//! `profiles.yml`: connection, credential and overrides in dbt's words.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use domain::{
    adapter::{AdapterVersion, FieldSecrets},
    connection::Platform,
    kept::Hidden,
    warehouse_credential::{Login, WarehouseSecret},
};
use serde_json::{Map, Value, json};
use store::ClaimedRun;

use crate::tunnel::Destination;

/// The profile's name, as in dbt Cloud. It is given to dbt by `DBT_PROFILE`, which goes before
/// what `dbt_project.yml` says, so that file need not be read.
pub(crate) const NAME: &str = "user";

/// The variable that hands dbt a secret. dbt lets only profiles read variables of this prefix, and
/// hides their values in its own log (dbt documentation, "Environment variables").
fn variable(field: &str) -> String {
    format!("DBT_ENV_SECRET_NARROWGATE_{}", field.to_ascii_uppercase())
}

/// What dbt connects with.
#[derive(Debug)]
pub(crate) struct Profile {
    /// The text of `profiles.yml`. It is JSON, which is YAML too and leaves no doubt about quotes.
    pub(crate) text: String,
    /// The DuckDB file, if it is one.
    pub(crate) database: Option<PathBuf>,
    /// Secrets: the variables that hand them to dbt, and their values.
    pub(crate) secrets: Vec<(String, Hidden)>,
}

/// Where the run's SSH tunnel leads, if it has one.
///
/// # Errors
/// A sentence, if the data platform is none that a tunnel leads to, or is named elsewhere.
pub(crate) fn behind_tunnel(claimed: &ClaimedRun) -> Result<Option<Destination>, String> {
    let (Some(_), Some(connection)) = (&claimed.tunnel, &claimed.connection) else {
        return Ok(None);
    };
    if let Some(key) =
        ["host", "port"].into_iter().find(|key| claimed.attributes.contains_key(*key))
    {
        return Err(format!("the extended attributes set `{key}`, which is the SSH tunnel's"));
    }
    let name = connection.spec.name.as_str();
    let found = match &connection.spec.platform {
        Platform::Postgres { hostname, port, .. } => Some((hostname.as_str(), u64::from(*port))),
        Platform::Other { adapter, config } if adapter.dbt == "redshift" => {
            let host = config.get("hostname").and_then(Value::as_str);
            host.zip(config.get("port").and_then(Value::as_u64))
        }
        Platform::DuckDb { .. } | Platform::Other { .. } => None,
    };
    let found = found.and_then(|(host, port)| Some((host, u16::try_from(port).ok()?)));
    let (host, port) = found.ok_or_else(|| {
        format!("an SSH tunnel leads to PostgreSQL or Redshift, not to that of `{name}`: delete it")
    })?;
    Ok(Some(Destination { host: host.to_owned(), port }))
}

/// Makes the profile of a run, which finds its data platform on a port of this machine where a tunnel
/// leads there; DuckDB files are in `warehouses`, one folder an account, and in it
/// one for each project with a connection of its own: who may write that names no file of others.
///
/// # Errors
/// A sentence that says what is missing or does not go together.
pub(crate) fn profile(
    claimed: &ClaimedRun,
    warehouses: &Path,
    tunnel: Option<u16>,
) -> Result<Profile, String> {
    let environment = claimed.environment.spec.name.as_str();
    let connection = claimed.connection.as_ref().ok_or_else(|| {
        format!("the environment `{environment}` has no connection, and neither has its project")
    })?;
    let name = connection.spec.name.as_str();
    let login = claimed.credential.as_ref().map(|credential| &credential.spec.login);
    let (mut output, database, secrets) = match (&connection.spec.platform, login) {
        (Platform::DuckDb { path }, None | Some(Login::DuckDb)) => {
            let mut file = warehouses.join(claimed.run.account.to_string());
            if let Some(project) = connection.project {
                file.extend(["projects".to_owned(), project.to_string()]);
            }
            file.push(path.as_str());
            let output = json!({ "type": "duckdb", "path": literal(&file.to_string_lossy()) });
            (output, Some(file), Vec::new())
        }
        (
            Platform::Postgres { hostname, dbname, port, retries },
            Some(Login::Postgres { username }),
        ) => {
            let password = claimed.secret.as_ref();
            let mut output = json!({
                "type": "postgres",
                "host": literal(hostname),
                "port": port,
                "user": literal(username),
                "password": password.map_or(String::new(), |_| from_environment("password")),
                "dbname": literal(dbname),
            });
            if let Some(retries) = retries {
                set(&mut output, "retries", json!(retries));
            }
            let hidden = |secret: &WarehouseSecret| Hidden::new(secret.reveal().to_owned());
            (
                output,
                None,
                password.map(|text| (variable("password"), hidden(text))).into_iter().collect(),
            )
        }
        (Platform::Other { adapter, config }, login)
            if login.is_none_or(|login| login.adapter_version() == adapter.version)
                && (login.is_some() || adapter.credential.is_empty()) =>
        {
            let (output, secrets) = other(claimed, *adapter, config, login);
            (output, None, secrets)
        }
        (Platform::Postgres { .. } | Platform::Other { .. }, None) => {
            return Err(format!(
                "the connection `{name}` needs a credential, and the environment \
                 `{environment}` has none"
            ));
        }
        (platform, Some(login)) => {
            return Err(format!(
                "the connection `{name}` is for {}, but the credential of the environment \
                 `{environment}` is for {}",
                title(platform.adapter_version()),
                title(login.adapter_version())
            ));
        }
    };
    if let Some(port) = tunnel {
        set(&mut output, "host", json!("127.0.0.1"));
        set(&mut output, "port", json!(port));
    }
    let text = write(claimed, output)?.to_string();
    Ok(Profile { text, database, secrets })
}

/// The whole file: what is given, the extended attributes over it, and over these what the trigger
/// overrides.
fn write(claimed: &ClaimedRun, mut output: Value) -> Result<Value, String> {
    let (job, trigger) = (&claimed.job.spec, &claimed.run.trigger);
    let credential = claimed.credential.as_ref().map(|credential| credential.spec.schema.as_str());
    set(&mut output, "schema", json!(literal(credential.unwrap_or("main"))));
    set(&mut output, "threads", json!(job.threads));
    for (key, value) in &claimed.attributes {
        // The data platform, and the file that no other run may use at the same time.
        if key == "type" || (key == "path" && output.get("type") == Some(&json!("duckdb"))) {
            return Err(format!("the extended attributes set `{key}`, which is the connection's"));
        }
        set(&mut output, key, value.clone());
    }
    if let Some(schema) = &trigger.schema_override {
        set(&mut output, "schema", json!(literal(schema)));
    }
    if let Some(threads) = trigger.threads_override {
        set(&mut output, "threads", json!(threads));
    }
    let target = trigger.target_name_override.as_ref().unwrap_or(&job.target_name);
    Ok(json!({ NAME: { "target": literal(target), "outputs": { target: output } } }))
}

fn set(object: &mut Value, key: &str, value: Value) {
    if let Some(object) = object.as_object_mut() {
        object.insert(key.to_owned(), value);
    }
}

fn from_environment(field: &str) -> String {
    format!("{{{{ env_var('{}') }}}}", variable(field))
}

/// The target of a platform of the table: what the connection says, and the credential over it.
fn other(
    claimed: &ClaimedRun,
    adapter: AdapterVersion,
    config: &Map<String, Value>,
    login: Option<&Login>,
) -> (Value, Vec<(String, Hidden)>) {
    let mut output = json!({ "type": adapter.dbt });
    for (key, value) in adapter.fixed {
        set_at(&mut output, key, json!(value));
    }
    let none = Map::new();
    let login = match login {
        Some(Login::Other { fields, .. }) => fields,
        Some(Login::DuckDb | Login::Postgres { .. }) | None => &none,
    };
    let sealed = claimed.secret.as_ref().map(|text| FieldSecrets::from_text(text.reveal()));
    let sealed = sealed.unwrap_or_default();
    let mut secrets = BTreeMap::new();
    for (fields, values, held) in [
        (adapter.connection, config, &claimed.connection_secrets),
        (adapter.credential, login, &sealed),
    ] {
        for field in fields.iter().filter(|field| !field.key.is_empty()) {
            if let Some(secret) = held.0.get(field.name) {
                set_at(&mut output, field.key, json!(from_environment(field.name)));
                secrets.insert(variable(field.name), secret.clone());
            } else if let Some(value) = values.get(field.name) {
                set_at(&mut output, field.key, plain(value));
            }
        }
    }
    (output, secrets.into_iter().collect())
}

/// A value of the table in which no text is a template.
fn plain(value: &Value) -> Value {
    match value {
        Value::String(text) => json!(literal(text)),
        Value::Array(values) => values.iter().map(plain).collect(),
        other => other.clone(),
    }
}

/// Sets a key; what comes before a dot is the object that it is in.
fn set_at(object: &mut Value, key: &str, value: Value) {
    let Some((outer, inner)) = key.split_once('.') else { return set(object, key, value) };
    if let Some(object) = object.as_object_mut() {
        set_at(object.entry(outer).or_insert_with(|| json!({})), inner, value);
    }
}

/// A text that means itself. dbt renders every value of a profile as a Jinja template, so one
/// that looks like a template becomes a Jinja string.
fn literal(text: &str) -> String {
    if ["{{", "{%", "{#"].iter().any(|opening| text.contains(opening)) {
        format!("{{{{ {} }}}}", Value::from(text))
    } else {
        text.to_owned()
    }
}

/// What people call a data platform.
fn title(version: &'static str) -> &'static str {
    AdapterVersion::parse(version).map_or(version, |adapter| adapter.title)
}

#[cfg(test)]
mod tests {
    use domain::{
        AccountId, ConnectionId, CredentialId, EnvironmentId, JobId, LeaseId, Name, ProjectId,
        RunId, Timestamp, UserId,
        adapter::{self, AdapterVersion},
        authz::PrincipalId,
        connection::{Connection, ConnectionSpec, DuckDbPath},
        environment::{Environment, EnvironmentSpec},
        job::{Job, JobSpec},
        lease::{Lease, Worker},
        project::{Project, ProjectSpec},
        run::{Run, RunState, Trigger},
        ssh_tunnel::SshTunnel,
        warehouse_credential::{CredentialSpec, WarehouseCredential},
    };
    use insta::assert_snapshot;

    use super::*;

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    fn at() -> Timestamp {
        Timestamp::from_micros(0).unwrap()
    }

    fn claimed(platform: Option<Platform>, login: Option<Login>) -> ClaimedRun {
        let account = AccountId::new(4).unwrap();
        let (project, environment) = (ProjectId::new(1).unwrap(), EnvironmentId::new(1).unwrap());
        let (job, connection) = (JobId::new(1).unwrap(), ConnectionId::new(1).unwrap());
        let by = PrincipalId::User(UserId::new(1).unwrap());
        let (created_at, updated_at) = (at(), at());
        let run = Run {
            id: RunId::new(1).unwrap(),
            account,
            project,
            environment,
            job,
            trigger: Trigger::plain(by, "a test".to_owned()),
            state: RunState::Starting { dequeued_at: at() },
            cancel_requested: false,
            message: String::new(),
            git_sha: None,
            git_branch: None,
            used_clone: None,
            has_docs: false,
            has_sources: false,
            deferring: None,
            retry_point: None,
            cancelled_by: None,
            worker: Some("4711".to_owned()),
            heartbeat_at: None,
            notifications_sent: false,
            counts: None,
            created_at,
            updated_at,
        };
        let spec = JobSpec::named(project, environment, name("nightly"));
        let job =
            Job { id: job, account, spec, failures: 0, deferrable: false, created_at, updated_at };
        let spec = EnvironmentSpec::named(name("Production"));
        let environment =
            Environment { id: environment, account, project, spec, created_at, updated_at };
        let connection = platform.map(|platform| Connection {
            id: connection,
            account,
            project: None,
            spec: ConnectionSpec::named(name("Warehouse"), platform),
            created_by: None,
            environments: 1,
            tunnel: false,
            created_at,
            updated_at,
        });
        let credential = login.map(|login| WarehouseCredential {
            id: CredentialId::new(1).unwrap(),
            account,
            project,
            spec: CredentialSpec {
                login,
                schema: "analytics".to_owned(),
                target_name: "default".to_owned(),
                threads: 8,
                adapter_id: None,
            },
            created_at,
            updated_at,
        });
        let spec = ProjectSpec::named(name("Shop"));
        let project = Project { id: project, account, spec, created_at, updated_at };
        let secret = Some(WarehouseSecret::new("p{{ssw}}rd'\"".to_owned()));
        let worker = Worker::of_process(1, created_at);
        let lease = Lease { id: LeaseId::new(1).unwrap(), run: run.id, worker };
        ClaimedRun {
            lease,
            run,
            job,
            project,
            environment,
            repository: None,
            deploy_key: None,
            git_token: None,
            connection,
            connection_secrets: FieldSecrets::default(),
            tunnel: None,
            tunnel_key: None,
            credential,
            secret,
            attributes: serde_json::Map::new(),
            variables: std::collections::BTreeMap::new(),
        }
    }

    fn duckdb() -> Platform {
        Platform::DuckDb { path: DuckDbPath::parse("marts/shop.duckdb").unwrap() }
    }

    fn postgres() -> Platform {
        Platform::Postgres {
            hostname: "db.internal".to_owned(),
            dbname: "12345".to_owned(),
            port: 5432,
            retries: Some(2),
        }
    }

    fn ada() -> Login {
        Login::Postgres { username: "ada".to_owned() }
    }

    fn text(claimed: &ClaimedRun) -> String {
        sorted(&profile(claimed, Path::new("/data/warehouses"), None).unwrap().text)
    }

    /// The same whether or not the build keeps the order of keys.
    fn sorted(text: &str) -> String {
        let mut value: serde_json::Value = serde_json::from_str(text).unwrap();
        value.sort_all_objects();
        value.to_string()
    }

    fn refusal(claimed: &ClaimedRun) -> String {
        profile(claimed, Path::new("/data/warehouses"), None).unwrap_err()
    }

    #[test]
    fn duckdb_needs_no_credential() {
        let text = text(&claimed(Some(duckdb()), None));
        assert_snapshot!(text, @r#"{"user":{"outputs":{"default":{"path":"/data/warehouses/4/marts/shop.duckdb","schema":"main","threads":4,"type":"duckdb"}},"target":"default"}}"#);
    }

    #[test]
    fn a_connection_of_a_project_names_files_in_a_folder_of_the_project_s_own() {
        let mut claimed = claimed(Some(duckdb()), None);
        let project = claimed.project.id;
        claimed.connection.as_mut().unwrap().project = Some(project);
        let file =
            profile(&claimed, Path::new("/data/warehouses"), None).unwrap().database.unwrap();
        let expected = format!("/data/warehouses/4/projects/{project}/marts/shop.duckdb");
        assert_eq!(file, Path::new(&expected));
    }

    #[test]
    fn a_trigger_overrides_schema_threads_and_target() {
        let mut claimed = claimed(Some(duckdb()), Some(Login::DuckDb));
        claimed.run.trigger.schema_override = Some("pr_{{ 7 }}\"".to_owned());
        claimed.run.trigger.threads_override = Some(2);
        claimed.run.trigger.target_name_override = Some("ci".to_owned());
        assert_snapshot!(text(&claimed), @r#"{"user":{"outputs":{"ci":{"path":"/data/warehouses/4/marts/shop.duckdb","schema":"{{ \"pr_{{ 7 }}\\\"\" }}","threads":2,"type":"duckdb"}},"target":"ci"}}"#);
    }

    #[test]
    fn extended_attributes_go_over_connection_and_credential_and_under_the_trigger() {
        let mut claimed = claimed(Some(postgres()), Some(ada()));
        let attributes = json!({ "user": "bob", "sslmode": "require", "schema": "x", "threads": 9,
            "password": "{{ env_var('DBT_ENV_SECRET_OTHER') }}", "keepalives": { "idle": 1 } });
        claimed.attributes = attributes.as_object().unwrap().clone();
        claimed.run.trigger.schema_override = Some("pr_7".to_owned());
        assert_snapshot!(text(&claimed), @r#"{"user":{"outputs":{"default":{"dbname":"12345","host":"db.internal","keepalives":{"idle":1},"password":"{{ env_var('DBT_ENV_SECRET_OTHER') }}","port":5432,"retries":2,"schema":"pr_7","sslmode":"require","threads":9,"type":"postgres","user":"bob"}},"target":"default"}}"#);
        claimed.attributes = json!({ "type": "duckdb" }).as_object().unwrap().clone();
        assert_snapshot!(refusal(&claimed), @"the extended attributes set `type`, which is the connection's");
    }

    #[test]
    fn a_password_is_not_in_the_file() {
        let claimed = claimed(Some(postgres()), Some(ada()));
        let profile = profile(&claimed, Path::new("/data/warehouses"), None).unwrap();
        assert_snapshot!(sorted(&profile.text), @r#"{"user":{"outputs":{"default":{"dbname":"12345","host":"db.internal","password":"{{ env_var('DBT_ENV_SECRET_NARROWGATE_PASSWORD') }}","port":5432,"retries":2,"schema":"analytics","threads":4,"type":"postgres","user":"ada"}},"target":"default"}}"#);
        let [(name, secret)] = profile.secrets.as_slice() else { panic!("one secret") };
        assert_eq!(name, "DBT_ENV_SECRET_NARROWGATE_PASSWORD");
        assert_eq!(secret.reveal(), claimed.secret.unwrap().reveal());
    }

    /// A value of each field of the table.
    fn filled(fields: &[adapter::Field]) -> (Map<String, Value>, FieldSecrets) {
        let (mut values, mut secrets) = (Map::new(), FieldSecrets::default());
        for field in fields {
            let value = match field.kind {
                adapter::Kind::Secret => {
                    let secret = Hidden::new(format!("secret {}", field.name));
                    secrets.0.insert(field.name.to_owned(), secret);
                    continue;
                }
                adapter::Kind::Ignored => continue,
                adapter::Kind::Int(least, _) => json!(least.max(1)),
                adapter::Kind::Bool => json!(true),
                adapter::Kind::Words(words) => json!(words[0]),
                adapter::Kind::Texts => json!(["{{ a }}"]),
                adapter::Kind::Text(_) | adapter::Kind::With(..) => json!(field.name),
            };
            values.insert(field.name.to_owned(), value);
        }
        (values, secrets)
    }

    #[test]
    fn every_adapter_of_the_table_has_its_keys_and_no_secret_in_the_file() {
        let mut all = String::new();
        for adapter in AdapterVersion::all() {
            let (config, connection_secrets) = filled(adapter.connection);
            let (fields, secrets) = filled(adapter.credential);
            let mut claimed = claimed(
                Some(Platform::Other { adapter, config }),
                Some(Login::Other { adapter, fields }),
            );
            claimed.connection_secrets = connection_secrets;
            claimed.secret = Some(WarehouseSecret::new(secrets.to_text().reveal().to_owned()));
            let made = profile(&claimed, Path::new("/data/warehouses"), None).unwrap();
            assert!(!made.text.contains("secret "), "{}", made.text);
            let written: Value = serde_json::from_str(&sorted(&made.text)).unwrap();
            let target = written["user"]["outputs"]["default"].to_string();
            let names: Vec<_> = made.secrets.iter().map(|(name, _)| name.as_str()).collect();
            let line = format!("{}: {target}\n  {}\n", adapter.version, names.join(" "));
            all.push_str(&line);
        }
        insta::assert_snapshot!("adapters", all);
    }

    #[test]
    fn a_tunnel_leads_to_where_the_connection_is_and_the_profile_to_the_tunnel() {
        let mut claimed = claimed(Some(postgres()), Some(ada()));
        assert_eq!(behind_tunnel(&claimed), Ok(None));
        claimed.tunnel = Some(SshTunnel {
            connection_id: ConnectionId::new(1).unwrap(),
            username: "ada".to_owned(),
            port: 22,
            hostname: "bastion".to_owned(),
            public_key: String::new(),
        });
        let destination = behind_tunnel(&claimed).unwrap().unwrap();
        let text = |port| profile(&claimed, Path::new("/data/warehouses"), port).unwrap().text;
        let direct = format!("\"host\":{:?},", destination.host);
        assert!(text(None).contains(&direct), "{}", text(None));
        let through = text(Some(7000));
        assert!(through.contains("\"host\":\"127.0.0.1\"") && through.contains("\"port\":7000"));
        assert!(!through.contains(&direct), "{through}");
        let mut elsewhere = claimed.clone();
        elsewhere.attributes.insert("host".to_owned(), json!("elsewhere"));
        assert_snapshot!(behind_tunnel(&elsewhere).unwrap_err(), @"the extended attributes set `host`, which is the SSH tunnel's");
        claimed.connection.as_mut().unwrap().spec.platform = duckdb();
        assert_snapshot!(behind_tunnel(&claimed).unwrap_err(), @"an SSH tunnel leads to PostgreSQL or Redshift, not to that of `Warehouse`: delete it");
    }

    #[test]
    fn what_is_missing_or_does_not_go_together_is_told_in_a_sentence() {
        assert_snapshot!(refusal(&claimed(None, None)), @"the environment `Production` has no connection, and neither has its project");
        assert_snapshot!(refusal(&claimed(Some(postgres()), None)), @"the connection `Warehouse` needs a credential, and the environment `Production` has none");
        assert_snapshot!(refusal(&claimed(Some(duckdb()), Some(ada()))), @"the connection `Warehouse` is for DuckDB, but the credential of the environment `Production` is for PostgreSQL");
    }
}
