//! Environments.

use std::collections::BTreeMap;

use domain::{
    AccountId, EnvironmentId, ProjectId,
    authz::{Category, Environments, Permit, Read, Write},
    environment::{Environment, EnvironmentSpec},
    extended_attributes::ExtendedAttributes,
    kept::{Noun as _, Reference},
    list::{ListQuery, Paged, StateFilter},
    profile::Profile,
};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait as _, ConnectionTrait, EntityTrait as _, PaginatorTrait as _, QueryFilter as _,
    QueryOrder as _,
    sea_query::{Expr, SimpleExpr},
};

use crate::{
    Store, StoreError, connections,
    entities::{
        environment::{ActiveModel, Column, Entity, Model},
        job, run, time,
    },
    kept,
    list::{Collection, Field, Kind, State},
    projects,
    rows::{self, ACTIVE, Noun, Placed, from_text, named, of_account, only, said, to_text},
    tx::Tx,
    warehouse_credentials,
};

static COLLECTION: Collection<Column> = Collection {
    id: Column::Id,
    fields: &[
        Field { name: "project_id", column: Column::ProjectId, kind: Kind::Int },
        Field { name: "name", column: Column::Name, kind: Kind::Text },
        Field { name: "type", column: Column::Category, kind: Kind::Text },
        Field { name: "deployment_type", column: Column::Category, kind: Kind::Text },
        Field { name: "dbt_version", column: Column::DbtVersion, kind: Kind::Text },
        Field { name: "connection_id", column: Column::ConnectionId, kind: Kind::Int },
        Field { name: "credentials_id", column: Column::CredentialId, kind: Kind::Int },
        Field { name: "created_at", column: Column::CreatedAt, kind: Kind::Time },
        Field { name: "updated_at", column: Column::UpdatedAt, kind: Kind::Time },
    ],
    state: State { active: || Column::State.eq(ACTIVE), default: StateFilter::Active },
};

impl Placed for Entity {
    const ACCOUNT: Self::Column = Column::AccountId;
    const PROJECT: Self::Column = Column::ProjectId;

    fn in_environments(ids: Vec<i64>) -> SimpleExpr {
        Column::Id.is_in(ids)
    }
}

impl Noun for Entity {
    type Object = Environment;
    const ID: Column = Column::Id;
    const STATE: Column = Column::State;
    const UPDATED_AT: Column = Column::UpdatedAt;

    fn object(row: Model) -> Result<Environment, StoreError> {
        row.into_domain()
    }
}

impl Store {
    /// Those that the permit reaches.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] (order or filter), [`StoreError::Unavailable`].
    pub async fn environments(
        &self,
        permit: &Permit<Read, Environments>,
        query: &ListQuery,
    ) -> Result<Paged<Environment>, StoreError> {
        self.listed::<Entity, _, _>(permit, &COLLECTION, query).await
    }

    /// One of them.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Unavailable`].
    pub async fn environment(
        &self,
        permit: &Permit<Read, Environments>,
        id: EnvironmentId,
    ) -> Result<Environment, StoreError> {
        self.reached::<Entity, _, _>(permit, id.get()).await
    }

    /// Makes one.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] or [`StoreError::Denied`] (the project),
    /// [`StoreError::Invalid`] (an id that names nothing in reach),
    /// [`StoreError::CredentialChanged`], [`StoreError::Unavailable`].
    pub async fn create_environment(
        &self,
        permit: &Permit<Write, Environments>,
        project: ProjectId,
        spec: EnvironmentSpec,
    ) -> Result<Environment, StoreError> {
        let mut tx = self.begin(permit).await?;
        permit.within(project)?;
        projects::find(tx.db(), tx.account(), project).await?;
        check(&tx, project, None, &spec).await?;
        let now = tx.now().micros();
        let row = ActiveModel {
            account_id: Set(tx.account().get()),
            project_id: Set(project.get()),
            name: Set(spec.name.to_string()),
            category: Set(spec.category.key().to_owned()),
            dbt_version: Set(spec.dbt_version.clone()),
            connection_id: Set(spec.connection.map(Into::into)),
            credential_id: Set(spec.credential.map(Into::into)),
            spec: Set(to_text(&spec)?),
            state: Set(ACTIVE),
            created_at: Set(now),
            updated_at: Set(now),
            ..Default::default()
        };
        let row = Entity::insert(row).exec_with_returning(tx.db()).await.map_err(StoreError::db)?;
        let environment = row.into_domain()?;
        let object = format!("environment:{}", environment.id);
        let after = Some(said(&environment.spec));
        tx.record("environment.created", object, Some(project), None, after).await?;
        tx.commit().await?;
        Ok(environment)
    }

    /// Changes it: `change` gets what it is and gives what it shall be, inside the transaction.
    ///
    /// # Errors
    /// As creating, and whatever `change` gives.
    pub async fn update_environment<E: From<StoreError>>(
        &self,
        permit: &Permit<Write, Environments>,
        id: EnvironmentId,
        change: impl FnOnce(EnvironmentSpec) -> Result<EnvironmentSpec, E> + Send,
    ) -> Result<Environment, E> {
        let mut tx = self.begin(permit).await?;
        let before = find(tx.db(), tx.account(), id).await?;
        permit.at(before.place()).map_err(StoreError::from)?;
        let spec = change(before.spec.clone())?;
        check(&tx, before.project, Some(id), &spec).await?;
        let after = Environment { spec, updated_at: tx.now(), ..before.clone() };
        save(&tx, &after).await?;
        let change = (Some(said(&before.spec)), Some(said(&after.spec)));
        let object = format!("environment:{id}");
        tx.record("environment.updated", object, Some(after.project), change.0, change.1).await?;
        tx.commit().await?;
        Ok(after)
    }

    /// Deletes it; its id is never given out again. Gives what it was.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Denied`], [`StoreError::Conflict`] (in use),
    /// [`StoreError::CredentialChanged`], [`StoreError::Unavailable`].
    pub async fn delete_environment(
        &self,
        permit: &Permit<Write, Environments>,
        id: EnvironmentId,
    ) -> Result<Environment, StoreError> {
        let mut tx = self.begin(permit).await?;
        let environment = find(tx.db(), tx.account(), id).await?;
        permit.at(environment.place())?;
        check_unused(&tx, id).await?;
        kept::let_go(&mut tx, Reference::Environment(id)).await?;
        rows::deletion::<Entity>(&tx, id.get()).exec(tx.db()).await.map_err(StoreError::db)?;
        let (project, before) = (Some(environment.project), Some(said(&environment.spec)));
        tx.record("environment.deleted", format!("environment:{id}"), project, before, None)
            .await?;
        tx.commit().await?;
        Ok(environment)
    }
}

impl Model {
    /// What it means.
    pub(crate) fn into_domain(self) -> Result<Environment, StoreError> {
        Ok(Environment {
            id: EnvironmentId::new(self.id).map_err(StoreError::corrupt)?,
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
    id: EnvironmentId,
) -> Result<Environment, StoreError> {
    rows::find::<Entity>(db, account, id.get()).await
}

/// One of the account, deleted or not: a run of it may be under way still.
pub(crate) async fn find_any(
    db: &impl ConnectionTrait,
    account: AccountId,
    id: EnvironmentId,
) -> Result<Environment, StoreError> {
    let rows = of_account::<Entity>(Column::AccountId, account).filter(Column::Id.eq(id.get()));
    only(rows, db).await?.into_domain()
}

/// Those of a project that are not deleted.
pub(crate) async fn of_project(
    db: &impl ConnectionTrait,
    account: AccountId,
    project: ProjectId,
) -> Result<BTreeMap<EnvironmentId, Environment>, StoreError> {
    let rows = of_account::<Entity>(Column::AccountId, account)
        .filter(Column::ProjectId.eq(project.get()))
        .filter(Column::State.eq(ACTIVE))
        .all(db)
        .await
        .map_err(StoreError::db)?;
    let found = rows.into_iter().map(Model::into_domain);
    found.map(|row| row.map(|environment| (environment.id, environment))).collect()
}

async fn save(tx: &Tx, environment: &Environment) -> Result<(), StoreError> {
    let spec = &environment.spec;
    Entity::update_many()
        .col_expr(Column::Name, Expr::value(spec.name.as_str()))
        .col_expr(Column::Category, Expr::value(spec.category.key()))
        .col_expr(Column::DbtVersion, Expr::value(spec.dbt_version.as_str()))
        .col_expr(Column::ConnectionId, Expr::value(spec.connection.map(i64::from)))
        .col_expr(Column::CredentialId, Expr::value(spec.credential.map(i64::from)))
        .col_expr(Column::Spec, Expr::value(to_text(spec)?))
        .col_expr(Column::UpdatedAt, Expr::value(environment.updated_at.micros()))
        .filter(Column::Id.eq(environment.id.get()))
        .exec(tx.db())
        .await
        .map_err(StoreError::db)?;
    Ok(())
}

/// Whether what a spec names is there, and a project has one production and one staging
/// environment at most.
async fn check(
    tx: &Tx,
    project: ProjectId,
    id: Option<EnvironmentId>,
    spec: &EnvironmentSpec,
) -> Result<(), StoreError> {
    if let Some(connection) = spec.connection {
        connections::check(tx, Some(project), connection, "connection_id").await?;
    }
    if let Some(credential) = spec.credential {
        let found = warehouse_credentials::find(tx.db(), tx.account(), credential).await;
        named(found, |credential| credential.project == project, ("credentials_id", "credential"))?;
    }
    let kept = [
        (
            "extended_attributes_id",
            spec.extended_attributes.map(|id| Reference::Kept(ExtendedAttributes::WORD, id.get())),
        ),
        ("primary_profile_id", spec.profile.map(|id| Reference::Kept(Profile::WORD, id.get()))),
    ];
    for (field, reference) in kept {
        if let Some(reference) = reference {
            kept::check_reference(tx, Some(project), field, reference).await?;
        }
    }
    let once = match spec.category {
        Category::Production | Category::Staging => spec.category.key(),
        Category::Development | Category::Other => return Ok(()),
    };
    let others = Entity::find()
        .filter(Column::ProjectId.eq(project.get()))
        .filter(Column::Category.eq(once))
        .filter(Column::State.eq(ACTIVE))
        .filter(Column::Id.ne(id.map_or(0, EnvironmentId::get)));
    if others.count(tx.db()).await.map_err(StoreError::db)? > 0 {
        let message = format!("the project has a {once} environment already");
        return Err(StoreError::Invalid { field: "deployment_type", message });
    }
    Ok(())
}

/// An environment that a job runs in stays, and one that a run needs which is not finished (its
/// job may have moved meanwhile).
async fn check_unused(tx: &Tx, id: EnvironmentId) -> Result<(), StoreError> {
    let users = job::Entity::find()
        .filter(job::Column::EnvironmentId.eq(id.get()))
        .filter(job::Column::State.eq(ACTIVE));
    let users = users.count(tx.db()).await.map_err(StoreError::db)?;
    if users > 0 {
        return Err(StoreError::Conflict(format!("{users} jobs run in the environment")));
    }
    let unfinished = run::Entity::find()
        .filter(run::Column::EnvironmentId.eq(id.get()))
        .filter(run::Column::FinishedAt.is_null())
        .order_by_asc(run::Column::Id);
    if let Some(run) = unfinished.one(tx.db()).await.map_err(StoreError::db)? {
        let reason = format!("run `{}` in the environment has not finished: cancel it", run.id);
        return Err(StoreError::Conflict(reason));
    }
    Ok(())
}
