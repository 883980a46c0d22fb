//! What came of the nodes of a dbt command, as dbt's `run_results.json` has it.

use serde::Deserialize;

use crate::Timestamp;

/// The largest `run_results.json` that is read, in bytes: some 10,000 nodes.
pub const MOST_BYTES: u64 = 8 * 1024 * 1024;

/// What came of one node: a model, a seed, a snapshot, a test, …
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeResult {
    /// `model.shop.orders`
    pub unique_id: String,
    /// How it ended.
    pub status: NodeStatus,
    /// When its work began, and when it ended; `None` of one that was not begun.
    pub times: Option<(Timestamp, Timestamp)>,
    /// dbt's or the data platform's words.
    pub message: Option<String>,
    /// Of a test: how many rows failed it.
    pub failures: Option<u64>,
}

/// How a node ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeStatus {
    /// It was built.
    Success,
    /// A test that found nothing.
    Pass,
    /// There is nothing to do for its kind.
    #[serde(rename = "no-op")]
    NoOp,
    /// It was not begun: something before it failed.
    Skipped,
    /// A test that found something, and only warns.
    Warn,
    /// Some of its batches were built.
    #[serde(rename = "partial success")]
    PartialSuccess,
    /// A test that found something.
    Fail,
    /// It could not be built.
    Error,
    /// It could not be looked at.
    #[serde(rename = "runtime error")]
    RuntimeError,
}

impl NodeStatus {
    /// Whether it makes its command fail.
    #[must_use]
    pub const fn is_bad(self) -> bool {
        matches!(self, Self::PartialSuccess | Self::Fail | Self::Error | Self::RuntimeError)
    }
}

/// The bytes are no `run_results.json` of dbt.
#[derive(Debug, thiserror::Error)]
#[error("is not dbt's: {0}")]
pub struct InvalidResults(String);

impl NodeResult {
    /// Reads dbt's `run_results.json` (schemas `run-results/v4` and newer): a node each, in the order
    /// in which they ended.
    ///
    /// # Errors
    /// [`InvalidResults`] says what is wrong; also if there are more than [`MOST_BYTES`].
    pub fn parse_all(bytes: &[u8]) -> Result<Vec<Self>, InvalidResults> {
        if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > MOST_BYTES {
            return Err(InvalidResults(format!("it has more than {MOST_BYTES} bytes")));
        }
        let file: File =
            serde_json::from_slice(bytes).map_err(|wrong| InvalidResults(wrong.to_string()))?;
        Ok(file.results.into_iter().map(Self::from).collect())
    }

    /// What kind of node it is: `model`, `test`, …
    #[must_use]
    pub fn kind(&self) -> &str {
        self.unique_id.split('.').next().unwrap_or_default()
    }

    /// What people call it: its id without kind, package, and the digest behind a test's name.
    #[must_use]
    pub fn name(&self) -> &str {
        let name = self.unique_id.splitn(3, '.').nth(2).unwrap_or(&self.unique_id);
        match name.rsplit_once('.') {
            Some((name, _)) if self.kind() == "test" => name,
            _ => name,
        }
    }

    /// How long its work took, in milliseconds; 0 of one that was not begun.
    #[must_use]
    pub fn millis(&self) -> u64 {
        let took = self.times.map_or(0, |(from, to)| (to.micros() - from.micros()) / 1_000);
        u64::try_from(took).unwrap_or_default()
    }
}

#[derive(Deserialize)]
struct File {
    results: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    unique_id: String,
    status: NodeStatus,
    #[serde(default)]
    timing: Vec<Phase>,
    message: Option<serde_json::Value>,
    failures: Option<u64>,
}

/// One of `compile` and `execute`.
#[derive(Deserialize)]
struct Phase {
    started_at: Option<String>,
    completed_at: Option<String>,
}

impl From<Row> for NodeResult {
    fn from(row: Row) -> Self {
        let time = |text: Option<&String>| Timestamp::parse(text?).ok();
        let from = row.timing.iter().filter_map(|phase| time(phase.started_at.as_ref())).min();
        let to = row.timing.iter().filter_map(|phase| time(phase.completed_at.as_ref())).max();
        Self {
            unique_id: row.unique_id,
            status: row.status,
            times: from.zip(to).filter(|(from, to)| from <= to),
            message: row.message.map(|message| match message {
                serde_json::Value::String(text) => text,
                other => other.to_string(),
            }),
            failures: row.failures,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As dbt 1.11.16 wrote it for the example project, without the SQL.
    const REAL: &[u8] = include_bytes!("../tests/run_results.json");

    fn one(text: &str) -> NodeResult {
        let text = format!("{{\"results\": [{text}]}}");
        NodeResult::parse_all(text.as_bytes()).unwrap().remove(0)
    }

    #[test]
    fn a_file_of_dbt_reads_whole() {
        let nodes = NodeResult::parse_all(REAL).unwrap();
        assert_eq!(nodes.len(), 38);
        let failed: Vec<_> = nodes.iter().filter(|node| node.status.is_bad()).collect();
        let [failed] = failed.as_slice() else { panic!("{failed:?}") };
        assert_eq!(failed.name(), "positive_column_agg_daily_revenue_revenue");
        assert_eq!((failed.kind(), failed.failures), ("test", Some(1)));
        let versioned = nodes.iter().find(|node| node.name() == "dim_customers.v2").unwrap();
        assert_eq!(versioned.kind(), "model");
        assert!(versioned.millis() > 0);
        assert_eq!(nodes.iter().filter(|node| node.status == NodeStatus::NoOp).count(), 3);
    }

    #[test]
    fn what_was_not_begun_has_no_times_and_takes_nothing() {
        let skipped = one(r#"{"unique_id": "model.shop.a", "status": "skipped", "timing": []}"#);
        assert_eq!((skipped.times, skipped.millis()), (None, 0));
        let odd = one(r#"{"unique_id": "x", "status": "success", "message": {"a": 1}, "timing": [
            {"name": "execute", "started_at": "2026-01-01T00:00:02Z",
             "completed_at": "2026-01-01T00:00:01Z"}]}"#);
        assert_eq!(
            (odd.times, odd.name(), odd.kind()),
            (None, "x", "x"),
            "an end before its start"
        );
        assert_eq!(odd.message.as_deref(), Some("{\"a\":1}"));
    }

    #[test]
    fn what_is_not_dbts_is_refused() {
        for text in ["", "[]", "{}", r#"{"results": [{"unique_id": "a", "status": "fine"}]}"#] {
            assert!(NodeResult::parse_all(text.as_bytes()).is_err(), "{text}");
        }
    }
}
