//! Artifacts of runs: files under `target/`, kept for each step.
//!
//! The bytes lie in the artifact store under `{account}/{run}/{step}/{path}`; a row says that they
//! are there, and is written after them.

use std::sync::Arc;

use bytes::Bytes;
use domain::{
    JobId, RunId,
    authz::{Permit, Read, Runs, Write},
    run::RunStatus,
};
use object_store::{ObjectStore, ObjectStoreExt as _, local::LocalFileSystem, path::Path};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    sea_query::OnConflict,
};

use crate::{
    DataDir, Store, StoreError,
    entities::{
        artifact::{ActiveModel, Column, Entity},
        run,
    },
    runs,
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
    /// [`StoreError::Invalid`], [`StoreError::NotFound`], [`StoreError::Unavailable`].
    pub async fn put_artifact(
        &self,
        permit: &Permit<Write, Runs>,
        run: RunId,
        step: u32,
        path: &str,
        bytes: Bytes,
    ) -> Result<(), StoreError> {
        check_path(path)?;
        let size = i64::try_from(bytes.len()).map_err(StoreError::corrupt)?;
        let run = runs::find(self.reader(), permit.account(), run).await?;
        let place = place(run.account.get(), run.id.get(), step, path);
        self.artifact_store().put(&place, bytes.into()).await.map_err(unavailable)?;
        let tx = self.begin(permit).await?;
        let row = ActiveModel {
            run_id: Set(run.id.get()),
            step: Set(step.into()),
            path: Set(path.to_owned()),
            size: Set(size),
            ..Default::default()
        };
        let again = OnConflict::columns([Column::RunId, Column::Step, Column::Path])
            .update_column(Column::Size)
            .to_owned();
        Entity::insert(row).on_conflict(again).exec(tx.db()).await.map_err(StoreError::db)?;
        tx.commit_unrecorded().await
    }

    /// The artifacts of a run, by step and path.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if the run is out of reach, [`StoreError::Unavailable`].
    pub async fn artifacts(
        &self,
        permit: &Permit<Read, Runs>,
        run: RunId,
    ) -> Result<Vec<Artifact>, StoreError> {
        self.run(permit, run).await?;
        let rows = Entity::find()
            .filter(Column::RunId.eq(run.get()))
            .order_by_asc(Column::Step)
            .order_by_asc(Column::Path)
            .all(self.reader())
            .await
            .map_err(StoreError::db)?;
        rows.into_iter()
            .map(|row| {
                Ok(Artifact {
                    step: u32::try_from(row.step).map_err(StoreError::corrupt)?,
                    path: row.path,
                    size: u64::try_from(row.size).map_err(StoreError::corrupt)?,
                })
            })
            .collect()
    }

    /// One artifact of a run: of the given step, or else of the last step that has it.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Unavailable`].
    pub async fn artifact(
        &self,
        permit: &Permit<Read, Runs>,
        run: RunId,
        path: &str,
        step: Option<u32>,
    ) -> Result<Bytes, StoreError> {
        let run = self.run(permit, run).await?;
        let rows = Entity::find()
            .filter(Column::RunId.eq(run.id.get()))
            .filter(Column::Path.eq(path))
            .order_by_desc(Column::Step);
        let rows = match step {
            Some(step) => rows.filter(Column::Step.eq(i64::from(step))),
            None => rows,
        };
        let row = rows.one(self.reader()).await.map_err(StoreError::db)?;
        let row = row.ok_or(StoreError::NotFound)?;
        let step = u32::try_from(row.step).map_err(StoreError::corrupt)?;
        let place = place(run.account.get(), run.id.get(), step, &row.path);
        let found = self.artifact_store().get(&place).await.map_err(unavailable)?;
        found.bytes().await.map_err(unavailable)
    }

    /// One artifact of a job's latest successful run.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Unavailable`].
    pub async fn job_artifact(
        &self,
        permit: &Permit<Read, Runs>,
        job: JobId,
        path: &str,
    ) -> Result<Bytes, StoreError> {
        let row = run::Entity::find()
            .filter(run::Column::AccountId.eq(permit.account().get()))
            .filter(run::Column::JobId.eq(job.get()))
            .filter(run::Column::Status.eq(i64::from(RunStatus::SUCCESS.code())))
            .order_by_desc(run::Column::Id)
            .one(self.reader())
            .await
            .map_err(StoreError::db)?;
        let run = row.ok_or(StoreError::NotFound)?.into_domain()?;
        self.artifact(permit, run.id, path, None).await
    }
}

/// The store of a data folder's artifacts. Files are flushed to the disk before they count.
pub(crate) fn open(dir: &DataDir) -> Result<Arc<dyn ObjectStore>, StoreError> {
    let folder = dir.artifacts();
    std::fs::create_dir_all(&folder).map_err(unavailable)?;
    let store = LocalFileSystem::new_with_prefix(folder).map_err(unavailable)?;
    Ok(Arc::new(store.with_fsync(true)))
}

fn unavailable(error: impl std::fmt::Display) -> StoreError {
    StoreError::Unavailable(format!("the artifact store: {error}"))
}

/// Whether the path stays under `target/`.
fn check_path(path: &str) -> Result<(), StoreError> {
    let plain = |part: &str| !part.is_empty() && part != "." && part != "..";
    let fine = path.len() <= 1024
        && path.split('/').all(plain)
        && !path.chars().any(|c| c.is_control() || c == '\\');
    if fine {
        Ok(())
    } else {
        let message = "must be relative, without `..`, at most 1024 bytes".to_owned();
        Err(StoreError::Invalid { field: "path", message })
    }
}

fn place(account: i64, run: i64, step: u32, path: &str) -> Path {
    let head = [account.to_string(), run.to_string(), step.to_string()];
    head.into_iter().chain(path.split('/').map(str::to_owned)).collect()
}
