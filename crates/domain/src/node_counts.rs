//! What became of the models and tests of a run.

use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

/// What became of a run's models and tests, all its steps together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct NodeCounts {
    /// Its models.
    pub models: NodeEnds,
    /// Its data and unit tests.
    pub tests: NodeEnds,
}

/// How many nodes of a kind ended how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct NodeEnds {
    /// Well.
    pub passed: u64,
    /// Well, with a warning.
    pub warned: u64,
    /// Not well.
    pub failed: u64,
    /// Not at all, since something before them did not, or since there was nothing to do.
    pub skipped: u64,
}

impl NodeCounts {
    /// Counts a result of dbt: the id of its node (`model.shop.orders`) and its status. Nodes of
    /// other kinds are not counted.
    pub fn count(&mut self, unique_id: &str, status: &str) {
        let ends = match unique_id.split('.').next() {
            Some("model") => &mut self.models,
            Some("test" | "unit_test") => &mut self.tests,
            _ => return,
        };
        let number = match status {
            "success" | "pass" => &mut ends.passed,
            "warn" => &mut ends.warned,
            "skipped" | "no-op" => &mut ends.skipped,
            _ => &mut ends.failed,
        };
        *number += 1;
    }
}

impl AddAssign for NodeCounts {
    fn add_assign(&mut self, other: Self) {
        self.models += other.models;
        self.tests += other.tests;
    }
}

impl AddAssign for NodeEnds {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.warned += other.warned;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_dbt_reports_is_counted_by_kind_and_end() {
        let mut counts = NodeCounts::default();
        for (id, status) in [
            ("model.shop.a", "success"),
            ("model.shop.b", "error"),
            ("model.shop.c", "partial success"),
            ("model.shop.d", "skipped"),
            ("test.shop.unique_a", "pass"),
            ("test.shop.positive", "warn"),
            ("test.shop.accepted", "fail"),
            ("unit_test.shop.a.rounds", "pass"),
            ("seed.shop.raw", "success"),
            ("source.shop.raw.a", "warn"),
        ] {
            counts.count(id, status);
        }
        let models = NodeEnds { passed: 1, warned: 0, failed: 2, skipped: 1 };
        let tests = NodeEnds { passed: 2, warned: 1, failed: 1, skipped: 0 };
        assert_eq!(counts, NodeCounts { models, tests });
        counts += counts;
        assert_eq!((counts.models.failed, counts.tests.passed), (4, 4));
    }
}
