//! How fresh the sources of a project are, as dbt's `sources.json` has it.

use serde::Deserialize;

use crate::Timestamp;

/// The largest `sources.json` that is read, in bytes: some 30,000 sources.
pub const MOST_BYTES: u64 = 32 * 1024 * 1024;

/// What one `dbt source freshness` found out.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceFreshness {
    /// When dbt wrote it down.
    pub generated_at: Option<Timestamp>,
    /// A source table each, in dbt's order.
    pub sources: Vec<FreshSource>,
}

/// One source table.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "Row")]
pub struct FreshSource {
    /// `source.shop.raw.orders`
    pub unique_id: String,
    /// The source: `raw`.
    pub source: String,
    /// Its table: `orders`.
    pub table: String,
    /// How it stands.
    pub verdict: Verdict,
}

/// How a source table stands.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// dbt has looked.
    Looked {
        /// Against the criteria.
        status: FreshnessStatus,
        /// Of its newest row.
        max_loaded_at: Timestamp,
        /// When dbt looked.
        snapshotted_at: Timestamp,
        /// How old its newest row was then, in seconds.
        age: f64,
        /// What is still fresh.
        criteria: Criteria,
    },
    /// dbt could not look.
    RuntimeError {
        /// Why, in dbt's or the data platform's words.
        error: Option<String>,
    },
}

/// How old a source is, against its criteria.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FreshnessStatus {
    /// Fresh.
    Pass,
    /// Older than `warn_after`.
    Warn,
    /// Older than `error_after`.
    Error,
}

impl FreshnessStatus {
    /// dbt's word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

/// When a source counts as stale.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
pub struct Criteria {
    /// Older than this is told.
    #[serde(default)]
    pub warn_after: Span,
    /// Older than this is an error.
    #[serde(default)]
    pub error_after: Span,
    /// Which rows count, in SQL.
    #[serde(default)]
    pub filter: Option<String>,
}

/// So many minutes, hours or days; dbt writes nulls where none is set.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(from = "Option<SpanText>")]
pub struct Span(pub Option<(u64, String)>);

#[derive(Deserialize)]
struct SpanText {
    count: Option<u64>,
    period: Option<String>,
}

impl From<Option<SpanText>> for Span {
    fn from(text: Option<SpanText>) -> Self {
        Self(text.and_then(|text| text.count.zip(text.period)))
    }
}

/// The bytes are no `sources.json` of dbt.
#[derive(Debug, thiserror::Error)]
#[error("is not dbt's: {0}")]
pub struct InvalidSources(String);

impl SourceFreshness {
    /// Reads dbt's `sources.json` (schema `sources/v3`); keys that it does not know are left out.
    ///
    /// # Errors
    /// [`InvalidSources`] says what is wrong; also if there are more than [`MOST_BYTES`].
    pub fn parse(bytes: &[u8]) -> Result<Self, InvalidSources> {
        if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > MOST_BYTES {
            return Err(InvalidSources(format!("it has more than {MOST_BYTES} bytes")));
        }
        let file: File =
            serde_json::from_slice(bytes).map_err(|wrong| InvalidSources(wrong.to_string()))?;
        Ok(Self {
            generated_at: file.metadata.generated_at.and_then(|text| Timestamp::parse(&text).ok()),
            sources: file.results,
        })
    }
}

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    metadata: Metadata,
    results: Vec<FreshSource>,
}

#[derive(Deserialize, Default)]
struct Metadata {
    generated_at: Option<String>,
}

#[derive(Deserialize)]
struct Row {
    unique_id: String,
    status: String,
    max_loaded_at: Option<String>,
    snapshotted_at: Option<String>,
    max_loaded_at_time_ago_in_s: Option<f64>,
    #[serde(default)]
    criteria: Criteria,
    error: Option<serde_json::Value>,
}

impl TryFrom<Row> for FreshSource {
    type Error = String;
    fn try_from(row: Row) -> Result<Self, String> {
        row.read()
    }
}

impl Row {
    fn read(self) -> Result<FreshSource, String> {
        let wrong = |what: &str| format!("`{}` {what}", self.unique_id);
        // `source.PACKAGE.SOURCE.TABLE`; a table's name may hold dots.
        let mut parts = self.unique_id.splitn(4, '.').skip(2);
        let (Some(source), Some(table)) = (parts.next(), parts.next()) else {
            return Err(wrong("names no source"));
        };
        let (source, table) = (source.to_owned(), table.to_owned());
        let time = |text: Option<&String>| {
            let text = text.ok_or_else(|| wrong("lacks a time"))?;
            Timestamp::parse(text).map_err(|_| wrong("has a time that is none"))
        };
        let looked = |status| -> Result<Verdict, String> {
            Ok(Verdict::Looked {
                status,
                max_loaded_at: time(self.max_loaded_at.as_ref())?,
                snapshotted_at: time(self.snapshotted_at.as_ref())?,
                age: self.max_loaded_at_time_ago_in_s.ok_or_else(|| wrong("lacks its age"))?,
                criteria: self.criteria.clone(),
            })
        };
        let verdict = match self.status.as_str() {
            "pass" => looked(FreshnessStatus::Pass)?,
            "warn" => looked(FreshnessStatus::Warn)?,
            "error" => looked(FreshnessStatus::Error)?,
            "runtime error" => Verdict::RuntimeError {
                error: self.error.as_ref().map(|error| match error.as_str() {
                    Some(text) => text.to_owned(),
                    None => error.to_string(),
                }),
            },
            _ => return Err(wrong("has a status that dbt does not know")),
        };
        Ok(FreshSource { unique_id: self.unique_id, source, table, verdict })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As dbt 1.11.16 wrote it for the example project.
    const REAL: &[u8] = include_bytes!("../tests/artifacts/sources.json");

    #[test]
    fn a_file_of_dbt_reads_whole() {
        let read = SourceFreshness::parse(REAL).unwrap();
        assert_eq!(read.generated_at.unwrap().to_string(), "2026-11-23T17:28:15.919880+00:00");
        let rows: Vec<_> = read
            .sources
            .iter()
            .map(|row| match &row.verdict {
                Verdict::Looked { status, age, criteria, .. } => {
                    let warn = criteria.warn_after.0.clone().unwrap();
                    #[expect(clippy::cast_possible_truncation, reason = "a few years in seconds")]
                    let age = *age as i64;
                    (row.source.as_str(), row.table.as_str(), status.word(), age, warn)
                }
                Verdict::RuntimeError { error } => panic!("{error:?}"),
            })
            .collect();
        let span = |count, period: &str| (count, period.to_owned());
        assert_eq!(
            rows,
            [
                ("shop_raw", "raw_order_items", "pass", 0, span(12, "hour")),
                ("legacy", "old_customers", "error", 71_170_095, span(1, "day")),
                ("shop_raw", "raw_orders", "warn", 56_708_895, span(1, "day")),
            ]
        );
    }

    #[test]
    fn a_source_that_dbt_could_not_look_at_says_why() {
        let text = r#"{"metadata":{},"results":[{"unique_id":"source.shop.raw.a.b",
            "error":"no such table","status":"runtime error"}]}"#;
        let read = SourceFreshness::parse(text.as_bytes()).unwrap();
        let [row] = read.sources.as_slice() else { panic!("{read:?}") };
        assert_eq!((row.source.as_str(), row.table.as_str()), ("raw", "a.b"));
        let error = Some("no such table".to_owned());
        assert_eq!(row.verdict, Verdict::RuntimeError { error });
    }

    #[test]
    fn criteria_may_be_unset() {
        let text = r#"{"results":[{"unique_id":"source.shop.raw.a","status":"pass",
            "max_loaded_at":"2026-01-01T00:00:00Z","snapshotted_at":"2026-01-01T00:00:01Z",
            "max_loaded_at_time_ago_in_s":1.0,
            "criteria":{"warn_after":{"count":null,"period":null},"error_after":null}}]}"#;
        let read = SourceFreshness::parse(text.as_bytes()).unwrap();
        let [FreshSource { verdict: Verdict::Looked { criteria, .. }, .. }] =
            read.sources.as_slice()
        else {
            panic!("{read:?}")
        };
        assert_eq!(*criteria, Criteria::default());
    }

    #[test]
    fn what_is_not_dbts_is_refused() {
        for text in [
            "",
            "[]",
            "{}",
            r#"{"results":[{"unique_id":"model.shop","status":"pass"}]}"#,
            r#"{"results":[{"unique_id":"source.a.b.c","status":"fine"}]}"#,
            r#"{"results":[{"unique_id":"source.a.b.c","status":"pass"}]}"#,
        ] {
            assert!(SourceFreshness::parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}
