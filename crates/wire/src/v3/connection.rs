//! Account connections (documents: `AccountConnectionDetail`, `AccountConnectionList`).

use domain::connection::{ConnectionSpec, DuckDbPath, Platform};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::{Invalid, Patch, field, invalid::Collector};

/// A connection, whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Connection {
    /// What a list has, too.
    #[serde(flatten)]
    pub row: ConnectionRow,
    /// Where the data platform is; its keys depend on `adapter_version`.
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
    /// The data platform: `duckdb_v0` (a documented addition) or `postgres_v0`.
    pub adapter_version: String,
    /// In how many environments it is used.
    #[serde(rename = "environment__count")]
    pub environment_count: u64,
    /// 1 active, 2 deleted. A documented addition.
    pub state: u8,
    /// Always null.
    pub private_link_endpoint_id: Option<String>,
    /// Always false.
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
    /// Always null: connections belong to the account.
    pub project_id: Option<i64>,
    /// Always null: connections belong to the account.
    pub dbt_project_id: Option<i64>,
    /// What people call it.
    pub name: String,
    /// `postgres`, or `adapter` for what the documents have no word of its own for.
    pub r#type: String,
    /// The data platform.
    pub adapter_version: String,
    /// 1
    pub state: u8,
    /// Host name or address of a PostgreSQL server.
    pub hostname: Option<String>,
    /// Database name on a PostgreSQL server.
    pub dbname: Option<String>,
    /// Port of a PostgreSQL server.
    pub port: Option<u16>,
    /// Always false.
    pub tunnel_enabled: bool,
    /// Always null.
    pub created_by_id: Option<i64>,
    /// Always null.
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
            is_ssh_tunnel_enabled: false,
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
        }
    }
}

impl From<&domain::connection::Connection> for RelatedConnection {
    fn from(connection: &domain::connection::Connection) -> Self {
        let (word, server) = match ConnectionConfig::from(&connection.spec.platform) {
            ConnectionConfig::Postgres(config) => ("postgres", Some(config)),
            ConnectionConfig::DuckDb(_) => ("adapter", None),
        };
        Self {
            id: connection.id.get(),
            account_id: connection.account.get(),
            project_id: None,
            dbt_project_id: None,
            name: connection.spec.name.to_string(),
            r#type: word.to_owned(),
            adapter_version: connection.spec.platform.adapter_version().to_owned(),
            state: 1,
            port: server.as_ref().map(|server| server.port),
            dbname: server.as_ref().map(|server| server.dbname.clone()),
            hostname: server.map(|server| server.hostname),
            tunnel_enabled: false,
            created_by_id: None,
            created_by_service_token_id: None,
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
    /// `duckdb_v0` or `postgres_v0`; required, and never changed.
    #[schema(value_type = Option<String>)]
    pub adapter_version: Patch<String>,
    /// Where the data platform is; required.
    #[schema(value_type = Option<ConnectionConfig>)]
    pub config: Patch<Map<String, Value>>,
    /// 1
    #[schema(value_type = Option<i64>)]
    pub state: Patch<i64>,
    /// Not supported: false.
    #[schema(value_type = Option<bool>)]
    pub is_ssh_tunnel_enabled: Patch<Value>,
    /// Not supported: null.
    #[schema(value_type = Option<String>)]
    pub private_link_endpoint_id: Patch<Value>,
    /// Not supported: null.
    #[schema(value_type = Option<i64>)]
    pub oauth_configuration_id: Patch<Value>,
}

impl ConnectionBody {
    const PLATFORMS: [&str; 2] = ["duckdb_v0", "postgres_v0"];

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
        field::unsupported(&mut bad, "is_ssh_tunnel_enabled", &self.is_ssh_tunnel_enabled);
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
            (Some(given), old, Some(version)) => {
                let before = old.as_ref().map(|old| &old.platform);
                Config::new(&mut bad, version, before, given).read()
            }
        };
        bad.finish()?;
        let name = name.or_else(|| old.map(|old| old.name));
        match (name, platform) {
            (Some(name), Some(platform)) => Ok(ConnectionSpec { name, platform }),
            (None, _) => Err(Invalid::field("name", "is required")),
            (_, None) => Err(Invalid::field("config", "is required")),
        }
    }
}

/// Which platform: the one that is `kept`, or one of those that are supported.
fn adapter_version(
    bad: &mut Collector,
    given: Patch<String>,
    kept: Option<&'static str>,
) -> Option<&'static str> {
    let Some(given) = given.value() else {
        if kept.is_none() {
            bad.note("adapter_version", "is required");
        }
        return kept;
    };
    match (ConnectionBody::PLATFORMS.into_iter().find(|known| *known == given), kept) {
        (Some(known), None) => Some(known),
        (Some(known), Some(kept)) if known == kept => Some(known),
        (_, Some(kept)) => {
            bad.note("adapter_version", format!("cannot be changed: it is `{kept}`"));
            None
        }
        (None, None) => {
            let supported = ConnectionBody::PLATFORMS.map(|known| format!("`{known}`"));
            let supported = supported.join(" and ");
            bad.note("adapter_version", format!("is not supported: {supported} are"));
            None
        }
    }
}

/// The keys of a `config`, taken one by one; what is left over is refused.
struct Config<'a> {
    bad: &'a mut Collector,
    version: &'static str,
    keys: Map<String, Value>,
}

impl<'a> Config<'a> {
    /// What is given, over what was there.
    fn new(
        bad: &'a mut Collector,
        version: &'static str,
        before: Option<&Platform>,
        given: Map<String, Value>,
    ) -> Self {
        let before = before.map(|before| serde_json::to_value(ConnectionConfig::from(before)));
        let mut keys = match before {
            Some(Ok(Value::Object(keys))) => keys,
            _ => Map::new(),
        };
        keys.extend(given);
        keys.retain(|_, value| !value.is_null());
        Self { bad, version, keys }
    }

    fn read(mut self) -> Option<Platform> {
        let platform = if self.version == "duckdb_v0" { self.duckdb() } else { self.postgres() };
        for key in self.keys.keys() {
            let reason = format!("is not a key of `{}`", self.version);
            self.bad.note(&format!("config.{key}"), reason);
        }
        platform
    }

    fn duckdb(&mut self) -> Option<Platform> {
        let path = self.text("path", 255)?;
        let path = self.bad.take("config.path", DuckDbPath::parse(&path))?;
        Some(Platform::DuckDb { path })
    }

    fn postgres(&mut self) -> Option<Platform> {
        let (hostname, dbname) = (self.text("hostname", 1024), self.text("dbname", 63));
        let port = self.number("port", 1, 65_535);
        let retries = self.number("retries", 0, 10);
        Some(Platform::Postgres {
            hostname: hostname?,
            dbname: dbname?,
            port: port.and_then(|port| port.try_into().ok()).unwrap_or(5432),
            retries: retries.and_then(|retries| retries.try_into().ok()),
        })
    }

    fn text(&mut self, key: &str, most: usize) -> Option<String> {
        let text = match self.keys.remove(key) {
            None => Err("is required".to_owned()),
            Some(Value::String(text)) => field::line(text, most),
            Some(_) => Err("must be a text".to_owned()),
        };
        self.bad.take(&format!("config.{key}"), text)
    }

    fn number(&mut self, key: &str, least: i64, most: i64) -> Option<i64> {
        let number = self.keys.remove(key)?.as_i64();
        let number = number.filter(|number| (least..=most).contains(number));
        let reason = format!("must be a whole number from {least} to {most}");
        self.bad.take(&format!("config.{key}"), number.ok_or(reason))
    }
}
