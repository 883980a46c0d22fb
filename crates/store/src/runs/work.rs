//! What the runner writes down of a run, from its start to its end.

use domain::{
    authz::{Action, Denied, Permit, PrincipalId, Rule, Runs, SystemTask, Write},
    lease::Lease,
    run::{Outcome, Run, RunState},
    run_report::Stage,
};

use super::{
    change::{already_finished, end, save},
    find,
};
use crate::{Store, StoreError, outbox, tx::Tx};

impl Store {
    /// Begins a transaction of the runner, who alone may write down how a run goes: whoever else
    /// may write runs starts and cancels them.
    ///
    /// # Errors
    /// [`StoreError::Denied`] if the permit is another's, and as [`Store::begin`].
    pub(crate) async fn begin_work(&self, permit: &Permit<Write, Runs>) -> Result<Tx, StoreError> {
        if permit.author() != PrincipalId::System(SystemTask::Runner) {
            let plan = permit.principal().terms().plan;
            return Err(Denied::NoGrant {
                action: Action::of::<Write, Runs>(),
                plan,
                rule: Rule::NoGrant,
            }
            .into());
        }
        self.begin(permit).await
    }

    /// Notes that the first step begins.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Conflict`] if it is not starting,
    /// [`StoreError::LeaseLost`], [`StoreError::Unavailable`].
    pub async fn start_run(
        &self,
        permit: &Permit<Write, Runs>,
        lease: &Lease,
    ) -> Result<Run, StoreError> {
        let mut tx = self.begin_leased(permit, lease).await?;
        let run = find(tx.db(), tx.account(), lease.run).await?;
        let RunState::Starting { dequeued_at } = run.state else {
            return Err(StoreError::Conflict("the run is not starting".to_owned()));
        };
        let state = RunState::Running { dequeued_at, started_at: tx.now() };
        let started = Run { state, updated_at: tx.now(), ..run };
        save(&tx, run.state, &started).await?;
        outbox::tell(&mut tx, &started, Stage::Started).await?;
        tx.commit_unrecorded().await?;
        Ok(started)
    }

    /// Notes the commit and branch that were checked out, and whether the kept clone had the commit.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Conflict`] if the run has finished,
    /// [`StoreError::LeaseLost`], [`StoreError::Unavailable`].
    pub async fn note_checkout(
        &self,
        permit: &Permit<Write, Runs>,
        lease: &Lease,
        sha: &str,
        (branch, used_clone): (Option<&str>, bool),
    ) -> Result<(), StoreError> {
        let tx = self.begin_leased(permit, lease).await?;
        let run = find(tx.db(), tx.account(), lease.run).await?;
        if run.state.is_finished() {
            return Err(already_finished());
        }
        let (git_sha, git_branch) = (Some(sha.to_owned()), branch.map(str::to_owned));
        let used_clone = Some(used_clone);
        let run = Run { git_sha, git_branch, used_clone, updated_at: tx.now(), ..run };
        save(&tx, run.state, &run).await?;
        tx.commit_unrecorded().await
    }

    /// Ends the run, and the lease with it: steps that have not begun are skipped, one under way
    /// gets the same outcome.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::LeaseLost`], also if it has finished;
    /// [`StoreError::Unavailable`].
    pub async fn finish_run(
        &self,
        permit: &Permit<Write, Runs>,
        lease: &Lease,
        outcome: Outcome,
        message: &str,
    ) -> Result<Run, StoreError> {
        let mut tx = self.begin_leased(permit, lease).await?;
        let run = find(tx.db(), tx.account(), lease.run).await?;
        let run = end(&mut tx, run, outcome, message).await?;
        tx.commit().await?;
        Ok(run)
    }
}
