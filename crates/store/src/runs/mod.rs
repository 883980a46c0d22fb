//! Runs and their steps, from the queue to the end.

mod change;
mod claim;
mod debug_logs;
mod deferral;
mod followers;
mod git_host;
mod lease;
mod outlook;
mod queue;
mod retry;
mod steps;
mod work;

use std::collections::BTreeMap;

use domain::{
    AccountId, EnvironmentId, JobId, ProjectId, RunId,
    authz::{Permit, Read, Runs},
    list::{ListQuery, Paged, StateFilter},
    run::{NoRetry, Outcome, RetryPoint, Run, RunState, RunStatus},
};
use sea_orm::{
    ColumnTrait as _, Condition, ConnectionTrait, EntityTrait as _, FromQueryResult,
    QueryFilter as _, QueryOrder as _, QuerySelect as _,
    sea_query::{Expr, ExprTrait as _, SimpleExpr},
};

use crate::{
    Store, StoreError,
    entities::{
        maybe_time,
        run::{Column, Entity, Model},
        run_count, time,
    },
    list::{Collection, Field, Kind, State},
    rows::{Placed, found, from_text, note_page, note_rows, of_account, only},
    usage,
};

pub use claim::ClaimedRun;
pub use debug_logs::DebugLog;
pub use git_host::GitDeliveryOutcome;
pub(crate) use queue::{cancel_queued, enqueue};
pub use steps::{LogEnd, LogMark, LogPiece, StepWithLogs};

/// A job's newest runs.
#[derive(Debug, Clone, Default)]
pub struct LatestRuns {
    /// The newest.
    pub latest: Option<Run>,
    /// The newest that has finished.
    pub latest_completed: Option<Run>,
}

#[derive(FromQueryResult)]
struct RowWithWarnings {
    #[sea_orm(nested)]
    run: Model,
    warnings: Option<i64>,
}

static COLLECTION: Collection<Column> = Collection {
    id: Column::Id,
    fields: &[
        Field { name: "project_id", column: Column::ProjectId, kind: Kind::Int },
        Field { name: "environment_id", column: Column::EnvironmentId, kind: Kind::Int },
        Field { name: "job_definition_id", column: Column::JobId, kind: Kind::Int },
        Field { name: "job_id", column: Column::JobId, kind: Kind::Int },
        Field { name: "status", column: Column::Status, kind: Kind::Int },
        Field { name: "dbt_version", column: Column::DbtVersion, kind: Kind::Text },
        Field { name: "git_sha", column: Column::GitSha, kind: Kind::Text },
        Field { name: "git_branch", column: Column::GitBranch, kind: Kind::Text },
        Field { name: "deferring_run_id", column: Column::DeferringRunId, kind: Kind::Int },
        Field { name: "retrying_run_id", column: Column::RetryingRunId, kind: Kind::Int },
        Field { name: "has_docs_generated", column: Column::HasDocs, kind: Kind::Bool },
        Field { name: "has_sources_generated", column: Column::HasSources, kind: Kind::Bool },
        Field { name: "created_at", column: Column::CreatedAt, kind: Kind::Time },
        Field { name: "updated_at", column: Column::UpdatedAt, kind: Kind::Time },
        Field { name: "dequeued_at", column: Column::DequeuedAt, kind: Kind::Time },
        Field { name: "started_at", column: Column::StartedAt, kind: Kind::Time },
        Field { name: "finished_at", column: Column::FinishedAt, kind: Kind::Time },
    ],
    // Runs are not deleted; their states on the wire are all of them unless it is said.
    state: State { active: || Expr::value(true), default: StateFilter::All },
};

/// What of a list of runs can be counted without its rows.
static COUNTS: Collection<run_count::Column> = Collection {
    id: run_count::Column::ProjectId,
    fields: &[
        Field { name: "project_id", column: run_count::Column::ProjectId, kind: Kind::Int },
        Field { name: "environment_id", column: run_count::Column::EnvironmentId, kind: Kind::Int },
        Field { name: "job_definition_id", column: run_count::Column::JobId, kind: Kind::Int },
        Field { name: "job_id", column: run_count::Column::JobId, kind: Kind::Int },
        Field { name: "status", column: run_count::Column::Status, kind: Kind::Int },
    ],
    state: State { active: || Expr::value(true), default: StateFilter::All },
};

impl Placed for Entity {
    const ACCOUNT: Self::Column = Column::AccountId;
    const PROJECT: Self::Column = Column::ProjectId;

    fn in_environments(ids: Vec<i64>) -> SimpleExpr {
        Column::EnvironmentId.is_in(ids)
    }

    fn of_jobs(ids: Vec<i64>) -> SimpleExpr {
        Column::JobId.is_in(ids)
    }
}

impl Placed for run_count::Entity {
    const ACCOUNT: Self::Column = run_count::Column::AccountId;
    const PROJECT: Self::Column = run_count::Column::ProjectId;

    fn in_environments(ids: Vec<i64>) -> SimpleExpr {
        run_count::Column::EnvironmentId.is_in(ids)
    }

    fn of_jobs(ids: Vec<i64>) -> SimpleExpr {
        run_count::Column::JobId.is_in(ids)
    }
}

impl Store {
    /// Runs that the permit reaches.
    ///
    /// # Errors
    /// [`StoreError::Invalid`], [`StoreError::Unavailable`].
    pub async fn runs(
        &self,
        permit: &Permit<Read, Runs>,
        query: &ListQuery,
    ) -> Result<Paged<Run>, StoreError> {
        let rows = Entity::within(permit);
        let known = are_counted(query).then(|| self.count_runs(permit, query));
        let page = self.page_of(rows, &COLLECTION, query, known).await?;
        note_page(permit, query, &page.rows, Column::ProjectId);
        let rows = page.rows.into_iter().map(Model::into_domain).collect::<Result<_, _>>()?;
        Ok(Paged { rows, total: page.total })
    }

    /// The newest runs of a project that the permit reaches, newest first, each with how many warnings
    /// it gave, in one statement.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn newest_runs(
        &self,
        permit: &Permit<Read, Runs>,
        project: ProjectId,
        most: u16,
    ) -> Result<Vec<(Run, u64)>, StoreError> {
        let rows: Vec<RowWithWarnings> = Entity::within(permit)
            .filter(Column::ProjectId.eq(project.get()))
            .expr_as(usage::warnings_of_row(), "warnings")
            .order_by_desc(Column::Id)
            .limit(u64::from(most))
            .into_model()
            .all(self.reader())
            .await
            .map_err(StoreError::db)?;
        let read = |row: RowWithWarnings| {
            let warnings = u64::try_from(row.warnings.unwrap_or_default());
            Ok((row.run.into_domain()?, warnings.map_err(StoreError::corrupt)?))
        };
        rows.into_iter().map(read).collect()
    }

    /// One of them.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Unavailable`].
    pub async fn run(&self, permit: &Permit<Read, Runs>, id: RunId) -> Result<Run, StoreError> {
        let rows = Entity::within(permit).filter(Column::Id.eq(id.get()));
        found(permit, rows, Column::ProjectId, self.reader()).await?.into_domain()
    }

    /// The runs that take up one of these, oldest first, in one statement.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn retries(
        &self,
        permit: &Permit<Read, Runs>,
        of: &[RunId],
    ) -> Result<Vec<Run>, StoreError> {
        let rows = Entity::within(permit)
            .filter(Column::RetryingRunId.is_in(of.iter().map(|run| run.get())))
            .order_by_asc(Column::Id)
            .all(self.reader())
            .await
            .map_err(StoreError::db)?;
        note_rows(permit, &rows, Column::ProjectId);
        rows.into_iter().map(Model::into_domain).collect()
    }

    /// The newest runs of each of these jobs, in one statement.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn latest_runs(
        &self,
        permit: &Permit<Read, Runs>,
        jobs: &[JobId],
    ) -> Result<BTreeMap<JobId, LatestRuns>, StoreError> {
        let ids: Vec<i64> = jobs.iter().map(|job| job.get()).collect();
        let newest = |finished: bool| {
            let newest = Entity::within(permit)
                .select_only()
                .expr(Expr::col((Entity, Column::Id)).max())
                .filter(Column::JobId.is_in(ids.clone()));
            let newest =
                if finished { newest.filter(Column::FinishedAt.is_not_null()) } else { newest };
            Column::Id.in_subquery(sea_orm::QueryTrait::into_query(newest.group_by(Column::JobId)))
        };
        let either = Condition::any().add(newest(false)).add(newest(true));
        let rows = Entity::find().filter(either).order_by_asc(Column::Id).all(self.reader()).await;
        let mut found: BTreeMap<JobId, LatestRuns> = BTreeMap::new();
        let rows = rows.map_err(StoreError::db)?;
        note_rows(permit, &rows, Column::ProjectId);
        // Oldest first: of a job's two at most, the later one is the newest.
        for row in rows {
            let run = row.into_domain()?;
            let of_job = found.entry(run.job).or_default();
            if run.state.is_finished() {
                of_job.latest_completed = Some(run.clone());
            }
            of_job.latest = Some(run);
        }
        Ok(found)
    }
}

impl Store {
    /// How many runs there are of what the permit reaches and the query names.
    async fn count_runs(
        &self,
        permit: &Permit<Read, Runs>,
        query: &ListQuery,
    ) -> Result<u64, StoreError> {
        let counted = ListQuery { state: None, ..query.clone() };
        let counts: Vec<i64> = run_count::Entity::within(permit)
            .filter(COUNTS.condition(&counted)?)
            .select_only()
            .column(run_count::Column::Runs)
            .into_tuple()
            .all(self.reader())
            .await
            .map_err(StoreError::db)?;
        u64::try_from(counts.into_iter().sum::<i64>()).map_err(StoreError::corrupt)
    }
}

/// Whether a query asks for all runs, or for those of some projects, environments, jobs or states:
/// how many there are is known.
fn are_counted(query: &ListQuery) -> bool {
    let known = |name: &str| COUNTS.fields.iter().any(|field| field.name == name);
    let says_nothing = |name: &str| COLLECTION.field(name).is_none();
    query.state != Some(StateFilter::Deleted)
        && query.filters.iter().all(|filter| known(&filter.field) || says_nothing(&filter.field))
}

impl Model {
    /// What it means.
    pub(crate) fn into_domain(self) -> Result<Run, StoreError> {
        Ok(Run {
            id: RunId::new(self.id).map_err(StoreError::corrupt)?,
            account: AccountId::new(self.account_id).map_err(StoreError::corrupt)?,
            project: ProjectId::new(self.project_id).map_err(StoreError::corrupt)?,
            environment: EnvironmentId::new(self.environment_id).map_err(StoreError::corrupt)?,
            job: JobId::new(self.job_id).map_err(StoreError::corrupt)?,
            trigger: from_text(&self.trigger)?,
            state: self.run_state()?,
            retry_point: self.retry_point()?,
            cancel_requested: self.cancel_requested,
            message: self.message,
            git_sha: self.git_sha,
            git_branch: self.git_branch,
            used_clone: self.used_clone,
            has_docs: self.has_docs,
            has_sources: self.has_sources,
            deferring: self
                .deferring_run_id
                .map(RunId::new)
                .transpose()
                .map_err(StoreError::corrupt)?,
            cancelled_by: self
                .cancelled_by
                .as_deref()
                .map(str::parse)
                .transpose()
                .map_err(StoreError::corrupt)?,
            worker: self.worker,
            heartbeat_at: maybe_time(self.heartbeat_at)?,
            notifications_sent: self.notifications_sent,
            counts: self.counts.as_deref().map(from_text).transpose()?,
            created_at: time(self.created_at)?,
            updated_at: time(self.updated_at)?,
        })
    }

    fn retry_point(&self) -> Result<Option<RetryPoint>, StoreError> {
        if let Some(step) = self.retry_step {
            return Ok(Some(Ok(u32::try_from(step).map_err(StoreError::corrupt)?)));
        }
        let Some(word) = self.no_retry.as_deref() else { return Ok(None) };
        let reason = NoRetry::from_word(word);
        reason.map(|reason| Some(Err(reason))).ok_or_else(|| StoreError::corrupt(word))
    }

    fn run_state(&self) -> Result<RunState, StoreError> {
        let status = RunStatus::new(self.status).map_err(StoreError::corrupt)?;
        let needs = |time: Option<i64>| {
            maybe_time(time)?.ok_or_else(|| {
                StoreError::Corrupt(format!("run {} lacks a time of its state", self.id))
            })
        };
        Ok(match status {
            RunStatus::QUEUED => RunState::Queued,
            RunStatus::STARTING => RunState::Starting { dequeued_at: needs(self.dequeued_at)? },
            RunStatus::RUNNING => RunState::Running {
                dequeued_at: needs(self.dequeued_at)?,
                started_at: needs(self.started_at)?,
            },
            ended => RunState::Finished {
                outcome: outcome(ended),
                dequeued_at: maybe_time(self.dequeued_at)?,
                started_at: maybe_time(self.started_at)?,
                finished_at: needs(self.finished_at)?,
            },
        })
    }
}

/// How a run or step with this status ended.
fn outcome(status: RunStatus) -> Outcome {
    match status {
        RunStatus::SUCCESS => Outcome::Success,
        RunStatus::CANCELLED => Outcome::Cancelled,
        _ => Outcome::Error,
    }
}

/// A run of the account.
pub(crate) async fn find(
    db: &impl ConnectionTrait,
    account: AccountId,
    id: RunId,
) -> Result<Run, StoreError> {
    let rows = of_account::<Entity>(Column::AccountId, account).filter(Column::Id.eq(id.get()));
    only(rows, db).await?.into_domain()
}
