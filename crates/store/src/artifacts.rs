//! Artifacts of runs: files under `target/`, kept for each step.

use crate::{Store, StoreError};
use bytes::Bytes;
use domain::{
    JobId, RunId,
    authz::{Permit, Read, Runs, Write},
};

/// An artifact of a run's step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifact {
    /// The index of its step.
    pub step: u32,
    /// Its path under `target/`, such as `manifest.json`.
    pub path: String,
    /// Its size in bytes.
    pub size: u64,
}

impl Store {
    /// Keeps an artifact of a step. `path` is relative, without `..`.
    ///
    /// # Errors
    /// [`StoreError::Invalid`], [`StoreError::Unavailable`].
    pub async fn put_artifact(
        &self,
        _permit: &Permit<Write, Runs>,
        _run: RunId,
        _step: u32,
        _path: &str,
        _bytes: Bytes,
    ) -> Result<(), StoreError> {
        todo!()
    }
    /// The artifacts of a run, by step and path.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if the run is out of reach, [`StoreError::Unavailable`].
    pub async fn artifacts(
        &self,
        _permit: &Permit<Read, Runs>,
        _run: RunId,
    ) -> Result<Vec<Artifact>, StoreError> {
        todo!()
    }
    /// One artifact of a run: of the given step, or else of the last step that has it.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Unavailable`].
    pub async fn artifact(
        &self,
        _permit: &Permit<Read, Runs>,
        _run: RunId,
        _path: &str,
        _step: Option<u32>,
    ) -> Result<Bytes, StoreError> {
        todo!()
    }
    /// One artifact of a job's latest successful run.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Unavailable`].
    pub async fn job_artifact(
        &self,
        _permit: &Permit<Read, Runs>,
        _job: JobId,
        _path: &str,
    ) -> Result<Bytes, StoreError> {
        todo!()
    }
}
