//! Warehouse credentials; the secret is sealed and never read back but by the runner.

use domain::{
    AccountId, CredentialId, ProjectId,
    authz::{EnvironmentCredentials, Permit, Read, Write},
    kept::Reference,
    list::{ListQuery, Paged, StateFilter},
    warehouse_credential::{CredentialSpec, WarehouseCredential, WarehouseSecret},
};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, ConnectionTrait, EntityTrait as _, PaginatorTrait as _,
    QueryFilter as _, sea_query::Expr,
};
use serde_json::Value;

use crate::{
    Keyring, Store, StoreError,
    entities::{
        environment, time,
        warehouse_credential::{ActiveModel, Column, Entity, Model},
    },
    kept,
    list::{Collection, Field, Kind, State},
    project_adapters, projects,
    rows::{self, ACTIVE, Noun, Placed, from_text, said, to_text},
    seal::{self, Place},
    tx::Tx,
};

static COLLECTION: Collection<Column> = Collection {
    id: Column::Id,
    fields: &[
        Field { name: "project_id", column: Column::ProjectId, kind: Kind::Int },
        Field { name: "created_at", column: Column::CreatedAt, kind: Kind::Time },
        Field { name: "updated_at", column: Column::UpdatedAt, kind: Kind::Time },
    ],
    state: State { active: || Column::State.eq(ACTIVE), default: StateFilter::Active },
};

impl Placed for Entity {
    const ACCOUNT: Self::Column = Column::AccountId;
    const PROJECT: Self::Column = Column::ProjectId;
}

impl Noun for Entity {
    type Object = WarehouseCredential;
    const ID: Column = Column::Id;
    const STATE: Column = Column::State;
    const UPDATED_AT: Column = Column::UpdatedAt;

    fn object(row: Model) -> Result<WarehouseCredential, StoreError> {
        row.into_domain()
    }
}

impl Store {
    /// Those that the permit reaches.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] (order or filter), [`StoreError::Unavailable`].
    pub async fn warehouse_credentials(
        &self,
        permit: &Permit<Read, EnvironmentCredentials>,
        query: &ListQuery,
    ) -> Result<Paged<WarehouseCredential>, StoreError> {
        self.listed::<Entity, _, _>(permit, &COLLECTION, query).await
    }

    /// One of them.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Unavailable`].
    pub async fn warehouse_credential(
        &self,
        permit: &Permit<Read, EnvironmentCredentials>,
        id: CredentialId,
    ) -> Result<WarehouseCredential, StoreError> {
        self.reached::<Entity, _, _>(permit, id.get()).await
    }

    /// Makes one.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] or [`StoreError::Denied`] (the project),
    /// [`StoreError::Invalid`] (an id that names nothing in reach),
    /// [`StoreError::CredentialChanged`], [`StoreError::Unavailable`].
    pub async fn create_warehouse_credential(
        &self,
        permit: &Permit<Write, EnvironmentCredentials>,
        project: ProjectId,
        secret: Option<WarehouseSecret>,
        spec: CredentialSpec,
    ) -> Result<WarehouseCredential, StoreError> {
        let mut tx = self.begin(permit).await?;
        permit.within(project)?;
        projects::find(tx.db(), tx.account(), project).await?;
        check_adapter(&tx, project, &spec).await?;
        let now = tx.now().micros();
        let row = ActiveModel {
            account_id: Set(tx.account().get()),
            project_id: Set(project.get()),
            spec: Set(to_text(&spec)?),
            state: Set(ACTIVE),
            created_at: Set(now),
            updated_at: Set(now),
            ..Default::default()
        };
        let row = Entity::insert(row).exec_with_returning(tx.db()).await.map_err(StoreError::db)?;
        let credential = row.into_domain()?;
        let after = Some(said_of(&credential.spec, secret.as_ref()));
        keep_secret(&tx, self.keyring(), &credential, secret).await?;
        let object = format!("warehouse_credential:{}", credential.id);
        tx.record("warehouse_credential.created", object, Some(project), None, after).await?;
        tx.commit().await?;
        Ok(credential)
    }

    /// Changes it: `change` gets what it is and gives what it shall be, inside the transaction.
    /// A secret of `None` keeps the old one.
    ///
    /// # Errors
    /// As creating, and whatever `change` gives.
    pub async fn update_warehouse_credential<E: From<StoreError>>(
        &self,
        permit: &Permit<Write, EnvironmentCredentials>,
        id: CredentialId,
        secret: Option<WarehouseSecret>,
        change: impl FnOnce(CredentialSpec) -> Result<CredentialSpec, E> + Send,
    ) -> Result<WarehouseCredential, E> {
        let mut tx = self.begin(permit).await?;
        let before = find(tx.db(), tx.account(), id).await?;
        permit.within(before.project).map_err(StoreError::from)?;
        let spec = change(before.spec.clone())?;
        check_adapter(&tx, before.project, &spec).await?;
        let after = WarehouseCredential { spec, updated_at: tx.now(), ..before.clone() };
        save(&tx, &after).await?;
        let change = (Some(said(&before.spec)), Some(said_of(&after.spec, secret.as_ref())));
        keep_secret(&tx, self.keyring(), &after, secret).await?;
        let object = format!("warehouse_credential:{id}");
        tx.record("warehouse_credential.updated", object, Some(after.project), change.0, change.1)
            .await?;
        tx.commit().await?;
        Ok(after)
    }

    /// Deletes it; its id is never given out again. Gives what it was.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Denied`], [`StoreError::Conflict`] (in use),
    /// [`StoreError::CredentialChanged`], [`StoreError::Unavailable`].
    pub async fn delete_warehouse_credential(
        &self,
        permit: &Permit<Write, EnvironmentCredentials>,
        id: CredentialId,
    ) -> Result<WarehouseCredential, StoreError> {
        let mut tx = self.begin(permit).await?;
        let credential = find(tx.db(), tx.account(), id).await?;
        permit.within(credential.project)?;
        let deleted = remove(&mut tx, id).await?;
        tx.commit().await?;
        Ok(deleted)
    }
}

/// Deletes one inside a transaction, with its secret. Gives what it was.
///
/// # Errors
/// [`StoreError::NotFound`], [`StoreError::Conflict`] (in use).
pub(crate) async fn remove(
    tx: &mut Tx,
    id: CredentialId,
) -> Result<WarehouseCredential, StoreError> {
    let credential = find(tx.db(), tx.account(), id).await?;
    check_unused(tx, id).await?;
    kept::let_go(tx, Reference::Credential(id)).await?;
    rows::deletion::<Entity>(tx, id.get())
        .col_expr(Column::Secret, Expr::value(None::<Vec<u8>>))
        .exec(tx.db())
        .await
        .map_err(StoreError::db)?;
    let (project, before) = (Some(credential.project), Some(said(&credential.spec)));
    let object = format!("warehouse_credential:{id}");
    tx.record("warehouse_credential.deleted", object, project, before, None).await?;
    Ok(credential)
}

impl Model {
    /// What it means.
    pub(crate) fn into_domain(self) -> Result<WarehouseCredential, StoreError> {
        Ok(WarehouseCredential {
            id: CredentialId::new(self.id).map_err(StoreError::corrupt)?,
            account: AccountId::new(self.account_id).map_err(StoreError::corrupt)?,
            project: ProjectId::new(self.project_id).map_err(StoreError::corrupt)?,
            spec: from_text(&self.spec)?,
            created_at: time(self.created_at)?,
            updated_at: time(self.updated_at)?,
        })
    }
}

/// One of the account that is not deleted.
pub(crate) async fn find(
    db: &impl ConnectionTrait,
    account: AccountId,
    id: CredentialId,
) -> Result<WarehouseCredential, StoreError> {
    rows::find::<Entity>(db, account, id.get()).await
}

async fn save(tx: &Tx, credential: &WarehouseCredential) -> Result<(), StoreError> {
    let spec = &credential.spec;
    Entity::update_many()
        .col_expr(Column::Spec, Expr::value(to_text(spec)?))
        .col_expr(Column::UpdatedAt, Expr::value(credential.updated_at.micros()))
        .filter(Column::Id.eq(credential.id.get()))
        .exec(tx.db())
        .await
        .map_err(StoreError::db)?;
    Ok(())
}

/// What an audit record says of a credential, and of its secret that it was set: nothing more.
fn said_of(spec: &CredentialSpec, secret: Option<&WarehouseSecret>) -> Value {
    let mut said = said(spec);
    if let (Some(object), Some(_)) = (said.as_object_mut(), secret) {
        object.insert("secret".to_owned(), "set".into());
    }
    said
}

/// Seals a secret for its row, which has to be there: the seal is bound to the row's id.
async fn keep_secret(
    tx: &Tx,
    keyring: &Keyring,
    credential: &WarehouseCredential,
    secret: Option<WarehouseSecret>,
) -> Result<(), StoreError> {
    let Some(secret) = secret else { return Ok(()) };
    let id = credential.id;
    let old = secret_of(tx, keyring, id).await?;
    let secret = credential.spec.login.sealed(secret, old.as_ref());
    let sealed = seal::seal(keyring, place(id), secret.reveal().as_bytes())?;
    Entity::update_many()
        .col_expr(Column::Secret, Expr::value(sealed))
        .filter(Column::Id.eq(id.get()))
        .exec(tx.db())
        .await
        .map_err(StoreError::db)?;
    Ok(())
}

/// The unsealed secret of a credential, for the runner.
pub(crate) async fn secret_of(
    tx: &Tx,
    keyring: &Keyring,
    id: CredentialId,
) -> Result<Option<WarehouseSecret>, StoreError> {
    let row = Entity::find_by_id(id.get())
        .filter(Column::AccountId.eq(tx.account().get()))
        .one(tx.db())
        .await
        .map_err(StoreError::db)?;
    let Some(sealed) = row.and_then(|row| row.secret) else { return Ok(None) };
    let bytes = seal::open(keyring, place(id), &sealed)?;
    let text = String::from_utf8(bytes.to_vec()).map_err(StoreError::corrupt)?;
    Ok(Some(WarehouseSecret::new(text)))
}

fn place(id: CredentialId) -> Place {
    Place { table: "warehouse_credentials", id: id.get(), field: "secret" }
}

/// Whether the adapter that a spec names is one of the project, for the spec's platform.
async fn check_adapter(
    tx: &Tx,
    project: ProjectId,
    spec: &CredentialSpec,
) -> Result<(), StoreError> {
    let Some(adapter) = spec.adapter_id else { return Ok(()) };
    project_adapters::check(tx, project, adapter, spec.login.adapter_version()).await
}

/// A credential that an environment uses stays.
async fn check_unused(tx: &Tx, id: CredentialId) -> Result<(), StoreError> {
    let users = environment::Entity::find()
        .filter(environment::Column::CredentialId.eq(id.get()))
        .filter(environment::Column::State.eq(ACTIVE));
    let users = users.count(tx.db()).await.map_err(StoreError::db)?;
    if users > 0 {
        return Err(StoreError::Conflict(format!(
            "the credential is used by {users} environments"
        )));
    }
    Ok(())
}
