//! Licence maps: which licence members of an identity provider's groups get when they sign in.

use serde::{Deserialize, Serialize};

use crate::{
    authz::{License, kinds::Licenses},
    kept::{FieldKind, Level, Noun},
};

/// Which groups of the identity provider mean which licence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LicenseMap {
    /// The licence.
    pub license_type: License,
    /// Names of groups of the identity provider, at most 100.
    pub sso_license_mapping_groups: Vec<String>,
}

impl Noun for LicenseMap {
    const WORD: &str = "license_map";
    const PARAMETER: &str = "license_map_id";
    const LEVEL: Level = Level::Account;
    const FIELDS: &[(&str, FieldKind)] = &[("license_type", FieldKind::Text)];
    type Resource = Licenses;
}
