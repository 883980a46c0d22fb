//! Adapters of a project: a data platform under an id that credentials and connections of the
//! project name (`adapter_id`).

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    adapter::AdapterVersion,
    authz::{DataPlatformConfigs, PrincipalId},
    kept::{FieldKind, Level, Noun},
};

/// An adapter of a project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProjectAdapter {
    /// The data platform; it never changes.
    pub adapter_version: AdapterVersion,
    /// What clients note beside it: at most 64 KiB of JSON, read back as it is.
    pub metadata_json: Value,
    /// Who made it.
    pub created_by: Option<PrincipalId>,
}

impl Noun for ProjectAdapter {
    const WORD: &str = "adapter";
    const PARAMETER: &str = "adapter_id";
    const LEVEL: Level = Level::Project;
    const FIELDS: &[(&str, FieldKind)] = &[("adapter_version", FieldKind::Text)];
    type Resource = DataPlatformConfigs;
}
