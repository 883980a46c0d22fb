//! Artifacts of runs: files under `target/`, kept for each step.
//!
//! The bytes lie in the artifact store under `{account}/{run}/{step}/{path}`; a row says that they
//! are there and what their SHA-256 is, and is written after them. They are put there whole or not
//! at all, and what is read is held to the row.

use bytes::Bytes;
use domain::{
    AccountId, JobId, RunId,
    authz::{Permit, Read, Runs, Write},
    lease::Lease,
    run::RunStatus,
};
use object_store::path::Path;
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait as _, EntityTrait as _, JoinType, QueryFilter as _, QueryOrder as _,
    QuerySelect as _, QueryTrait as _, Select,
    sea_query::{Expr, OnConflict},
};

use tokio::io::AsyncRead;

use crate::{
    ArtifactContent, Store, StoreError,
    artifact_store::{self, Pieces, Print, other_than_stored},
    entities::{
        artifact::{ActiveModel, Column, Entity, Model},
        run,
    },
    retention,
    rows::{Placed as _, note_rows, only},
    runs,
    tx::Tx,
    usage::{self, Tally},
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

/// An artifact of a step, with its bytes.
#[derive(Debug, Clone)]
pub struct ArtifactOfStep {
    /// The run.
    pub run: RunId,
    /// The index of its step.
    pub step: u32,
    /// The bytes; `None` if there are more of them than were asked for.
    pub bytes: Option<Bytes>,
}

impl Store {
    /// Keeps an artifact of a step, in place of an earlier one: all that there is to read, at most a few
    /// MiB of it in memory. `path` is relative, without `..`.
    ///
    /// # Errors
    /// [`StoreError::Invalid`], [`StoreError::NotFound`], [`StoreError::LeaseLost`],
    /// [`StoreError::Denied`] if the permit is not the runner's, [`StoreError::Unavailable`].
    pub async fn put_artifact(
        &self,
        permit: &Permit<Write, Runs>,
        lease: &Lease,
        step: u32,
        path: &str,
        from: impl AsyncRead + Unpin,
    ) -> Result<(), StoreError> {
        let run = lease.run;
        let place = place(permit.account(), run, step, path)?;
        // Nothing is stored for a run that is another's; no writer waits while bytes are.
        let tx = self.begin_leased(permit, lease).await?;
        let of = runs::find(tx.db(), tx.account(), run).await?;
        drop(tx);
        let (print, tally) = self.put_and_tally(place, path, from).await?;
        let tx = self.begin_leased(permit, lease).await?;
        let row = ActiveModel {
            run_id: Set(run.get()),
            step: Set(step.into()),
            path: Set(path.to_owned()),
            size: Set(i64::try_from(print.size).map_err(StoreError::corrupt)?),
            sha256: Set(print.sha256),
            ..Default::default()
        };
        let again = OnConflict::columns([Column::RunId, Column::Step, Column::Path])
            .update_columns([Column::Size, Column::Sha256])
            .to_owned();
        Entity::insert(row).on_conflict(again).exec(tx.db()).await.map_err(StoreError::db)?;
        if let Some(tally) = tally {
            usage::note(&tx, &of, step, tally).await?;
        }
        note_generated(&tx, run, path).await?;
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

    /// The artifacts with this path of all steps of these runs, or of the steps with this index, by
    /// run and step, in one statement; of those with more than `most` bytes, only that they are
    /// there.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] (not what was stored), [`StoreError::Unavailable`].
    pub async fn artifacts_of_steps(
        &self,
        permit: &Permit<Read, Runs>,
        (runs, step): (&[RunId], Option<u32>),
        path: &str,
        most: u64,
    ) -> Result<Vec<ArtifactOfStep>, StoreError> {
        let of = reached(permit).filter(run::Column::Id.is_in(runs.iter().map(|run| run.get())));
        let rows = Entity::find()
            .filter(
                Column::RunId.in_subquery(of.select_only().column(run::Column::Id).into_query()),
            )
            .filter(Column::Path.eq(path))
            .apply_if(step, |rows, step| rows.filter(Column::Step.eq(i64::from(step))))
            .order_by_asc(Column::RunId)
            .order_by_asc(Column::Step)
            .all(self.reader())
            .await
            .map_err(StoreError::db)?;
        let mut found = Vec::with_capacity(rows.len());
        for row in rows {
            let run = RunId::new(row.run_id).map_err(StoreError::corrupt)?;
            let step = u32::try_from(row.step).map_err(StoreError::corrupt)?;
            let bytes = if u64::try_from(row.size).is_ok_and(|size| size <= most) {
                Some(self.content_of(permit.account(), row).await?.bytes().await?)
            } else {
                None
            };
            found.push(ArtifactOfStep { run, step, bytes });
        }
        Ok(found)
    }

    /// One artifact of a run: of the given step, or else of the last step that has it.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Missing`] (removed by retention),
    /// [`StoreError::Corrupt`] (not what was stored), [`StoreError::Unavailable`]. Of one that is larger
    /// than 1 MiB the bytes tell so at their end.
    pub async fn artifact(
        &self,
        permit: &Permit<Read, Runs>,
        run: RunId,
        path: &str,
        step: Option<u32>,
    ) -> Result<ArtifactContent, StoreError> {
        let of = reached(permit).filter(run::Column::Id.eq(run.get()));
        let found = self.fetch(permit, of.select_only().column(run::Column::Id), path, step);
        match found.await {
            Err(StoreError::NotFound) => Err(retention::why_missing(self, permit, run).await),
            found => found,
        }
    }

    /// One artifact of a job's latest successful run: of the last step that has it.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Unavailable`].
    pub async fn job_artifact(
        &self,
        permit: &Permit<Read, Runs>,
        job: JobId,
        path: &str,
    ) -> Result<ArtifactContent, StoreError> {
        let successful = reached(permit)
            .filter(run::Column::JobId.eq(job.get()))
            .filter(run::Column::Status.eq(i64::from(RunStatus::SUCCESS.code())));
        let latest = successful.select_only().column_as(run::Column::Id.max(), "id");
        self.fetch(permit, latest, path, None).await
    }

    /// Stores what is read, and counts the results in it meanwhile.
    async fn put_and_tally(
        &self,
        place: Path,
        path: &str,
        from: impl AsyncRead + Unpin,
    ) -> Result<(Print, Option<Tally>), StoreError> {
        let store = self.artifact_store_handle();
        if !Tally::is_in(path) {
            return Ok((artifact_store::put(store, place, from, None).await?, None));
        }
        let (to, pieces) = Pieces::new();
        let path = path.to_owned();
        let tally = tokio::task::spawn_blocking(move || Tally::of(&path, pieces));
        let print = artifact_store::put(store, place, from, Some(to)).await?;
        Ok((print, tally.await.map_err(StoreError::corrupt)?))
    }

    /// The artifact of the last step that has the path, of a run that `runs` names by its id.
    async fn fetch(
        &self,
        permit: &Permit<Read, Runs>,
        runs: Select<run::Entity>,
        path: &str,
        step: Option<u32>,
    ) -> Result<ArtifactContent, StoreError> {
        let rows = Entity::find()
            .filter(Column::RunId.in_subquery(runs.into_query()))
            .filter(Column::Path.eq(path))
            .order_by_desc(Column::Step);
        let rows = match step {
            Some(step) => rows.filter(Column::Step.eq(i64::from(step))),
            None => rows,
        };
        let of_run = Entity::belongs_to(run::Entity).from(Column::RunId).to(run::Column::Id);
        let row = rows
            .join(JoinType::InnerJoin, of_run.into())
            .select_also(run::Entity)
            .one(self.reader())
            .await
            .map_err(StoreError::db)?;
        let (row, run) = row.ok_or(StoreError::NotFound)?;
        note_rows(permit, run.as_slice(), run::Column::ProjectId);
        self.content_of(permit.account(), row).await
    }

    /// The artifact that its row says is there.
    pub(crate) async fn content_of(
        &self,
        account: AccountId,
        row: Model,
    ) -> Result<ArtifactContent, StoreError> {
        let run = RunId::new(row.run_id).map_err(StoreError::corrupt)?;
        let step = u32::try_from(row.step).map_err(StoreError::corrupt)?;
        let (id, place) = (row.id, place(account, run, step, &row.path)?);
        let store = self.artifact_store();
        if let Some(content) = artifact_store::get(store, &place, print(row)?).await? {
            return Ok(content);
        }
        // It may have been written anew since the row was read.
        let now = only(Entity::find_by_id(id), self.reader()).await?;
        let content = artifact_store::get(store, &place, print(now)?).await?;
        content.ok_or_else(|| other_than_stored(&place))
    }
}

fn print(row: Model) -> Result<Print, StoreError> {
    let size = u64::try_from(row.size).map_err(StoreError::corrupt)?;
    Ok(Print { size, sha256: row.sha256 })
}

/// A catalogue says that docs were generated, `sources.json` that freshness was looked at.
async fn note_generated(tx: &Tx, run: RunId, path: &str) -> Result<(), StoreError> {
    let column = match path {
        "catalog.json" => run::Column::HasDocs,
        "sources.json" => run::Column::HasSources,
        _ => return Ok(()),
    };
    run::Entity::update_many()
        .col_expr(column, Expr::value(true))
        .filter(run::Column::Id.eq(run.get()))
        .exec(tx.db())
        .await
        .map_err(StoreError::db)?;
    Ok(())
}

/// The runs that a permit reaches.
pub(crate) fn reached(permit: &Permit<Read, Runs>) -> Select<run::Entity> {
    run::Entity::within(permit)
}

/// Where the bytes lie. A path that would not stay under `target/`, or that a file system would
/// not take, is refused.
fn place(account: AccountId, run: RunId, step: u32, path: &str) -> Result<Path, StoreError> {
    /// Of one part, as it is on the disk; 255 is the most, and the object store needs some.
    const PART: usize = 240;
    let invalid =
        |message: &str| StoreError::Invalid { field: "path", message: message.to_owned() };
    let plain = |part: &str| !part.is_empty() && part != "." && part != "..";
    let fine = path.len() <= 1024
        && path.split('/').all(plain)
        && !path.chars().any(|c| c.is_control() || c == '\\');
    if !fine {
        return Err(invalid("must be relative, without `..`, at most 1024 bytes"));
    }
    let head = [account.to_string(), run.to_string(), step.to_string()];
    let place: Path = head.into_iter().chain(path.split('/').map(str::to_owned)).collect();
    if place.parts().any(|part| part.as_ref().len() > PART) {
        return Err(invalid("has a part that is too long for a file's name"));
    }
    Ok(place)
}
