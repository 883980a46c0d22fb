//! Permission sets: names of rows of the catalogue.

use serde::{Deserialize, Serialize};

use super::catalogue::{SetRow, catalogue};

/// A row of the catalogue, such as `job_admin`; the wire's spelling is the key.
///
/// Well formed by construction: a value of this type always names a row. Naming one by its place
/// does not compile:
///
/// ```compile_fail
/// let set = domain::authz::PermissionSet(0);
/// ```
///
/// and by its key, which may be refused, it does:
///
/// ```
/// assert!("job_admin".parse::<domain::authz::PermissionSet>().is_ok());
/// assert!("root".parse::<domain::authz::PermissionSet>().is_err());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PermissionSet(pub(super) u8);

/// The text names no permission set. It is not repeated: it may be a secret in the wrong field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not the key of a permission set")]
pub struct UnknownPermissionSet;

impl PermissionSet {
    /// Every set that a grant can name, in the order of the catalogue.
    pub fn all() -> impl Iterator<Item = Self> {
        catalogue().sets().map(|row| row.set)
    }

    /// What the catalogue says of it.
    #[must_use]
    pub fn row(self) -> &'static SetRow {
        catalogue().row(self)
    }

    /// The wire's spelling: `job_admin`.
    #[must_use]
    pub fn key(self) -> &'static str {
        &self.row().key
    }

    /// The name that people read: `Job Admin`.
    #[must_use]
    pub fn label(self) -> &'static str {
        &self.row().label
    }
}

impl std::fmt::Display for PermissionSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.key())
    }
}

impl std::str::FromStr for PermissionSet {
    type Err = UnknownPermissionSet;
    fn from_str(text: &str) -> Result<Self, UnknownPermissionSet> {
        catalogue()
            .sets()
            .find(|row| row.key == text)
            .map(|row| row.set)
            .ok_or(UnknownPermissionSet)
    }
}

impl TryFrom<String> for PermissionSet {
    type Error = UnknownPermissionSet;
    fn try_from(text: String) -> Result<Self, UnknownPermissionSet> {
        text.parse()
    }
}

impl From<PermissionSet> for String {
    fn from(set: PermissionSet) -> Self {
        set.key().to_owned()
    }
}
