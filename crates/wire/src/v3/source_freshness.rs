//! How fresh a project's sources are: an addition of ours, which dbt's documents do not have.

use domain::{
    JobId, ProjectId, RunId,
    source_freshness::{FreshSource, SourceFreshness as Found, Span, Verdict},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The newest look at the sources of a project.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SourceFreshness {
    /// The project.
    pub project_id: i64,
    /// The job that looked.
    pub job_id: i64,
    /// Its run.
    pub run_id: i64,
    /// When dbt wrote it down.
    pub generated_at: Option<String>,
    /// A source table each.
    pub sources: Vec<SourceTable>,
}

/// One source table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SourceTable {
    /// `source.shop.raw.orders`
    pub unique_id: String,
    /// The source: `raw`.
    pub source_name: String,
    /// Its table: `orders`.
    pub table_name: String,
    /// `pass`, `warn`, `error`, or `runtime error` if dbt could not look.
    pub status: String,
    /// Of its newest row.
    pub max_loaded_at: Option<String>,
    /// When dbt looked.
    pub snapshotted_at: Option<String>,
    /// How old its newest row was then.
    pub age_seconds: Option<f64>,
    /// What is still fresh.
    pub criteria: Option<FreshnessCriteria>,
    /// Why dbt could not look.
    pub error: Option<String>,
    /// The run that looked.
    pub run_id: i64,
}

/// When a source table counts as stale.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FreshnessCriteria {
    /// Older than this is a warning.
    pub warn_after: Option<FreshnessSpan>,
    /// Older than this is an error.
    pub error_after: Option<FreshnessSpan>,
    /// Which rows count, in SQL.
    pub filter: Option<String>,
}

/// So many minutes, hours or days.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FreshnessSpan {
    /// How many.
    pub count: u64,
    /// `minute`, `hour` or `day`.
    pub period: String,
}

impl SourceFreshness {
    /// What a run of a job found out.
    #[must_use]
    pub fn new(project: ProjectId, (job, run): (JobId, RunId), found: Found) -> Self {
        Self {
            project_id: project.get(),
            job_id: job.get(),
            run_id: run.get(),
            generated_at: found.generated_at.map(|time| time.to_string()),
            sources: found.sources.into_iter().map(|row| SourceTable::new(row, run)).collect(),
        }
    }
}

impl SourceTable {
    fn new(row: FreshSource, run: RunId) -> Self {
        let unknown = Self {
            unique_id: row.unique_id,
            source_name: row.source,
            table_name: row.table,
            status: "runtime error".to_owned(),
            max_loaded_at: None,
            snapshotted_at: None,
            age_seconds: None,
            criteria: None,
            error: None,
            run_id: run.get(),
        };
        match row.verdict {
            Verdict::RuntimeError { error } => Self { error, ..unknown },
            Verdict::Looked { status, max_loaded_at, snapshotted_at, age, criteria } => Self {
                status: status.word().to_owned(),
                max_loaded_at: Some(max_loaded_at.to_string()),
                snapshotted_at: Some(snapshotted_at.to_string()),
                age_seconds: Some(age),
                criteria: Some(FreshnessCriteria {
                    warn_after: span(criteria.warn_after),
                    error_after: span(criteria.error_after),
                    filter: criteria.filter,
                }),
                ..unknown
            },
        }
    }
}

fn span(span: Span) -> Option<FreshnessSpan> {
    span.0.map(|(count, period)| FreshnessSpan { count, period })
}
