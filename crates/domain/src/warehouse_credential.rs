//! Warehouse credentials: who an environment is to a data platform.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use crate::{
    AccountId, CredentialId, ProjectId, Timestamp,
    adapter::{AdapterVersion, FieldSecrets},
    kept::Id,
    project_adapter::ProjectAdapter,
};

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
    /// The adapter of the project that it was made by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adapter_id: Option<Id<ProjectAdapter>>,
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
    /// Any other of the table of adapters; its secrets are sealed together (see
    /// [`FieldSecrets`](crate::adapter::FieldSecrets)).
    Other {
        /// Which.
        adapter: AdapterVersion,
        /// What the table asks for, but secrets.
        fields: Map<String, Value>,
    },
}

impl Login {
    /// The wire's `adapter_version`.
    #[must_use]
    pub fn adapter_version(&self) -> &'static str {
        match self {
            Self::DuckDb => "duckdb_v0",
            Self::Postgres { .. } => "postgres_v0",
            Self::Other { adapter, .. } => adapter.version,
        }
    }

    /// What a secret is sealed as: a new one over those that were there.
    #[must_use]
    pub fn sealed(&self, new: WarehouseSecret, old: Option<&WarehouseSecret>) -> WarehouseSecret {
        match (self, old) {
            (Self::Other { .. }, Some(old)) => {
                let (new, old) = (new.reveal(), old.reveal());
                let both = FieldSecrets::from_text(new).over(FieldSecrets::from_text(old));
                WarehouseSecret::new(both.to_text().reveal().to_owned())
            }
            (Self::Other { .. }, None) | (Self::DuckDb | Self::Postgres { .. }, _) => new,
        }
    }
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
