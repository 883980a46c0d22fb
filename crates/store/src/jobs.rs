//! Jobs. What they may be written in depends on the category of their environment; a move needs
//! both.

use std::collections::BTreeSet;

use domain::{
    AccountId, EnvironmentId, JobId,
    authz::{Jobs, Permit, Read, Write},
    environment::Environment,
    job::{Job, JobSpec},
    kept::Reference,
    list::{ListQuery, Paged, StateFilter},
};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait as _, ConnectionTrait, EntityTrait as _, QueryFilter as _, QuerySelect as _,
    sea_query::{Expr, SimpleExpr},
};

use crate::{
    Store, StoreError,
    entities::{
        job::{ActiveModel, Column, Entity, Model},
        run, time,
    },
    environments, kept,
    list::{Collection, Field, Kind, State},
    rows::{self, ACTIVE, Noun, Placed, from_text, named, of_account, said, to_text},
    runs,
    tx::Tx,
};

static COLLECTION: Collection<Column> = Collection {
    id: Column::Id,
    fields: &[
        Field { name: "project_id", column: Column::ProjectId, kind: Kind::Int },
        Field { name: "environment_id", column: Column::EnvironmentId, kind: Kind::Int },
        Field { name: "name", column: Column::Name, kind: Kind::Text },
        Field { name: "dbt_version", column: Column::DbtVersion, kind: Kind::Text },
        Field { name: "triggers_schedule", column: Column::OnSchedule, kind: Kind::Bool },
        // Nothing in this build makes a job of its own, or knows whether one is ready for Fusion.
        Field { name: "is_system", column: Column::Id, kind: Kind::Never },
        Field { name: "is_fusion_ready", column: Column::Id, kind: Kind::Never },
        Field { name: "created_at", column: Column::CreatedAt, kind: Kind::Time },
        Field { name: "updated_at", column: Column::UpdatedAt, kind: Kind::Time },
    ],
    state: State { active: || Column::State.eq(ACTIVE), default: StateFilter::Active },
};

impl Placed for Entity {
    const ACCOUNT: Self::Column = Column::AccountId;
    const PROJECT: Self::Column = Column::ProjectId;

    fn in_environments(ids: Vec<i64>) -> SimpleExpr {
        Column::EnvironmentId.is_in(ids)
    }

    fn of_jobs(ids: Vec<i64>) -> SimpleExpr {
        Column::Id.is_in(ids)
    }
}

impl Noun for Entity {
    type Object = Job;
    const ID: Column = Column::Id;
    const STATE: Column = Column::State;
    const UPDATED_AT: Column = Column::UpdatedAt;

    fn object(row: Model) -> Result<Job, StoreError> {
        row.into_domain()
    }
}

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
        self.listed::<Entity, _, _>(permit, &COLLECTION, query).await
    }

    /// One of them.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Unavailable`].
    pub async fn job(&self, permit: &Permit<Read, Jobs>, id: JobId) -> Result<Job, StoreError> {
        self.reached::<Entity, _, _>(permit, id.get()).await
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
        check(&tx, permit, None, &spec).await?;
        let now = tx.now().micros();
        let row = ActiveModel {
            account_id: Set(tx.account().get()),
            project_id: Set(spec.project.get()),
            name: Set(spec.name.to_string()),
            environment_id: Set(spec.environment.get()),
            dbt_version: Set(spec.dbt_version.clone()),
            on_schedule: Set(spec.triggers.schedule),
            after_job_id: Set(after_job(&spec)),
            failures: Set(0),
            deferrable: Set(false),
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
        check(&tx, permit, Some(&before), &spec).await?;
        let after = Job { spec, updated_at: tx.now(), ..before.clone() };
        save(&tx, &after).await?;
        let change = (Some(said(&before.spec)), Some(said(&after.spec)));
        let (object, project) = (format!("job:{id}"), Some(after.spec.project));
        tx.record("job.updated", object, project, change.0, change.1).await?;
        tx.commit().await?;
        Ok(after)
    }

    /// Deletes it; its id is never given out again. Its runs stay: queued ones are cancelled, one
    /// under way goes on. Gives what it was.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Denied`], [`StoreError::Conflict`] (something names
    /// it), [`StoreError::CredentialChanged`], [`StoreError::Unavailable`].
    pub async fn delete_job(
        &self,
        permit: &Permit<Write, Jobs>,
        id: JobId,
    ) -> Result<Job, StoreError> {
        let mut tx = self.begin(permit).await?;
        let job = reached(&tx, permit, id).await?;
        let queued = run::Column::JobId.eq(id.get());
        runs::cancel_queued(&mut tx, queued, "the job was deleted").await?;
        kept::let_go(&mut tx, Reference::Job(id)).await?;
        rows::deletion::<Entity>(&tx, id.get()).exec(tx.db()).await.map_err(StoreError::db)?;
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
            failures: u32::try_from(self.failures).map_err(StoreError::corrupt)?,
            deferrable: self.deferrable,
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
    rows::find::<Entity>(db, account, id.get()).await
}

/// A job that the permit may write, by the category of the environment that it is in.
async fn reached(tx: &Tx, permit: &Permit<Write, Jobs>, id: JobId) -> Result<Job, StoreError> {
    let job = find(tx.db(), tx.account(), id).await?;
    let environment = environments::find(tx.db(), tx.account(), job.spec.environment).await?;
    permit.at(environment.place().of_job(id))?;
    Ok(job)
}

/// Whether the permit covers the environment, and what a spec names anew is there, in the same
/// project. What it named before may be gone by now, and does not stand in the way of another
/// change.
async fn check(
    tx: &Tx,
    permit: &Permit<Write, Jobs>,
    before: Option<&Job>,
    spec: &JobSpec,
) -> Result<(), StoreError> {
    let environment = match environment(tx, spec, spec.environment, "environment_id").await {
        Ok(environment) => environment,
        Err(error) => {
            // A project out of reach is not found, before anything is said of its environments.
            if permit.scope().categories_in(spec.project).is_empty() {
                permit.among(spec.project)?;
            }
            return Err(error);
        }
    };
    let place = environment.place();
    permit.at(before.map_or(place, |before| place.of_job(before.id)))?;
    let (old, new) = (before.map(|before| &before.spec.echoed), &spec.echoed);
    let old_environment = old.and_then(|old| old.deferring_environment);
    if let Some(id) = new.deferring_environment.filter(|id| Some(*id) != old_environment) {
        let found = environments::find(tx.db(), tx.account(), id).await;
        let left = permit.principal().restrictions().environments.as_ref();
        let ours = |environment: &Environment| {
            environment.project == spec.project && left.is_none_or(|ids| ids.contains(&id))
        };
        named(found, ours, ("deferring_environment_id", "environment"))?;
    }
    let old_job = old.and_then(|old| old.deferring_job);
    if let Some(id) = new.deferring_job.filter(|id| Some(*id) != old_job) {
        let found = find(tx.db(), tx.account(), id).await;
        let left = permit.principal().restrictions();
        let ours = |job: &Job| {
            job.spec.project == spec.project && left.leave(Some(job.spec.environment), Some(id))
        };
        named(found, ours, ("deferring_job_definition_id", "job"))?;
    }
    let old_condition = old.and_then(|old| old.completion_condition.as_ref());
    if let Some(condition) = new.completion_condition.as_ref().filter(|c| Some(*c) != old_condition)
    {
        // The one thing that may be of another project: one whose jobs the principal can read.
        let found = find(tx.db(), tx.account(), condition.job).await;
        let readable = permit.also::<Read, Jobs>()?.among(condition.project).is_ok();
        let left = permit.principal().restrictions();
        let meant = |job: &Job| {
            let reached = readable && left.leave(Some(job.spec.environment), Some(job.id));
            job.spec.project == condition.project && reached
        };
        named(found, meant, (CONDITION, "job"))?;
        if let Some(own) = before
            && starts_after(tx, condition.job, own.id).await?
        {
            let message = "would have the job start itself, over the jobs that wait for it";
            return Err(StoreError::Invalid { field: CONDITION, message: message.to_owned() });
        }
    }
    Ok(())
}

/// The field that names the job which is waited for.
const CONDITION: &str = "job_completion_trigger_condition";

/// The job that is waited for.
fn after_job(spec: &JobSpec) -> Option<i64> {
    spec.echoed.completion_condition.as_ref().map(|condition| condition.job.get())
}

/// Whether a job is another one, or starts by its end, directly or over further jobs.
pub(crate) async fn starts_after(tx: &Tx, job: JobId, other: JobId) -> Result<bool, StoreError> {
    let (mut at, mut passed) = (Some(job.get()), BTreeSet::new());
    while let Some(job) = at {
        if job == other.get() {
            return Ok(true);
        }
        if !passed.insert(job) {
            return Ok(false);
        }
        let row: Option<Option<i64>> = of_account::<Entity>(Column::AccountId, tx.account())
            .filter(Column::Id.eq(job))
            .filter(Column::State.eq(ACTIVE))
            .select_only()
            .column(Column::AfterJobId)
            .into_tuple()
            .one(tx.db())
            .await
            .map_err(StoreError::db)?;
        at = row.flatten();
    }
    Ok(false)
}

/// An environment of the job's project.
async fn environment(
    tx: &Tx,
    spec: &JobSpec,
    id: EnvironmentId,
    field: &'static str,
) -> Result<Environment, StoreError> {
    let found = environments::find(tx.db(), tx.account(), id).await;
    named(found, |environment| environment.project == spec.project, (field, "environment"))
}

async fn save(tx: &Tx, job: &Job) -> Result<(), StoreError> {
    let spec = &job.spec;
    Entity::update_many()
        .col_expr(Column::Name, Expr::value(spec.name.as_str()))
        .col_expr(Column::EnvironmentId, Expr::value(spec.environment.get()))
        .col_expr(Column::DbtVersion, Expr::value(spec.dbt_version.clone()))
        .col_expr(Column::OnSchedule, Expr::value(spec.triggers.schedule))
        .col_expr(Column::AfterJobId, Expr::value(after_job(spec)))
        .col_expr(Column::Spec, Expr::value(to_text(spec)?))
        .col_expr(Column::UpdatedAt, Expr::value(job.updated_at.micros()))
        .filter(Column::Id.eq(job.id.get()))
        .exec(tx.db())
        .await
        .map_err(StoreError::db)?;
    Ok(())
}
