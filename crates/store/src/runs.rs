//! Runs and their steps, from the queue to the end.

use std::collections::BTreeMap;

use crate::{Store, StoreError};
use domain::{
    JobId, RunId, StepId,
    authz::{Permit, Read, Runs, Write},
    connection::Connection,
    environment::Environment,
    job::Job,
    list::{ListQuery, Paged},
    project::Project,
    repository::Repository,
    run::{Outcome, Run, RunStep, Trigger},
    warehouse_credential::{WarehouseCredential, WarehouseSecret},
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

/// A job's newest runs.
#[derive(Debug, Clone)]
pub struct LatestRuns {
    /// The newest.
    pub latest: Option<Run>,
    /// The newest that has finished.
    pub latest_completed: Option<Run>,
}

impl Store {
    /// Runs that the permit reaches.
    ///
    /// # Errors
    /// [`StoreError::Invalid`], [`StoreError::Unavailable`].
    pub async fn runs(
        &self,
        _permit: &Permit<Read, Runs>,
        _query: &ListQuery,
    ) -> Result<Paged<Run>, StoreError> {
        todo!()
    }
    /// One of them.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Unavailable`].
    pub async fn run(&self, _permit: &Permit<Read, Runs>, _id: RunId) -> Result<Run, StoreError> {
        todo!()
    }
    /// The newest runs of each of these jobs, in two statements.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn latest_runs(
        &self,
        _permit: &Permit<Read, Runs>,
        _jobs: &[JobId],
    ) -> Result<BTreeMap<JobId, LatestRuns>, StoreError> {
        todo!()
    }
    /// Queues a run of the job. The permit must cover the category of the job's environment.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Denied`], [`StoreError::CredentialChanged`], [`StoreError::Unavailable`].
    pub async fn trigger_run(
        &self,
        _permit: &Permit<Write, Runs>,
        _job: JobId,
        _trigger: Trigger,
    ) -> Result<Run, StoreError> {
        todo!()
    }
    /// Asks the run to stop; a queued one is cancelled at once.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Denied`], [`StoreError::Conflict`] if it has finished.
    pub async fn cancel_run(
        &self,
        _permit: &Permit<Write, Runs>,
        _id: RunId,
    ) -> Result<Run, StoreError> {
        todo!()
    }
    /// The steps of these runs, by run and index, in one statement.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn run_steps(
        &self,
        _permit: &Permit<Read, Runs>,
        _runs: &[RunId],
    ) -> Result<Vec<RunStep>, StoreError> {
        todo!()
    }
    /// One step.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Unavailable`].
    pub async fn run_step(
        &self,
        _permit: &Permit<Read, Runs>,
        _id: StepId,
    ) -> Result<RunStep, StoreError> {
        todo!()
    }
    /// The console text of these steps so far, in one statement.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn step_logs(
        &self,
        _permit: &Permit<Read, Runs>,
        _steps: &[StepId],
    ) -> Result<BTreeMap<StepId, String>, StoreError> {
        todo!()
    }

    /// Claims the account's oldest queued run, if a slot is free and no other run of its job is under way (runs for pull requests need not wait for that).
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn claim_run(
        &self,
        _permit: &Permit<Write, Runs>,
    ) -> Result<Option<ClaimedRun>, StoreError> {
        todo!()
    }
    /// Notes that the first step begins, and what was checked out once it is known.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if it has finished.
    pub async fn start_run(
        &self,
        _permit: &Permit<Write, Runs>,
        _id: RunId,
    ) -> Result<Run, StoreError> {
        todo!()
    }
    /// Notes the commit and branch that were checked out.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn note_checkout(
        &self,
        _permit: &Permit<Write, Runs>,
        _id: RunId,
        _sha: &str,
        _branch: Option<&str>,
    ) -> Result<(), StoreError> {
        todo!()
    }
    /// Makes the rows of all steps of a run, queued, with these names; index from 1.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn plan_steps(
        &self,
        _permit: &Permit<Write, Runs>,
        _id: RunId,
        _names: &[String],
    ) -> Result<Vec<RunStep>, StoreError> {
        todo!()
    }
    /// Begins a step.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn begin_step(
        &self,
        _permit: &Permit<Write, Runs>,
        _id: StepId,
    ) -> Result<(), StoreError> {
        todo!()
    }
    /// Adds to a step's console text.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn append_log(
        &self,
        _permit: &Permit<Write, Runs>,
        _id: StepId,
        _text: &str,
    ) -> Result<(), StoreError> {
        todo!()
    }
    /// Ends a step.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn finish_step(
        &self,
        _permit: &Permit<Write, Runs>,
        _id: StepId,
        _outcome: Outcome,
    ) -> Result<(), StoreError> {
        todo!()
    }
    /// Ends the run: steps that have not begun are skipped, one under way gets the same outcome.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if it has finished.
    pub async fn finish_run(
        &self,
        _permit: &Permit<Write, Runs>,
        _id: RunId,
        _outcome: Outcome,
        _message: &str,
    ) -> Result<Run, StoreError> {
        todo!()
    }
    /// Ends as an error every run of the account that a stopped server left under way. Gives them.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn fail_abandoned_runs(
        &self,
        _permit: &Permit<Write, Runs>,
        _message: &str,
    ) -> Result<Vec<RunId>, StoreError> {
        todo!()
    }
}
