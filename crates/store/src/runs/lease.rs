//! Leases: a worker holds a run while it renews its hold, and writes about no other.
//!
//! The id of a lease is its fencing number. A lease ends with its run, when it is given back, or
//! when somebody finds that it ran out; from then on nothing is written under it.

use domain::{
    AccountId, LeaseId, RunId, Timestamp,
    authz::{Permit, Runs, Write},
    event::Event,
    lease::{ExpiredLease, Lease, Reaped, Worker},
    run::{Outcome, Run, RunState},
};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, ConnectionTrait, EntityTrait as _, PaginatorTrait as _,
    QueryFilter as _, QueryOrder as _, QuerySelect as _, sea_query::Expr,
};
use serde_json::json;

use super::{
    change::{end, save},
    find, steps,
};
use crate::{
    Store, StoreError,
    entities::{
        job, run,
        run_lease::{ActiveModel, Column, Entity, Model},
        time,
    },
    retention,
    rows::{ACTIVE, of_account, only},
    tx::Tx,
};

/// How a lease ended, as its row has it.
#[derive(Clone, Copy)]
pub(super) enum Ending {
    /// With its run.
    Finished,
    /// Its worker stopped before anything began.
    Returned,
    /// Its worker is dead.
    Expired,
}

impl Ending {
    const fn word(self) -> &'static str {
        match self {
            Self::Finished => "finished",
            Self::Returned => "returned",
            Self::Expired => "expired",
        }
    }
}

impl Store {
    /// Renews the lease: it lasts for its whole length again, from now.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] if it has run out or ended, [`StoreError::NotFound`],
    /// [`StoreError::Unavailable`].
    pub async fn renew_lease(
        &self,
        permit: &Permit<Write, Runs>,
        lease: &Lease,
    ) -> Result<(), StoreError> {
        let tx = self.begin_leased(permit, lease).await?;
        let (now, until) = (tx.now().micros(), until(&tx, &lease.worker));
        Entity::update_many()
            .col_expr(Column::RenewedAt, Expr::value(now))
            .col_expr(Column::LeasedUntil, Expr::value(until))
            .filter(Column::Id.eq(lease.id.get()))
            .exec(tx.db())
            .await
            .map_err(StoreError::db)?;
        note(&tx, lease.run, Some(&lease.worker.name)).await?;
        tx.commit_unrecorded().await
    }

    /// Gives the run back into the queue, since its worker stops; nothing of it has begun.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`], [`StoreError::NotFound`], [`StoreError::Conflict`] if a step has
    /// begun, [`StoreError::Unavailable`].
    pub async fn return_run(
        &self,
        permit: &Permit<Write, Runs>,
        lease: &Lease,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin_leased(permit, lease).await?;
        let run = find(tx.db(), tx.account(), lease.run).await?;
        if !has_not_begun(&run) {
            return Err(StoreError::Conflict("the run has begun".to_owned()));
        }
        close(&tx, run.id, Ending::Returned).await?;
        requeue(&mut tx, run, Ending::Returned).await?;
        tx.commit().await
    }

    /// Lets the run have a DuckDB file for itself until its lease ends; `false` if another run has
    /// it. DuckDB lets one process write a file, and refuses a second one at once instead of
    /// letting it wait (DuckDB documentation, "Concurrency").
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`], [`StoreError::NotFound`], [`StoreError::Unavailable`].
    pub async fn take_duckdb(
        &self,
        permit: &Permit<Write, Runs>,
        lease: &Lease,
        file: &str,
    ) -> Result<bool, StoreError> {
        // A glance without a transaction: whoever waits asks often.
        if duckdb_is_taken(self.reader(), permit.account(), lease, file).await? {
            return Ok(false);
        }
        let tx = self.begin_leased(permit, lease).await?;
        if duckdb_is_taken(tx.db(), tx.account(), lease, file).await? {
            return Ok(false);
        }
        Entity::update_many()
            .col_expr(Column::Duckdb, Expr::value(file))
            .filter(Column::Id.eq(lease.id.get()))
            .exec(tx.db())
            .await
            .map_err(StoreError::db)?;
        tx.commit_unrecorded().await?;
        Ok(true)
    }

    /// The account's leases that have run out and not ended, oldest first: a glance without a
    /// transaction. Whoever asks clears up what the worker left, then [`Store::reap_run`]s.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn expired_leases(
        &self,
        permit: &Permit<Write, Runs>,
    ) -> Result<Vec<ExpiredLease>, StoreError> {
        let rows = of_account::<Entity>(Column::AccountId, permit.account())
            .filter(Column::EndedAt.is_null())
            .filter(Column::LeasedUntil.lte(self.clock().now().micros()))
            .order_by_asc(Column::Id)
            .all(self.reader())
            .await
            .map_err(StoreError::db)?;
        rows.into_iter().map(Model::into_expired).collect()
    }

    /// Takes the run of a lease that ran out back into the queue if nothing of it had begun, else
    /// ends it as an error that says since when its worker is silent. `None` if somebody else did.
    ///
    /// # Errors
    /// [`StoreError::Denied`] if the permit is not the runner's, [`StoreError::Unavailable`].
    pub async fn reap_run(
        &self,
        permit: &Permit<Write, Runs>,
        lease: &ExpiredLease,
    ) -> Result<Option<Reaped>, StoreError> {
        let mut tx = self.begin_work(permit).await?;
        let open = of_account::<Entity>(Column::AccountId, tx.account())
            .filter(Column::Id.eq(lease.id.get()))
            .filter(Column::EndedAt.is_null())
            .filter(Column::LeasedUntil.lte(tx.now().micros()));
        let Some(row) = open.one(tx.db()).await.map_err(StoreError::db)? else { return Ok(None) };
        let silent_since = time(row.renewed_at)?;
        let run = find(tx.db(), tx.account(), lease.run).await?;
        close(&tx, run.id, Ending::Expired).await?;
        let reaped = if let Some((outcome, reason)) = fate(&tx, &run, silent_since).await? {
            end(&mut tx, run, outcome, &reason).await?;
            Reaped::Ended
        } else {
            requeue(&mut tx, run, Ending::Expired).await?;
            Reaped::Queued
        };
        tx.commit().await?;
        Ok(Some(reaped))
    }

    /// Forgets the account's leases that ended before then; gives how many. What a run tells of its
    /// worker stays with the run.
    ///
    /// # Errors
    /// [`StoreError::Denied`] if the permit is not the keeper's, [`StoreError::Unavailable`].
    pub async fn forget_leases(
        &self,
        permit: &Permit<Write, Runs>,
        before: Timestamp,
    ) -> Result<u64, StoreError> {
        retention::keeper_alone(permit)?;
        let tx = self.begin(permit).await?;
        let gone = Entity::delete_many()
            .filter(Column::AccountId.eq(tx.account().get()))
            .filter(Column::EndedAt.lt(before.micros()))
            .exec(tx.db())
            .await
            .map_err(StoreError::db)?;
        tx.commit_unrecorded().await?;
        Ok(gone.rows_affected)
    }

    /// Begins a transaction of the worker that holds the lease, about its run.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] if it has run out or ended; [`StoreError::NotFound`] if there is
    /// none; as [`Store::begin_work`].
    pub(crate) async fn begin_leased(
        &self,
        permit: &Permit<Write, Runs>,
        lease: &Lease,
    ) -> Result<Tx, StoreError> {
        let tx = self.begin_work(permit).await?;
        let row = of_account::<Entity>(Column::AccountId, tx.account())
            .filter(Column::Id.eq(lease.id.get()))
            .filter(Column::RunId.eq(lease.run.get()));
        let row = only(row, tx.db()).await?;
        let holds = row.ended_at.is_none() && row.leased_until > tx.now().micros();
        if holds { Ok(tx) } else { Err(StoreError::LeaseLost) }
    }
}

/// Whether another run has the DuckDB file.
async fn duckdb_is_taken(
    db: &impl ConnectionTrait,
    account: AccountId,
    lease: &Lease,
    file: &str,
) -> Result<bool, StoreError> {
    let others = of_account::<Entity>(Column::AccountId, account)
        .filter(Column::EndedAt.is_null())
        .filter(Column::Duckdb.eq(file))
        .filter(Column::Id.ne(lease.id.get()));
    Ok(others.count(db).await.map_err(StoreError::db)? > 0)
}

/// Gives a run's next lease, with a larger number than all before.
pub(super) async fn take(tx: &Tx, run: RunId, worker: &Worker) -> Result<Lease, StoreError> {
    let now = tx.now().micros();
    let row = ActiveModel {
        account_id: Set(tx.account().get()),
        run_id: Set(run.get()),
        worker: Set(worker.name.clone()),
        taken_at: Set(now),
        renewed_at: Set(now),
        leased_until: Set(until(tx, worker)),
        ..Default::default()
    };
    let row = Entity::insert(row).exec_with_returning(tx.db()).await.map_err(StoreError::db)?;
    let id = LeaseId::new(row.id).map_err(StoreError::corrupt)?;
    note(tx, run, Some(&worker.name)).await?;
    Ok(Lease { id, run, worker: worker.clone() })
}

/// Notes at the run who has it, heard of now, or that nobody has.
async fn note(tx: &Tx, run: RunId, worker: Option<&str>) -> Result<(), StoreError> {
    run::Entity::update_many()
        .col_expr(run::Column::Worker, Expr::value(worker))
        .col_expr(run::Column::HeartbeatAt, Expr::value(worker.map(|_| tx.now().micros())))
        .filter(run::Column::Id.eq(run.get()))
        .exec(tx.db())
        .await
        .map_err(StoreError::db)?;
    Ok(())
}

/// Ends the run's lease, if it has an open one.
pub(super) async fn close(tx: &Tx, run: RunId, ending: Ending) -> Result<(), StoreError> {
    Entity::update_many()
        .col_expr(Column::EndedAt, Expr::value(tx.now().micros()))
        .col_expr(Column::Ending, Expr::value(ending.word()))
        .filter(Column::RunId.eq(run.get()))
        .filter(Column::EndedAt.is_null())
        .exec(tx.db())
        .await
        .map_err(StoreError::db)?;
    Ok(())
}

/// When a lease that is given now runs out.
fn until(tx: &Tx, worker: &Worker) -> i64 {
    let length = i64::try_from(worker.lease.as_micros()).unwrap_or(i64::MAX);
    tx.now().micros().saturating_add(length)
}

/// Whether no step of the run has begun: `start_run` comes before the first.
const fn has_not_begun(run: &Run) -> bool {
    matches!(run.state, RunState::Starting { .. })
}

/// How a run ends whose worker is dead, and why; `None` if it can begin anew.
async fn fate(
    tx: &Tx,
    run: &Run,
    silent_since: Timestamp,
) -> Result<Option<(Outcome, String)>, StoreError> {
    Ok(if !has_not_begun(run) {
        let reason = format!("the worker that ran it stopped answering at {silent_since}");
        Some((Outcome::Error, reason))
    } else if run.cancel_requested {
        Some((Outcome::Cancelled, "cancelled before it began".to_owned()))
    } else if is_gone(tx, run).await? {
        Some((Outcome::Cancelled, "the job was deleted".to_owned()))
    } else {
        None
    })
}

/// Whether the job of the run has been deleted meanwhile.
async fn is_gone(tx: &Tx, run: &Run) -> Result<bool, StoreError> {
    let there = of_account::<job::Entity>(job::Column::AccountId, tx.account())
        .filter(job::Column::Id.eq(run.job.get()))
        .filter(job::Column::State.eq(ACTIVE))
        .limit(1)
        .count(tx.db());
    Ok(there.await.map_err(StoreError::db)? == 0)
}

/// Puts a run of which nothing has begun back where it was in the queue.
async fn requeue(tx: &mut Tx, run: Run, ending: Ending) -> Result<(), StoreError> {
    steps::forget(tx, run.id).await?;
    let queued = Run { state: RunState::Queued, updated_at: tx.now(), ..run.clone() };
    save(tx, run.state, &queued).await?;
    note(tx, run.id, None).await?;
    let object = format!("run:{}", run.id);
    let after = Some(json!({ "lease": ending.word() }));
    tx.record("run.requeued", object, Some(run.project), None, after).await?;
    tx.event(Event::RunQueued { id: run.id, job: run.job }).await
}

impl Model {
    fn into_expired(self) -> Result<ExpiredLease, StoreError> {
        Ok(ExpiredLease {
            id: LeaseId::new(self.id).map_err(StoreError::corrupt)?,
            run: RunId::new(self.run_id).map_err(StoreError::corrupt)?,
            renewed_at: time(self.renewed_at)?,
        })
    }
}
