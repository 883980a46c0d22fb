//! Retries: a failed run is taken up again where it failed.
//!
//! Whether that can be is written down when the run ends, and taken back when its job gets a newer
//! run: so a list of runs says it without asking more.

use domain::{
    JobId, RunId,
    authz::{Permit, Runs, Write},
    job::DbtCommand,
    run::{NoRetry, Retry, RetryPoint, Run, RunStatus, RunStep, StepState, Trigger, knows_retry},
};
use sea_orm::{
    ColumnTrait as _, EntityTrait as _, PaginatorTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _, QueryTrait as _,
    sea_query::{Expr, ExprTrait as _},
};

use super::{find, queue::queue, steps};
use crate::{
    Store, StoreError,
    entities::{
        artifact,
        run::{Column, Entity, Model},
    },
    environments, jobs,
    rows::of_account,
    tx::Tx,
};

/// What dbt goes on from, as the artifacts of a step have it.
pub(super) const RESULTS: [&str; 2] = ["run_results.json", "manifest.json"];

impl Store {
    /// Queues a run that takes up a failed one where it failed.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Denied`], [`StoreError::NoRetry`],
    /// [`StoreError::CredentialChanged`], [`StoreError::Unavailable`].
    pub async fn retry_run(
        &self,
        permit: &Permit<Write, Runs>,
        id: RunId,
    ) -> Result<Run, StoreError> {
        let mut tx = self.begin(permit).await?;
        let failed = find(tx.db(), tx.account(), id).await?;
        let environment = environments::find_any(tx.db(), tx.account(), failed.environment).await?;
        permit.at(environment.place().of_job(failed.job))?;
        let run = take_up(&mut tx, permit, failed).await?;
        tx.commit().await?;
        Ok(run)
    }

    /// Queues a retry of the job's newest run if that failed and can be retried, else a plain run.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Denied`], [`StoreError::CredentialChanged`],
    /// [`StoreError::Unavailable`].
    pub async fn rerun_job(
        &self,
        permit: &Permit<Write, Runs>,
        id: JobId,
    ) -> Result<Run, StoreError> {
        let mut tx = self.begin(permit).await?;
        let job = jobs::find(tx.db(), tx.account(), id).await?;
        let newest = of_account::<Entity>(Column::AccountId, tx.account())
            .filter(Column::JobId.eq(job.id.get()))
            .order_by_desc(Column::Id)
            .one(tx.db())
            .await
            .map_err(StoreError::db)?;
        let newest = newest.map(Model::into_domain).transpose()?;
        let run = if let Some(failed) = newest.filter(|run| run.retry_step().is_ok()) {
            take_up(&mut tx, permit, failed).await?
        } else {
            let trigger = Trigger::plain(permit.author(), "rerun of the job".to_owned());
            queue(&mut tx, permit, id, trigger).await?
        };
        tx.commit().await?;
        Ok(run)
    }
}

/// Queues a run that begins with the step that failed. What the failed run overrode stays so.
async fn take_up(
    tx: &mut Tx,
    permit: &Permit<Write, Runs>,
    failed: Run,
) -> Result<Run, StoreError> {
    let step = failed.retry_step().map_err(StoreError::NoRetry)?;
    let steps = steps::of_run(tx.db(), failed.id).await?;
    let after = steps.iter().filter(|row| row.index > step);
    let later = after.filter_map(|row| DbtCommand::parse(row.command()?).ok()).collect();
    let cause = format!("retry of run {}", failed.id);
    let retry = Some(Retry { run: failed.id, step, later });
    queue(tx, permit, failed.job, Trigger { cause, retry, ..failed.trigger }).await
}

/// Where a run that has just failed can be retried from; its steps have ended.
pub(super) async fn point(tx: &Tx, run: &Run) -> Result<RetryPoint, StoreError> {
    if has_newer(tx, run).await? {
        return Ok(Err(NoRetry::RetryNotLatestRun));
    }
    let steps = steps::of_run(tx.db(), run.id).await?;
    let failed = |step: &&RunStep| match step.state {
        StepState::Finished { outcome, .. } => RunStatus::from(outcome) == RunStatus::ERROR,
        StepState::Queued | StepState::Running { .. } | StepState::Skipped => false,
    };
    let Some(step) = steps.iter().rfind(failed) else { return Ok(Err(NoRetry::RetryNoRunResults)) };
    let Some(command) = step.command() else { return Ok(Err(NoRetry::RetryNoRunResults)) };
    if !DbtCommand::parse(command).is_ok_and(|command| command.can_be_retried()) {
        return Ok(Err(NoRetry::RetryUnsupportedCmd));
    }
    if !knows_retry(&version(tx, run).await?) {
        return Ok(Err(NoRetry::RetryUnsupportedVersion));
    }
    let left = artifact::Entity::find()
        .filter(artifact::Column::RunId.eq(run.id.get()))
        .filter(artifact::Column::Step.eq(i64::from(step.index)))
        .filter(artifact::Column::Path.is_in(RESULTS));
    let left = left.count(tx.db()).await.map_err(StoreError::db)?;
    let all = u64::try_from(RESULTS.len()).unwrap_or(u64::MAX);
    Ok(if left == all { Ok(step.index) } else { Err(NoRetry::RetryNoRunResults) })
}

/// Notes that the job's newest run so far will be that no longer.
pub(super) async fn outdate(tx: &Tx, job: JobId) -> Result<(), StoreError> {
    let newest = Entity::find().select_only().expr(Expr::col(Column::Id).max());
    let newest = newest.filter(Column::JobId.eq(job.get()));
    Entity::update_many()
        .col_expr(Column::RetryStep, Expr::value(None::<i64>))
        .col_expr(Column::NoRetry, Expr::value(NoRetry::RetryNotLatestRun.word()))
        .filter(Column::Id.in_subquery(newest.into_query()))
        .filter(Column::RetryStep.is_not_null())
        .exec(tx.db())
        .await
        .map_err(StoreError::db)?;
    Ok(())
}

async fn has_newer(tx: &Tx, run: &Run) -> Result<bool, StoreError> {
    let newer = Entity::find()
        .filter(Column::JobId.eq(run.job.get()))
        .filter(Column::Id.gt(run.id.get()))
        .one(tx.db());
    Ok(newer.await.map_err(StoreError::db)?.is_some())
}

/// The version of dbt that a run was queued with.
async fn version(tx: &Tx, run: &Run) -> Result<String, StoreError> {
    let row = Entity::find_by_id(run.id.get()).one(tx.db()).await.map_err(StoreError::db)?;
    row.map(|row| row.dbt_version).ok_or(StoreError::NotFound)
}
