//! `semantic_manifest.json`: what metrics are computed from. It says no version of itself.

use serde::{Deserialize, de::DeserializeOwned};

use super::{
    Dimension, Entity, InvalidArtifact, Measure, QueryParams,
    read::{self, malformed},
    text::{Json, Text},
};

/// Semantic models, metrics and saved queries, with all defaults written out.
#[derive(Debug, Clone, Deserialize)]
pub struct SemanticManifest {
    /// Semantic models.
    pub semantic_models: Vec<SemanticTable>,
    /// Metrics.
    pub metrics: Vec<SemanticMetric>,
    /// Time spines, and dbt's version.
    #[serde(default)]
    pub project_configuration: Json,
    /// Saved queries.
    #[serde(default, deserialize_with = "read::or_default")]
    pub saved_queries: Vec<SemanticQuery>,
}

impl SemanticManifest {
    /// Reads the bytes of a `semantic_manifest.json`.
    ///
    /// # Errors
    /// [`InvalidArtifact::Malformed`] says where and what.
    pub fn parse(bytes: &[u8]) -> Result<Self, InvalidArtifact> {
        from_slice(bytes)
    }
}

fn from_slice<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, InvalidArtifact> {
    let read = serde_json::from_slice(bytes);
    read.map_err(|wrong| malformed("semantic_manifest.json", &wrong))
}

/// A semantic model with the relation behind it.
#[derive(Debug, Clone, Deserialize)]
pub struct SemanticTable {
    /// Its name.
    pub name: Text,
    /// In words.
    #[serde(default)]
    pub description: Option<Text>,
    /// Its name for people.
    #[serde(default)]
    pub label: Option<Text>,
    /// `alias`, `schema_name`, `database`, `relation_name`
    #[serde(default)]
    pub node_relation: Json,
    /// What stands where a measure says nothing.
    #[serde(default)]
    pub defaults: Option<Json>,
    /// The entity that a row is, where no column says so.
    #[serde(default)]
    pub primary_entity: Option<Text>,
    /// By what rows are joined.
    #[serde(default, deserialize_with = "read::or_default")]
    pub entities: Vec<Entity>,
    /// By what numbers are cut.
    #[serde(default, deserialize_with = "read::or_default")]
    pub dimensions: Vec<Dimension>,
    /// Numbers.
    #[serde(default, deserialize_with = "read::or_default")]
    pub measures: Vec<Measure>,
}

/// A metric.
#[derive(Debug, Clone, Deserialize)]
pub struct SemanticMetric {
    /// Its name.
    pub name: Text,
    /// In words.
    #[serde(default)]
    pub description: Option<Text>,
    /// Its name for people.
    #[serde(default)]
    pub label: Option<Text>,
    /// `simple`, `ratio`, `cumulative`, `derived` or `conversion`
    #[serde(rename = "type")]
    pub metric_type: Text,
    /// What its type needs.
    #[serde(default)]
    pub type_params: Json,
    /// Which rows count.
    #[serde(default)]
    pub filter: Option<Json>,
    /// The smallest span of time that it is asked for by.
    #[serde(default)]
    pub time_granularity: Option<Text>,
}

/// A saved query.
#[derive(Debug, Clone, Deserialize)]
pub struct SemanticQuery {
    /// Its name.
    pub name: Text,
    /// In words.
    #[serde(default)]
    pub description: Option<Text>,
    /// Its name for people.
    #[serde(default)]
    pub label: Option<Text>,
    /// What is asked.
    #[serde(default, deserialize_with = "read::or_default")]
    pub query_params: QueryParams,
}
