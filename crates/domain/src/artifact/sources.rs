//! `sources.json`: how fresh sources are.

use serde::Deserialize;

use super::{InvalidArtifact, Metadata, read::Form};
use crate::source_freshness::FreshSource;

const FORM: Form =
    Form { file: "sources.json", schema: "sources", versions: (3, 3), known: "sources/v3" };

/// What one `dbt source freshness` found out.
#[derive(Debug, Clone, Deserialize)]
pub struct Sources {
    /// Of the file.
    pub metadata: Metadata,
    /// A source's table each.
    pub results: Vec<FreshSource>,
    /// How long all of it took, in seconds.
    #[serde(default)]
    pub elapsed_time: Option<f64>,
}

impl Sources {
    /// Reads the bytes of a `sources.json`.
    ///
    /// # Errors
    /// [`InvalidArtifact`] says where and what.
    pub fn parse(bytes: &[u8]) -> Result<Self, InvalidArtifact> {
        FORM.read(bytes, |sources: &Self| &sources.metadata)
    }
}
