//! How the rows of a run change.

use domain::{
    event::Event,
    run::{Outcome, Run, RunState, RunStatus, StepState},
    run_report::Stage,
};
use sea_orm::{
    ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
    QueryTrait as _,
    sea_query::{Expr, ExprTrait as _},
};
use serde_json::json;

use super::{
    deferral::MANIFEST,
    followers,
    lease::{self, Ending},
    retry,
};
use crate::{
    StoreError,
    entities::{
        artifact, job,
        run::{Column, Entity, Model},
        run_step,
    },
    outbox,
    rows::of_account,
    tx::Tx,
};

/// The account's runs that hold a slot, oldest first.
pub(super) async fn under_way(tx: &Tx) -> Result<Vec<Run>, StoreError> {
    let held = [RunStatus::STARTING, RunStatus::RUNNING].map(|status| i64::from(status.code()));
    let rows = of_account::<Entity>(Column::AccountId, tx.account())
        .filter(Column::Status.is_in(held))
        .order_by_asc(Column::Id)
        .all(tx.db())
        .await
        .map_err(StoreError::db)?;
    rows.into_iter().map(Model::into_domain).collect()
}

/// Ends a run, and starts the jobs that wait for such an end.
pub(super) async fn end(
    tx: &mut Tx,
    run: Run,
    outcome: Outcome,
    message: &str,
) -> Result<Run, StoreError> {
    let run = end_alone(tx, run, outcome, message).await?;
    followers::start(tx, &run, outcome).await?;
    Ok(run)
}

/// Ends a run, its steps and its lease, with the record and the event.
pub(super) async fn end_alone(
    tx: &mut Tx,
    run: Run,
    outcome: Outcome,
    message: &str,
) -> Result<Run, StoreError> {
    let state = run.state.finish(outcome, tx.now()).ok_or_else(already_finished)?;
    let before = run.state;
    end_steps(tx, &run, outcome).await?;
    lease::close(tx, run.id, Ending::Finished).await?;
    let retry_point = match outcome {
        Outcome::Error => Some(retry::point(tx, &run).await?),
        Outcome::Success | Outcome::Cancelled => None,
    };
    let message = message.to_owned();
    let run = Run { state, retry_point, message, updated_at: tx.now(), ..run };
    save(tx, before, &run).await?;
    count_failures(tx, &run, outcome).await?;
    note_deferrable(tx, &run, outcome).await?;
    let after = json!({ "outcome": outcome, "message": run.message });
    let object = format!("run:{}", run.id);
    tx.record("run.finished", object, Some(run.project), None, Some(after)).await?;
    tx.event(Event::RunFinished { id: run.id }).await?;
    outbox::tell(tx, &run, Stage::Ended(outcome)).await?;
    Ok(run)
}

/// A failure counts until a run of the job goes well.
async fn count_failures(tx: &Tx, run: &Run, outcome: Outcome) -> Result<(), StoreError> {
    let failures = match outcome {
        Outcome::Success => Expr::value(0),
        Outcome::Error => Expr::col(job::Column::Failures).add(1),
        Outcome::Cancelled => return Ok(()),
    };
    job::Entity::update_many()
        .col_expr(job::Column::Failures, failures)
        .filter(job::Column::Id.eq(run.job.get()))
        .exec(tx.db())
        .await
        .map_err(StoreError::db)?;
    Ok(())
}

/// What went well and has left a manifest can be deferred to.
async fn note_deferrable(tx: &Tx, run: &Run, outcome: Outcome) -> Result<(), StoreError> {
    if outcome != Outcome::Success {
        return Ok(());
    }
    let left = artifact::Entity::find()
        .select_only()
        .column(artifact::Column::Id)
        .filter(artifact::Column::RunId.eq(run.id.get()))
        .filter(artifact::Column::Path.eq(MANIFEST));
    job::Entity::update_many()
        .col_expr(job::Column::Deferrable, Expr::value(true))
        .filter(job::Column::Id.eq(run.job.get()))
        .filter(job::Column::Deferrable.eq(false))
        .filter(Expr::exists(left.into_query()))
        .exec(tx.db())
        .await
        .map_err(StoreError::db)?;
    Ok(())
}

async fn end_steps(tx: &Tx, run: &Run, outcome: Outcome) -> Result<(), StoreError> {
    let ended = i64::from(RunStatus::from(outcome).code());
    let (skipped, _) = StepState::Skipped.status();
    let steps = [
        (RunStatus::RUNNING, ended, Some(tx.now().micros())),
        (RunStatus::QUEUED, i64::from(skipped), None),
    ];
    for (from, to, at) in steps {
        run_step::Entity::update_many()
            .col_expr(run_step::Column::Status, Expr::value(to))
            .col_expr(run_step::Column::FinishedAt, Expr::value(at))
            .filter(run_step::Column::RunId.eq(run.id.get()))
            .filter(run_step::Column::Status.eq(i64::from(from.code())))
            .exec(tx.db())
            .await
            .map_err(StoreError::db)?;
    }
    Ok(())
}

/// What a run that has ended answers to whoever would end or cancel it.
pub(super) fn already_finished() -> StoreError {
    StoreError::Conflict("the run has already finished".to_owned())
}

/// Writes the run down, if it is in the state still that it was read in.
pub(super) async fn save(tx: &Tx, before: RunState, run: &Run) -> Result<(), StoreError> {
    let micros = |time: Option<domain::Timestamp>| time.map(domain::Timestamp::micros);
    let (retry_step, no_retry) = match run.retry_point {
        Some(Ok(step)) => (Some(i64::from(step)), None),
        Some(Err(reason)) => (None, Some(reason.word())),
        None => (None, None),
    };
    let saved = Entity::update_many()
        .col_expr(Column::Status, Expr::value(i64::from(run.state.status().code())))
        .col_expr(Column::CancelRequested, Expr::value(run.cancel_requested))
        .col_expr(Column::Message, Expr::value(run.message.as_str()))
        .col_expr(Column::GitSha, Expr::value(run.git_sha.clone()))
        .col_expr(Column::GitBranch, Expr::value(run.git_branch.clone()))
        .col_expr(Column::UsedClone, Expr::value(run.used_clone))
        .col_expr(Column::RetryStep, Expr::value(retry_step))
        .col_expr(Column::NoRetry, Expr::value(no_retry))
        .col_expr(Column::CancelledBy, Expr::value(run.cancelled_by.map(|by| by.to_string())))
        .col_expr(Column::UpdatedAt, Expr::value(run.updated_at.micros()))
        .col_expr(Column::DequeuedAt, Expr::value(micros(run.state.dequeued_at())))
        .col_expr(Column::StartedAt, Expr::value(micros(run.state.started_at())))
        .col_expr(Column::FinishedAt, Expr::value(micros(run.state.finished_at())))
        .filter(Column::Id.eq(run.id.get()))
        .filter(Column::AccountId.eq(tx.account().get()))
        .filter(Column::Status.eq(i64::from(before.status().code())))
        .exec(tx.db())
        .await
        .map_err(StoreError::db)?;
    match saved.rows_affected {
        1 => Ok(()),
        _ => Err(StoreError::Conflict("the run has changed meanwhile".to_owned())),
    }
}
