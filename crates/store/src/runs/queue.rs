//! The queue: runs are triggered into it, and cancelled in it and after it.

use domain::{
    JobId, RunId,
    authz::{Permit, PrincipalId, Runs, Write},
    environment::Environment,
    event::Event,
    job::Job,
    run::{Outcome, Run, RunState, RunStatus, Trigger},
};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    sea_query::SimpleExpr,
};
use serde_json::json;

use super::{
    change::{already_finished, end, end_alone, save},
    find, retry,
};
use crate::{
    Store, StoreError, accounts,
    entities::run::{ActiveModel, Column, Entity, Model},
    environments, jobs,
    rows::{of_account, to_text},
    tx::Tx,
};

impl Store {
    /// Queues a run of the job. The permit must cover the category of the job's environment; who
    /// holds it is who started the run, whatever the trigger says.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Denied`], [`StoreError::CredentialChanged`],
    /// [`StoreError::Unavailable`].
    pub async fn trigger_run(
        &self,
        permit: &Permit<Write, Runs>,
        job: JobId,
        trigger: Trigger,
    ) -> Result<Run, StoreError> {
        let mut tx = self.begin(permit).await?;
        let run = queue(&mut tx, permit, job, trigger).await?;
        tx.commit().await?;
        Ok(run)
    }

    /// Asks the run to stop; a queued one is cancelled at once.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Denied`], [`StoreError::Conflict`] if it has
    /// finished, [`StoreError::CredentialChanged`], [`StoreError::Unavailable`].
    pub async fn cancel_run(
        &self,
        permit: &Permit<Write, Runs>,
        id: RunId,
    ) -> Result<Run, StoreError> {
        let mut tx = self.begin(permit).await?;
        let run = find(tx.db(), tx.account(), id).await?;
        let environment = environments::find_any(tx.db(), tx.account(), run.environment).await?;
        permit.at(environment.place().of_job(run.job))?;
        if run.state.is_finished() {
            return Err(already_finished());
        }
        let run = cancel(&mut tx, permit.author(), run, "cancelled before it began").await?;
        tx.commit().await?;
        Ok(run)
    }
}

/// Asks a run that has not finished to stop; a queued one ends at once, with these words.
pub(super) async fn cancel(
    tx: &mut Tx,
    by: PrincipalId,
    run: Run,
    queued: &str,
) -> Result<Run, StoreError> {
    let run = Run { cancelled_by: Some(by), ..run };
    let object = format!("run:{}", run.id);
    tx.record("run.cancel_requested", object, Some(run.project), None, None).await?;
    match run.state {
        RunState::Queued | RunState::Finished { .. } => {
            end(tx, run, Outcome::Cancelled, queued).await
        }
        RunState::Starting { .. } | RunState::Running { .. } => {
            let run = Run { cancel_requested: true, updated_at: tx.now(), ..run };
            save(tx, run.state, &run).await?;
            tx.event(Event::RunCancelRequested { id: run.id }).await?;
            Ok(run)
        }
    }
}

/// Queues a run of the job, as far as the permit covers it.
pub(super) async fn queue(
    tx: &mut Tx,
    permit: &Permit<Write, Runs>,
    job: JobId,
    trigger: Trigger,
) -> Result<Run, StoreError> {
    accounts::check_unlocked(tx).await?;
    let job = jobs::find(tx.db(), tx.account(), job).await?;
    let environment = environments::find(tx.db(), tx.account(), job.spec.environment).await?;
    permit.at(environment.place().of_job(job.id))?;
    let token = tx.token(permit.principal().credential()).await?;
    let trigger = Trigger { by: permit.author(), token, after: None, ..trigger };
    enqueue(tx, &job, &environment, trigger).await
}

/// Puts a run of the job into the queue, with its record and its event; who started it is the
/// record's author. A run of it that failed before can be retried no longer.
pub(crate) async fn enqueue(
    tx: &mut Tx,
    job: &Job,
    environment: &Environment,
    trigger: Trigger,
) -> Result<Run, StoreError> {
    let version = trigger.dbt_version(&job.spec, &environment.spec).to_owned();
    let now = tx.now().micros();
    retry::outdate(tx, job.id).await?;
    let row = ActiveModel {
        account_id: Set(tx.account().get()),
        project_id: Set(job.spec.project.get()),
        environment_id: Set(environment.id.get()),
        job_id: Set(job.id.get()),
        status: Set(RunStatus::QUEUED.code().into()),
        dbt_version: Set(version),
        for_pull_request: Set(trigger.is_for_pull_request()),
        cancel_requested: Set(false),
        trigger: Set(to_text(&trigger)?),
        message: Set(String::new()),
        retrying_run_id: Set(trigger.retry.as_ref().map(|retry| retry.run.get())),
        created_at: Set(now),
        updated_at: Set(now),
        ..Default::default()
    };
    let row = Entity::insert(row).exec_with_returning(tx.db()).await.map_err(StoreError::db)?;
    let run = row.into_domain()?;
    let after = json!({ "job_id": run.job, "trigger": run.trigger });
    let (by, object) = (run.trigger.by.to_string(), format!("run:{}", run.id));
    tx.record_by(&by, "run.triggered", object, Some(run.project), None, Some(after)).await?;
    tx.event(Event::RunQueued { id: run.id, job: run.job }).await?;
    Ok(run)
}

/// Cancels the account's queued runs that meet the condition: what they would run goes away in
/// the same transaction. Nothing starts by their end.
pub(crate) async fn cancel_queued(
    tx: &mut Tx,
    of: SimpleExpr,
    reason: &str,
) -> Result<(), StoreError> {
    let queued = of_account::<Entity>(Column::AccountId, tx.account())
        .filter(Column::Status.eq(i64::from(RunStatus::QUEUED.code())))
        .filter(of)
        .order_by_asc(Column::Id);
    for row in queued.all(tx.db()).await.map_err(StoreError::db)? {
        end_alone(tx, Model::into_domain(row)?, Outcome::Cancelled, reason).await?;
    }
    Ok(())
}
