//! Connections: how to reach a data platform.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::{
    AccountId, ConnectionId, Name, ProjectId, Timestamp, adapter::AdapterVersion,
    authz::PrincipalId, kept::Id, project_adapter::ProjectAdapter,
};

/// A connection of an account, or of one project alone (what the documents call legacy).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    /// Its id.
    pub id: ConnectionId,
    /// The account that it belongs to.
    pub account: AccountId,
    /// The project that it belongs to; `None` if it is the account's, for all its projects.
    pub project: Option<ProjectId>,
    /// What can be edited.
    pub spec: ConnectionSpec,
    /// Who made it, if that is known.
    pub created_by: Option<PrincipalId>,
    /// How many environments connect by it: those that name it, those whose profile does, and
    /// those whose project does where they name none themselves.
    pub environments: u64,
    /// Whether it has an SSH tunnel.
    pub tunnel: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// What of a connection can be edited.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionSpec {
    /// What people call it.
    pub name: Name,
    /// The data platform, and where it is.
    pub platform: Platform,
    /// The adapter of the project that it was made by; of connections of a project alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adapter_id: Option<Id<ProjectAdapter>>,
}

impl ConnectionSpec {
    /// One by this name.
    #[must_use]
    pub const fn named(name: Name, platform: Platform) -> Self {
        Self { name, platform, adapter_id: None }
    }
}

/// A data platform and its address. The wire's `adapter_version` tells which.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Platform {
    /// `duckdb_v0`: a documented addition of Narrowgate.
    DuckDb {
        /// The database file.
        path: DuckDbPath,
    },
    /// `postgres_v0`.
    Postgres {
        /// Host name or address, at most 1,024 characters.
        hostname: String,
        /// Database name, at most 63 characters.
        dbname: String,
        /// 1 to 65535; 5432 unless given.
        port: u16,
        /// How often dbt tries again to connect.
        retries: Option<u8>,
    },
    /// Any other of the table of adapters.
    Other {
        /// Which.
        adapter: AdapterVersion,
        /// What the table asks for, but secrets.
        config: Map<String, Value>,
    },
}

impl Platform {
    /// The platform that these values of the table describe.
    ///
    /// # Errors
    /// [`InvalidDuckDbPath`] if it is a file that leads out of the account's folder.
    pub fn of(
        adapter: AdapterVersion,
        config: Map<String, Value>,
    ) -> Result<Self, InvalidDuckDbPath> {
        let text = |key| config.get(key).and_then(Value::as_str).unwrap_or_default();
        let number = |key| config.get(key).and_then(Value::as_u64);
        match adapter.version {
            "duckdb_v0" => Ok(Self::DuckDb { path: DuckDbPath::parse(text("path"))? }),
            "postgres_v0" => Ok(Self::Postgres {
                hostname: text("hostname").to_owned(),
                dbname: text("dbname").to_owned(),
                port: number("port").and_then(|port| port.try_into().ok()).unwrap_or(5432),
                retries: number("retries").and_then(|retries| retries.try_into().ok()),
            }),
            _ => Ok(Self::Other { adapter, config }),
        }
    }

    /// The same, as the table has it.
    #[must_use]
    pub fn values(&self) -> Map<String, Value> {
        let values = match self {
            Self::DuckDb { path } => json!({ "path": path.as_str() }),
            Self::Postgres { hostname, dbname, port, retries: None } => {
                json!({ "hostname": hostname, "dbname": dbname, "port": port })
            }
            Self::Postgres { hostname, dbname, port, retries: Some(retries) } => {
                json!({ "hostname": hostname, "dbname": dbname, "port": port, "retries": retries })
            }
            Self::Other { config, .. } => return config.clone(),
        };
        values.as_object().cloned().unwrap_or_default()
    }

    /// The wire's `adapter_version`.
    #[must_use]
    pub fn adapter_version(&self) -> &'static str {
        match self {
            Self::DuckDb { .. } => "duckdb_v0",
            Self::Postgres { .. } => "postgres_v0",
            Self::Other { adapter, .. } => adapter.version,
        }
    }
}

/// The file of a DuckDB database: a relative path without `..`, inside the folder that the server
/// keeps for the account's databases.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DuckDbPath(String);

/// The text is no place for a DuckDB database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a relative path without `..`, such as `shop.duckdb`, at most 255 characters")]
pub struct InvalidDuckDbPath;

impl DuckDbPath {
    /// Checks a path.
    ///
    /// # Errors
    /// [`InvalidDuckDbPath`] if it leads out of the account's folder.
    pub fn parse(text: &str) -> Result<Self, InvalidDuckDbPath> {
        let inside = !text.is_empty()
            && text.len() <= 255
            && text.split('/').all(|part| !part.is_empty() && part != "." && part != "..")
            && !text.contains(':')
            && !text.chars().any(|c| c.is_control() || c == '\\');
        inside.then(|| Self(text.to_owned())).ok_or(InvalidDuckDbPath)
    }

    /// The path as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for DuckDbPath {
    type Error = InvalidDuckDbPath;
    fn try_from(text: String) -> Result<Self, InvalidDuckDbPath> {
        Self::parse(&text)
    }
}

impl From<DuckDbPath> for String {
    fn from(path: DuckDbPath) -> Self {
        path.0
    }
}
