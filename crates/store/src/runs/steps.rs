//! The steps of a run and their console text.

use std::collections::BTreeMap;

use domain::{
    RunId, StepId,
    authz::{Permit, Read, Runs, Write},
    run::{Outcome, RunStatus, RunStep, StepState},
};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    sea_query::Expr,
};

use super::{find, outcome};
use crate::{
    Store, StoreError,
    entities::{
        maybe_time,
        run_step::{ActiveModel, Column, Entity, Model},
        step_log_chunk, time,
    },
    list::in_scope,
    tx::Tx,
};

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
        let rows = Entity::find()
            .filter(Column::AccountId.eq(permit.account().get()))
            .filter(in_scope(Column::ProjectId, &permit.scope()))
            .filter(Column::RunId.is_in(runs.iter().map(|run| run.get())))
            .order_by_asc(Column::RunId)
            .order_by_asc(Column::Index)
            .all(self.reader())
            .await
            .map_err(StoreError::db)?;
        rows.into_iter().map(Model::into_domain).collect()
    }

    /// One step.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Unavailable`].
    pub async fn run_step(
        &self,
        permit: &Permit<Read, Runs>,
        id: StepId,
    ) -> Result<RunStep, StoreError> {
        let row = Entity::find_by_id(id.get())
            .filter(Column::AccountId.eq(permit.account().get()))
            .filter(in_scope(Column::ProjectId, &permit.scope()))
            .one(self.reader())
            .await
            .map_err(StoreError::db)?;
        row.ok_or(StoreError::NotFound)?.into_domain()
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
        use sea_orm::{QuerySelect as _, QueryTrait as _};
        let reached = Entity::find()
            .select_only()
            .column(Column::Id)
            .filter(Column::AccountId.eq(permit.account().get()))
            .filter(in_scope(Column::ProjectId, &permit.scope()))
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

    /// Makes the rows of all steps of a run, queued, with these names; index from 1.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Unavailable`].
    pub async fn plan_steps(
        &self,
        permit: &Permit<Write, Runs>,
        id: RunId,
        names: &[String],
    ) -> Result<Vec<RunStep>, StoreError> {
        let tx = self.begin(permit).await?;
        let run = find(tx.db(), tx.account(), id).await?;
        let mut steps = Vec::with_capacity(names.len());
        for (index, name) in (1..).zip(names) {
            let row = ActiveModel {
                account_id: Set(run.account.get()),
                project_id: Set(run.project.get()),
                run_id: Set(id.get()),
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
    /// [`StoreError::NotFound`], [`StoreError::Unavailable`].
    pub async fn begin_step(
        &self,
        permit: &Permit<Write, Runs>,
        id: StepId,
    ) -> Result<(), StoreError> {
        let tx = self.begin(permit).await?;
        let began = Column::StartedAt;
        set_status(&tx, id, RunStatus::RUNNING, began).await?;
        tx.commit_unrecorded().await
    }

    /// Adds to a step's console text.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Unavailable`].
    pub async fn append_log(
        &self,
        permit: &Permit<Write, Runs>,
        id: StepId,
        text: &str,
    ) -> Result<(), StoreError> {
        let tx = self.begin(permit).await?;
        let step = Entity::find_by_id(id.get())
            .filter(Column::AccountId.eq(tx.account().get()))
            .one(tx.db())
            .await
            .map_err(StoreError::db)?;
        step.ok_or(StoreError::NotFound)?;
        let chunk = step_log_chunk::ActiveModel {
            step_id: Set(id.get()),
            text: Set(text.to_owned()),
            ..Default::default()
        };
        step_log_chunk::Entity::insert(chunk).exec(tx.db()).await.map_err(StoreError::db)?;
        tx.commit_unrecorded().await
    }

    /// Ends a step.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Unavailable`].
    pub async fn finish_step(
        &self,
        permit: &Permit<Write, Runs>,
        id: StepId,
        outcome: Outcome,
    ) -> Result<(), StoreError> {
        let tx = self.begin(permit).await?;
        set_status(&tx, id, outcome.into(), Column::FinishedAt).await?;
        tx.commit_unrecorded().await
    }
}

async fn set_status(
    tx: &Tx,
    id: StepId,
    status: RunStatus,
    time: Column,
) -> Result<(), StoreError> {
    let changed = Entity::update_many()
        .col_expr(Column::Status, Expr::value(i64::from(status.code())))
        .col_expr(time, Expr::value(tx.now().micros()))
        .filter(Column::Id.eq(id.get()))
        .filter(Column::AccountId.eq(tx.account().get()))
        .exec(tx.db())
        .await
        .map_err(StoreError::db)?;
    if changed.rows_affected == 1 { Ok(()) } else { Err(StoreError::NotFound) }
}

impl Model {
    /// What it means.
    fn into_domain(self) -> Result<RunStep, StoreError> {
        Ok(RunStep {
            id: StepId::new(self.id).map_err(StoreError::corrupt)?,
            run: RunId::new(self.run_id).map_err(StoreError::corrupt)?,
            index: u32::try_from(self.index).map_err(StoreError::corrupt)?,
            state: self.step_state()?,
            name: self.name,
            created_at: time(self.created_at)?,
        })
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
