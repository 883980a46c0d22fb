//! Adapters of projects: kept as other nouns are (see [`crate::kept`]); credentials and connections
//! of the project name them.

use domain::{
    ProjectId,
    kept::{Id, Noun as _},
    project_adapter::ProjectAdapter,
};
use sea_orm::{
    ColumnTrait, EntityTrait, PaginatorTrait as _, QueryFilter as _, sea_query::ExprTrait as _,
};

use crate::{
    StoreError, dialect,
    entities::{connection, warehouse_credential},
    kept,
    rows::{ACTIVE, named},
    tx::Tx,
};

/// Whether `adapter_id` names an adapter of the project, for this platform.
pub(crate) async fn check(
    tx: &Tx,
    project: ProjectId,
    id: Id<ProjectAdapter>,
    version: &str,
) -> Result<(), StoreError> {
    const FIELD: &str = "adapter_id";
    let found = kept::find::<ProjectAdapter>(tx.db(), tx.account(), id).await;
    let found = named(found, |adapter| adapter.project == Some(project), (FIELD, "adapter"))?;
    let held = found.spec.adapter_version.version;
    if held == version {
        return Ok(());
    }
    let message = format!("names an adapter for `{held}`, not for `{version}`");
    Err(StoreError::Invalid { field: FIELD, message })
}

/// An adapter that credentials or connections name stays.
pub(crate) async fn check_unused(tx: &Tx, word: &str, id: i64) -> Result<(), StoreError> {
    use connection::Column as OfConnection;
    use warehouse_credential::Column as OfCredential;
    if word != ProjectAdapter::WORD {
        return Ok(());
    }
    let credentials = naming::<warehouse_credential::Entity>(
        tx,
        (OfCredential::AccountId, OfCredential::State, OfCredential::Spec),
        id,
    )
    .await?;
    let connections = naming::<connection::Entity>(
        tx,
        (OfConnection::AccountId, OfConnection::State, OfConnection::Spec),
        id,
    )
    .await?;
    if credentials + connections == 0 {
        return Ok(());
    }
    Err(StoreError::Conflict(format!(
        "the adapter is named by {credentials} credentials and {connections} connections"
    )))
}

/// How many active rows of the account name it in their spec.
async fn naming<E>(
    tx: &Tx,
    (account, state, spec): (E::Column, E::Column, E::Column),
    id: i64,
) -> Result<u64, StoreError>
where
    E: EntityTrait,
    E::Model: Sync,
{
    let rows = E::find()
        .filter(account.eq(tx.account().get()))
        .filter(state.eq(ACTIVE))
        .filter(dialect::in_json(spec, "adapter_id").eq(id));
    rows.count(tx.db()).await.map_err(StoreError::db)
}
