//! What runs leave for a whole project: its documentation, and how fresh its sources are.

use domain::{
    JobId, ProjectId, RunId,
    authz::{Category, Permit, Read, Runs},
    run::RunStatus,
    source_freshness::{MOST_BYTES, SourceFreshness},
};
use sea_orm::{
    ColumnTrait as _, Condition, EntityTrait as _, JoinType, QueryFilter as _, QueryOrder as _,
    QuerySelect as _,
    sea_query::{Expr, ExprTrait as _, SimpleExpr},
};

use crate::{
    ArtifactContent, Store, StoreError, dialect,
    entities::{artifact, environment, project, run},
    projects,
    rows::{ACTIVE, Placed as _},
};

/// dbt's own page in one file, as `dbt docs generate --static` leaves it.
const DOCS: &str = "static_index.html";
const SOURCES: &str = "sources.json";

impl Store {
    /// dbt's own page of a project: of the newest successful run of its docs job that has one, or
    /// else, where no docs job is set, of the newest in an environment of production.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] (the project), [`StoreError::Missing`] (there is no page yet),
    /// [`StoreError::Unavailable`].
    pub async fn docs_page(
        &self,
        permit: &Permit<Read, Runs>,
        project: ProjectId,
    ) -> Result<ArtifactContent, StoreError> {
        let production = environment::Column::Category.eq(Category::Production.key());
        let counts = Condition::all()
            .add(run::Column::HasDocs.eq(true))
            .add(run::Column::Status.eq(i64::from(RunStatus::SUCCESS.code())))
            .add(of_job_or("docs_job", production));
        match self.newest(permit, project, DOCS, counts).await? {
            Some((_, artifact)) => self.content_of(permit.account(), artifact).await,
            None => Err(self.missing(permit, project, "no run has generated docs yet").await),
        }
    }

    /// How fresh a project's sources are: what the newest run of its freshness job that looked
    /// found out, or else, where none is set, the newest run that did. Gives the job and its run.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] (the project), [`StoreError::Missing`] (nobody has looked yet),
    /// [`StoreError::Conflict`] if what the run left cannot be read, [`StoreError::Unavailable`].
    pub async fn source_freshness(
        &self,
        permit: &Permit<Read, Runs>,
        project: ProjectId,
    ) -> Result<((JobId, RunId), SourceFreshness), StoreError> {
        if let Some(found) = self.freshness_of(permit, project).await? {
            return Ok(found);
        }
        let reason = "no run has looked at the freshness of sources yet";
        Err(self.missing(permit, project, reason).await)
    }

    /// The same, in one statement: `None` also where there is no such project.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if what the run left cannot be read, [`StoreError::Unavailable`].
    pub async fn freshness_of(
        &self,
        permit: &Permit<Read, Runs>,
        project: ProjectId,
    ) -> Result<Option<((JobId, RunId), SourceFreshness)>, StoreError> {
        let counts = Condition::all()
            .add(run::Column::HasSources.eq(true))
            .add(of_job_or("freshness_job", Expr::value(true)));
        let Some((run, artifact)) = self.newest(permit, project, SOURCES, counts).await? else {
            return Ok(None);
        };
        let unread = |why: &dyn std::fmt::Display| {
            StoreError::Conflict(format!("{SOURCES} of run {} cannot be read: {why}", run.id))
        };
        if u64::try_from(artifact.size).unwrap_or(u64::MAX) > MOST_BYTES {
            return Err(unread(&"it is too large"));
        }
        let bytes = self.content_of(permit.account(), artifact).await?.bytes().await?;
        let found = SourceFreshness::parse(&bytes).map_err(|wrong| unread(&wrong))?;
        let job = JobId::new(run.job_id).map_err(StoreError::corrupt)?;
        Ok(Some(((job, RunId::new(run.id).map_err(StoreError::corrupt)?), found)))
    }

    /// The newest artifact of this path of a project's runs that meet the condition, in one
    /// statement.
    async fn newest(
        &self,
        permit: &Permit<Read, Runs>,
        project: ProjectId,
        path: &str,
        counts: Condition,
    ) -> Result<Option<(run::Model, artifact::Model)>, StoreError> {
        let artifacts = run::Entity::belongs_to(artifact::Entity)
            .from(run::Column::Id)
            .to(artifact::Column::RunId);
        let projects = run::Entity::belongs_to(project::Entity)
            .from(run::Column::ProjectId)
            .to(project::Column::Id);
        let environments = run::Entity::belongs_to(environment::Entity)
            .from(run::Column::EnvironmentId)
            .to(environment::Column::Id);
        let row = run::Entity::within(permit)
            .join(JoinType::InnerJoin, artifacts.into())
            .join(JoinType::InnerJoin, projects.into())
            .join(JoinType::InnerJoin, environments.into())
            .filter(run::Column::ProjectId.eq(project.get()))
            .filter(project::Column::State.eq(ACTIVE))
            .filter(artifact::Column::Path.eq(path))
            .filter(counts)
            .select_also(artifact::Entity)
            .order_by_desc(run::Column::Id)
            .order_by_desc(artifact::Column::Step)
            .one(self.reader())
            .await
            .map_err(StoreError::db)?;
        if row.is_some() {
            permit.note_project(project);
        }
        Ok(row.and_then(|(run, artifact)| Some((run, artifact?))))
    }

    /// Why there is nothing: the project is not there or out of reach, or it is for this reason.
    async fn missing(
        &self,
        permit: &Permit<Read, Runs>,
        project: ProjectId,
        reason: &str,
    ) -> StoreError {
        if let Err(denied) = permit.among(project) {
            return denied.into();
        }
        match projects::find(self.reader(), permit.account(), project).await {
            Ok(_) => StoreError::Missing(reason.to_owned()),
            Err(error) => error,
        }
    }
}

/// Runs of the job that the project names under this word, or else those that meet the condition.
fn of_job_or(word: &str, otherwise: SimpleExpr) -> Condition {
    let job = || dialect::in_json(project::Column::Spec, word);
    Condition::any()
        .add(Expr::col((run::Entity, run::Column::JobId)).eq(job()))
        .add(Condition::all().add(job().is_null()).add(otherwise))
}
