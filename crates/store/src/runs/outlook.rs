//! What can be said of runs that are under way: how far they are, and how long they will take.

use std::collections::BTreeMap;

use domain::{
    RunId,
    authz::{Permit, Read, Runs},
    run::{Outlook, Run, RunState, RunStatus, usual_seconds},
};
use sea_orm::{ColumnTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _};

use crate::{
    Store, StoreError,
    entities::{
        run::{Column, Entity},
        run_step,
    },
    rows::within,
};

/// How many earlier runs say what is usual.
const EARLIER: u64 = 10;

impl Store {
    /// How far each of these runs is that is under way, in one statement; none if none is.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn outlooks(
        &self,
        permit: &Permit<Read, Runs>,
        runs: &[Run],
    ) -> Result<BTreeMap<RunId, Outlook>, StoreError> {
        let running = runs.iter().filter(|run| matches!(run.state, RunState::Running { .. }));
        let running: Vec<_> = running.map(|run| run.id.get()).collect();
        if running.is_empty() {
            return Ok(BTreeMap::new());
        }
        let reached = (run_step::Column::AccountId, permit.account());
        let steps =
            within::<run_step::Entity>(reached, run_step::Column::ProjectId, &permit.scope())
                .filter(run_step::Column::RunId.is_in(running))
                .filter(run_step::Column::NodesTotal.is_not_null())
                .order_by_asc(run_step::Column::Index)
                .all(self.reader())
                .await
                .map_err(StoreError::db)?;
        let mut outlooks = BTreeMap::new();
        for step in steps {
            let run = RunId::new(step.run_id).map_err(StoreError::corrupt)?;
            let outlook = Outlook { progress: step.progress()?, remaining_seconds: None };
            outlooks.insert(run, outlook);
        }
        Ok(outlooks)
    }

    /// How far a run is and how long it will still take, by the median of the job's last ten runs
    /// that went well; nothing if it is not under way.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn outlook(
        &self,
        permit: &Permit<Read, Runs>,
        run: &Run,
    ) -> Result<Outlook, StoreError> {
        let RunState::Running { started_at, .. } = run.state else { return Ok(Outlook::default()) };
        let mut outlooks = self.outlooks(permit, std::slice::from_ref(run)).await?;
        let reached = (Column::AccountId, permit.account());
        let earlier: Vec<(Option<i64>, Option<i64>)> =
            within::<Entity>(reached, Column::ProjectId, &permit.scope())
                .filter(Column::JobId.eq(run.job.get()))
                .filter(Column::Status.eq(i64::from(RunStatus::SUCCESS.code())))
                .order_by_desc(Column::Id)
                .limit(EARLIER)
                .select_only()
                .columns([Column::StartedAt, Column::FinishedAt])
                .into_tuple()
                .all(self.reader())
                .await
                .map_err(StoreError::db)?;
        let seconds = earlier.into_iter().filter_map(|(from, to)| Some((to? - from?) / 1_000_000));
        let elapsed = self.clock().now().seconds_since(started_at);
        let remaining = usual_seconds(seconds.collect()).map(|usual| (usual - elapsed).max(0));
        let outlook = outlooks.remove(&run.id).unwrap_or_default();
        Ok(Outlook { remaining_seconds: remaining, ..outlook })
    }
}
