//! How a node's run went.

use std::sync::Arc;

use crate::{
    JobId, RunId, Timestamp,
    artifact::{Metadata, NodeResult, Period, RunResults, Status, Text},
};

/// The step of a run that an artifact is of.
#[derive(Debug, Clone, PartialEq)]
pub struct Invocation {
    /// Which run.
    pub run: RunId,
    /// Of which job.
    pub job: JobId,
    /// Which of its steps, by index.
    pub step: u32,
    /// When dbt wrote the artifact.
    pub generated_at: Option<Timestamp>,
    /// How long the call of dbt took, in seconds; of results alone.
    pub elapsed_time: Option<f64>,
    /// The call of dbt.
    pub invocation_id: Option<Text>,
}

impl Invocation {
    /// Of an artifact of this step.
    #[must_use]
    pub fn new((run, step): (RunId, u32), job: JobId, metadata: &Metadata) -> Self {
        Self {
            run,
            job,
            step,
            generated_at: metadata.generated_at,
            elapsed_time: None,
            invocation_id: metadata.invocation_id.clone(),
        }
    }

    /// Of the results of this step.
    #[must_use]
    pub fn of_results(step: (RunId, u32), job: JobId, results: &RunResults) -> Self {
        Self { elapsed_time: results.elapsed_time, ..Self::new(step, job, &results.metadata) }
    }

    /// What is newer has the greater: a later run, or a later step of the same.
    #[must_use]
    pub const fn age(&self) -> (RunId, u32) {
        (self.run, self.step)
    }
}

/// How the newest run of a node went.
#[derive(Debug, Clone, PartialEq)]
pub struct Execution {
    /// In which step of which run.
    pub of: Arc<Invocation>,
    /// How it ended.
    pub status: Status,
    /// What the data platform or dbt said, of an error or a warning as of a success.
    pub message: Option<Text>,
    /// Of a test, how many rows failed it.
    pub failures: Option<i64>,
    /// In seconds.
    pub execution_time: Option<f64>,
    /// dbt's thread.
    pub thread_id: Option<Text>,
    /// When dbt compiled it.
    pub compile: Period,
    /// When the data platform worked at it.
    pub execute: Period,
    /// As dbt made it then.
    pub compiled_code: Option<Text>,
    /// The newest run in which it went well.
    pub last_success: Option<(RunId, JobId)>,
}

impl Execution {
    /// What a result says.
    #[must_use]
    pub fn new(of: Arc<Invocation>, result: NodeResult) -> Self {
        Self {
            status: result.status,
            failures: result.failures,
            execution_time: result.execution_time,
            compile: result.compile(),
            execute: result.execute(),
            message: result.message,
            thread_id: result.thread_id,
            compiled_code: result.compiled_code,
            last_success: result.status.is_success().then_some((of.run, of.job)),
            of,
        }
    }

    /// What went wrong, in dbt's words; nothing where nothing did.
    #[must_use]
    pub const fn error(&self) -> Option<&Text> {
        if self.status.is_success() { None } else { self.message.as_ref() }
    }

    /// Of two of one node: the newer, and the newer success.
    #[must_use]
    pub(super) fn newer(self, other: Self) -> Self {
        let last_success = self.last_success.max(other.last_success);
        let newer = if other.of.age() >= self.of.age() { other } else { self };
        Self { last_success, ..newer }
    }
}
