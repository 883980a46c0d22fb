//! Extended attributes: keys that go into an environment's `profiles.yml` over its connection and
//! credential.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    authz::DataPlatformConfigs,
    kept::{FieldKind, Level, Noun},
};

/// Keys of a target in `profiles.yml`. (A secret belongs into an environment variable that a value
/// names, `{{ env_var('DBT_ENV_SECRET_…') }}`: these are read back as they are.)
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExtendedAttributes {
    /// Key → value, at most 64 KiB of JSON.
    pub extended_attributes: Map<String, Value>,
}

impl Noun for ExtendedAttributes {
    const WORD: &str = "extended_attributes";
    const PARAMETER: &str = "extended_attribute_id";
    const LEVEL: Level = Level::Project;
    const FIELDS: &[(&str, FieldKind)] = &[];
    type Resource = DataPlatformConfigs;
}
