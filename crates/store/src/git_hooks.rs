//! Hooks of repositories: one each, with an address and a secret of its own.

use domain::{
    AccountId, ProjectId, RepositoryId, Timestamp,
    authz::{Permit, Read, Repositories, Write},
    git_hook::GitHook,
    kept::Hidden,
    repository::Repository,
    webhook::GitHookKey,
};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait as _, ConnectionTrait, EntityTrait as _, QueryFilter as _,
    sea_query::{Expr, OnConflict},
};
use serde_json::json;

use crate::{
    Store, StoreError,
    entities::{
        git_delivery,
        git_hook::{ActiveModel, Column, Entity, Model},
        time,
    },
    repositories,
    rows::{Placed, found, of_account},
    seal::{self, Place},
    tx::Tx,
};

/// How long it is known which deliveries came, in seconds: 30 days. Hosts send one again for three.
const KNOWN_SECONDS: i64 = 30 * 24 * 3600;

impl Placed for Entity {
    const ACCOUNT: Self::Column = Column::AccountId;
    const PROJECT: Self::Column = Column::ProjectId;
}

impl Store {
    /// The hook of a repository.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] (it has none, or is out of reach), [`StoreError::Unavailable`].
    pub async fn git_hook(
        &self,
        permit: &Permit<Read, Repositories>,
        repository: RepositoryId,
    ) -> Result<GitHook, StoreError> {
        let rows = Entity::within(permit).filter(Column::RepositoryId.eq(repository.get()));
        found(permit, rows, Column::ProjectId, self.reader()).await?.into_domain()
    }

    /// Makes the hook of a repository, or gives the one that it has another secret: the address
    /// stays, the old secret is no good from then on.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Denied`], [`StoreError::CredentialChanged`],
    /// [`StoreError::Unavailable`].
    pub async fn arm_git_hook(
        &self,
        permit: &Permit<Write, Repositories>,
        repository: RepositoryId,
        new: GitHookKey,
        secret: &Hidden,
    ) -> Result<GitHook, StoreError> {
        let mut tx = self.begin(permit).await?;
        let repository = repositories::find(tx.db(), tx.account(), repository).await?;
        permit.within(repository.project)?;
        let (row, event) = if let Some(row) = find(&tx, repository.id).await? {
            (row, "repository.hook_rotated")
        } else {
            (insert(&tx, &repository, new).await?, "repository.hook_made")
        };
        let sealed = seal::seal(tx.keyring(), sealed_at(row.id), secret.reveal().as_bytes())?;
        Entity::update_many()
            .col_expr(Column::Secret, Expr::value(sealed))
            .col_expr(Column::RotatedAt, Expr::value(tx.now().micros()))
            .filter(Column::Id.eq(row.id))
            .exec(tx.db())
            .await
            .map_err(StoreError::db)?;
        let hook = Model { rotated_at: tx.now().micros(), ..row }.into_domain()?;
        let object = format!("repository:{}", repository.id);
        let after = Some(json!({ "hook": hook.key }));
        tx.record(event, object, Some(repository.project), None, after).await?;
        tx.commit().await?;
        Ok(hook)
    }

    /// Takes the hook of a repository away: its address is nobody's from then on. Gives what it
    /// was.
    ///
    /// # Errors
    /// As reading it, [`StoreError::Denied`], [`StoreError::CredentialChanged`].
    pub async fn delete_git_hook(
        &self,
        permit: &Permit<Write, Repositories>,
        repository: RepositoryId,
    ) -> Result<GitHook, StoreError> {
        let mut tx = self.begin(permit).await?;
        let repository = repositories::find(tx.db(), tx.account(), repository).await?;
        permit.within(repository.project)?;
        let row = find(&tx, repository.id).await?.ok_or(StoreError::NotFound)?;
        let hook = row.into_domain()?;
        forget(&tx, repository.id).await?;
        let object = format!("repository:{}", repository.id);
        let before = Some(json!({ "hook": hook.key }));
        tx.record("repository.hook_deleted", object, Some(repository.project), before, None)
            .await?;
        tx.commit().await?;
        Ok(hook)
    }
}

impl Model {
    fn into_domain(self) -> Result<GitHook, StoreError> {
        Ok(GitHook {
            key: self.key.parse().map_err(StoreError::corrupt)?,
            account: AccountId::new(self.account_id).map_err(StoreError::corrupt)?,
            project: ProjectId::new(self.project_id).map_err(StoreError::corrupt)?,
            repository: RepositoryId::new(self.repository_id).map_err(StoreError::corrupt)?,
            created_at: time(self.created_at)?,
            rotated_at: time(self.rotated_at)?,
        })
    }
}

async fn find(tx: &Tx, repository: RepositoryId) -> Result<Option<Model>, StoreError> {
    let rows = of_account::<Entity>(Column::AccountId, tx.account())
        .filter(Column::RepositoryId.eq(repository.get()));
    rows.one(tx.db()).await.map_err(StoreError::db)
}

/// A hook without a secret: its place is known once the row is.
async fn insert(tx: &Tx, repository: &Repository, key: GitHookKey) -> Result<Model, StoreError> {
    let row = ActiveModel {
        account_id: Set(tx.account().get()),
        project_id: Set(repository.project.get()),
        repository_id: Set(repository.id.get()),
        key: Set(key.to_string()),
        secret: Set(Vec::new()),
        created_at: Set(tx.now().micros()),
        rotated_at: Set(tx.now().micros()),
        ..Default::default()
    };
    Entity::insert(row).exec_with_returning(tx.db()).await.map_err(StoreError::db)
}

/// Takes the hook of a repository away, if it has one, and what was sent to it.
pub(crate) async fn forget(tx: &Tx, repository: RepositoryId) -> Result<(), StoreError> {
    let Some(row) = find(tx, repository).await? else { return Ok(()) };
    git_delivery::Entity::delete_many()
        .filter(git_delivery::Column::HookId.eq(row.id))
        .exec(tx.db())
        .await
        .map_err(StoreError::db)?;
    Entity::delete_by_id(row.id).exec(tx.db()).await.map(drop).map_err(StoreError::db)
}

const fn sealed_at(id: i64) -> Place {
    Place { table: "git_hooks", id, field: "secret" }
}

/// The hook with this key, and its secret.
pub(crate) async fn with_secret(
    store: &Store,
    key: &GitHookKey,
) -> Result<Option<(GitHook, Hidden)>, StoreError> {
    let row = Entity::find().filter(Column::Key.eq(key.as_str())).one(store.reader()).await;
    let Some(row) = row.map_err(StoreError::db)? else { return Ok(None) };
    let bytes = seal::open(store.keyring(), sealed_at(row.id), &row.secret)?;
    let secret = std::str::from_utf8(&bytes).map_err(StoreError::corrupt)?.to_owned();
    Ok(Some((row.into_domain()?, Hidden::new(secret))))
}

/// The id of a hook that still has the secret which a delivery was proved with.
pub(crate) async fn standing(tx: &Tx, hook: &GitHook) -> Result<i64, StoreError> {
    let row = Entity::find()
        .filter(Column::Key.eq(hook.key.as_str()))
        .filter(Column::RotatedAt.eq(hook.rotated_at.micros()))
        .one(tx.db())
        .await
        .map_err(StoreError::db)?;
    row.map(|row| row.id).ok_or(StoreError::CredentialChanged)
}

/// Whether a delivery with one of these names has started something already.
pub(crate) async fn came_before(
    db: &impl ConnectionTrait,
    hook: i64,
    names: &[String],
) -> Result<bool, StoreError> {
    use git_delivery::{Column, Entity};
    let rows = Entity::find().filter(Column::HookId.eq(hook)).filter(Column::Name.is_in(names));
    Ok(rows.one(db).await.map_err(StoreError::db)?.is_some())
}

/// Notes the names of a delivery that started something, and forgets those of long ago.
pub(crate) async fn note(tx: &Tx, hook: i64, names: &[String]) -> Result<(), StoreError> {
    use git_delivery::{ActiveModel, Column, Entity};
    let old: Timestamp = tx.now().plus_seconds(-KNOWN_SECONDS);
    Entity::delete_many()
        .filter(Column::HookId.eq(hook))
        .filter(Column::At.lt(old.micros()))
        .exec(tx.db())
        .await
        .map_err(StoreError::db)?;
    let rows = names.iter().map(|name| ActiveModel {
        hook_id: Set(hook),
        name: Set(name.clone()),
        at: Set(tx.now().micros()),
    });
    let again = OnConflict::columns([Column::HookId, Column::Name]).do_nothing().to_owned();
    Entity::insert_many(rows)
        .on_conflict(again)
        .exec_without_returning(tx.db())
        .await
        .map_err(StoreError::db)?;
    Ok(())
}
