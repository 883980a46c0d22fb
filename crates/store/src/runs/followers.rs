//! Jobs that start when another one ends (`job_completion_trigger_condition`), in the transaction
//! that ends its run.

use domain::{
    authz::{PrincipalId, SystemTask},
    run::{Outcome, Run, RunStatus, Trigger},
};
use sea_orm::{ColumnTrait as _, QueryFilter as _, QueryOrder as _};

use super::queue::enqueue;
use crate::{
    StoreError, accounts,
    entities::job::{Column, Entity, Model},
    environments, jobs,
    rows::{ACTIVE, of_account},
    tx::Tx,
};

/// Queues a run of every job that waits for this end. None where the account is locked or the job
/// that ran is deleted; none of a job that this one waits for in turn, which would go on for ever.
pub(super) async fn start(tx: &mut Tx, ended: &Run, outcome: Outcome) -> Result<(), StoreError> {
    let waiting = of_account::<Entity>(Column::AccountId, tx.account())
        .filter(Column::AfterJobId.eq(ended.job.get()))
        .filter(Column::State.eq(ACTIVE))
        .order_by_asc(Column::Id)
        .all(tx.db())
        .await
        .map_err(StoreError::db)?;
    if waiting.is_empty() || accounts::find(tx.db(), tx.account()).await?.locked {
        return Ok(());
    }
    if let Err(StoreError::NotFound) = jobs::find(tx.db(), tx.account(), ended.job).await {
        return Ok(());
    }
    let status = RunStatus::from(outcome);
    for job in waiting.into_iter().map(Model::into_domain) {
        let job = job?;
        let condition = job.spec.echoed.completion_condition.as_ref();
        let waits = condition.is_some_and(|waits| waits.statuses.contains(&status.code()));
        if !waits || jobs::starts_after(tx, ended.job, job.id).await? {
            continue;
        }
        let environment = environments::find(tx.db(), tx.account(), job.spec.environment).await?;
        let word = status.humanized().to_lowercase();
        let cause = format!("run {} of job {} ended: {word}", ended.id, ended.job);
        let plain = Trigger::plain(PrincipalId::System(SystemTask::Runner), cause);
        enqueue(tx, &job, &environment, Trigger { after: Some(ended.id), ..plain }).await?;
    }
    Ok(())
}
