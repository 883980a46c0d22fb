//! How long artifacts are kept.
//!
//! Of a run whose time has come, the rows go first, with a note that they are gone; then the bytes.
//! dbt's own logs of its steps go along. What a stopped server left of them is swept by the next. The newest good run of a job keeps its
//! artifacts, and so do its newest runs with docs and with freshness, and those that hold the newest
//! manifest, catalog or freshness of an environment: others build on them.

use domain::{
    RunId, Timestamp,
    authz::{Action, Denied, Permit, PrincipalId, Read, Rule, Runs, SystemTask, Write},
    run::{NoRetry, RunStatus},
};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use object_store::path::Path;
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait as _, Condition, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _, QueryTrait as _,
    sea_query::{Expr, ExprTrait as _, SelectStatement},
};
use serde_json::json;

use crate::{
    Store, StoreError,
    artifact_store::unavailable,
    artifacts::reached,
    entities::{
        artifact, artifact_pruning, environment_state, job, run, run_step, step_debug_chunk, time,
    },
    rows::{ACTIVE, of_account},
};

/// The most runs whose artifacts go in one turn.
const AT_ONCE: u64 = 20;

impl Store {
    /// Removes the artifacts of the account's runs that ended before then, at most 20 runs, oldest
    /// first; gives how many. No writer waits while bytes are removed.
    ///
    /// # Errors
    /// [`StoreError::Denied`] if the permit is not the keeper's, [`StoreError::Unavailable`].
    pub async fn prune_artifacts(
        &self,
        permit: &Permit<Write, Runs>,
        before: Timestamp,
    ) -> Result<usize, StoreError> {
        keeper_alone(permit)?;
        for left in unswept(self, permit).await? {
            self.sweep(permit, left).await?;
        }
        let expired = expired(self, permit, before).await?;
        for run in &expired {
            self.forget_artifacts(permit, *run).await?;
            self.sweep(permit, run.id).await?;
        }
        Ok(expired.len())
    }

    /// Takes the rows away and notes that they are gone; what failed can be retried no longer.
    async fn forget_artifacts(
        &self,
        permit: &Permit<Write, Runs>,
        run: Expired,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin(permit).await?;
        let gone = artifact::Entity::delete_many()
            .filter(artifact::Column::RunId.eq(run.id.get()))
            .exec(tx.db())
            .await
            .map_err(StoreError::db)?;
        let steps = run_step::Entity::find()
            .select_only()
            .column(run_step::Column::Id)
            .filter(run_step::Column::RunId.eq(run.id.get()));
        step_debug_chunk::Entity::delete_many()
            .filter(step_debug_chunk::Column::StepId.in_subquery(steps.into_query()))
            .exec(tx.db())
            .await
            .map_err(StoreError::db)?;
        run::Entity::update_many()
            .col_expr(run::Column::RetryStep, Expr::value(None::<i64>))
            .col_expr(run::Column::NoRetry, Expr::value(NoRetry::RetryNoRunResults.word()))
            .filter(run::Column::Id.eq(run.id.get()))
            .filter(run::Column::RetryStep.is_not_null())
            .exec(tx.db())
            .await
            .map_err(StoreError::db)?;
        let note = artifact_pruning::ActiveModel {
            run_id: Set(run.id.get()),
            account_id: Set(tx.account().get()),
            pruned_at: Set(tx.now().micros()),
            swept: Set(false),
        };
        artifact_pruning::Entity::insert(note)
            .exec_without_returning(tx.db())
            .await
            .map_err(StoreError::db)?;
        let (object, after) =
            (format!("run:{}", run.id), json!({ "artifacts_removed": gone.rows_affected }));
        tx.record("run.artifacts_removed", object, Some(run.project), None, Some(after)).await?;
        tx.commit().await
    }

    /// Removes the bytes of a run's artifacts, those that no row ever named among them.
    async fn sweep(&self, permit: &Permit<Write, Runs>, run: RunId) -> Result<(), StoreError> {
        let folder: Path = [permit.account().to_string(), run.to_string()].into_iter().collect();
        let files = self.artifact_store().list(Some(&folder));
        let files: Vec<_> =
            files.map_ok(|file| file.location).try_collect().await.map_err(unavailable)?;
        let gone =
            self.artifact_store().delete_stream(stream::iter(files.into_iter().map(Ok)).boxed());
        gone.try_for_each(|_| async { Ok(()) }).await.map_err(unavailable)?;
        let tx = self.begin(permit).await?;
        artifact_pruning::Entity::update_many()
            .col_expr(artifact_pruning::Column::Swept, Expr::value(true))
            .filter(artifact_pruning::Column::RunId.eq(run.get()))
            .exec(tx.db())
            .await
            .map_err(StoreError::db)?;
        tx.commit_unrecorded().await
    }
}

/// Nobody but the keeper removes what is old.
pub(crate) fn keeper_alone(permit: &Permit<Write, Runs>) -> Result<(), StoreError> {
    if permit.author() == PrincipalId::System(SystemTask::Keeper) {
        return Ok(());
    }
    let plan = permit.principal().terms().plan;
    let action = Action::of::<Write, Runs>();
    Err(Denied::NoGrant { action, plan, rule: Rule::NoGrant }.into())
}

/// A run whose artifacts are to go.
#[derive(Debug, Clone, Copy)]
struct Expired {
    id: RunId,
    project: domain::ProjectId,
}

/// Runs whose rows are gone and whose bytes may not be.
async fn unswept(store: &Store, permit: &Permit<Write, Runs>) -> Result<Vec<RunId>, StoreError> {
    use artifact_pruning::{Column, Entity};
    let rows = of_account::<Entity>(Column::AccountId, permit.account())
        .filter(Column::Swept.eq(false))
        .limit(AT_ONCE)
        .all(store.reader())
        .await
        .map_err(StoreError::db)?;
    rows.into_iter().map(|row| RunId::new(row.run_id).map_err(StoreError::corrupt)).collect()
}

async fn expired(
    store: &Store,
    permit: &Permit<Write, Runs>,
    before: Timestamp,
) -> Result<Vec<Expired>, StoreError> {
    use run::{Column, Entity};
    let with_artifacts =
        artifact::Entity::find().select_only().column(artifact::Column::RunId).into_query();
    let good = || Column::Status.eq(i64::from(RunStatus::SUCCESS.code()));
    let newest = |of: Condition| {
        let jobs = of_account::<job::Entity>(job::Column::AccountId, permit.account())
            .filter(job::Column::State.eq(ACTIVE))
            .select_only()
            .column(job::Column::Id);
        let newest: SelectStatement = of_account::<Entity>(Column::AccountId, permit.account())
            .filter(Column::JobId.in_subquery(jobs.into_query()))
            .filter(of)
            .select_only()
            .expr(Expr::col(Column::Id).max())
            .group_by(Column::JobId)
            .into_query();
        newest
    };
    let (docs, sources) = (Column::HasDocs.eq(true), Column::HasSources.eq(true));
    let rows = of_account::<Entity>(Column::AccountId, permit.account())
        .filter(Column::FinishedAt.lt(before.micros()))
        .filter(Column::Id.in_subquery(with_artifacts))
        .filter(Column::Id.not_in_subquery(newest(Condition::all().add(good()))))
        .filter(Column::Id.not_in_subquery(newest(Condition::all().add(good()).add(docs))))
        .filter(Column::Id.not_in_subquery(newest(Condition::all().add(sources))))
        .filter(Column::Id.not_in_subquery(stood_on(environment_state::Column::ManifestRun)))
        .filter(Column::Id.not_in_subquery(stood_on(environment_state::Column::CatalogRun)))
        .filter(Column::Id.not_in_subquery(stood_on(environment_state::Column::SourcesRun)))
        .order_by_asc(Column::Id)
        .limit(AT_ONCE)
        .all(store.reader())
        .await
        .map_err(StoreError::db)?;
    rows.into_iter()
        .map(|row| {
            Ok(Expired {
                id: RunId::new(row.id).map_err(StoreError::corrupt)?,
                project: domain::ProjectId::new(row.project_id).map_err(StoreError::corrupt)?,
            })
        })
        .collect()
}

/// The runs whose artifacts the Discovery API tells of.
fn stood_on(run: environment_state::Column) -> SelectStatement {
    let runs = environment_state::Entity::find().select_only().column(run);
    runs.filter(run.is_not_null()).into_query()
}

/// Why a run has no such artifact: whoever may look at the run is told if retention removed them.
pub(crate) async fn why_missing(
    store: &Store,
    permit: &Permit<Read, Runs>,
    run: RunId,
) -> StoreError {
    let of = reached(permit).filter(run::Column::Id.eq(run.get()));
    let of = of.select_only().column(run::Column::Id).into_query();
    let note = artifact_pruning::Entity::find()
        .filter(artifact_pruning::Column::RunId.in_subquery(of))
        .one(store.reader())
        .await
        .map_err(StoreError::db);
    match note {
        Ok(None) => StoreError::NotFound,
        Ok(Some(note)) => match time(note.pruned_at) {
            Ok(at) => StoreError::Missing(format!("removed by retention at {at}")),
            Err(error) => error,
        },
        Err(error) => error,
    }
}
