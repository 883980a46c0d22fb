//! The Semantic Layer's settings (document: `SemanticLayerCredentialsResponse`; the rest as the
//! Terraform provider and dbtc have it).

use domain::{
    EnvironmentId, Name, ProjectId, ServiceTokenId,
    kept::{Hidden, Id, Kept},
    semantic_layer::{
        PLAIN_VALUES, SemanticLayerConfiguration as ConfigurationSpec,
        SemanticLayerCredential as CredentialSpec, SemanticLayerMapping as MappingSpec,
    },
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::{Invalid, KeptBody, KeptFace, Patch, field, kept::of_project};

/// The document's `AdapterVersionEnum`, and ours for DuckDB.
const ADAPTERS: [&str; 15] = [
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
/// In which environment a project's metrics are computed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SemanticLayerConfiguration {
    /// Its id.
    pub id: i64,
    /// The account that it belongs to.
    pub account_id: i64,
    /// The project that it belongs to.
    pub project_id: Option<i64>,
    /// An environment of the project.
    pub environment_id: i64,
    /// 1 active, 2 deleted.
    pub state: u8,
    /// When it was made.
    pub created_at: String,
    /// When it last changed.
    pub updated_at: String,
}

impl From<&Kept<ConfigurationSpec>> for SemanticLayerConfiguration {
    fn from(kept: &Kept<ConfigurationSpec>) -> Self {
        Self {
            id: kept.id.get(),
            account_id: kept.account.get(),
            project_id: kept.project.map(Into::into),
            environment_id: kept.spec.environment_id.get(),
            state: field::state_of(kept.deleted),
            created_at: kept.created_at.to_string(),
            updated_at: kept.updated_at.to_string(),
        }
    }
}

/// The body that makes or changes it. Other keys are ignored.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct SemanticLayerConfigurationBody {
    /// The account, if given: the path's.
    #[schema(value_type = Option<i64>)]
    pub account_id: Patch<i64>,
    /// The project, if given: the path's.
    #[schema(value_type = Option<i64>)]
    pub project_id: Patch<i64>,
    /// An environment of the project; required.
    #[schema(value_type = Option<i64>)]
    pub environment_id: Patch<i64>,
    /// 1; or 2, which deletes it.
    #[schema(value_type = Option<i64>)]
    pub state: Patch<i64>,
}

impl KeptFace for ConfigurationSpec {
    type Told = SemanticLayerConfiguration;
    type Body = SemanticLayerConfigurationBody;
}

impl KeptBody for SemanticLayerConfigurationBody {
    type Noun = ConfigurationSpec;

    of_project! {}

    fn over(self, old: Option<ConfigurationSpec>) -> Result<ConfigurationSpec, Invalid> {
        let mut bad = Invalid::collector();
        field::state(&mut bad, &self.state);
        let given = field::id(&mut bad, "environment_id", self.environment_id, EnvironmentId::new);
        bad.finish()?;
        let environment_id = given.value().or(old.map(|old| old.environment_id));
        environment_id
            .map(|environment_id| ConfigurationSpec { environment_id })
            .ok_or_else(|| Invalid::field("environment_id", "is required"))
    }
}

/// With what the warehouse is asked for metrics.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SemanticLayerCredential {
    /// Its id.
    pub id: i64,
    /// The account that it belongs to.
    pub account_id: i64,
    /// The project that it belongs to.
    pub project_id: Option<i64>,
    /// What people call it.
    pub name: String,
    /// Such as `postgres_v0`.
    pub adapter_version: String,
    /// Always `semantic_layer_credentials`.
    pub schema_type: String,
    /// The values that are no secrets; the others are never told.
    pub values: Map<String, Value>,
    /// Always empty: the mapping says which tokens use it.
    pub service_tokens: Vec<Value>,
    /// 1 active, 2 deleted.
    pub state: u8,
    /// When it was made.
    pub created_at: String,
    /// When it last changed.
    pub updated_at: String,
}

impl From<&Kept<CredentialSpec>> for SemanticLayerCredential {
    fn from(kept: &Kept<CredentialSpec>) -> Self {
        Self {
            id: kept.id.get(),
            account_id: kept.account.get(),
            project_id: kept.project.map(Into::into),
            name: kept.spec.name.to_string(),
            adapter_version: kept.spec.adapter_version.clone(),
            schema_type: "semantic_layer_credentials".to_owned(),
            values: kept.spec.values.clone(),
            service_tokens: Vec::new(),
            state: field::state_of(kept.deleted),
            created_at: kept.created_at.to_string(),
            updated_at: kept.updated_at.to_string(),
        }
    }
}

/// The body that makes or changes a credential. Other keys are ignored.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct SemanticLayerCredentialBody {
    /// The account, if given: the path's.
    #[schema(value_type = Option<i64>)]
    pub account_id: Patch<i64>,
    /// The project that it belongs to; required where it is made.
    #[schema(value_type = Option<i64>)]
    pub project_id: Patch<i64>,
    /// 1 to 255 characters; required.
    #[schema(value_type = Option<String>)]
    pub name: Patch<String>,
    /// Such as `postgres_v0`; required.
    #[schema(value_type = Option<String>)]
    pub adapter_version: Patch<String>,
    /// Replaced as a whole; where no secret is among them, the old secrets stay.
    #[schema(value_type = Option<Object>)]
    pub values: Patch<Map<String, Value>>,
    /// 1; or 2, which deletes it.
    #[schema(value_type = Option<i64>)]
    pub state: Patch<i64>,
}

impl KeptFace for CredentialSpec {
    type Told = SemanticLayerCredential;
    type Body = SemanticLayerCredentialBody;
}

impl KeptBody for SemanticLayerCredentialBody {
    type Noun = CredentialSpec;

    of_project! {}

    fn secret(&self) -> Option<Hidden> {
        let secrets = self.values.clone().value()?;
        let secrets: Map<_, _> = secrets.into_iter().filter(|(key, _)| !is_plain(key)).collect();
        (!secrets.is_empty()).then(|| Hidden::new(Value::from(secrets).to_string()))
    }

    fn over(self, old: Option<CredentialSpec>) -> Result<CredentialSpec, Invalid> {
        let mut bad = Invalid::collector();
        field::state(&mut bad, &self.state);
        let name = field::read(&mut bad, "name", self.name, Name::parse).value();
        let adapter = |text| field::one_of(text, &ADAPTERS);
        let adapter = field::read(&mut bad, "adapter_version", self.adapter_version, adapter);
        let values = field::read(&mut bad, "values", self.values, fits).value();
        if old.is_none() && self.project_id.value().is_none_or(|id| id == 0) {
            bad.note("project_id", "is required");
        }
        let (old_name, old_adapter, old_values) = match old {
            Some(old) => (Some(old.name), Some(old.adapter_version), Some(old.values)),
            None => (None, None, None),
        };
        let (name, adapter_version) = (name.or(old_name), adapter.value().or(old_adapter));
        for (field, missing) in
            [("name", name.is_none()), ("adapter_version", adapter_version.is_none())]
        {
            if missing {
                bad.note(field, "is required");
            }
        }
        bad.finish()?;
        let (Some(name), Some(adapter_version)) = (name, adapter_version) else {
            return Err(Invalid::field("name", "is required"));
        };
        let values = values.or(old_values).unwrap_or_default();
        Ok(CredentialSpec { name, adapter_version, values })
    }
}

fn is_plain(key: &str) -> bool {
    PLAIN_VALUES.contains(&key)
}

/// The plain ones of values that fit.
fn fits(given: Map<String, Value>) -> Result<Map<String, Value>, String> {
    let given = field::bounded(given)?;
    if given.values().any(|value| value.is_object() || value.is_array()) {
        return Err("must be an object of texts, numbers and switches".to_owned());
    }
    Ok(given.into_iter().filter(|(key, _)| is_plain(key)).collect())
}

/// Which credential a service token uses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SemanticLayerMapping {
    /// Its id.
    pub id: i64,
    /// The account that it belongs to.
    pub account_id: i64,
    /// The project of the credential.
    pub project_id: Option<i64>,
    /// The credential.
    pub semantic_layer_credentials_id: i64,
    /// The service token.
    pub service_token_id: i64,
    /// 1 active, 2 deleted.
    pub state: u8,
    /// When it was made.
    pub created_at: String,
    /// When it last changed.
    pub updated_at: String,
}

impl From<&Kept<MappingSpec>> for SemanticLayerMapping {
    fn from(kept: &Kept<MappingSpec>) -> Self {
        Self {
            id: kept.id.get(),
            account_id: kept.account.get(),
            project_id: kept.project.map(Into::into),
            semantic_layer_credentials_id: kept.spec.semantic_layer_credentials_id,
            service_token_id: kept.spec.service_token_id.get(),
            state: field::state_of(kept.deleted),
            created_at: kept.created_at.to_string(),
            updated_at: kept.updated_at.to_string(),
        }
    }
}

/// The body that makes a mapping. Other keys are ignored.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct SemanticLayerMappingBody {
    /// The account, if given: the path's.
    #[schema(value_type = Option<i64>)]
    pub account_id: Patch<i64>,
    /// The project of the credential; required.
    #[schema(value_type = Option<i64>)]
    pub project_id: Patch<i64>,
    /// A credential of the project; required.
    #[schema(value_type = Option<i64>)]
    pub semantic_layer_credentials_id: Patch<i64>,
    /// A service token of the account; required.
    #[schema(value_type = Option<i64>)]
    pub service_token_id: Patch<i64>,
    /// 1
    #[schema(value_type = Option<i64>)]
    pub state: Patch<i64>,
}

impl KeptFace for MappingSpec {
    type Told = SemanticLayerMapping;
    type Body = SemanticLayerMappingBody;
}

impl KeptBody for SemanticLayerMappingBody {
    type Noun = MappingSpec;

    of_project! {}

    fn over(self, _: Option<MappingSpec>) -> Result<MappingSpec, Invalid> {
        let mut bad = Invalid::collector();
        field::state(&mut bad, &self.state);
        let project = field::id(&mut bad, "project_id", self.project_id, ProjectId::new).value();
        let (name, given) = ("semantic_layer_credentials_id", self.semantic_layer_credentials_id);
        let credential = field::id(&mut bad, name, given, Id::<CredentialSpec>::new).value();
        let (name, given) = ("service_token_id", self.service_token_id);
        let token = field::id(&mut bad, name, given, ServiceTokenId::new).value();
        for (field, missing) in [
            ("project_id", project.is_none()),
            ("semantic_layer_credentials_id", credential.is_none()),
            ("service_token_id", token.is_none()),
        ] {
            if missing {
                bad.note(field, "is required");
            }
        }
        bad.finish()?;
        let (Some(project_id), Some(credential), Some(service_token_id)) =
            (project, credential, token)
        else {
            return Err(Invalid::field("project_id", "is required"));
        };
        let semantic_layer_credentials_id = credential.get();
        Ok(MappingSpec { project_id, semantic_layer_credentials_id, service_token_id })
    }
}
