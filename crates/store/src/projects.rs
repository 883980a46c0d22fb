//! Projects. Deleting one deletes what belongs to it, and the grants on it.

use domain::{
    AccountId, ProjectId,
    authz::{Permit, ProjectCreate, Read, Write, kinds::Projects},
    event::Event,
    list::{ListQuery, Paged, StateFilter},
    project::{Project, ProjectSpec},
    repository::Repository,
    run::RunStatus,
};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, ConnectionTrait, EntityTrait as _, QueryFilter as _,
    sea_query::Expr,
};

use crate::{
    Store, StoreError, connections,
    entities::{
        connection, environment, job, kept as kept_noun,
        project::{ActiveModel, Column, Entity, Model},
        repository, run, time, warehouse_credential,
    },
    grant_rows, jobs, kept,
    list::{Collection, Field, Kind, State},
    repositories,
    rows::{self, ACTIVE, DELETED, Noun, Placed, from_text, named, said, to_text},
    runs,
    tx::Tx,
};

static COLLECTION: Collection<Column> = Collection {
    id: Column::Id,
    fields: &[
        Field { name: "name", column: Column::Name, kind: Kind::Text },
        Field { name: "connection_id", column: Column::ConnectionId, kind: Kind::Int },
        Field { name: "repository_id", column: Column::RepositoryId, kind: Kind::Int },
        Field { name: "created_at", column: Column::CreatedAt, kind: Kind::Time },
        Field { name: "updated_at", column: Column::UpdatedAt, kind: Kind::Time },
    ],
    state: State { active: || Column::State.eq(ACTIVE), default: StateFilter::Active },
};

impl Placed for Entity {
    const ACCOUNT: Self::Column = Column::AccountId;
    // A project's own id is what its scope names.
    const PROJECT: Self::Column = Column::Id;
}

impl Noun for Entity {
    type Object = Project;
    const ID: Column = Column::Id;
    const STATE: Column = Column::State;
    const UPDATED_AT: Column = Column::UpdatedAt;

    fn object(row: Model) -> Result<Project, StoreError> {
        row.into_domain()
    }
}

impl Store {
    /// Those that the permit reaches.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] (order or filter), [`StoreError::Unavailable`].
    pub async fn projects(
        &self,
        permit: &Permit<Read, Projects>,
        query: &ListQuery,
    ) -> Result<Paged<Project>, StoreError> {
        self.listed::<Entity, _, _>(permit, &COLLECTION, query).await
    }

    /// One of them.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Unavailable`].
    pub async fn project(
        &self,
        permit: &Permit<Read, Projects>,
        id: ProjectId,
    ) -> Result<Project, StoreError> {
        self.reached::<Entity, _, _>(permit, id.get()).await
    }

    /// One of them, and the id of its Semantic Layer configuration, in one statement.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Unavailable`].
    pub async fn project_and_configuration(
        &self,
        permit: &Permit<Read, Projects>,
        id: ProjectId,
    ) -> Result<(Project, Option<i64>), StoreError> {
        let row = Entity::within(permit)
            .filter(Column::Id.eq(id.get()))
            .filter(Column::State.eq(ACTIVE))
            .find_also_related(kept_noun::Entity)
            .one(self.reader())
            .await
            .map_err(StoreError::db)?;
        let (project, configuration) = row.ok_or(StoreError::NotFound)?;
        permit.note_project(id);
        Ok((project.into_domain()?, configuration.map(|row| row.id)))
    }

    /// Makes one.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] (an id that names nothing in reach),
    /// [`StoreError::CredentialChanged`], [`StoreError::Unavailable`].
    pub async fn create_project(
        &self,
        permit: &Permit<Write, ProjectCreate>,
        spec: ProjectSpec,
    ) -> Result<Project, StoreError> {
        let mut tx = self.begin(permit).await?;
        check_links(&tx, None, &spec).await?;
        let now = tx.now().micros();
        let row = ActiveModel {
            account_id: Set(tx.account().get()),
            name: Set(spec.name.to_string()),
            connection_id: Set(spec.connection.map(Into::into)),
            repository_id: Set(spec.repository.map(Into::into)),
            spec: Set(to_text(&spec)?),
            state: Set(ACTIVE),
            created_at: Set(now),
            updated_at: Set(now),
            ..Default::default()
        };
        let row = Entity::insert(row).exec_with_returning(tx.db()).await.map_err(StoreError::db)?;
        let project = row.into_domain()?;
        let object = format!("project:{}", project.id);
        let after = Some(said(&project.spec));
        tx.record("project.created", object, Some(project.id), None, after).await?;
        tx.commit().await?;
        Ok(project)
    }

    /// Changes it: `change` gets what it is and gives what it shall be, inside the transaction.
    ///
    /// # Errors
    /// As creating, [`StoreError::NotFound`], [`StoreError::Denied`], and whatever `change` gives.
    pub async fn update_project<E: From<StoreError>>(
        &self,
        permit: &Permit<Write, Projects>,
        id: ProjectId,
        change: impl FnOnce(ProjectSpec) -> Result<ProjectSpec, E> + Send,
    ) -> Result<Project, E> {
        let mut tx = self.begin(permit).await?;
        permit.within(id).map_err(StoreError::from)?;
        let before = find(tx.db(), tx.account(), id).await?;
        let spec = change(before.spec.clone())?;
        check_links(&tx, Some(&before), &spec).await?;
        let after = Project { spec, updated_at: tx.now(), ..before.clone() };
        save(&tx, &after).await?;
        let change = (Some(said(&before.spec)), Some(said(&after.spec)));
        let object = format!("project:{id}");
        tx.record("project.updated", object, Some(id), change.0, change.1).await?;
        tx.commit().await?;
        if after.spec.repository != before.spec.repository {
            self.drop_clones(id);
        }
        Ok(after)
    }

    /// Deletes it, and what belongs to it: environments, jobs, repositories, credentials,
    /// connections of its own, queued runs, and the grants on it. Its id is never given out again. Gives what it was.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Denied`], [`StoreError::Conflict`] (a run is under
    /// way), [`StoreError::CredentialChanged`], [`StoreError::Unavailable`].
    pub async fn delete_project(
        &self,
        permit: &Permit<Write, Projects>,
        id: ProjectId,
    ) -> Result<Project, StoreError> {
        let mut tx = self.begin(permit).await?;
        permit.within(id)?;
        let project = find(tx.db(), tx.account(), id).await?;
        check_nothing_is_under_way(&tx, id).await?;
        let queued = run::Column::ProjectId.eq(id.get());
        runs::cancel_queued(&mut tx, queued, "the project was deleted").await?;
        delete_contents(&tx, id).await?;
        kept::forget_project(&tx, id).await?;
        grant_rows::forget_project(&mut tx, id).await?;
        let before = Some(said(&project.spec));
        tx.record("project.deleted", format!("project:{id}"), Some(id), before, None).await?;
        tx.event(Event::ProjectDeleted { id }).await?;
        tx.commit().await?;
        self.drop_clones(id);
        Ok(project)
    }
}

impl Model {
    /// What it means.
    pub(crate) fn into_domain(self) -> Result<Project, StoreError> {
        Ok(Project {
            id: ProjectId::new(self.id).map_err(StoreError::corrupt)?,
            account: AccountId::new(self.account_id).map_err(StoreError::corrupt)?,
            spec: from_text(&self.spec)?,
            created_at: time(self.created_at)?,
            updated_at: time(self.updated_at)?,
        })
    }
}

/// A project of the account that is not deleted.
pub(crate) async fn find(
    db: &impl ConnectionTrait,
    account: AccountId,
    id: ProjectId,
) -> Result<Project, StoreError> {
    rows::find::<Entity>(db, account, id.get()).await
}

async fn save(tx: &Tx, project: &Project) -> Result<(), StoreError> {
    let spec = &project.spec;
    Entity::update_many()
        .col_expr(Column::Name, Expr::value(spec.name.as_str()))
        .col_expr(Column::ConnectionId, Expr::value(spec.connection.map(i64::from)))
        .col_expr(Column::RepositoryId, Expr::value(spec.repository.map(i64::from)))
        .col_expr(Column::Spec, Expr::value(to_text(spec)?))
        .col_expr(Column::UpdatedAt, Expr::value(project.updated_at.micros()))
        .filter(Column::Id.eq(project.id.get()))
        .exec(tx.db())
        .await
        .map_err(StoreError::db)?;
    Ok(())
}

/// Whether what a spec names anew is there: a connection of the account, and a repository and jobs
/// of the project itself, which a project that is being made has none of. What it named before may
/// be gone by now, and does not stand in the way of another change.
async fn check_links(
    tx: &Tx,
    before: Option<&Project>,
    spec: &ProjectSpec,
) -> Result<(), StoreError> {
    let (id, old) = (before.map(|project| project.id), before.map(|project| &project.spec));
    if let Some(connection) = spec.connection {
        connections::check(tx, id, connection, "connection_id").await?;
    }
    if let Some(repository) = spec.repository {
        let found = repositories::find(tx.db(), tx.account(), repository).await;
        let ours = |repository: &Repository| Some(repository.project) == id;
        named(found, ours, ("repository_id", "repository"))?;
    }
    let jobs = [
        (spec.docs_job, old.and_then(|old| old.docs_job), "docs_job_id"),
        (spec.freshness_job, old.and_then(|old| old.freshness_job), "freshness_job_id"),
    ];
    for (job, old, field) in jobs {
        if let Some(job) = job.filter(|job| Some(*job) != old) {
            let found = jobs::find(tx.db(), tx.account(), job).await;
            named(found, |job| Some(job.spec.project) == id, (field, "job"))?;
        }
    }
    Ok(())
}

/// A run under way keeps its project.
async fn check_nothing_is_under_way(tx: &Tx, project: ProjectId) -> Result<(), StoreError> {
    let under_way =
        run::Entity::find()
            .filter(run::Column::ProjectId.eq(project.get()))
            .filter(run::Column::Status.is_in([
                i64::from(RunStatus::STARTING.code()),
                i64::from(RunStatus::RUNNING.code()),
            ]))
            .one(tx.db())
            .await
            .map_err(StoreError::db)?;
    if let Some(run) = under_way {
        let reason = format!("run `{}` of the project is under way: cancel it first", run.id);
        return Err(StoreError::Conflict(reason));
    }
    Ok(())
}

async fn delete_contents(tx: &Tx, project: ProjectId) -> Result<(), StoreError> {
    macro_rules! delete {
        ($($table:ident by $column:ident),* $(,)?) => {$(
            $table::Entity::update_many()
                .col_expr($table::Column::State, Expr::value(DELETED))
                .col_expr($table::Column::UpdatedAt, Expr::value(tx.now().micros()))
                .filter($table::Column::$column.eq(project.get()))
                .filter($table::Column::State.eq(ACTIVE))
                .exec(tx.db())
                .await
                .map_err(StoreError::db)?;
        )*};
    }
    use crate::entities::project as own;
    delete! {
        job by ProjectId, environment by ProjectId, repository by ProjectId,
        warehouse_credential by ProjectId, connection by ProjectId, own by Id,
    }
    // A secret outlives nothing.
    macro_rules! wipe {
        ($($table:ident),*) => {$(
            $table::Entity::update_many()
                .col_expr($table::Column::Secret, Expr::value(None::<Vec<u8>>))
                .filter($table::Column::ProjectId.eq(project.get()))
                .exec(tx.db())
                .await
                .map_err(StoreError::db)?;
        )*};
    }
    wipe! { warehouse_credential, connection }
    Ok(())
}
