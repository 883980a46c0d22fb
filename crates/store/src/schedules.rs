//! Scheduled jobs: when each is due next, and the runs that come of it.
//!
//! A plan is a row beside the job: made when the job is first seen on a schedule, anew when the
//! job changes, and moved on with every run. It survives restarts; a time that passed while no
//! runner was there is run once, late, and the run says so.

use domain::{
    JobId, Timestamp,
    authz::{Permit, PrincipalId, Runs, SystemTask, Write},
    job::Job,
    run::{Run, RunStatus, Trigger},
};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait as _, Condition, EntityTrait as _, JoinType, QueryFilter as _, QueryOrder as _,
    QuerySelect as _, RelationTrait as _,
    sea_query::{Expr, ExprTrait as _, OnConflict},
};

use crate::{
    Store, StoreError, accounts,
    entities::{
        job,
        job_schedule::{ActiveModel, Column, Entity, Relation},
        maybe_time, run,
    },
    environments, jobs,
    rows::{ACTIVE, from_text, of_account},
    runs,
    tx::Tx,
};

/// How many jobs one look deals with; the rest waits for the next.
const AT_ONCE: u64 = 100;
/// A run that begins later than this after its time says so.
const LATE: std::time::Duration = std::time::Duration::from_mins(1);

impl Store {
    /// Queues a run of every job of the account whose time has come. A job that waits in the queue
    /// by its schedule already is not queued twice.
    ///
    /// # Errors
    /// [`StoreError::Denied`] if the permit is not the runner's, [`StoreError::Unavailable`].
    pub async fn trigger_due(&self, permit: &Permit<Write, Runs>) -> Result<Vec<Run>, StoreError> {
        let due = self.to_be_planned(permit).await?;
        // What falls due while the account is locked is late once it is not.
        if due.is_empty() || accounts::find(self.reader(), permit.account()).await?.locked {
            return Ok(Vec::new());
        }
        let mut tx = self.begin_work(permit).await?;
        let mut queued = Vec::new();
        for id in due {
            let job = jobs::find(tx.db(), tx.account(), id).await?;
            let due_at = due_at(&tx, &job).await?;
            if let Some(due_at) = due_at.filter(|due_at| *due_at <= tx.now()) {
                queued.extend(queue(&mut tx, &job, due_at).await?);
            }
            plan(&tx, &job, job.spec.schedule.next_after(tx.now())).await?;
        }
        if queued.is_empty() {
            tx.commit_unrecorded().await?;
        } else {
            tx.commit().await?;
        }
        Ok(queued)
    }

    /// A glance without a transaction: scheduled jobs that are due, or have no plan as they are
    /// now.
    async fn to_be_planned(&self, permit: &Permit<Write, Runs>) -> Result<Vec<JobId>, StoreError> {
        let now = self.clock().now().micros();
        let changed = Expr::col((Entity, Column::PlannedFor))
            .ne(Expr::col((job::Entity, job::Column::UpdatedAt)));
        let rows: Vec<i64> = of_account::<job::Entity>(job::Column::AccountId, permit.account())
            .select_only()
            .column(job::Column::Id)
            .join(JoinType::LeftJoin, Relation::Job.def().rev())
            .filter(job::Column::OnSchedule.eq(true))
            .filter(job::Column::State.eq(ACTIVE))
            .filter(
                Condition::any()
                    .add(Column::JobId.is_null())
                    .add(Column::DueAt.lte(now))
                    .add(changed),
            )
            .order_by_asc(job::Column::Id)
            .limit(AT_ONCE)
            .into_tuple()
            .all(self.reader())
            .await
            .map_err(StoreError::db)?;
        rows.into_iter().map(|id| JobId::new(id).map_err(StoreError::corrupt)).collect()
    }
}

/// When the job is due by its plan; by its schedule since it last changed, where it was not planned
/// since.
async fn due_at(tx: &Tx, job: &Job) -> Result<Option<Timestamp>, StoreError> {
    let plan = Entity::find_by_id(job.id.get()).one(tx.db()).await.map_err(StoreError::db)?;
    match plan.filter(|plan| plan.planned_for == job.updated_at.micros()) {
        Some(plan) => maybe_time(plan.due_at),
        None => Ok(job.spec.schedule.next_after(job.updated_at)),
    }
}

/// Queues the run of a time, unless one of the job's schedule waits already.
async fn queue(tx: &mut Tx, job: &Job, due_at: Timestamp) -> Result<Option<Run>, StoreError> {
    let by = PrincipalId::System(SystemTask::Runner);
    let waiting = run::Entity::find()
        .filter(run::Column::JobId.eq(job.id.get()))
        .filter(run::Column::Status.eq(i64::from(RunStatus::QUEUED.code())))
        .all(tx.db())
        .await
        .map_err(StoreError::db)?;
    for row in waiting {
        if from_text::<Trigger>(&row.trigger)?.by == by {
            return Ok(None);
        }
    }
    let environment = environments::find(tx.db(), tx.account(), job.spec.environment).await?;
    let trigger = Trigger::plain(by, cause(due_at, tx.now()));
    runs::enqueue(tx, job, &environment, trigger).await.map(Some)
}

/// What a scheduled run says of why it is there.
fn cause(due_at: Timestamp, now: Timestamp) -> String {
    if now.seconds_since(due_at) > i64::try_from(LATE.as_secs()).unwrap_or(i64::MAX) {
        format!("scheduled for {due_at}; run late, and once for all times missed until {now}")
    } else {
        "scheduled".to_owned()
    }
}

async fn plan(tx: &Tx, job: &Job, due_at: Option<Timestamp>) -> Result<(), StoreError> {
    let row = ActiveModel {
        job_id: Set(job.id.get()),
        planned_for: Set(job.updated_at.micros()),
        due_at: Set(due_at.map(Timestamp::micros)),
    };
    let again = OnConflict::column(Column::JobId)
        .update_columns([Column::PlannedFor, Column::DueAt])
        .to_owned();
    Entity::insert(row)
        .on_conflict(again)
        .exec_without_returning(tx.db())
        .await
        .map_err(StoreError::db)?;
    Ok(())
}
