//! What can be said of runs that have not ended: how far they are, how long they will take, and what
//! they wait for.

use std::collections::BTreeMap;

use domain::{
    JobId, RunId,
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
    rows::Placed as _,
};

/// How many earlier runs say what is usual.
const EARLIER: u64 = 10;

impl Store {
    /// How far each of these runs is that is under way, and what each that is queued waits for: a
    /// statement for either, none if there is none.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn outlooks(
        &self,
        permit: &Permit<Read, Runs>,
        runs: &[Run],
    ) -> Result<BTreeMap<RunId, Outlook>, StoreError> {
        let mut outlooks = self.progress(permit, runs).await?;
        let queued = |run: &&Run| matches!(run.state, RunState::Queued);
        let waits = |run: &&Run| queued(run) && !run.trigger.is_for_pull_request();
        let waiting: Vec<_> = runs.iter().filter(waits).collect();
        if waiting.is_empty() {
            return Ok(outlooks);
        }
        let under_way = [RunStatus::STARTING, RunStatus::RUNNING];
        let held: Vec<(i64, i64)> = Entity::within(permit)
            .filter(Column::Status.is_in(under_way.map(|status| i64::from(status.code()))))
            .filter(Column::JobId.is_in(waiting.iter().map(|run| run.job.get())))
            .order_by_asc(Column::Id)
            .select_only()
            .columns([Column::JobId, Column::Id])
            .into_tuple()
            .all(self.reader())
            .await
            .map_err(StoreError::db)?;
        for run in waiting {
            let before = held.iter().filter(|(job, _)| *job == run.job.get());
            let before: Result<_, _> = before.map(|(_, id)| RunId::new(*id)).collect();
            let blocked_by = before.map_err(StoreError::corrupt)?;
            outlooks.insert(run.id, Outlook { blocked_by, ..Outlook::default() });
        }
        Ok(outlooks)
    }

    async fn progress(
        &self,
        permit: &Permit<Read, Runs>,
        runs: &[Run],
    ) -> Result<BTreeMap<RunId, Outlook>, StoreError> {
        let running = runs.iter().filter(|run| matches!(run.state, RunState::Running { .. }));
        let running: Vec<_> = running.map(|run| run.id.get()).collect();
        if running.is_empty() {
            return Ok(BTreeMap::new());
        }
        let steps = run_step::Entity::within(permit)
            .filter(run_step::Column::RunId.is_in(running))
            .filter(run_step::Column::NodesTotal.is_not_null())
            .order_by_asc(run_step::Column::Index)
            .all(self.reader())
            .await
            .map_err(StoreError::db)?;
        let mut outlooks = BTreeMap::new();
        for step in steps {
            let run = RunId::new(step.run_id).map_err(StoreError::corrupt)?;
            let outlook = Outlook { progress: step.progress()?, ..Outlook::default() };
            outlooks.insert(run, outlook);
        }
        Ok(outlooks)
    }

    /// The same of one run, with how long it will still take, by the median of the job's last ten
    /// runs that went well, if it is under way.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn outlook(
        &self,
        permit: &Permit<Read, Runs>,
        run: &Run,
    ) -> Result<Outlook, StoreError> {
        let mut outlooks = self.outlooks(permit, std::slice::from_ref(run)).await?;
        let outlook = outlooks.remove(&run.id).unwrap_or_default();
        let RunState::Running { started_at, .. } = run.state else { return Ok(outlook) };
        let elapsed = self.clock().now().seconds_since(started_at);
        let usual = self.usual_run_seconds(permit, run.job).await?;
        let remaining = usual.map(|usual| (usual - elapsed).max(0));
        Ok(Outlook { remaining_seconds: remaining, ..outlook })
    }

    /// How many seconds a run of a job usually takes: the median of its last ten that went well, in
    /// one statement; none of none.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn usual_run_seconds(
        &self,
        permit: &Permit<Read, Runs>,
        job: JobId,
    ) -> Result<Option<i64>, StoreError> {
        let earlier: Vec<(Option<i64>, Option<i64>)> = Entity::within(permit)
            .filter(Column::JobId.eq(job.get()))
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
        Ok(usual_seconds(seconds.collect()))
    }
}
