//! `run_results.json`: what one call of dbt did with each node.

use serde::Deserialize;

use super::{
    InvalidArtifact, Metadata,
    read::{self, Form},
    text::Text,
};
use crate::Timestamp;

const FORM: Form = Form {
    file: "run_results.json",
    schema: "run-results",
    versions: (4, 6),
    known: "run-results/v4 to run-results/v6",
};

/// What one call of dbt did.
#[derive(Debug, Clone, Deserialize)]
pub struct RunResults {
    /// Of the file.
    pub metadata: Metadata,
    /// How long all of it took, in seconds.
    #[serde(default)]
    pub elapsed_time: Option<f64>,
    #[serde(default, deserialize_with = "read::or_default")]
    args: Args,
    /// A node each, in the order of their ends.
    pub results: Vec<NodeResult>,
}

#[derive(Debug, Clone, Default, Deserialize)]
struct Args {
    which: Option<Text>,
}

impl RunResults {
    /// Reads the bytes of a `run_results.json`.
    ///
    /// # Errors
    /// [`InvalidArtifact`] says where and what.
    pub fn parse(bytes: &[u8]) -> Result<Self, InvalidArtifact> {
        FORM.read(bytes, |results: &Self| &results.metadata)
    }

    /// dbt's command: `build`, `run`, `generate`, …
    #[must_use]
    pub fn which(&self) -> Option<&str> {
        self.args.which.as_deref()
    }

    /// Whether the command built or tested its nodes. Others write results too: `docs generate`
    /// calls every test a success.
    #[must_use]
    pub fn is_execution(&self) -> bool {
        matches!(self.which(), Some("build" | "run" | "seed" | "snapshot" | "test" | "retry"))
    }
}

/// What became of a node.
#[derive(Debug, Clone, Deserialize)]
pub struct NodeResult {
    /// Which node.
    pub unique_id: Text,
    /// How it ended.
    pub status: Status,
    /// What the data platform or dbt said.
    #[serde(default)]
    pub message: Option<Text>,
    /// Of a test, how many rows failed it.
    #[serde(default)]
    pub failures: Option<i64>,
    /// In seconds.
    #[serde(default)]
    pub execution_time: Option<f64>,
    /// dbt's thread: `Thread-1 (worker)`.
    #[serde(default)]
    pub thread_id: Option<Text>,
    /// As dbt made it; from v5 on.
    #[serde(default)]
    pub compiled_code: Option<Text>,
    #[serde(default, deserialize_with = "read::or_default")]
    timing: Vec<Timing>,
}

impl NodeResult {
    /// When dbt compiled it.
    #[must_use]
    pub fn compile(&self) -> Period {
        self.timed("compile")
    }

    /// When the data platform worked at it.
    #[must_use]
    pub fn execute(&self) -> Period {
        self.timed("execute")
    }

    fn timed(&self, name: &str) -> Period {
        let timing = self.timing.iter().find(|timing| timing.name == name);
        timing.map_or_else(Period::default, |timing| Period {
            started_at: timing.started_at,
            completed_at: timing.completed_at,
        })
    }
}

#[derive(Debug, Clone, Deserialize)]
struct Timing {
    name: Text,
    #[serde(default, deserialize_with = "read::time")]
    started_at: Option<Timestamp>,
    #[serde(default, deserialize_with = "read::time")]
    completed_at: Option<Timestamp>,
}

/// From when to when; empty where it did not come to that.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Period {
    /// Its start.
    pub started_at: Option<Timestamp>,
    /// Its end.
    pub completed_at: Option<Timestamp>,
}

/// How a node ended, in dbt's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
pub enum Status {
    /// Of what is built.
    #[serde(rename = "success")]
    Success,
    /// Of what is built and of tests.
    #[serde(rename = "error")]
    Error,
    /// Not begun.
    #[serde(rename = "skipped")]
    Skipped,
    /// Of some batches of a model.
    #[serde(rename = "partial success")]
    PartialSuccess,
    /// Of a test.
    #[serde(rename = "pass")]
    Pass,
    /// Of a test.
    #[serde(rename = "fail")]
    Fail,
    /// Of a test.
    #[serde(rename = "warn")]
    Warn,
    /// Of what could not be looked at.
    #[serde(rename = "runtime error")]
    RuntimeError,
    /// There was nothing to do: of exposures and saved queries.
    #[serde(rename = "no-op")]
    NoOp,
    /// What is not known here.
    #[serde(other, rename = "unknown")]
    Unknown,
}

impl Status {
    const ALL: [Self; 10] = [
        Self::Success,
        Self::Error,
        Self::Skipped,
        Self::PartialSuccess,
        Self::Pass,
        Self::Fail,
        Self::Warn,
        Self::RuntimeError,
        Self::NoOp,
        Self::Unknown,
    ];

    /// dbt's word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Error => "error",
            Self::Skipped => "skipped",
            Self::PartialSuccess => "partial success",
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Warn => "warn",
            Self::RuntimeError => "runtime error",
            Self::NoOp => "no-op",
            Self::Unknown => "unknown",
        }
    }

    /// The status with this word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.word() == word)
    }

    /// Whether it went well: built, or passed.
    #[must_use]
    pub const fn is_success(self) -> bool {
        matches!(self, Self::Success | Self::Pass)
    }
}
