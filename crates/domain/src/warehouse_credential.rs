//! Warehouse credentials: who an environment is to a data platform.

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{AccountId, CredentialId, ProjectId, Timestamp};

/// A credential of a project, without its secret, which is sealed in the store and never echoed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WarehouseCredential {
    /// Its id.
    pub id: CredentialId,
    /// The account that it belongs to.
    pub account: AccountId,
    /// The project whose environments use it.
    pub project: ProjectId,
    /// What can be edited and read.
    pub spec: CredentialSpec,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// What of a credential can be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CredentialSpec {
    /// Who, for which platform.
    pub login: Login,
    /// The schema that dbt builds into.
    pub schema: String,
    /// The name of the target in `profiles.yml`; `default` unless given.
    pub target_name: String,
    /// How many threads dbt uses, 1 to 64.
    pub threads: u8,
}

/// Who logs in, for which platform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Login {
    /// `duckdb_v0`: nobody has to.
    DuckDb,
    /// `postgres`.
    Postgres {
        /// The user; the password is the credential's secret.
        username: String,
    },
}

/// A secret of a credential: a password. Its `Debug` shows nothing; its memory is wiped on drop.
#[derive(Clone, PartialEq, Eq)]
pub struct WarehouseSecret(Zeroizing<String>);

impl WarehouseSecret {
    /// Takes a secret in.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The text: for the seal, and for the runner's `profiles.yml`.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for WarehouseSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("WarehouseSecret(hidden)")
    }
}
