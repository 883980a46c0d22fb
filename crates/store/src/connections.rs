//! Connections: of the account, for all its projects, and of one project alone (what the documents
//! call legacy). Both are rows of one table; each is seen by its own face only.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    AccountId, ConnectionId, ProjectId,
    adapter::FieldSecrets,
    authz::{AccessMarker, Connections, DataPlatformConfigs, Permit, Read, Write},
    connection::{Connection, ConnectionSpec},
    kept::Reference,
    list::{ListQuery, Paged, StateFilter},
    ssh_tunnel::SshTunnel,
};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait as _, ConnectionTrait, EntityTrait as _, FromQueryResult, PaginatorTrait as _,
    QueryFilter as _, QuerySelect, QueryTrait as _, Select,
    sea_query::{Expr, ExprTrait as _, Func, SimpleExpr},
};

use serde_json::Value;

use crate::{
    Store, StoreError, dialect,
    entities::{
        connection::{ActiveModel, Column, Entity, Model},
        environment, kept as kept_noun, project, time,
    },
    kept,
    list::{Collection, Field, Kind, State},
    project_adapters, projects,
    rows::{ACTIVE, DELETED, Placed, from_text, named, of_account, only, said, to_text},
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

static OF_A_PROJECT: Collection<Column> = Collection {
    id: Column::Id,
    fields: &[
        Field { name: "project_id", column: Column::ProjectId, kind: Kind::Int },
        Field { name: "name", column: Column::Name, kind: Kind::Text },
        Field { name: "adapter_version", column: Column::AdapterVersion, kind: Kind::Text },
        Field { name: "created_at", column: Column::CreatedAt, kind: Kind::Time },
        Field { name: "updated_at", column: Column::UpdatedAt, kind: Kind::Time },
    ],
    state: State { active: || Column::State.eq(ACTIVE), default: StateFilter::Active },
};

/// The account's own, as `Permit<_, Connections>` reaches them.
impl Placed for Entity {
    const ACCOUNT: Self::Column = Column::AccountId;
    const PROJECT: Self::Column = Column::ProjectId;
}

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
        let rows = of_account::<Entity>(Column::AccountId, permit.account())
            .filter(Column::ProjectId.is_null());
        let page = self.page(rows, &COLLECTION, query).await?;
        whole(self.reader(), permit.account(), page).await
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
        find_of(self.reader(), permit.account(), id).await
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
        let made = insert(&mut tx, None, spec, secrets).await?;
        tx.commit().await?;
        Ok(made)
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
        let before = find_of(tx.db(), tx.account(), id).await?;
        let spec = change(before.spec.clone())?;
        let after = replace(&mut tx, before, spec, secrets).await?;
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
        let before = find_of(tx.db(), tx.account(), id).await?;
        let deleted = remove(&mut tx, before).await?;
        tx.commit().await?;
        Ok(deleted)
    }
}

/// Those of projects, as `Permit<_, DataPlatformConfigs>` reaches them.
impl Store {
    /// Those of the projects that the permit reaches.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] (order or filter), [`StoreError::Unavailable`].
    pub async fn project_connections(
        &self,
        permit: &Permit<Read, DataPlatformConfigs>,
        query: &ListQuery,
    ) -> Result<Paged<Connection>, StoreError> {
        let page = self.page(of_projects(permit), &OF_A_PROJECT, query).await?;
        whole(self.reader(), permit.account(), page).await
    }

    /// One of a project.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Unavailable`].
    pub async fn project_connection(
        &self,
        permit: &Permit<Read, DataPlatformConfigs>,
        project: ProjectId,
        id: ConnectionId,
    ) -> Result<Connection, StoreError> {
        permit.within(project)?;
        let found = find(self.reader(), permit.account(), id).await?;
        if found.project == Some(project) { Ok(found) } else { Err(StoreError::NotFound) }
    }

    /// Makes one of a project.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] or [`StoreError::Denied`] (the project), [`StoreError::Invalid`]
    /// (its adapter), [`StoreError::CredentialChanged`], [`StoreError::Unavailable`].
    pub async fn create_project_connection(
        &self,
        permit: &Permit<Write, DataPlatformConfigs>,
        project: ProjectId,
        spec: ConnectionSpec,
        secrets: FieldSecrets,
    ) -> Result<Connection, StoreError> {
        let mut tx = self.begin(permit).await?;
        permit.within(project)?;
        projects::find(tx.db(), tx.account(), project).await?;
        check_adapter(&tx, project, &spec).await?;
        let made = insert(&mut tx, Some(project), spec, secrets).await?;
        tx.commit().await?;
        Ok(made)
    }

    /// Changes it: `change` gets what it is and gives what it shall be, inside the transaction.
    /// Secrets that are not among these stay.
    ///
    /// # Errors
    /// As making one, and whatever `change` gives.
    pub async fn update_project_connection<E: From<StoreError>>(
        &self,
        permit: &Permit<Write, DataPlatformConfigs>,
        (project, id): (ProjectId, ConnectionId),
        secrets: FieldSecrets,
        change: impl FnOnce(ConnectionSpec) -> Result<ConnectionSpec, E> + Send,
    ) -> Result<Connection, E> {
        let mut tx = self.begin(permit).await?;
        let before = find_in(&tx, permit, project, id).await?;
        let spec = change(before.spec.clone())?;
        check_adapter(&tx, project, &spec).await?;
        let after = replace(&mut tx, before, spec, secrets).await?;
        tx.commit().await?;
        Ok(after)
    }

    /// Deletes it; its id is never given out again. Gives what it was.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Denied`], [`StoreError::Conflict`] (in use),
    /// [`StoreError::CredentialChanged`], [`StoreError::Unavailable`].
    pub async fn delete_project_connection(
        &self,
        permit: &Permit<Write, DataPlatformConfigs>,
        project: ProjectId,
        id: ConnectionId,
    ) -> Result<Connection, StoreError> {
        let mut tx = self.begin(permit).await?;
        let before = find_in(&tx, permit, project, id).await?;
        let deleted = remove(&mut tx, before).await?;
        tx.commit().await?;
        Ok(deleted)
    }
}

impl Model {
    /// What it means, with how it is used.
    fn into_domain(self, environments: i64, tunnel: bool) -> Result<Connection, StoreError> {
        let project = self.project_id.map(ProjectId::new).transpose();
        let created_by = self.created_by.map(|author| author.parse()).transpose();
        Ok(Connection {
            id: ConnectionId::new(self.id).map_err(StoreError::corrupt)?,
            account: AccountId::new(self.account_id).map_err(StoreError::corrupt)?,
            project: project.map_err(StoreError::corrupt)?,
            spec: from_text(&self.spec)?,
            created_by: created_by.map_err(StoreError::corrupt)?,
            environments: environments.unsigned_abs(),
            tunnel,
            created_at: time(self.created_at)?,
            updated_at: time(self.updated_at)?,
        })
    }
}

fn of_projects<A: AccessMarker>(permit: &Permit<A, DataPlatformConfigs>) -> Select<Entity> {
    Entity::within(permit).filter(Column::ProjectId.is_not_null())
}

/// A connection of the account or of one of its projects, and how it is used, in one statement.
pub(crate) async fn find(
    db: &impl ConnectionTrait,
    account: AccountId,
    id: ConnectionId,
) -> Result<Connection, StoreError> {
    let uses = users(account)
        .expr(environment::Column::Id.count())
        .filter(effective().eq(id.get()))
        .into_query();
    let tunnels = kept::of_account::<SshTunnel>(account)
        .select_only()
        .expr(kept_noun::Column::Id.count())
        .filter(kept_noun::Column::State.eq(ACTIVE))
        .filter(kept_noun::Column::Unique.eq(id.to_string()))
        .into_query();
    let found: Option<Found> = of_account::<Entity>(Column::AccountId, account)
        .filter(Column::Id.eq(id.get()))
        .filter(Column::State.eq(ACTIVE))
        .expr_as(Expr::from(uses), "environments")
        .expr_as(Expr::from(tunnels), "tunnels")
        .into_model()
        .one(db)
        .await
        .map_err(StoreError::db)?;
    let Found { row, environments, tunnels } = found.ok_or(StoreError::NotFound)?;
    row.into_domain(environments, tunnels > 0)
}

/// A row, and how it is used.
#[derive(FromQueryResult)]
struct Found {
    #[sea_orm(nested)]
    row: Model,
    environments: i64,
    tunnels: i64,
}

/// One of the account's own.
async fn find_of(
    db: &impl ConnectionTrait,
    account: AccountId,
    id: ConnectionId,
) -> Result<Connection, StoreError> {
    let found = find(db, account, id).await?;
    if found.project.is_none() { Ok(found) } else { Err(StoreError::NotFound) }
}

/// One of a project that the permit reaches.
async fn find_in(
    tx: &Tx,
    permit: &Permit<Write, DataPlatformConfigs>,
    project: ProjectId,
    id: ConnectionId,
) -> Result<Connection, StoreError> {
    permit.within(project)?;
    let found = find(tx.db(), tx.account(), id).await?;
    if found.project == Some(project) { Ok(found) } else { Err(StoreError::NotFound) }
}

/// Whether a field names a connection of the account, or of this very project.
pub(crate) async fn check(
    tx: &Tx,
    project: Option<ProjectId>,
    id: ConnectionId,
    field: &'static str,
) -> Result<(), StoreError> {
    let found = find(tx.db(), tx.account(), id).await;
    let here = |found: &Connection| found.project.is_none() || found.project == project;
    named(found, here, (field, "connection")).map(|_| ())
}

/// The environments of the account, beside their profiles and projects.
fn users(account: AccountId) -> Select<environment::Entity> {
    let mut rows = environment::Entity::find()
        .select_only()
        .filter(environment::Column::AccountId.eq(account.get()))
        .filter(environment::Column::State.eq(ACTIVE));
    let profile = dialect::in_json(environment::Column::Spec, "profile");
    QuerySelect::query(&mut rows)
        .left_join(kept_noun::Entity, kept_noun::Column::Id.into_expr().eq(profile))
        .left_join(
            project::Entity,
            project::Column::Id.into_expr().eq(environment::Column::ProjectId.into_expr()),
        );
    rows
}

/// By which connection such an environment connects (as `profiles::of_run` has it).
fn effective() -> SimpleExpr {
    Func::coalesce([
        dialect::in_json(kept_noun::Column::Spec, "connection_id"),
        environment::Column::ConnectionId.into_expr(),
        project::Column::ConnectionId.into_expr(),
    ])
    .into()
}

/// A page of connections with how they are used: one statement each for all.
async fn whole(
    db: &impl ConnectionTrait,
    account: AccountId,
    page: Paged<Model>,
) -> Result<Paged<Connection>, StoreError> {
    if page.rows.is_empty() {
        return Ok(Paged { rows: Vec::new(), total: page.total });
    }
    let ids = || page.rows.iter().map(|row| row.id);
    let uses: Vec<(i64, i64)> = users(account)
        .expr_as(effective(), "connection")
        .column_as(environment::Column::Id.count(), "uses")
        .filter(effective().is_in(ids()))
        .group_by(effective())
        .into_tuple()
        .all(db)
        .await
        .map_err(StoreError::db)?;
    let tunnels: Vec<String> = kept::of_account::<SshTunnel>(account)
        .select_only()
        .column(kept_noun::Column::Unique)
        .filter(kept_noun::Column::State.eq(ACTIVE))
        .filter(kept_noun::Column::Unique.is_in(ids().map(|id| id.to_string())))
        .into_tuple()
        .all(db)
        .await
        .map_err(StoreError::db)?;
    let uses: BTreeMap<_, _> = uses.into_iter().collect();
    let tunnels: BTreeSet<_> = tunnels.into_iter().collect();
    let rows = page.rows.into_iter().map(|row| {
        let (uses, tunnel) = (uses.get(&row.id), tunnels.contains(&row.id.to_string()));
        row.into_domain(uses.copied().unwrap_or(0), tunnel)
    });
    Ok(Paged { rows: rows.collect::<Result<_, _>>()?, total: page.total })
}

/// Whether the adapter that a spec names is one of the project, for the spec's platform.
async fn check_adapter(
    tx: &Tx,
    project: ProjectId,
    spec: &ConnectionSpec,
) -> Result<(), StoreError> {
    let Some(adapter) = spec.adapter_id else { return Ok(()) };
    project_adapters::check(tx, project, adapter, spec.platform.adapter_version()).await
}

async fn insert(
    tx: &mut Tx,
    project: Option<ProjectId>,
    spec: ConnectionSpec,
    secrets: FieldSecrets,
) -> Result<Connection, StoreError> {
    let now = tx.now().micros();
    let row = ActiveModel {
        account_id: Set(tx.account().get()),
        project_id: Set(project.map(ProjectId::get)),
        name: Set(spec.name.to_string()),
        adapter_version: Set(spec.platform.adapter_version().to_owned()),
        spec: Set(to_text(&spec)?),
        state: Set(ACTIVE),
        created_at: Set(now),
        updated_at: Set(now),
        created_by: Set(Some(tx.actor().to_owned())),
        ..Default::default()
    };
    let row = Entity::insert(row).exec_with_returning(tx.db()).await.map_err(StoreError::db)?;
    let connection = row.into_domain(0, false)?;
    let object = format!("connection:{}", connection.id);
    let after = Some(said_of(&connection.spec, &secrets));
    keep_secrets(tx, connection.id, secrets).await?;
    tx.record("connection.created", object, project, None, after).await?;
    Ok(connection)
}

async fn replace(
    tx: &mut Tx,
    before: Connection,
    spec: ConnectionSpec,
    secrets: FieldSecrets,
) -> Result<Connection, StoreError> {
    let after = Connection { spec, updated_at: tx.now(), ..before.clone() };
    save(tx, &after).await?;
    let change = (Some(said(&before.spec)), Some(said_of(&after.spec, &secrets)));
    keep_secrets(tx, after.id, secrets).await?;
    let object = format!("connection:{}", after.id);
    tx.record("connection.updated", object, after.project, change.0, change.1).await?;
    Ok(after)
}

async fn remove(tx: &mut Tx, connection: Connection) -> Result<Connection, StoreError> {
    let id = connection.id;
    check_unused(tx, id).await?;
    kept::let_go(tx, Reference::Connection(id)).await?;
    Entity::update_many()
        .col_expr(Column::State, Expr::value(DELETED))
        .col_expr(Column::Secret, Expr::value(None::<Vec<u8>>))
        .col_expr(Column::UpdatedAt, Expr::value(tx.now().micros()))
        .filter(Column::Id.eq(id.get()))
        .exec(tx.db())
        .await
        .map_err(StoreError::db)?;
    let (object, before) = (format!("connection:{id}"), Some(said(&connection.spec)));
    tx.record("connection.deleted", object, connection.project, before, None).await?;
    Ok(connection)
}

/// A connection that an environment or a project names stays.
async fn check_unused(tx: &Tx, id: ConnectionId) -> Result<(), StoreError> {
    let environments = environment::Entity::find()
        .filter(environment::Column::ConnectionId.eq(id.get()))
        .filter(environment::Column::State.eq(ACTIVE));
    let environments = environments.count(tx.db()).await.map_err(StoreError::db)?;
    let projects = project::Entity::find()
        .filter(project::Column::ConnectionId.eq(id.get()))
        .filter(project::Column::State.eq(ACTIVE));
    let projects = projects.count(tx.db()).await.map_err(StoreError::db)?;
    if environments + projects > 0 {
        return Err(StoreError::Conflict(format!(
            "the connection is used by {environments} environments and {projects} projects"
        )));
    }
    Ok(())
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
