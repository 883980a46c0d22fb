//! Jobs. What they may be written in depends on the category of their environment; a move needs
//! both.

use domain::{
    AccountId, EnvironmentId, JobId,
    authz::{Jobs, Permit, Read, Write},
    environment::Environment,
    job::{Job, JobSpec},
    list::{ListQuery, Paged, StateFilter},
};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, ConnectionTrait, EntityTrait as _, QueryFilter as _,
    sea_query::Expr,
};

use crate::{
    Store, StoreError,
    entities::{
        job::{ActiveModel, Column, Entity, Model},
        time,
    },
    environments,
    list::{Collection, Field, Kind, State},
    rows::{ACTIVE, DELETED, from_text, named, of_account, only, said, to_text, within},
    tx::Tx,
};

static COLLECTION: Collection<Column> = Collection {
    id: Column::Id,
    fields: &[
        Field { name: "project_id", column: Column::ProjectId, kind: Kind::Int },
        Field { name: "environment_id", column: Column::EnvironmentId, kind: Kind::Int },
        Field { name: "name", column: Column::Name, kind: Kind::Text },
        Field { name: "triggers_schedule", column: Column::OnSchedule, kind: Kind::Bool },
        Field { name: "created_at", column: Column::CreatedAt, kind: Kind::Time },
        Field { name: "updated_at", column: Column::UpdatedAt, kind: Kind::Time },
    ],
    state: State { active: || Column::State.eq(ACTIVE), default: StateFilter::Active },
};

impl Store {
    /// Those that the permit reaches.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] (order or filter), [`StoreError::Unavailable`].
    pub async fn jobs(
        &self,
        permit: &Permit<Read, Jobs>,
        query: &ListQuery,
    ) -> Result<Paged<Job>, StoreError> {
        let reached = (Column::AccountId, permit.account());
        let rows = within::<Entity>(reached, Column::ProjectId, &permit.scope());
        let page = self.page(rows, &COLLECTION, query).await?;
        let rows = page.rows.into_iter().map(Model::into_domain).collect::<Result<_, _>>()?;
        Ok(Paged { rows, total: page.total })
    }

    /// One of them.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Unavailable`].
    pub async fn job(&self, permit: &Permit<Read, Jobs>, id: JobId) -> Result<Job, StoreError> {
        let reached = (Column::AccountId, permit.account());
        let rows = within::<Entity>(reached, Column::ProjectId, &permit.scope())
            .filter(Column::Id.eq(id.get()))
            .filter(Column::State.eq(ACTIVE));
        only(rows, self.reader()).await?.into_domain()
    }

    /// Makes one.
    ///
    /// # Errors
    /// [`StoreError::Denied`], [`StoreError::Invalid`] (an id that names nothing in reach),
    /// [`StoreError::CredentialChanged`], [`StoreError::Unavailable`].
    pub async fn create_job(
        &self,
        permit: &Permit<Write, Jobs>,
        spec: JobSpec,
    ) -> Result<Job, StoreError> {
        let mut tx = self.begin(permit).await?;
        check(&tx, permit, &spec).await?;
        let now = tx.now().micros();
        let row = ActiveModel {
            account_id: Set(tx.account().get()),
            project_id: Set(spec.project.get()),
            name: Set(spec.name.to_string()),
            environment_id: Set(spec.environment.get()),
            on_schedule: Set(spec.triggers.schedule),
            spec: Set(to_text(&spec)?),
            state: Set(ACTIVE),
            created_at: Set(now),
            updated_at: Set(now),
            ..Default::default()
        };
        let row = Entity::insert(row).exec_with_returning(tx.db()).await.map_err(StoreError::db)?;
        let job = row.into_domain()?;
        let (object, project) = (format!("job:{}", job.id), Some(job.spec.project));
        tx.record("job.created", object, project, None, Some(said(&job.spec))).await?;
        tx.commit().await?;
        Ok(job)
    }

    /// Changes it: `change` gets what it is and gives what it shall be, inside the transaction.
    ///
    /// # Errors
    /// As creating, [`StoreError::NotFound`], and whatever `change` gives.
    pub async fn update_job<E: From<StoreError>>(
        &self,
        permit: &Permit<Write, Jobs>,
        id: JobId,
        change: impl FnOnce(JobSpec) -> Result<JobSpec, E> + Send,
    ) -> Result<Job, E> {
        let mut tx = self.begin(permit).await?;
        let before = reached(&tx, permit, id).await?;
        let spec = change(before.spec.clone())?;
        if spec.project != before.spec.project {
            let message = "is the job's for good: make another job".to_owned();
            return Err(StoreError::Invalid { field: "project_id", message }.into());
        }
        check(&tx, permit, &spec).await?;
        let after = Job { spec, updated_at: tx.now(), ..before.clone() };
        save(&tx, &after).await?;
        let change = (Some(said(&before.spec)), Some(said(&after.spec)));
        let (object, project) = (format!("job:{id}"), Some(after.spec.project));
        tx.record("job.updated", object, project, change.0, change.1).await?;
        tx.commit().await?;
        Ok(after)
    }

    /// Deletes it; its id is never given out again, and its runs stay. Gives what it was.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Denied`], [`StoreError::CredentialChanged`],
    /// [`StoreError::Unavailable`].
    pub async fn delete_job(
        &self,
        permit: &Permit<Write, Jobs>,
        id: JobId,
    ) -> Result<Job, StoreError> {
        let mut tx = self.begin(permit).await?;
        let job = reached(&tx, permit, id).await?;
        Entity::update_many()
            .col_expr(Column::State, Expr::value(DELETED))
            .col_expr(Column::UpdatedAt, Expr::value(tx.now().micros()))
            .filter(Column::Id.eq(id.get()))
            .exec(tx.db())
            .await
            .map_err(StoreError::db)?;
        let (project, before) = (Some(job.spec.project), Some(said(&job.spec)));
        tx.record("job.deleted", format!("job:{id}"), project, before, None).await?;
        tx.commit().await?;
        Ok(job)
    }
}

impl Model {
    /// What it means.
    pub(crate) fn into_domain(self) -> Result<Job, StoreError> {
        Ok(Job {
            id: JobId::new(self.id).map_err(StoreError::corrupt)?,
            account: AccountId::new(self.account_id).map_err(StoreError::corrupt)?,
            spec: from_text(&self.spec)?,
            created_at: time(self.created_at)?,
            updated_at: time(self.updated_at)?,
        })
    }
}

/// A job of the account that is not deleted.
pub(crate) async fn find(
    db: &impl ConnectionTrait,
    account: AccountId,
    id: JobId,
) -> Result<Job, StoreError> {
    let rows = of_account::<Entity>(Column::AccountId, account)
        .filter(Column::Id.eq(id.get()))
        .filter(Column::State.eq(ACTIVE));
    only(rows, db).await?.into_domain()
}

/// A job of the account, deleted or not: a run of it may be queued still.
pub(crate) async fn find_any(
    db: &impl ConnectionTrait,
    account: AccountId,
    id: JobId,
) -> Result<Job, StoreError> {
    let row = Entity::find_by_id(id.get())
        .filter(Column::AccountId.eq(account.get()))
        .one(db)
        .await
        .map_err(StoreError::db)?;
    row.ok_or(StoreError::NotFound)?.into_domain()
}

/// A job that the permit may write, by the category of the environment that it is in.
async fn reached(tx: &Tx, permit: &Permit<Write, Jobs>, id: JobId) -> Result<Job, StoreError> {
    let job = find(tx.db(), tx.account(), id).await?;
    let environment = environments::find(tx.db(), tx.account(), job.spec.environment).await?;
    permit.within_environment(job.spec.project, environment.spec.category)?;
    Ok(job)
}

/// Whether what a spec names is there, in the same project, and the permit covers the environment.
async fn check(tx: &Tx, permit: &Permit<Write, Jobs>, spec: &JobSpec) -> Result<(), StoreError> {
    let environment = environment(tx, spec, spec.environment, "environment_id").await;
    let category = match &environment {
        Ok(environment) => environment.spec.category,
        // A project out of reach is not found, before anything is said of its environments.
        Err(_) => domain::authz::Category::Other,
    };
    permit.within_environment(spec.project, category)?;
    environment?;
    if let Some(deferring) = spec.echoed.deferring_environment {
        self::environment(tx, spec, deferring, "deferring_environment_id").await?;
    }
    if let Some(deferring) = spec.echoed.deferring_job {
        let found = find(tx.db(), tx.account(), deferring).await;
        if !matches!(found, Ok(job) if job.spec.project == spec.project) {
            return Err(names_nothing("deferring_job_definition_id", "job"));
        }
    }
    if let Some(condition) = &spec.echoed.completion_condition {
        let found = find(tx.db(), tx.account(), condition.job).await;
        let readable = permit.also::<Read, Jobs>()?.within(condition.project).is_ok();
        if !matches!(found, Ok(job) if job.spec.project == condition.project && readable) {
            return Err(names_nothing("job_completion_trigger_condition", "job"));
        }
    }
    Ok(())
}

async fn environment(
    tx: &Tx,
    spec: &JobSpec,
    id: EnvironmentId,
    field: &'static str,
) -> Result<Environment, StoreError> {
    match environments::find(tx.db(), tx.account(), id).await {
        Ok(environment) if environment.project == spec.project => Ok(environment),
        Ok(_) | Err(StoreError::NotFound) => Err(names_nothing(field, "environment")),
        Err(error) => Err(error),
    }
}

async fn save(tx: &Tx, job: &Job) -> Result<(), StoreError> {
    let spec = &job.spec;
    Entity::update_many()
        .col_expr(Column::Name, Expr::value(spec.name.as_str()))
        .col_expr(Column::EnvironmentId, Expr::value(spec.environment.get()))
        .col_expr(Column::OnSchedule, Expr::value(spec.triggers.schedule))
        .col_expr(Column::Spec, Expr::value(to_text(spec)?))
        .col_expr(Column::UpdatedAt, Expr::value(job.updated_at.micros()))
        .filter(Column::Id.eq(job.id.get()))
        .exec(tx.db())
        .await
        .map_err(StoreError::db)?;
    Ok(())
}
