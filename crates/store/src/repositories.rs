//! Repositories of projects.

use domain::{
    AccountId, ProjectId, RepositoryId,
    authz::{Permit, Read, Repositories, Write},
    kept::Hidden,
    list::{ListQuery, Paged, StateFilter},
    repository::{RemoteUrl, Repository, RepositorySpec, TokenChange},
};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait as _, ConnectionTrait, EntityTrait as _, PaginatorTrait as _, QueryFilter as _,
    sea_query::{Expr, SimpleExpr},
};

use crate::{
    Store, StoreError, dialect,
    entities::{
        project,
        repository::{ActiveModel, Column, Entity, Model},
        time,
    },
    git_hooks,
    list::{Collection, Field, Kind, State},
    managed_repositories, projects,
    rows::{self, ACTIVE, Noun, Placed, from_text, of_account, only, said, to_text},
    seal::{self, Place},
    ssh_key,
    tx::Tx,
};

static COLLECTION: Collection<Column> = Collection {
    id: Column::Id,
    fields: &[
        Field { name: "project_id", column: Column::ProjectId, kind: Kind::Int },
        Field { name: "remote_url", column: Column::RemoteUrl, kind: Kind::Text },
        Field { name: "name", column: Column::RemoteUrl, kind: Kind::Elsewhere(name) },
        Field { name: "created_at", column: Column::CreatedAt, kind: Kind::Time },
        Field { name: "updated_at", column: Column::UpdatedAt, kind: Kind::Time },
    ],
    state: State { active: || Column::State.eq(ACTIVE), default: StateFilter::Active },
};

fn name() -> SimpleExpr {
    dialect::last_name(Column::RemoteUrl)
}

impl Placed for Entity {
    const ACCOUNT: Self::Column = Column::AccountId;
    const PROJECT: Self::Column = Column::ProjectId;
}

impl Noun for Entity {
    type Object = Repository;
    const ID: Column = Column::Id;
    const STATE: Column = Column::State;
    const UPDATED_AT: Column = Column::UpdatedAt;

    fn object(row: Model) -> Result<Repository, StoreError> {
        row.into_domain()
    }
}

impl Store {
    /// Those that the permit reaches.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] (order or filter), [`StoreError::Unavailable`].
    pub async fn repositories(
        &self,
        permit: &Permit<Read, Repositories>,
        query: &ListQuery,
    ) -> Result<Paged<Repository>, StoreError> {
        self.listed::<Entity, _, _>(permit, &COLLECTION, query).await
    }

    /// One of them.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Unavailable`].
    pub async fn repository(
        &self,
        permit: &Permit<Read, Repositories>,
        id: RepositoryId,
    ) -> Result<Repository, StoreError> {
        self.reached::<Entity, _, _>(permit, id.get()).await
    }

    /// Makes one.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] or [`StoreError::Denied`] (the project),
    /// [`StoreError::Invalid`] (a token for an address that takes none),
    /// [`StoreError::CredentialChanged`], [`StoreError::Unavailable`].
    pub async fn create_repository(
        &self,
        permit: &Permit<Write, Repositories>,
        project: ProjectId,
        spec: RepositorySpec,
        token: TokenChange,
    ) -> Result<Repository, StoreError> {
        let mut tx = self.begin(permit).await?;
        permit.within(project)?;
        projects::find(tx.db(), tx.account(), project).await?;
        let now = tx.now().micros();
        let row = ActiveModel {
            account_id: Set(tx.account().get()),
            project_id: Set(project.get()),
            remote_url: Set(spec.remote.as_str().to_owned()),
            spec: Set(to_text(&spec)?),
            state: Set(ACTIVE),
            created_at: Set(now),
            updated_at: Set(now),
            ..Default::default()
        };
        let row = Entity::insert(row).exec_with_returning(tx.db()).await.map_err(StoreError::db)?;
        let mut repository = row.into_domain()?;
        keep_deploy_key(&tx, &mut repository).await?;
        keep_token(&tx, &mut repository, &token).await?;
        let object = format!("repository:{}", repository.id);
        let after = Some(said_of(&repository.spec, &token));
        tx.record("repository.created", object, Some(project), None, after).await?;
        tx.commit().await?;
        Ok(repository)
    }

    /// Changes it: `change` gets what it is and gives what it shall be, inside the transaction.
    ///
    /// # Errors
    /// As creating, and whatever `change` gives.
    pub async fn update_repository<E: From<StoreError>>(
        &self,
        permit: &Permit<Write, Repositories>,
        id: RepositoryId,
        token: TokenChange,
        change: impl FnOnce(RepositorySpec) -> Result<RepositorySpec, E> + Send,
    ) -> Result<Repository, E> {
        let mut tx = self.begin(permit).await?;
        let before = find(tx.db(), tx.account(), id).await?;
        permit.within(before.project).map_err(StoreError::from)?;
        let spec = change(before.spec.clone())?;
        let mut after = Repository { spec, updated_at: tx.now(), ..before.clone() };
        save(&tx, &after).await?;
        keep_deploy_key(&tx, &mut after).await?;
        let token = token_there(token, &before, &after.spec.remote);
        keep_token(&tx, &mut after, &token).await?;
        let change = (Some(said(&before.spec)), Some(said_of(&after.spec, &token)));
        let object = format!("repository:{id}");
        tx.record("repository.updated", object, Some(after.project), change.0, change.1).await?;
        tx.commit().await?;
        if after.spec.remote != before.spec.remote {
            self.drop_clones(after.project);
        }
        Ok(after)
    }

    /// Deletes it; its id is never given out again. Gives what it was.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Denied`], [`StoreError::Conflict`] (in use),
    /// [`StoreError::CredentialChanged`], [`StoreError::Unavailable`].
    pub async fn delete_repository(
        &self,
        permit: &Permit<Write, Repositories>,
        id: RepositoryId,
    ) -> Result<Repository, StoreError> {
        let mut tx = self.begin(permit).await?;
        let repository = find(tx.db(), tx.account(), id).await?;
        permit.within(repository.project)?;
        check_unused(&tx, id).await?;
        git_hooks::forget(&tx, id).await?;
        rows::deletion::<Entity>(&tx, id.get())
            .col_expr(Column::Secret, Expr::value(None::<Vec<u8>>))
            .col_expr(Column::GitToken, Expr::value(None::<Vec<u8>>))
            .exec(tx.db())
            .await
            .map_err(StoreError::db)?;
        let (project, before) = (Some(repository.project), Some(said(&repository.spec)));
        tx.record("repository.deleted", format!("repository:{id}"), project, before, None).await?;
        tx.commit().await?;
        managed_repositories::remove(self, &repository);
        self.drop_clones(repository.project);
        Ok(repository)
    }
}

impl Model {
    /// What it means.
    pub(crate) fn into_domain(self) -> Result<Repository, StoreError> {
        Ok(Repository {
            id: RepositoryId::new(self.id).map_err(StoreError::corrupt)?,
            account: AccountId::new(self.account_id).map_err(StoreError::corrupt)?,
            project: ProjectId::new(self.project_id).map_err(StoreError::corrupt)?,
            spec: from_text(&self.spec)?,
            deploy_key: self.public_key,
            has_token: self.git_token.is_some(),
            created_at: time(self.created_at)?,
            updated_at: time(self.updated_at)?,
        })
    }
}

/// One of the account that is not deleted.
pub(crate) async fn find(
    db: &impl ConnectionTrait,
    account: AccountId,
    id: RepositoryId,
) -> Result<Repository, StoreError> {
    rows::find::<Entity>(db, account, id.get()).await
}

async fn save(tx: &Tx, repository: &Repository) -> Result<(), StoreError> {
    let spec = &repository.spec;
    Entity::update_many()
        .col_expr(Column::RemoteUrl, Expr::value(spec.remote.as_str()))
        .col_expr(Column::Spec, Expr::value(to_text(spec)?))
        .col_expr(Column::UpdatedAt, Expr::value(repository.updated_at.micros()))
        .filter(Column::Id.eq(repository.id.get()))
        .exec(tx.db())
        .await
        .map_err(StoreError::db)?;
    Ok(())
}

/// A repository that a project clones from stays.
async fn check_unused(tx: &Tx, id: RepositoryId) -> Result<(), StoreError> {
    let users = project::Entity::find()
        .filter(project::Column::RepositoryId.eq(id.get()))
        .filter(project::Column::State.eq(ACTIVE));
    if users.count(tx.db()).await.map_err(StoreError::db)? > 0 {
        let reason = "the repository is its project's: set another one first";
        return Err(StoreError::Conflict(reason.to_owned()));
    }
    Ok(())
}

/// Makes the key that git gets in with, where it wants one and there is none yet.
async fn keep_deploy_key(tx: &Tx, repository: &mut Repository) -> Result<(), StoreError> {
    if repository.deploy_key.is_some() || !repository.spec.wants_deploy_key() {
        return Ok(());
    }
    let id = repository.id;
    let key = ssh_key::generate(&format!("narrowgate-repository-{id}"))?;
    let sealed = seal::seal(tx.keyring(), sealed_at(id), key.private.reveal().as_bytes())?;
    Entity::update_many()
        .col_expr(Column::PublicKey, Expr::value(key.public.as_str()))
        .col_expr(Column::Secret, Expr::value(sealed))
        .filter(Column::Id.eq(id.get()))
        .exec(tx.db())
        .await
        .map_err(StoreError::db)?;
    repository.deploy_key = Some(key.public);
    Ok(())
}

/// The private half of the key that git gets in with, for the runner.
pub(crate) async fn deploy_key(
    tx: &Tx,
    repository: &Repository,
) -> Result<Option<Hidden>, StoreError> {
    if !repository.spec.wants_deploy_key() {
        return Ok(None);
    }
    let id = repository.id;
    let rows =
        of_account::<Entity>(Column::AccountId, tx.account()).filter(Column::Id.eq(id.get()));
    let Some(sealed) = only(rows, tx.db()).await?.secret else { return Ok(None) };
    let bytes = seal::open(tx.keyring(), sealed_at(id), &sealed)?;
    let text = String::from_utf8(bytes.to_vec()).map_err(StoreError::corrupt)?;
    Ok(Some(Hidden::new(text)))
}

/// A token that was given for one host is not sent to another.
fn token_there(token: TokenChange, before: &Repository, remote: &RemoteUrl) -> TokenChange {
    let moves = before.has_token && !remote.is_at_host_of(&before.spec.remote);
    if moves && token == TokenChange::Keep { TokenChange::Remove } else { token }
}

async fn keep_token(
    tx: &Tx,
    repository: &mut Repository,
    token: &TokenChange,
) -> Result<(), StoreError> {
    let id = repository.id;
    let sealed = match token {
        TokenChange::Keep => return Ok(()),
        TokenChange::Remove => None,
        TokenChange::Set(_) if !repository.spec.remote.takes_token() => {
            let message = "is for addresses that begin with https://";
            return Err(StoreError::Invalid { field: "git_token", message: message.to_owned() });
        }
        TokenChange::Set(token) => {
            Some(seal::seal(tx.keyring(), token_at(id), token.reveal().as_bytes())?)
        }
    };
    repository.has_token = sealed.is_some();
    Entity::update_many()
        .col_expr(Column::GitToken, Expr::value(sealed))
        .filter(Column::Id.eq(id.get()))
        .exec(tx.db())
        .await
        .map_err(StoreError::db)?;
    Ok(())
}

/// The token that git gets in with, for the runner.
pub(crate) async fn git_token(
    tx: &Tx,
    repository: &Repository,
) -> Result<Option<Hidden>, StoreError> {
    let id = repository.id;
    let rows =
        of_account::<Entity>(Column::AccountId, tx.account()).filter(Column::Id.eq(id.get()));
    let Some(sealed) = only(rows, tx.db()).await?.git_token else { return Ok(None) };
    let bytes = seal::open(tx.keyring(), token_at(id), &sealed)?;
    let text = String::from_utf8(bytes.to_vec()).map_err(StoreError::corrupt)?;
    Ok(Some(Hidden::new(text)))
}

/// What the audit says: the spec, and that there is another token.
fn said_of(spec: &RepositorySpec, token: &TokenChange) -> serde_json::Value {
    let mut told = said(spec);
    let word = match token {
        TokenChange::Keep => return told,
        TokenChange::Remove => "removed",
        TokenChange::Set(_) => "set",
    };
    if let Some(fields) = told.as_object_mut() {
        fields.insert("git_token".to_owned(), word.into());
    }
    told
}

const fn sealed_at(id: RepositoryId) -> Place {
    Place { table: "repositories", id: id.get(), field: "secret" }
}

const fn token_at(id: RepositoryId) -> Place {
    Place { table: "repositories", id: id.get(), field: "git_token" }
}
