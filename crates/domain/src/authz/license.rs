//! Licences: what a user, not a token, is entitled to.

use serde::{Deserialize, Serialize};

use super::{Grant, catalogue::catalogue, principal::everywhere};

/// A user's licence. Whether it inherits what groups give, or replaces it, stands in the catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum License {
    /// Whatever the groups give.
    Developer,
    /// Whatever the groups give; no longer sold; makes no service tokens.
    Analyst,
    /// The same read access for every such user.
    ReadOnly,
    /// Security and billing administration and connections.
    It,
}

/// The text names no licence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a licence: use developer, read_only, it or analyst")]
pub struct UnknownLicense(pub String);

impl License {
    /// Every licence.
    pub const ALL: [Self; 4] = [Self::Developer, Self::Analyst, Self::ReadOnly, Self::It];

    /// What a user with it holds, who is in groups that give this: that, or the catalogue's fixed
    /// grants in its place.
    #[must_use]
    pub fn holdings(self, group_grants: Vec<Grant>) -> Vec<Grant> {
        let row = catalogue().license(self);
        if row.inherits { group_grants } else { everywhere(&row.sets) }
    }

    /// The wire's spelling.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Developer => "developer",
            Self::Analyst => "analyst",
            Self::ReadOnly => "read_only",
            Self::It => "it",
        }
    }
}

impl std::fmt::Display for License {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.key())
    }
}

impl std::str::FromStr for License {
    type Err = UnknownLicense;
    fn from_str(text: &str) -> Result<Self, UnknownLicense> {
        Self::ALL
            .into_iter()
            .find(|license| license.key() == text)
            .ok_or_else(|| UnknownLicense(text.to_owned()))
    }
}
