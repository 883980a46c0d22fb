//! How far dbt has come, from the events of its log.
//!
//! Each node has a number and comes up twice: in `LogStartLine` when dbt begins it, and when it is
//! through with it in an event of its kind (`LogModelResult`, `LogTestResult`, …) or of having been
//! skipped. dbt says elsewhere how many nodes there are, but leaves some out (`ConcurrencyLine`: 37
//! of the shop's 38), and `NodeFinished` also comes for hooks.

use std::collections::BTreeSet;

use domain::run::Progress;
use serde::Deserialize;

/// The most nodes of which it is known which are done.
const MOST: u32 = 100_000;

/// Counts nodes.
#[derive(Debug, Default)]
pub(crate) struct Nodes {
    done: BTreeSet<u32>,
    total: u32,
}

/// Which node of how many an event is about; tests say the number of all by another name.
#[derive(Deserialize)]
struct Counted {
    data: Count,
}

#[derive(Deserialize)]
struct Count {
    index: u32,
    #[serde(alias = "num_models")]
    total: u32,
}

impl Nodes {
    /// How far it is; none as long as dbt has not begun a node.
    pub(crate) fn progress(&self) -> Option<Progress> {
        let done = u32::try_from(self.done.len()).unwrap_or(u32::MAX);
        (self.total > 0).then_some(Progress { done, total: self.total })
    }

    /// Takes an event by its name and its line.
    pub(crate) fn read(&mut self, name: &str, line: &str) {
        let Some(done) = is_done(name) else { return };
        let Ok(Counted { data: Count { index, total } }) = serde_json::from_str(line) else {
            return;
        };
        if (1..=total).contains(&index) && total <= MOST {
            self.total = total;
            if done {
                self.done.insert(index);
            }
        }
    }
}

/// Whether an event with this name says that a node is done, or begun; none if it is about none.
fn is_done(name: &str) -> Option<bool> {
    match name {
        "LogStartLine" => Some(false),
        "SkippingDetails" | "LogSkipBecauseError" => Some(true),
        _ => (name.starts_with("Log") && name.ends_with("Result")).then_some(true),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn after(events: &[(&str, serde_json::Value)]) -> Option<(u32, u32)> {
        let mut nodes = Nodes::default();
        for (name, data) in events {
            nodes.read(name, &json!({ "info": { "name": name }, "data": data }).to_string());
        }
        nodes.progress().map(|progress| (progress.done, progress.total))
    }

    #[test]
    fn a_node_is_done_when_dbt_says_how_it_went_and_counts_once() {
        let of = |index: u32| json!({ "index": index, "total": 38, "status": "OK" });
        let begun = ("LogStartLine", of(1));
        let test = ("LogTestResult", json!({ "index": 33, "num_models": 38, "status": "fail" }));
        assert_eq!(after(&[("ConcurrencyLine", json!({ "node_count": 37 }))]), None);
        assert_eq!(after(std::slice::from_ref(&begun)), Some((0, 38)));
        let seed = ("LogSeedResult", of(2));
        let (skipped, nothing) = (("SkippingDetails", of(5)), ("LogNodeNoOpResult", of(35)));
        assert_eq!(after(&[begun, seed.clone(), seed, skipped, nothing, test]), Some((4, 38)));
    }

    #[test]
    fn what_only_looks_like_it_is_not_counted() {
        for (name, data) in [
            ("LogHookEndLine", json!({ "index": 1, "total": 2 })),
            ("LogBatchResult", json!({ "batch_index": 1, "total_batches": 2 })),
            ("LogModelResult", json!({ "index": 39, "total": 38 })),
            ("LogModelResult", json!({ "index": 0, "total": 38 })),
            ("LogModelResult", json!({ "index": -1, "total": 38 })),
            ("LogModelResult", json!({ "index": 1, "total": 4_000_000_000_u32 })),
            ("LogModelResult", json!({ "index": "1", "total": 38 })),
            ("LogModelResult", json!(null)),
        ] {
            assert_eq!(after(&[(name, data.clone())]), None, "{name} {data}");
        }
    }
}
