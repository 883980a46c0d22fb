//! What became of the models and tests of a run: an addition.

use domain::{NodeCounts as DomainCounts, NodeEnds as DomainEnds};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What became of models and tests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NodeCounts {
    /// Models.
    pub models: NodeEnds,
    /// Data and unit tests.
    pub tests: NodeEnds,
}

/// How many nodes of a kind ended how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NodeEnds {
    /// Well.
    pub passed: u64,
    /// Well, with a warning.
    pub warned: u64,
    /// Not well.
    pub failed: u64,
    /// Not at all.
    pub skipped: u64,
}

impl From<DomainCounts> for NodeCounts {
    fn from(counts: DomainCounts) -> Self {
        Self { models: counts.models.into(), tests: counts.tests.into() }
    }
}

impl From<DomainEnds> for NodeEnds {
    fn from(ends: DomainEnds) -> Self {
        let DomainEnds { passed, warned, failed, skipped } = ends;
        Self { passed, warned, failed, skipped }
    }
}
