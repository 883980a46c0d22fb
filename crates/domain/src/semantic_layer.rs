//! The Semantic Layer's settings: in which environment a project's metrics are computed, with which
//! credentials, and which service tokens use which of them.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    EnvironmentId, Name, ProjectId, ServiceTokenId,
    authz::SemanticLayerConfig,
    kept::{FieldKind, Level, Noun, Reference},
};

/// In which environment a project's metrics are computed; at most one a project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SemanticLayerConfiguration {
    /// An environment of the project.
    pub environment_id: EnvironmentId,
}

impl Noun for SemanticLayerConfiguration {
    const WORD: &str = "semantic_layer_configuration";
    const PARAMETER: &str = "semantic_layer_configuration_id";
    const LEVEL: Level = Level::Project;
    const FIELDS: &[(&str, FieldKind)] = &[("environment_id", FieldKind::Int)];
    type Resource = SemanticLayerConfig;

    fn references(&self) -> Vec<(&'static str, Reference)> {
        vec![("environment_id", Reference::Environment(self.environment_id))]
    }

    fn unique(&self) -> Option<(&'static str, String)> {
        Some(("project_id", "one a project".to_owned()))
    }
}

/// With what the warehouse is asked for metrics. Its secret values are kept beside it, sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SemanticLayerCredential {
    /// What people call it.
    pub name: Name,
    /// The wire's adapter: `postgres_v0`, `duckdb_v0`, …
    pub adapter_version: String,
    /// The values that are no secrets, such as a user's name.
    pub values: Map<String, Value>,
}

/// Values that are told back; every other is taken for a secret.
pub const PLAIN_VALUES: [&str; 22] = [
    "auth_type",
    "catalog",
    "client_email",
    "database",
    "dataset",
    "default_schema",
    "host",
    "hostname",
    "http_path",
    "location",
    "method",
    "num_threads",
    "port",
    "project_id",
    "role",
    "schema",
    "target_name",
    "threads",
    "type",
    "user",
    "username",
    "warehouse",
];

impl Noun for SemanticLayerCredential {
    const WORD: &str = "semantic_layer_credential";
    const PARAMETER: &str = "semantic_layer_credential_id";
    const LEVEL: Level = Level::Project;
    const FIELDS: &[(&str, FieldKind)] =
        &[("name", FieldKind::Text), ("adapter_version", FieldKind::Text)];
    type Resource = SemanticLayerConfig;
}

/// Which credential a service token uses; at most one in each project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SemanticLayerMapping {
    /// The project of both.
    pub project_id: ProjectId,
    /// The credential, of the same project.
    pub semantic_layer_credentials_id: i64,
    /// The service token.
    pub service_token_id: ServiceTokenId,
}

impl Noun for SemanticLayerMapping {
    const WORD: &str = "semantic_layer_mapping";
    const PARAMETER: &str = "semantic_layer_credential_to_service_token_mapping_id";
    const LEVEL: Level = Level::Project;
    const FIELDS: &[(&str, FieldKind)] =
        &[("semantic_layer_credentials_id", FieldKind::Int), ("service_token_id", FieldKind::Int)];
    type Resource = SemanticLayerConfig;

    fn references(&self) -> Vec<(&'static str, Reference)> {
        let credential = self.semantic_layer_credentials_id;
        vec![
            (
                "semantic_layer_credentials_id",
                Reference::Kept(SemanticLayerCredential::WORD, credential),
            ),
            ("service_token_id", Reference::ServiceToken(self.service_token_id)),
        ]
    }

    fn unique(&self) -> Option<(&'static str, String)> {
        Some(("service_token_id", self.service_token_id.to_string()))
    }

    /// Without its token or its credential it is nothing.
    fn goes_with(&self, _: Reference) -> bool {
        true
    }
}
