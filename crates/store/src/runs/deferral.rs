//! Which run another one defers to.

use domain::{
    RunId,
    job::Job,
    run::{Run, RunStatus},
};
use sea_orm::{
    ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
    QueryTrait as _, sea_query::Expr,
};

use crate::{
    StoreError,
    entities::{
        artifact,
        run::{Column, Entity},
    },
    rows::of_account,
    tx::Tx,
};

/// What dbt compares with.
pub(super) const MANIFEST: &str = "manifest.json";

/// Finds the newest run that went well and left a manifest: of the job that is deferred to, or else
/// in the environment. Written on the run.
pub(super) async fn settle(tx: &Tx, run: Run, job: &Job) -> Result<Run, StoreError> {
    let echoed = &job.spec.echoed;
    let of = match (echoed.deferring_job, echoed.deferring_environment) {
        (Some(job), _) => Column::JobId.eq(job.get()),
        (None, Some(environment)) => Column::EnvironmentId.eq(environment.get()),
        (None, None) => return Ok(run),
    };
    let left = artifact::Entity::find()
        .select_only()
        .column(artifact::Column::RunId)
        .filter(artifact::Column::Path.eq(MANIFEST));
    let newest: Option<i64> = of_account::<Entity>(Column::AccountId, tx.account())
        .filter(of)
        .filter(Column::ProjectId.eq(run.project.get()))
        .filter(Column::Status.eq(i64::from(RunStatus::SUCCESS.code())))
        .filter(Column::Id.in_subquery(left.into_query()))
        .order_by_desc(Column::Id)
        .select_only()
        .column(Column::Id)
        .into_tuple()
        .one(tx.db())
        .await
        .map_err(StoreError::db)?;
    let deferring = newest.map(RunId::new).transpose().map_err(StoreError::corrupt)?;
    Entity::update_many()
        .col_expr(Column::DeferringRunId, Expr::value(newest))
        .filter(Column::Id.eq(run.id.get()))
        .exec(tx.db())
        .await
        .map_err(StoreError::db)?;
    Ok(Run { deferring, ..run })
}
