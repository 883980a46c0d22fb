//! Connections of the account.

use std::collections::BTreeMap;

use domain::{
    AccountId, ConnectionId,
    adapter::FieldSecrets,
    authz::{Connections, Permit, Read, Write},
    connection::{Connection, ConnectionSpec},
    kept::Reference,
    list::{ListQuery, Paged, StateFilter},
};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait as _, ConnectionTrait, EntityTrait as _, PaginatorTrait as _, QueryFilter as _,
    QuerySelect as _,
    sea_query::{Expr, ExprTrait as _},
};

use serde_json::Value;

use crate::{
    Store, StoreError,
    entities::{
        connection::{ActiveModel, Column, Entity, Model},
        environment, project, time,
    },
    kept,
    list::{Collection, Field, Kind, State},
    rows::{ACTIVE, DELETED, from_text, named, of_account, only, said, to_text},
    seal::{self, Place},
    tx::Tx,
};

static COLLECTION: Collection<Column> = Collection {
    id: Column::Id,
    fields: &[
        Field { name: "name", column: Column::Name, kind: Kind::Text },
        Field { name: "adapter_version", column: Column::AdapterVersion, kind: Kind::Text },
        Field { name: "created_at", column: Column::CreatedAt, kind: Kind::Time },
        Field { name: "updated_at", column: Column::UpdatedAt, kind: Kind::Time },
    ],
    state: State { active: || Column::State.eq(ACTIVE), default: StateFilter::Active },
};

impl Store {
    /// Those of the permit's account.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] (order or filter), [`StoreError::Unavailable`].
    pub async fn connections(
        &self,
        permit: &Permit<Read, Connections>,
        query: &ListQuery,
    ) -> Result<Paged<Connection>, StoreError> {
        let rows = of_account::<Entity>(Column::AccountId, permit.account());
        let page = self.page(rows, &COLLECTION, query).await?;
        let ids: Vec<_> = page.rows.iter().map(|row| row.id).collect();
        let uses = uses(self.reader(), &ids).await?;
        let rows = page.rows.into_iter().map(|row| {
            let count = uses.get(&row.id).copied().unwrap_or(0);
            row.into_domain(count.unsigned_abs())
        });
        Ok(Paged { rows: rows.collect::<Result<_, _>>()?, total: page.total })
    }

    /// One of them.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Unavailable`].
    pub async fn connection(
        &self,
        permit: &Permit<Read, Connections>,
        id: ConnectionId,
    ) -> Result<Connection, StoreError> {
        find(self.reader(), permit.account(), id).await
    }

    /// Makes one.
    ///
    /// # Errors
    /// [`StoreError::CredentialChanged`], [`StoreError::Unavailable`].
    pub async fn create_connection(
        &self,
        permit: &Permit<Write, Connections>,
        spec: ConnectionSpec,
        secrets: FieldSecrets,
    ) -> Result<Connection, StoreError> {
        let mut tx = self.begin(permit).await?;
        let now = tx.now().micros();
        let row = ActiveModel {
            account_id: Set(tx.account().get()),
            name: Set(spec.name.to_string()),
            adapter_version: Set(spec.platform.adapter_version().to_owned()),
            spec: Set(to_text(&spec)?),
            state: Set(ACTIVE),
            created_at: Set(now),
            updated_at: Set(now),
            ..Default::default()
        };
        let row = Entity::insert(row).exec_with_returning(tx.db()).await.map_err(StoreError::db)?;
        let connection = row.into_domain(0)?;
        let object = format!("connection:{}", connection.id);
        let after = Some(said_of(&connection.spec, &secrets));
        keep_secrets(&tx, connection.id, secrets).await?;
        tx.record("connection.created", object, None, None, after).await?;
        tx.commit().await?;
        Ok(connection)
    }

    /// Changes it: `change` gets what it is and gives what it shall be, inside the transaction.
    /// Secrets that are not among these stay.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::CredentialChanged`], [`StoreError::Unavailable`],
    /// and whatever `change` gives.
    pub async fn update_connection<E: From<StoreError>>(
        &self,
        permit: &Permit<Write, Connections>,
        id: ConnectionId,
        secrets: FieldSecrets,
        change: impl FnOnce(ConnectionSpec) -> Result<ConnectionSpec, E> + Send,
    ) -> Result<Connection, E> {
        let mut tx = self.begin(permit).await?;
        let before = find(tx.db(), tx.account(), id).await?;
        let spec = change(before.spec.clone())?;
        let after = Connection { spec, updated_at: tx.now(), ..before.clone() };
        save(&tx, &after).await?;
        let change = (Some(said(&before.spec)), Some(said_of(&after.spec, &secrets)));
        keep_secrets(&tx, id, secrets).await?;
        let object = format!("connection:{id}");
        tx.record("connection.updated", object, None, change.0, change.1).await?;
        tx.commit().await?;
        Ok(after)
    }

    /// Deletes it; its id is never given out again. Gives what it was.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Conflict`] (in use),
    /// [`StoreError::CredentialChanged`], [`StoreError::Unavailable`].
    pub async fn delete_connection(
        &self,
        permit: &Permit<Write, Connections>,
        id: ConnectionId,
    ) -> Result<Connection, StoreError> {
        let mut tx = self.begin(permit).await?;
        let connection = find(tx.db(), tx.account(), id).await?;
        let projects = project::Entity::find()
            .filter(project::Column::ConnectionId.eq(id.get()))
            .filter(project::Column::State.eq(ACTIVE));
        let projects = projects.count(tx.db()).await.map_err(StoreError::db)?;
        if connection.environments + projects > 0 {
            let reason = format!(
                "the connection is used by {} environments and {projects} projects",
                connection.environments
            );
            return Err(StoreError::Conflict(reason));
        }
        kept::let_go(&mut tx, Reference::Connection(id)).await?;
        Entity::update_many()
            .col_expr(Column::State, Expr::value(DELETED))
            .col_expr(Column::Secret, Expr::value(None::<Vec<u8>>))
            .col_expr(Column::UpdatedAt, Expr::value(tx.now().micros()))
            .filter(Column::Id.eq(id.get()))
            .exec(tx.db())
            .await
            .map_err(StoreError::db)?;
        let before = Some(said(&connection.spec));
        tx.record("connection.deleted", format!("connection:{id}"), None, before, None).await?;
        tx.commit().await?;
        Ok(connection)
    }
}

impl Model {
    /// What it means, with the number of environments that use it.
    pub(crate) fn into_domain(self, environments: u64) -> Result<Connection, StoreError> {
        Ok(Connection {
            id: ConnectionId::new(self.id).map_err(StoreError::corrupt)?,
            account: AccountId::new(self.account_id).map_err(StoreError::corrupt)?,
            spec: from_text(&self.spec)?,
            environments,
            created_at: time(self.created_at)?,
            updated_at: time(self.updated_at)?,
        })
    }
}

/// A connection of the account that is not deleted, and how many environments use it, in one
/// statement.
pub(crate) async fn find(
    db: &impl ConnectionTrait,
    account: AccountId,
    id: ConnectionId,
) -> Result<Connection, StoreError> {
    let uses = environment::Entity::find()
        .select_only()
        .expr(Expr::col((environment::Entity, environment::Column::Id)).count())
        .filter(environment::Column::ConnectionId.eq(id.get()))
        .filter(environment::Column::State.eq(ACTIVE));
    let uses = sea_orm::QueryTrait::into_query(uses);
    let row: Option<(i64, String, i64, i64, i64)> = Entity::find_by_id(id.get())
        .select_only()
        .columns([Column::AccountId, Column::Spec, Column::CreatedAt, Column::UpdatedAt])
        .expr_as(Expr::from(uses), "uses")
        .filter(Column::AccountId.eq(account.get()))
        .filter(Column::State.eq(ACTIVE))
        .into_tuple()
        .one(db)
        .await
        .map_err(StoreError::db)?;
    let (account, spec, created_at, updated_at, uses) = row.ok_or(StoreError::NotFound)?;
    Ok(Connection {
        id,
        account: AccountId::new(account).map_err(StoreError::corrupt)?,
        spec: from_text(&spec)?,
        environments: uses.unsigned_abs(),
        created_at: time(created_at)?,
        updated_at: time(updated_at)?,
    })
}

/// Whether a field names a connection of the account.
pub(crate) async fn check(
    tx: &Tx,
    id: ConnectionId,
    field: &'static str,
) -> Result<(), StoreError> {
    let found = find(tx.db(), tx.account(), id).await;
    named(found, |_| true, (field, "connection")).map(|_| ())
}

/// How many environments use each of these connections; one that none uses is left out.
async fn uses(db: &impl ConnectionTrait, ids: &[i64]) -> Result<BTreeMap<i64, i64>, StoreError> {
    let counts: Vec<(i64, i64)> = environment::Entity::find()
        .select_only()
        .column(environment::Column::ConnectionId)
        .column_as(environment::Column::Id.count(), "uses")
        .filter(environment::Column::ConnectionId.is_in(ids.iter().copied()))
        .filter(environment::Column::State.eq(ACTIVE))
        .group_by(environment::Column::ConnectionId)
        .into_tuple()
        .all(db)
        .await
        .map_err(StoreError::db)?;
    Ok(counts.into_iter().collect())
}

async fn save(tx: &Tx, connection: &Connection) -> Result<(), StoreError> {
    let spec = &connection.spec;
    Entity::update_many()
        .col_expr(Column::Name, Expr::value(spec.name.as_str()))
        .col_expr(Column::AdapterVersion, Expr::value(spec.platform.adapter_version()))
        .col_expr(Column::Spec, Expr::value(to_text(spec)?))
        .col_expr(Column::UpdatedAt, Expr::value(connection.updated_at.micros()))
        .filter(Column::Id.eq(connection.id.get()))
        .exec(tx.db())
        .await
        .map_err(StoreError::db)?;
    Ok(())
}

/// What an audit record says of a connection, and of its secrets which were set: nothing more.
fn said_of(spec: &ConnectionSpec, secrets: &FieldSecrets) -> Value {
    let mut said = said(spec);
    if let (Some(object), false) = (said.as_object_mut(), secrets.is_empty()) {
        let names: Vec<_> = secrets.0.keys().cloned().collect();
        object.insert("secrets".to_owned(), names.into());
    }
    said
}

/// Seals secrets for their row, which has to be there: over those that it has.
async fn keep_secrets(tx: &Tx, id: ConnectionId, secrets: FieldSecrets) -> Result<(), StoreError> {
    if secrets.is_empty() {
        return Ok(());
    }
    let all = secrets.over(secrets_of(tx, id).await?).to_text();
    let sealed = seal::seal(tx.keyring(), sealed_at(id), all.reveal().as_bytes())?;
    Entity::update_many()
        .col_expr(Column::Secret, Expr::value(sealed))
        .filter(Column::Id.eq(id.get()))
        .exec(tx.db())
        .await
        .map_err(StoreError::db)?;
    Ok(())
}

/// The unsealed secrets of a connection, for the runner.
pub(crate) async fn secrets_of(tx: &Tx, id: ConnectionId) -> Result<FieldSecrets, StoreError> {
    let rows =
        of_account::<Entity>(Column::AccountId, tx.account()).filter(Column::Id.eq(id.get()));
    let Some(sealed) = only(rows, tx.db()).await?.secret else {
        return Ok(FieldSecrets::default());
    };
    let bytes = seal::open(tx.keyring(), sealed_at(id), &sealed)?;
    let text = std::str::from_utf8(&bytes).map_err(StoreError::corrupt)?;
    Ok(FieldSecrets::from_text(text))
}

const fn sealed_at(id: ConnectionId) -> Place {
    Place { table: "connections", id: id.get(), field: "secret" }
}
