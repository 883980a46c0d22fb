//! How a version of a model stands to the others.

use std::cmp::Ordering;

use crate::artifact::Node;

/// How a version of a model stands to the one that `ref` means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReleaseVersion {
    /// It is that one.
    Latest,
    /// The model has no versions.
    None,
    /// It comes before.
    Old,
    /// It comes after.
    Prerelease,
}

impl ReleaseVersion {
    /// Of a node.
    #[must_use]
    pub fn of(node: &Node) -> Self {
        let (Some(version), Some(latest)) = (&node.version, &node.latest_version) else {
            return Self::None;
        };
        match compare(version, latest) {
            Ordering::Less => Self::Old,
            Ordering::Equal => Self::Latest,
            Ordering::Greater => Self::Prerelease,
        }
    }

    /// The word of the API and of selectors: `latest`, `none`, `old`, `prerelease`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Latest => "latest",
            Self::None => "none",
            Self::Old => "old",
            Self::Prerelease => "prerelease",
        }
    }
}

/// As dbt compares: as numbers if both are, else as texts.
fn compare(one: &str, other: &str) -> Ordering {
    match (one.parse::<f64>(), other.parse::<f64>()) {
        (Ok(one), Ok(other)) => one.total_cmp(&other),
        _ => one.cmp(other),
    }
}
