//! What dbt has made of environments, out of the artifacts that runs left.
//!
//! When a step has finished, its artifacts are folded once: how each node went becomes a row, and
//! the environment notes which step left its newest manifest, catalog and look at sources. Out of
//! these a [`ProjectState`](domain::discovery::ProjectState) is built when it is asked for.

mod executions;
mod history;
mod ingest;
mod states;

use bytes::Bytes;
use domain::AccountId;
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _};

use crate::{
    Store, StoreError,
    entities::artifact::{Column, Entity},
};

pub(crate) use states::States;

const MANIFEST: &str = "manifest.json";
const RESULTS: &str = "run_results.json";
const CATALOG: &str = "catalog.json";
const SOURCES: &str = "sources.json";

/// The bytes of an artifact of a step, if it is there.
async fn bytes_of_step(
    store: &Store,
    account: AccountId,
    (run, step): (i64, i64),
    path: &str,
) -> Result<Option<Bytes>, StoreError> {
    let row = Entity::find()
        .filter(Column::RunId.eq(run))
        .filter(Column::Step.eq(step))
        .filter(Column::Path.eq(path))
        .one(store.reader())
        .await
        .map_err(StoreError::db)?;
    match row {
        Some(row) => store.content_of(account, row).await?.bytes().await.map(Some),
        None => Ok(None),
    }
}
