//! Account connections (documents: `AccountConnectionDetail`, `AccountConnectionList`).

use domain::{
    adapter::{self, AdapterVersion, FieldSecrets},
    connection::{ConnectionSpec, Platform},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::project_adapter::authors;
use crate::{Invalid, Patch, field, invalid::Collector};

/// A connection, whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Connection {
    /// What a list has, too.
    #[serde(flatten)]
    pub row: ConnectionRow,
    /// Where the data platform is: the keys that `adapter-schema` names for its `adapter_version`.
    #[schema(value_type = Object)]
    pub config: ConnectionConfig,
    /// Always null.
    pub oauth_redirect_uri: Option<String>,
    /// Always false.
    pub is_configured_for_native_oauth: bool,
}

/// A connection as lists have it: without `config`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ConnectionRow {
    /// Its id.
    pub id: i64,
    /// The account that it belongs to.
    pub account_id: i64,
    /// What people call it.
    pub name: String,
    /// The data platform: one of the documents' 14, or `duckdb_v0` (a documented addition).
    pub adapter_version: String,
    /// How many environments connect by it, by their own word, their profile's or their project's.
    #[serde(rename = "environment__count")]
    pub environment_count: u64,
    /// 1 active, 2 deleted. A documented addition.
    pub state: u8,
    /// Always null.
    pub private_link_endpoint_id: Option<String>,
    /// Whether it has an SSH tunnel (v2's `encryptions`).
    pub is_ssh_tunnel_enabled: bool,
    /// Always null.
    pub oauth_configuration_id: Option<i64>,
    /// Always null.
    pub platform_metadata_credentials_id: Option<i64>,
    /// Always null.
    pub analytics_credentials_id: Option<i64>,
    /// When it was made.
    pub created_at: String,
    /// When it last changed.
    pub updated_at: String,
}

/// Where a data platform is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum ConnectionConfig {
    /// `postgres_v0`
    Postgres(PostgresConfig),
    /// `duckdb_v0`
    DuckDb(DuckDbConfig),
    /// Any other: the keys that `adapter-schema` names, but secrets; null where nothing is set.
    Other(OtherConfig),
}

/// The keys that `adapter-schema` names, but secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = Object)]
pub struct OtherConfig(pub Map<String, Value>);

impl OtherConfig {
    /// Each key of the adapter but secrets, null where nothing is set.
    pub(super) fn of(adapter: AdapterVersion, values: &Map<String, Value>) -> Self {
        let fields = adapter.connection.iter().filter(|field| !field.is_secret());
        let value = |name| values.get(name).cloned().unwrap_or_default();
        Self(fields.map(|field| (field.name.to_owned(), value(field.name))).collect())
    }
}

/// Where a PostgreSQL server is (document: `PostgresConnection`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PostgresConfig {
    /// Host name or address, at most 1,024 characters.
    pub hostname: String,
    /// Database name, at most 63 characters.
    pub dbname: String,
    /// 1 to 65535; 5432 unless given.
    pub port: u16,
    /// How often dbt tries again to connect, 0 to 10.
    pub retries: Option<u8>,
}

/// Where a DuckDB database is: a documented addition of Narrowgate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DuckDbConfig {
    /// A relative path without `..`, in the folder that the server keeps for the account.
    pub path: String,
}

/// A connection as projects and environments carry it along (documents: v3's `BaseConnectionV3`
/// and v2's `PostgresConnection`, in one).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RelatedConnection {
    /// Its id.
    pub id: i64,
    /// The account that it belongs to.
    pub account_id: i64,
    /// The project that it belongs to; null if it is the account's.
    pub project_id: Option<i64>,
    /// The same, as v2 has it.
    pub dbt_project_id: Option<i64>,
    /// What people call it.
    pub name: String,
    /// `postgres`, or `adapter` for what the documents have no word of its own for.
    pub r#type: String,
    /// The data platform.
    pub adapter_version: String,
    /// 1 active, 2 deleted.
    pub state: u8,
    /// Host name or address of a PostgreSQL or Redshift server.
    pub hostname: Option<String>,
    /// Database name on such a server.
    pub dbname: Option<String>,
    /// Port of a server.
    pub port: Option<u16>,
    /// Whether it has an SSH tunnel.
    pub tunnel_enabled: bool,
    /// The user who made it, if it was one and that is known.
    pub created_by_id: Option<i64>,
    /// The service token that made it, if it was one and that is known.
    pub created_by_service_token_id: Option<i64>,
    /// Always null.
    pub private_link_endpoint_id: Option<String>,
    /// Always null.
    pub oauth_redirect_uri: Option<String>,
    /// Always null.
    pub oauth_configuration_id: Option<i64>,
    /// When it was made.
    pub created_at: String,
    /// When it last changed.
    pub updated_at: String,
}

impl From<&domain::connection::Connection> for Connection {
    fn from(connection: &domain::connection::Connection) -> Self {
        Self {
            row: connection.into(),
            config: (&connection.spec.platform).into(),
            oauth_redirect_uri: None,
            is_configured_for_native_oauth: false,
        }
    }
}

impl Connection {
    /// The same, deleted.
    #[must_use]
    pub fn deleted(self) -> Self {
        Self { row: self.row.deleted(), ..self }
    }
}

impl From<&domain::connection::Connection> for ConnectionRow {
    fn from(connection: &domain::connection::Connection) -> Self {
        Self {
            id: connection.id.get(),
            account_id: connection.account.get(),
            name: connection.spec.name.to_string(),
            adapter_version: connection.spec.platform.adapter_version().to_owned(),
            environment_count: connection.environments,
            state: 1,
            private_link_endpoint_id: None,
            is_ssh_tunnel_enabled: connection.tunnel,
            oauth_configuration_id: None,
            platform_metadata_credentials_id: None,
            analytics_credentials_id: None,
            created_at: connection.created_at.to_string(),
            updated_at: connection.updated_at.to_string(),
        }
    }
}

impl ConnectionRow {
    /// The same, deleted.
    #[must_use]
    pub fn deleted(self) -> Self {
        Self { state: 2, ..self }
    }
}

impl From<&Platform> for ConnectionConfig {
    fn from(platform: &Platform) -> Self {
        match platform {
            Platform::DuckDb { path } => Self::DuckDb(DuckDbConfig { path: path.as_str().into() }),
            Platform::Postgres { hostname, dbname, port, retries } => {
                Self::Postgres(PostgresConfig {
                    hostname: hostname.clone(),
                    dbname: dbname.clone(),
                    port: *port,
                    retries: *retries,
                })
            }
            Platform::Other { adapter, config } => Self::Other(OtherConfig::of(*adapter, config)),
        }
    }
}

impl From<&domain::connection::Connection> for RelatedConnection {
    fn from(connection: &domain::connection::Connection) -> Self {
        let platform = &connection.spec.platform;
        let word = AdapterVersion::parse(platform.adapter_version()).map(|found| found.word);
        let word = word.unwrap_or("adapter");
        let values = platform.values();
        let text = |key| values.get(key).and_then(Value::as_str).map(str::to_owned);
        let (created_by_id, created_by_service_token_id) = authors(connection.created_by);
        Self {
            id: connection.id.get(),
            account_id: connection.account.get(),
            project_id: connection.project.map(Into::into),
            dbt_project_id: connection.project.map(Into::into),
            name: connection.spec.name.to_string(),
            r#type: word.to_owned(),
            adapter_version: connection.spec.platform.adapter_version().to_owned(),
            state: 1,
            port: values.get("port").and_then(Value::as_u64).and_then(|port| port.try_into().ok()),
            dbname: text("dbname"),
            hostname: text("hostname"),
            tunnel_enabled: connection.tunnel,
            created_by_id,
            created_by_service_token_id,
            private_link_endpoint_id: None,
            oauth_redirect_uri: None,
            oauth_configuration_id: None,
            created_at: connection.created_at.to_string(),
            updated_at: connection.updated_at.to_string(),
        }
    }
}

/// The body that makes or changes a connection. Keys that are absent keep their value, those of
/// `config` one by one; other keys are ignored, but for those in `config`, which are refused.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct ConnectionBody {
    /// The account, if given: the path's.
    #[schema(value_type = Option<i64>)]
    pub account_id: Patch<i64>,
    /// 1 to 255 characters; required.
    #[schema(value_type = Option<String>)]
    pub name: Patch<String>,
    /// One of those that `adapter-schema` knows; required, and never changed.
    #[schema(value_type = Option<String>)]
    pub adapter_version: Patch<String>,
    /// Where the data platform is, by the keys that `adapter-schema` names; required.
    #[schema(value_type = Option<Object>)]
    pub config: Patch<ConfigBody>,
    /// 1
    #[schema(value_type = Option<i64>)]
    pub state: Patch<i64>,
    /// Read only: true once there is a tunnel, which is made under v2's `encryptions`. True without
    /// one is refused.
    #[schema(value_type = Option<bool>)]
    pub is_ssh_tunnel_enabled: Patch<Value>,
    /// Not supported: null.
    #[schema(value_type = Option<String>)]
    pub private_link_endpoint_id: Patch<Value>,
    /// Not supported: null.
    #[schema(value_type = Option<i64>)]
    pub oauth_configuration_id: Patch<Value>,
}

/// `config` of a body. There may be secrets in it, which its `Debug` does not show.
#[derive(Clone, Default, Deserialize)]
#[serde(transparent)]
pub struct ConfigBody(Map<String, Value>);

impl ConfigBody {
    /// What it holds.
    pub(super) fn into_inner(self) -> Map<String, Value> {
        self.0
    }
}

impl Serialize for ConfigBody {
    /// A secret is written nowhere.
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_none()
    }
}

impl std::fmt::Debug for ConfigBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ConfigBody(hidden)")
    }
}

impl ConnectionBody {
    /// The secrets that it brings; those that it leaves out are kept. `old` is the platform of the
    /// connection that is changed.
    #[must_use]
    pub fn secrets(&self, old: Option<&Platform>) -> FieldSecrets {
        let version = self.adapter_version.clone().value();
        let version = old.map(Platform::adapter_version).or(version.as_deref());
        let adapter = version.and_then(|version| AdapterVersion::parse(version).ok());
        match (adapter, self.config.clone().value()) {
            (Some(adapter), Some(ConfigBody(config))) => {
                adapter::fill(adapter.version, adapter.connection, None, config).secrets
            }
            _ => FieldSecrets::default(),
        }
    }

    /// The same, for a connection that has a tunnel: to say so again is an echo.
    #[must_use]
    pub fn of_tunnelled(self) -> Self {
        Self { is_ssh_tunnel_enabled: Patch::Absent, ..self }
    }

    /// Whether the body deletes the connection.
    #[must_use]
    pub const fn deletes(&self) -> bool {
        field::deletes(&self.state)
    }

    /// The connection that it makes.
    ///
    /// # Errors
    /// [`Invalid`] names every wrong field; those of `config` as `config.port`.
    pub fn create(self) -> Result<ConnectionSpec, Invalid> {
        self.over(None)
    }

    /// What it makes of a connection that is there.
    ///
    /// # Errors
    /// [`Invalid`] names every wrong field; those of `config` as `config.port`.
    pub fn apply(self, old: ConnectionSpec) -> Result<ConnectionSpec, Invalid> {
        self.over(Some(old))
    }

    fn over(self, old: Option<ConnectionSpec>) -> Result<ConnectionSpec, Invalid> {
        let mut bad = Invalid::collector();
        field::state(&mut bad, &self.state);
        tunnel(&mut bad, &self.is_ssh_tunnel_enabled);
        field::unsupported(&mut bad, "private_link_endpoint_id", &self.private_link_endpoint_id);
        field::unsupported(&mut bad, "oauth_configuration_id", &self.oauth_configuration_id);
        let name = field::name(&mut bad, self.name, old.is_none());
        let kept = old.as_ref().map(|old| old.platform.adapter_version());
        let version = adapter_version(&mut bad, self.adapter_version, kept);
        let platform = match (self.config.value(), &old, version) {
            (None, Some(old), _) => Some(old.platform.clone()),
            (None, None, _) => {
                bad.note("config", "is required");
                None
            }
            (Some(_), _, None) => None,
            (Some(ConfigBody(given)), old, Some(adapter)) => {
                let before = old.as_ref().map(|old| &old.platform);
                platform(&mut bad, "config", adapter, before, given)
            }
        };
        bad.finish()?;
        let name = name.or_else(|| old.map(|old| old.name));
        match (name, platform) {
            (Some(name), Some(platform)) => Ok(ConnectionSpec::named(name, platform)),
            (None, _) => Err(Invalid::field("name", "is required")),
            (_, None) => Err(Invalid::field("config", "is required")),
        }
    }
}

/// A tunnel is made elsewhere.
fn tunnel(bad: &mut Collector, said: &Patch<Value>) {
    if !matches!(said, Patch::Absent | Patch::Null | Patch::Value(Value::Null | Value::Bool(false)))
    {
        let reason = "is true once the connection has an SSH tunnel: make one under `encryptions`";
        bad.note("is_ssh_tunnel_enabled", reason);
    }
}

/// Which platform: the one that is `kept`, or one of those that are supported.
fn adapter_version(
    bad: &mut Collector,
    given: Patch<String>,
    kept: Option<&'static str>,
) -> Option<AdapterVersion> {
    let kept = kept.and_then(|kept| AdapterVersion::parse(kept).ok());
    let Some(given) = given.value() else {
        if kept.is_none() {
            bad.note("adapter_version", "is required");
        }
        return kept;
    };
    match (AdapterVersion::parse(&given), kept) {
        (Ok(known), None) => Some(known),
        (Ok(known), Some(kept)) if known == kept => Some(known),
        (_, Some(kept)) => {
            bad.note("adapter_version", format!("cannot be changed: it is `{}`", kept.version));
            None
        }
        (Err(unknown), None) => {
            bad.note("adapter_version", unknown);
            None
        }
    }
}

/// The keys of a `config` (or of what `field` is called), by the table of adapters: what is given,
/// over what was there.
pub(super) fn platform(
    bad: &mut Collector,
    field: &str,
    adapter: AdapterVersion,
    before: Option<&Platform>,
    given: Map<String, Value>,
) -> Option<Platform> {
    let before = before.map(Platform::values);
    let filled = adapter::fill(adapter.version, adapter.connection, before.as_ref(), given);
    if filled.wrong.is_empty() {
        return bad.take(&format!("{field}.path"), Platform::of(adapter, filled.values));
    }
    for (name, reason) in filled.wrong {
        bad.note(&format!("{field}.{name}"), reason);
    }
    None
}
