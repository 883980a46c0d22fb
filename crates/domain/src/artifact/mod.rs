//! What dbt leaves behind: its artifacts, read from bytes into typed values.
//!
//! Each kind is read by its own `parse`: [`Manifest`], [`RunResults`], [`Sources`], [`Catalog`] and
//! [`SemanticManifest`]. Fields that are not known pass by; a version that is not known is an error
//! which names it. Text that repeats is kept once, and what is handed on as it stands (`meta`,
//! `config`, …) is kept as JSON text ([`Json`]). Source: dbt's schemas, <https://schemas.getdbt.com>.
//!
//! ```
//! use domain::artifact::{InvalidArtifact, RunResults, Status};
//!
//! let text = br#"{"metadata": {"dbt_schema_version": "https://schemas.getdbt.com/dbt/run-results/v6.json"},
//!     "args": {"which": "build"}, "elapsed_time": 1.5,
//!     "results": [{"unique_id": "model.shop.orders", "status": "success", "new_in_2030": 1}]}"#;
//! let read = RunResults::parse(text)?;
//! assert_eq!(read.results.first().map(|result| result.status), Some(Status::Success));
//!
//! let wrong = RunResults::parse(b"{\"metadata\": {}, \n \"results\": 7}").unwrap_err();
//! assert!(wrong.to_string().contains("line 2"));
//! # Ok::<(), InvalidArtifact>(())
//! ```

mod catalog;
mod manifest;
mod read;
mod run_results;
mod semantic_manifest;
mod sources;
mod text;

use serde::Deserialize;

use crate::Timestamp;

pub use catalog::{Catalog, CatalogColumn, CatalogTable, Stat};
pub use manifest::{
    Argument, Column, Config, Constraint, Dimension, Entity, Export, Exposure, Group, Kind, Macro,
    Manifest, Measure, Metric, Node, Owner, ParentMap, QueryParams, SavedQuery, SemanticModel,
    Source, TestMetadata, UnitTest,
};
pub use run_results::{NodeResult, Period, RunResults, Status};
pub use semantic_manifest::{SemanticManifest, SemanticMetric, SemanticQuery, SemanticTable};
pub use sources::Sources;
pub use text::{Json, Text};

/// The bytes are no artifact of this kind that can be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidArtifact {
    /// They are no JSON, or not what dbt writes.
    #[error("{file}, line {line}, column {column}: {what}")]
    Malformed {
        /// Which artifact: `manifest.json`.
        file: &'static str,
        /// From 1; 0 if the file is empty.
        line: usize,
        /// From 1; 0 at the very beginning.
        column: usize,
        /// What is wrong there.
        what: String,
    },
    /// dbt's schema has another version, or is another's.
    #[error("{file} has the schema `{found}`, and {known} can be read")]
    UnknownVersion {
        /// Which artifact.
        file: &'static str,
        /// Its `dbt_schema_version`.
        found: String,
        /// The versions that can be read: `manifest/v9 to v12`.
        known: &'static str,
    },
}

/// What every artifact but the semantic manifest says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Metadata {
    /// `https://schemas.getdbt.com/dbt/manifest/v12.json`
    pub dbt_schema_version: Option<Text>,
    /// `1.11.16`
    pub dbt_version: Option<Text>,
    /// When dbt wrote it.
    #[serde(deserialize_with = "read::time")]
    pub generated_at: Option<Timestamp>,
    /// One call of dbt: artifacts of one call share it.
    pub invocation_id: Option<Text>,
    /// The name in `dbt_project.yml`; in manifests alone.
    pub project_name: Option<Text>,
    /// `duckdb`; in manifests alone.
    pub adapter_type: Option<Text>,
}
