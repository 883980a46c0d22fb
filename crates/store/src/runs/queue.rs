//! The life of a run: triggered, claimed, started, finished or cancelled.

use domain::{
    JobId, RunId,
    authz::{Permit, Runs, Write},
    connection::Connection,
    environment::Environment,
    event::Event,
    job::Job,
    project::Project,
    repository::Repository,
    run::{Outcome, Run, RunState, RunStatus, StepState, Trigger},
    warehouse_credential::{WarehouseCredential, WarehouseSecret},
};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, EntityTrait as _, PaginatorTrait as _, QueryFilter as _,
    QueryOrder as _, QuerySelect as _, sea_query::Expr,
};
use serde_json::json;

use super::find;
use crate::{
    Store, StoreError, connections,
    entities::{
        account,
        run::{ActiveModel, Column, Entity},
        run_step,
    },
    environments, jobs, projects, repositories,
    rows::to_text,
    tx::Tx,
    warehouse_credentials,
};

/// A run that a worker has claimed, with all it needs.
#[derive(Debug, Clone)]
pub struct ClaimedRun {
    /// The run, starting.
    pub run: Run,
    /// Its job.
    pub job: Job,
    /// Its project.
    pub project: Project,
    /// Its environment.
    pub environment: Environment,
    /// The project's repository.
    pub repository: Option<Repository>,
    /// The environment's connection, or else the project's.
    pub connection: Option<Connection>,
    /// The environment's credential.
    pub credential: Option<WarehouseCredential>,
    /// The credential's secret, unsealed.
    pub secret: Option<WarehouseSecret>,
}

impl Store {
    /// Queues a run of the job. The permit must cover the category of the job's environment.
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
        let job = jobs::find(tx.db(), tx.account(), job).await?;
        let environment = environments::find(tx.db(), tx.account(), job.spec.environment).await?;
        permit.within_environment(job.spec.project, environment.spec.category)?;
        let now = tx.now().micros();
        let row = ActiveModel {
            account_id: Set(tx.account().get()),
            project_id: Set(job.spec.project.get()),
            environment_id: Set(environment.id.get()),
            job_id: Set(job.id.get()),
            status: Set(RunStatus::QUEUED.code().into()),
            for_pull_request: Set(trigger.is_for_pull_request()),
            cancel_requested: Set(false),
            trigger: Set(to_text(&trigger)?),
            message: Set(String::new()),
            created_at: Set(now),
            updated_at: Set(now),
            ..Default::default()
        };
        let row = Entity::insert(row).exec_with_returning(tx.db()).await.map_err(StoreError::db)?;
        let run = row.into_domain()?;
        let after = json!({ "job_id": run.job, "trigger": run.trigger });
        let object = format!("run:{}", run.id);
        tx.record("run.triggered", object, Some(run.project), None, Some(after)).await?;
        tx.event(Event::RunQueued { id: run.id, job: run.job }).await?;
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
        // The environment may be deleted by now: its row is still there.
        let environment = crate::entities::environment::Entity::find_by_id(run.environment.get())
            .one(tx.db())
            .await
            .map_err(StoreError::db)?
            .ok_or(StoreError::NotFound)?
            .into_domain()?;
        permit.within_environment(run.project, environment.spec.category)?;
        let run = match run.state {
            RunState::Finished { .. } => {
                return Err(StoreError::Conflict("the run has already finished".to_owned()));
            }
            RunState::Queued => {
                let message = "cancelled before it began";
                let run = finished(&tx, run, Outcome::Cancelled, message)?;
                save(&tx, &run).await?;
                tx.event(Event::RunFinished { id }).await?;
                run
            }
            RunState::Starting { .. } | RunState::Running { .. } => {
                let run = Run { cancel_requested: true, updated_at: tx.now(), ..run };
                save(&tx, &run).await?;
                tx.event(Event::RunCancelRequested { id }).await?;
                run
            }
        };
        tx.record("run.cancel_requested", format!("run:{id}"), Some(run.project), None, None)
            .await?;
        tx.commit().await?;
        Ok(run)
    }

    /// Claims the account's oldest queued run, if a slot is free and no other run of its job is
    /// under way (runs for pull requests need not wait for that).
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn claim_run(
        &self,
        permit: &Permit<Write, Runs>,
    ) -> Result<Option<ClaimedRun>, StoreError> {
        if !self.has_queued_run(permit).await? {
            return Ok(None);
        }
        let tx = self.begin(permit).await?;
        let Some(run) = next(&tx).await? else { return Ok(None) };
        let state = RunState::Starting { dequeued_at: tx.now() };
        let run = Run { state, updated_at: tx.now(), ..run };
        save(&tx, &run).await?;
        let claimed = with_all_it_needs(&tx, self, run).await?;
        tx.commit_unrecorded().await?;
        Ok(Some(claimed))
    }

    /// A glance without a transaction, so that an idle worker never keeps writers waiting.
    async fn has_queued_run(&self, permit: &Permit<Write, Runs>) -> Result<bool, StoreError> {
        let queued = Entity::find()
            .filter(Column::AccountId.eq(permit.account().get()))
            .filter(Column::Status.eq(i64::from(RunStatus::QUEUED.code())))
            .limit(1)
            .count(self.reader());
        Ok(queued.await.map_err(StoreError::db)? > 0)
    }

    /// Notes that the first step begins.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Conflict`] if it is not starting.
    pub async fn start_run(
        &self,
        permit: &Permit<Write, Runs>,
        id: RunId,
    ) -> Result<Run, StoreError> {
        let tx = self.begin(permit).await?;
        let run = find(tx.db(), tx.account(), id).await?;
        let RunState::Starting { dequeued_at } = run.state else {
            return Err(StoreError::Conflict("the run is not starting".to_owned()));
        };
        let state = RunState::Running { dequeued_at, started_at: tx.now() };
        let run = Run { state, updated_at: tx.now(), ..run };
        save(&tx, &run).await?;
        tx.commit_unrecorded().await?;
        Ok(run)
    }

    /// Notes the commit and branch that were checked out.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Unavailable`].
    pub async fn note_checkout(
        &self,
        permit: &Permit<Write, Runs>,
        id: RunId,
        sha: &str,
        branch: Option<&str>,
    ) -> Result<(), StoreError> {
        let tx = self.begin(permit).await?;
        let run = find(tx.db(), tx.account(), id).await?;
        let (git_sha, git_branch) = (Some(sha.to_owned()), branch.map(str::to_owned));
        let run = Run { git_sha, git_branch, updated_at: tx.now(), ..run };
        save(&tx, &run).await?;
        tx.commit_unrecorded().await
    }

    /// Ends the run: steps that have not begun are skipped, one under way gets the same outcome.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Conflict`] if it has finished.
    pub async fn finish_run(
        &self,
        permit: &Permit<Write, Runs>,
        id: RunId,
        outcome: Outcome,
        message: &str,
    ) -> Result<Run, StoreError> {
        let mut tx = self.begin(permit).await?;
        let run = find(tx.db(), tx.account(), id).await?;
        let run = end(&mut tx, run, outcome, message).await?;
        tx.commit().await?;
        Ok(run)
    }

    /// Ends as an error every run of the account that a stopped server left under way. Gives
    /// them.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn fail_abandoned_runs(
        &self,
        permit: &Permit<Write, Runs>,
        message: &str,
    ) -> Result<Vec<RunId>, StoreError> {
        let mut tx = self.begin(permit).await?;
        let under_way = under_way(&tx).await?;
        let mut ended = Vec::new();
        for run in under_way {
            ended.push(end(&mut tx, run, Outcome::Error, message).await?.id);
        }
        if !ended.is_empty() {
            tx.commit().await?;
        }
        Ok(ended)
    }
}

/// The account's runs that hold a slot, oldest first.
async fn under_way(tx: &Tx) -> Result<Vec<Run>, StoreError> {
    let held = [RunStatus::STARTING, RunStatus::RUNNING].map(|status| i64::from(status.code()));
    let rows = Entity::find()
        .filter(Column::AccountId.eq(tx.account().get()))
        .filter(Column::Status.is_in(held))
        .order_by_asc(Column::Id)
        .all(tx.db())
        .await
        .map_err(StoreError::db)?;
    rows.into_iter().map(crate::entities::run::Model::into_domain).collect()
}

/// The oldest queued run that need not wait, if a slot is free.
async fn next(tx: &Tx) -> Result<Option<Run>, StoreError> {
    let under_way = under_way(tx).await?;
    let slots: Option<i32> = account::Entity::find_by_id(tx.account().get())
        .select_only()
        .column(account::Column::RunSlots)
        .into_tuple()
        .one(tx.db())
        .await
        .map_err(StoreError::db)?;
    let slots = usize::try_from(slots.unwrap_or(0)).unwrap_or(0);
    if under_way.len() >= slots {
        return Ok(None);
    }
    let busy = under_way.iter().map(|run| run.job.get());
    let row = Entity::find()
        .filter(Column::AccountId.eq(tx.account().get()))
        .filter(Column::Status.eq(i64::from(RunStatus::QUEUED.code())))
        .filter(
            sea_orm::Condition::any()
                .add(Column::ForPullRequest.eq(true))
                .add(Column::JobId.is_not_in(busy)),
        )
        .order_by_asc(Column::Id)
        .one(tx.db())
        .await
        .map_err(StoreError::db)?;
    row.map(crate::entities::run::Model::into_domain).transpose()
}

/// Everything that a worker has to know of a run; what was deleted meanwhile is still read.
async fn with_all_it_needs(tx: &Tx, store: &Store, run: Run) -> Result<ClaimedRun, StoreError> {
    let account = tx.account();
    let job = jobs::find_any(tx.db(), account, run.job).await?;
    let environment = environments::find(tx.db(), account, run.environment).await?;
    let project = projects::find(tx.db(), account, run.project).await?;
    let repository = match project.spec.repository {
        Some(id) => Some(repositories::find(tx.db(), account, id).await?),
        None => None,
    };
    let connection = match environment.spec.connection.or(project.spec.connection) {
        Some(id) => Some(connections::find(tx.db(), account, id).await?),
        None => None,
    };
    let (credential, secret) = match environment.spec.credential {
        Some(id) => (
            Some(warehouse_credentials::find(tx.db(), account, id).await?),
            warehouse_credentials::secret_of(tx, store.keyring(), id).await?,
        ),
        None => (None, None),
    };
    Ok(ClaimedRun { run, job, project, environment, repository, connection, credential, secret })
}

fn finished(tx: &Tx, run: Run, outcome: Outcome, message: &str) -> Result<Run, StoreError> {
    let state = run.state.finish(outcome, tx.now());
    let state =
        state.ok_or_else(|| StoreError::Conflict("the run has already finished".to_owned()))?;
    Ok(Run { state, message: message.to_owned(), updated_at: tx.now(), ..run })
}

/// Ends a run and its steps, with the record and the event.
async fn end(tx: &mut Tx, run: Run, outcome: Outcome, message: &str) -> Result<Run, StoreError> {
    let run = finished(tx, run, outcome, message)?;
    save(tx, &run).await?;
    end_steps(tx, &run, outcome).await?;
    let after = json!({ "outcome": outcome, "message": message });
    let object = format!("run:{}", run.id);
    tx.record("run.finished", object, Some(run.project), None, Some(after)).await?;
    tx.event(Event::RunFinished { id: run.id }).await?;
    Ok(run)
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

async fn save(tx: &Tx, run: &Run) -> Result<(), StoreError> {
    let micros = |time: Option<domain::Timestamp>| time.map(domain::Timestamp::micros);
    Entity::update_many()
        .col_expr(Column::Status, Expr::value(i64::from(run.state.status().code())))
        .col_expr(Column::CancelRequested, Expr::value(run.cancel_requested))
        .col_expr(Column::Message, Expr::value(run.message.as_str()))
        .col_expr(Column::GitSha, Expr::value(run.git_sha.clone()))
        .col_expr(Column::GitBranch, Expr::value(run.git_branch.clone()))
        .col_expr(Column::UpdatedAt, Expr::value(run.updated_at.micros()))
        .col_expr(Column::DequeuedAt, Expr::value(micros(run.state.dequeued_at())))
        .col_expr(Column::StartedAt, Expr::value(micros(run.state.started_at())))
        .col_expr(Column::FinishedAt, Expr::value(micros(run.state.finished_at())))
        .filter(Column::Id.eq(run.id.get()))
        .exec(tx.db())
        .await
        .map_err(StoreError::db)?;
    Ok(())
}
