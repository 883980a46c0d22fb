//! The steps of a run and their console text.

use std::collections::BTreeMap;

use domain::{
    RunId, StepId,
    authz::{Permit, Read, Runs, Write},
    lease::Lease,
    run::{Outcome, Progress, RunState, RunStatus, RunStep, StepState},
};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait as _, ConnectionTrait, EntityTrait as _, FromQueryResult, JoinType,
    QueryFilter as _, QueryOrder as _, QuerySelect as _, QueryTrait as _,
    sea_query::{Expr, ExprTrait as _, IntoCondition as _, SimpleExpr},
};

use super::{
    debug_logs::{self, DebugLog},
    find, outcome,
};
use crate::{
    Store, StoreError, dialect,
    entities::{
        maybe_time, run,
        run_step::{ActiveModel, Column, Entity, Model},
        step_log_chunk, time,
    },
    rows::{Placed, note_rows, of_account, only},
    tx::Tx,
};

/// A place in the console text of a step; the default is its beginning.
///
/// It can be written down as a whole number and read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LogMark(i64);

impl std::fmt::Display for LogMark {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::str::FromStr for LogMark {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// The end of a step's console text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LogEnd {
    /// The text; it begins with a line's beginning.
    pub text: String,
    /// The place behind it.
    pub mark: LogMark,
    /// Whether there is more before it.
    pub is_cut: bool,
}

/// What a step's console text says after a mark.
#[derive(Debug)]
pub struct LogPiece {
    /// The step, as it was when the text was.
    pub step: RunStep,
    /// The text; empty if there is nothing more yet.
    pub text: String,
    /// The place behind it.
    pub mark: LogMark,
    /// Whether it is all that there is now.
    pub up_to_date: bool,
}

/// A step and what was said in it.
#[derive(Debug)]
pub struct StepWithLogs {
    /// The step.
    pub step: RunStep,
    /// Its console text so far.
    pub log: String,
    /// dbt's own log, if there is one, as much of it as was asked for.
    pub debug_log: Option<String>,
}

#[derive(FromQueryResult)]
struct RowWithLogs {
    #[sea_orm(nested)]
    step: Model,
    log: Option<String>,
    debug_log: Option<String>,
}

/// How many batches of text one piece of a log has at most: each is about 64 KiB.
const PIECE: usize = 16;

/// How many batches the end of a log has at most.
const END_BATCHES: usize = 64;
/// How many bytes the end of a log has at most.
const END_BYTES: usize = 64 * 1024;

impl Placed for Entity {
    const ACCOUNT: Self::Column = Column::AccountId;
    const PROJECT: Self::Column = Column::ProjectId;

    fn in_environments(ids: Vec<i64>) -> SimpleExpr {
        of_runs(<run::Entity as Placed>::in_environments(ids))
    }

    fn of_jobs(ids: Vec<i64>) -> SimpleExpr {
        of_runs(<run::Entity as Placed>::of_jobs(ids))
    }
}

/// The condition that a step is one of a run that meets a condition.
fn of_runs(condition: SimpleExpr) -> SimpleExpr {
    let runs = run::Entity::find().select_only().column(run::Column::Id).filter(condition);
    Column::RunId.in_subquery(runs.into_query())
}

impl Store {
    /// The steps of these runs, by run and index, in one statement.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn run_steps(
        &self,
        permit: &Permit<Read, Runs>,
        runs: &[RunId],
    ) -> Result<Vec<RunStep>, StoreError> {
        let rows = Entity::within(permit)
            .filter(Column::RunId.is_in(runs.iter().map(|run| run.get())))
            .order_by_asc(Column::RunId)
            .order_by_asc(Column::Index)
            .all(self.reader())
            .await
            .map_err(StoreError::db)?;
        note_rows(permit, &rows, Column::ProjectId);
        rows.into_iter().map(Model::into_domain).collect()
    }

    /// One step with its console text so far and dbt's own log of it, in one statement.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Unavailable`].
    pub async fn run_step(
        &self,
        permit: &Permit<Read, Runs>,
        id: StepId,
        debug: DebugLog,
    ) -> Result<StepWithLogs, StoreError> {
        let log = step_log_chunk::Entity::find()
            .select_only()
            .column(step_log_chunk::Column::Text)
            .filter(step_log_chunk::Column::StepId.eq(id.get()))
            .order_by_asc(step_log_chunk::Column::Id);
        let row = Entity::within(permit)
            .filter(Column::Id.eq(id.get()))
            .expr_as(dialect::joined(log.into_query()), "log")
            .expr_as(dialect::joined(debug_logs::texts_of(id, debug)), "debug_log")
            .into_model::<RowWithLogs>()
            .one(self.reader())
            .await
            .map_err(StoreError::db)?
            .ok_or(StoreError::NotFound)?;
        note_rows(permit, std::slice::from_ref(&row.step), Column::ProjectId);
        let log = row.log.unwrap_or_default();
        Ok(StepWithLogs { step: row.step.into_domain()?, log, debug_log: row.debug_log })
    }

    /// What comes after a mark in a step's console text, at most about 1 MiB, in one statement.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Unavailable`].
    pub async fn step_log_after(
        &self,
        permit: &Permit<Read, Runs>,
        id: StepId,
        mark: LogMark,
    ) -> Result<LogPiece, StoreError> {
        let chunks = Entity::belongs_to(step_log_chunk::Entity)
            .from(Column::Id)
            .to(step_log_chunk::Column::StepId)
            .on_condition(move |_, chunks| {
                Expr::col((chunks, step_log_chunk::Column::Id)).gt(mark.0).into_condition()
            });
        let rows = Entity::within(permit)
            .filter(Column::Id.eq(id.get()))
            .join(JoinType::LeftJoin, chunks.into())
            .select_also(step_log_chunk::Entity)
            .order_by_asc(step_log_chunk::Column::Id)
            .limit(PIECE as u64)
            .all(self.reader())
            .await
            .map_err(StoreError::db)?;
        let up_to_date = rows.len() < PIECE;
        let mut chunks = rows.iter().filter_map(|(_, chunk)| chunk.as_ref());
        let text = chunks.clone().map(|chunk| chunk.text.as_str()).collect();
        let mark = chunks.next_back().map_or(mark, |chunk| LogMark(chunk.id));
        let (step, _) = rows.into_iter().next().ok_or(StoreError::NotFound)?;
        note_rows(permit, std::slice::from_ref(&step), Column::ProjectId);
        Ok(LogPiece { step: step.into_domain()?, text, mark, up_to_date })
    }

    /// The end of a step's console text, at most 64 KiB, in one statement; empty where the step is out
    /// of reach.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn step_log_end(
        &self,
        permit: &Permit<Read, Runs>,
        id: StepId,
    ) -> Result<LogEnd, StoreError> {
        let reached =
            Entity::within(permit).select_only().column(Column::Id).filter(Column::Id.eq(id.get()));
        let chunks = step_log_chunk::Entity::find()
            .filter(step_log_chunk::Column::StepId.in_subquery(reached.into_query()))
            .order_by_desc(step_log_chunk::Column::Id)
            .limit(END_BATCHES as u64 + 1)
            .all(self.reader())
            .await
            .map_err(StoreError::db)?;
        let mark = chunks.first().map_or_else(LogMark::default, |chunk| LogMark(chunk.id));
        let last = chunks.iter().take(END_BATCHES).rev();
        let text: String = last.map(|chunk| chunk.text.as_str()).collect();
        let (text, is_cut) = end_of(text);
        Ok(LogEnd { text, mark, is_cut: is_cut || chunks.len() > END_BATCHES })
    }

    /// The console text of these steps so far, in one statement. Steps come from
    /// [`Store::run_steps`] or [`Store::run_step`], which are confined; those of another account
    /// or project have no text here.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn step_logs(
        &self,
        permit: &Permit<Read, Runs>,
        steps: &[StepId],
    ) -> Result<BTreeMap<StepId, String>, StoreError> {
        let reached = Entity::within(permit)
            .select_only()
            .column(Column::Id)
            .filter(Column::Id.is_in(steps.iter().map(|step| step.get())));
        let chunks = step_log_chunk::Entity::find()
            .filter(step_log_chunk::Column::StepId.in_subquery(reached.into_query()))
            .order_by_asc(step_log_chunk::Column::Id)
            .all(self.reader())
            .await
            .map_err(StoreError::db)?;
        let mut texts: BTreeMap<StepId, String> = BTreeMap::new();
        for chunk in chunks {
            let step = StepId::new(chunk.step_id).map_err(StoreError::corrupt)?;
            texts.entry(step).or_default().push_str(&chunk.text);
        }
        Ok(texts)
    }

    /// Makes the rows of all steps of a run that is starting, queued, with these names; index
    /// from 1. Once for a run.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Conflict`] if it is not starting,
    /// [`StoreError::LeaseLost`], [`StoreError::Unavailable`].
    pub async fn plan_steps(
        &self,
        permit: &Permit<Write, Runs>,
        lease: &Lease,
        names: &[String],
    ) -> Result<Vec<RunStep>, StoreError> {
        let tx = self.begin_leased(permit, lease).await?;
        let run = find(tx.db(), tx.account(), lease.run).await?;
        if !matches!(run.state, RunState::Starting { .. }) {
            return Err(StoreError::Conflict("the run is not starting".to_owned()));
        }
        let mut steps = Vec::with_capacity(names.len());
        for (index, name) in (1..).zip(names) {
            let row = ActiveModel {
                account_id: Set(run.account.get()),
                project_id: Set(run.project.get()),
                run_id: Set(run.id.get()),
                index: Set(index),
                name: Set(name.clone()),
                status: Set(RunStatus::QUEUED.code().into()),
                created_at: Set(tx.now().micros()),
                ..Default::default()
            };
            let row = Entity::insert(row).exec_with_returning(tx.db()).await;
            steps.push(row.map_err(StoreError::db)?.into_domain()?);
        }
        tx.commit_unrecorded().await?;
        Ok(steps)
    }

    /// Begins a step.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Conflict`] if it has begun or is skipped,
    /// [`StoreError::LeaseLost`], [`StoreError::Unavailable`].
    pub async fn begin_step(
        &self,
        permit: &Permit<Write, Runs>,
        lease: &Lease,
        id: StepId,
    ) -> Result<(), StoreError> {
        let tx = self.begin_leased(permit, lease).await?;
        let change = (RunStatus::QUEUED, RunStatus::RUNNING);
        advance(&tx, (lease.run, id), change, Column::StartedAt).await?;
        tx.commit_unrecorded().await
    }

    /// Adds to a step's console text.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::LeaseLost`], [`StoreError::Unavailable`].
    pub async fn append_log(
        &self,
        permit: &Permit<Write, Runs>,
        lease: &Lease,
        id: StepId,
        text: &str,
    ) -> Result<(), StoreError> {
        let tx = self.begin_leased(permit, lease).await?;
        check_is_there(&tx, (lease.run, id)).await?;
        let chunk = step_log_chunk::ActiveModel {
            step_id: Set(id.get()),
            text: Set(text.to_owned()),
            ..Default::default()
        };
        step_log_chunk::Entity::insert(chunk).exec(tx.db()).await.map_err(StoreError::db)?;
        tx.commit_unrecorded().await?;
        self.announce_log();
        Ok(())
    }

    /// Notes how far dbt has come in a step.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::LeaseLost`], [`StoreError::Unavailable`].
    pub async fn note_progress(
        &self,
        permit: &Permit<Write, Runs>,
        lease: &Lease,
        id: StepId,
        progress: Progress,
    ) -> Result<(), StoreError> {
        let tx = self.begin_leased(permit, lease).await?;
        let noted = Entity::update_many()
            .col_expr(Column::NodesDone, Expr::value(i64::from(progress.done)))
            .col_expr(Column::NodesTotal, Expr::value(i64::from(progress.total)))
            .filter(Column::Id.eq(id.get()))
            .filter(Column::RunId.eq(lease.run.get()))
            .exec(tx.db())
            .await
            .map_err(StoreError::db)?;
        if noted.rows_affected != 1 {
            return Err(StoreError::NotFound);
        }
        tx.commit_unrecorded().await?;
        self.announce_log();
        Ok(())
    }

    /// Ends a step.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Conflict`] if it is not running,
    /// [`StoreError::LeaseLost`], [`StoreError::Unavailable`].
    pub async fn finish_step(
        &self,
        permit: &Permit<Write, Runs>,
        lease: &Lease,
        id: StepId,
        outcome: Outcome,
    ) -> Result<(), StoreError> {
        let tx = self.begin_leased(permit, lease).await?;
        let change = (RunStatus::RUNNING, outcome.into());
        advance(&tx, (lease.run, id), change, Column::FinishedAt).await?;
        tx.commit_unrecorded().await?;
        self.announce_log();
        Ok(())
    }
}

/// The end of a text from the beginning of a line on, and whether that is less than all.
fn end_of(mut text: String) -> (String, bool) {
    let Some(before) = text.len().checked_sub(END_BYTES).filter(|before| *before > 0) else {
        return (text, false);
    };
    let from = text.ceil_char_boundary(before);
    let line = text.get(from..).and_then(|end| end.find('\n'));
    (text.split_off(from + line.map_or(0, |line| line + 1)), true)
}

/// The steps of a run, by index.
pub(super) async fn of_run(
    db: &impl ConnectionTrait,
    run: RunId,
) -> Result<Vec<RunStep>, StoreError> {
    let rows = Entity::find().filter(Column::RunId.eq(run.get())).order_by_asc(Column::Index);
    let rows = rows.all(db).await.map_err(StoreError::db)?;
    rows.into_iter().map(Model::into_domain).collect()
}

/// Forgets what was planned for a run of which nothing has begun.
pub(super) async fn forget(tx: &Tx, run: RunId) -> Result<(), StoreError> {
    let planned = Entity::delete_many().filter(Column::RunId.eq(run.get()));
    planned.exec(tx.db()).await.map_err(StoreError::db)?;
    Ok(())
}

/// Takes a step from one status to the next, and stamps the time.
async fn advance(
    tx: &Tx,
    (run, id): (RunId, StepId),
    (from, to): (RunStatus, RunStatus),
    time: Column,
) -> Result<(), StoreError> {
    let changed = Entity::update_many()
        .col_expr(Column::Status, Expr::value(i64::from(to.code())))
        .col_expr(time, Expr::value(tx.now().micros()))
        .filter(Column::Id.eq(id.get()))
        .filter(Column::RunId.eq(run.get()))
        .filter(Column::Status.eq(i64::from(from.code())))
        .exec(tx.db())
        .await
        .map_err(StoreError::db)?;
    if changed.rows_affected == 1 {
        return Ok(());
    }
    check_is_there(tx, (run, id)).await?;
    let word = from.humanized().to_lowercase();
    Err(StoreError::Conflict(format!("step `{id}` is not {word}")))
}

pub(super) async fn check_is_there(tx: &Tx, (run, id): (RunId, StepId)) -> Result<(), StoreError> {
    let rows = of_account::<Entity>(Column::AccountId, tx.account())
        .filter(Column::RunId.eq(run.get()))
        .filter(Column::Id.eq(id.get()));
    only(rows, tx.db()).await.map(|_| ())
}

impl Model {
    /// What it means.
    fn into_domain(self) -> Result<RunStep, StoreError> {
        Ok(RunStep {
            id: StepId::new(self.id).map_err(StoreError::corrupt)?,
            run: RunId::new(self.run_id).map_err(StoreError::corrupt)?,
            index: u32::try_from(self.index).map_err(StoreError::corrupt)?,
            state: self.step_state()?,
            progress: self.progress()?,
            name: self.name,
            created_at: time(self.created_at)?,
        })
    }

    pub(super) fn progress(&self) -> Result<Option<Progress>, StoreError> {
        let (Some(done), Some(total)) = (self.nodes_done, self.nodes_total) else {
            return Ok(None);
        };
        let count = |count: i64| u32::try_from(count).map_err(StoreError::corrupt);
        Ok(Some(Progress { done: count(done)?, total: count(total)? }))
    }

    fn step_state(&self) -> Result<StepState, StoreError> {
        let (skipped, _) = StepState::Skipped.status();
        if self.status == i64::from(skipped) {
            return Ok(StepState::Skipped);
        }
        let status = RunStatus::new(self.status).map_err(StoreError::corrupt)?;
        let times = (maybe_time(self.started_at)?, maybe_time(self.finished_at)?);
        match (status, times) {
            (RunStatus::QUEUED, _) => Ok(StepState::Queued),
            (RunStatus::RUNNING, (Some(started_at), _)) => Ok(StepState::Running { started_at }),
            (ended, (Some(started_at), Some(finished_at))) => {
                Ok(StepState::Finished { outcome: outcome(ended), started_at, finished_at })
            }
            _ => Err(StoreError::Corrupt(format!("step {} lacks a time of its state", self.id))),
        }
    }
}
