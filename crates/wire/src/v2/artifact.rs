//! Artifacts of runs.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The paths of a run's artifacts under `target/`, each once, in order: `manifest.json`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
pub struct ArtifactPaths(pub Vec<String>);
