//! What a step left is folded once.

use domain::{
    artifact::{Catalog, InvalidArtifact, Manifest, RunResults, Sources},
    authz::{Permit, Runs, Write},
    lease::Lease,
    run::Run,
};
use sea_orm::{
    ActiveModelTrait as _, ActiveValue::Set, ColumnTrait as _, ConnectionTrait, EntityTrait as _,
    IntoActiveModel as _, QueryFilter as _,
};

use super::{
    CATALOG, MANIFEST, RESULTS, SOURCES, bytes_of_step,
    executions::{micros, row},
};
use crate::{
    Store, StoreError, dialect,
    entities::{
        environment_state::{Entity, Model},
        folded_step, node_execution,
    },
    runs,
    tx::Tx,
};

/// How many executions are written in one transaction: other writers pass between.
const AT_ONCE: usize = 1_000;
/// How many in one statement.
const IN_ONE: usize = 500;

/// What a step left that counts.
#[derive(Default)]
struct Left {
    /// The name of the dbt project, if there is a manifest.
    manifest: Option<String>,
    results: Option<RunResults>,
    catalog: bool,
    sources: bool,
}

impl Store {
    /// Folds what a step left into what is known of the run's environment. `project` is the name in
    /// the `dbt_project.yml` that the step ran on; without it, artifacts are held to the name of
    /// the environment's newest manifest. Gives what was left out and why, for the step's log: an
    /// artifact that cannot be read, or is another project's, changes nothing.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::LeaseLost`], [`StoreError::Denied`] if the permit is
    /// not the runner's, [`StoreError::Unavailable`].
    pub async fn fold_step(
        &self,
        permit: &Permit<Write, Runs>,
        lease: &Lease,
        step: u32,
        project: Option<&str>,
    ) -> Result<Vec<String>, StoreError> {
        let tx = self.begin_leased(permit, lease).await?;
        let run = runs::find(tx.db(), tx.account(), lease.run).await?;
        drop(tx);
        let mut notes = Vec::new();
        let left = self.read_left(&run, step, &mut notes).await?;
        let known = state_of(self.reader(), &run).await?.and_then(|state| state.dbt_project);
        let project = project.map(str::to_owned).or(known);
        if let (Some(found), Some(project)) = (&left.manifest, &project)
            && found != project
        {
            notes.push(format!(
                "what this step left is of the dbt project `{found}`, not of `{project}`"
            ));
            return Ok(notes);
        }
        if let Some(results) = &left.results {
            self.keep_executions(permit, lease, (&run, step), results).await?;
        }
        let tx = self.begin_leased(permit, lease).await?;
        note(&tx, &run, step, &left).await?;
        tx.commit_unrecorded().await?;
        Ok(notes)
    }

    /// Reads the artifacts of a step, beside the requests: it may take a second.
    async fn read_left(
        &self,
        run: &Run,
        step: u32,
        notes: &mut Vec<String>,
    ) -> Result<Left, StoreError> {
        let (account, of) = (run.account, (run.id.get(), i64::from(step)));
        let mut left = Left::default();
        for path in [MANIFEST, RESULTS, CATALOG, SOURCES] {
            let Some(bytes) = bytes_of_step(self, account, of, path).await? else { continue };
            let read = tokio::task::spawn_blocking(move || {
                let mut found = Left::default();
                found.take(path, &bytes).map(|()| found)
            });
            match read.await.map_err(StoreError::corrupt)? {
                Ok(found) => left.join(found),
                Err(wrong) => notes.push(format!("left out of what is known: {wrong}")),
            }
        }
        Ok(left)
    }

    /// Writes down how each node went; writers of other things pass between.
    async fn keep_executions(
        &self,
        permit: &Permit<Write, Runs>,
        lease: &Lease,
        (run, step): (&Run, u32),
        results: &RunResults,
    ) -> Result<(), StoreError> {
        let tx = self.begin_leased(permit, lease).await?;
        forget(&tx, run, step).await?;
        let of = folded_step::ActiveModel {
            run_id: Set(run.id.get()),
            step: Set(step.into()),
            generated_at: Set(results.metadata.generated_at.map(domain::Timestamp::micros)),
            elapsed_micros: Set(micros(results.elapsed_time)),
            invocation_id: Set(results.metadata.invocation_id.as_ref().map(ToString::to_string)),
        };
        folded_step::Entity::insert(of)
            .exec_without_returning(tx.db())
            .await
            .map_err(StoreError::db)?;
        tx.commit_unrecorded().await?;
        for some in results.results.chunks(AT_ONCE) {
            let tx = self.begin_leased(permit, lease).await?;
            for fewer in some.chunks(IN_ONE) {
                let now = tx.now().micros();
                let rows = fewer.iter().map(|result| row(run, step, now, result));
                node_execution::Entity::insert_many(rows)
                    .exec_without_returning(tx.db())
                    .await
                    .map_err(StoreError::db)?;
            }
            tx.commit_unrecorded().await?;
        }
        Ok(())
    }
}

impl Left {
    fn take(&mut self, path: &str, bytes: &[u8]) -> Result<(), InvalidArtifact> {
        match path {
            MANIFEST => {
                let name = Manifest::parse(bytes)?.metadata.project_name;
                self.manifest = Some(name.map(|name| name.to_string()).unwrap_or_default());
            }
            RESULTS => {
                let results = RunResults::parse(bytes)?;
                self.results = results.is_execution().then_some(results);
            }
            CATALOG => {
                Catalog::parse(bytes)?;
                self.catalog = true;
            }
            _ => {
                Sources::parse(bytes)?;
                self.sources = true;
            }
        }
        Ok(())
    }

    fn join(&mut self, other: Self) {
        self.manifest = other.manifest.or(self.manifest.take());
        self.results = other.results.or(self.results.take());
        self.catalog |= other.catalog;
        self.sources |= other.sources;
    }
}

/// What is known of the environment of a run.
async fn state_of(db: &impl ConnectionTrait, run: &Run) -> Result<Option<Model>, StoreError> {
    Entity::find_by_id(run.environment.get()).one(db).await.map_err(StoreError::db)
}

/// Forgets what was written of a step before.
async fn forget(tx: &Tx, run: &Run, step: u32) -> Result<(), StoreError> {
    node_execution::Entity::delete_many()
        .filter(node_execution::Column::RunId.eq(run.id.get()))
        .filter(node_execution::Column::Step.eq(i64::from(step)))
        .exec(tx.db())
        .await
        .map_err(StoreError::db)?;
    folded_step::Entity::delete_by_id((run.id.get(), i64::from(step)))
        .exec(tx.db())
        .await
        .map_err(StoreError::db)?;
    Ok(())
}

/// From now on it counts what the step left, where nothing newer does.
async fn note(tx: &Tx, run: &Run, step: u32, left: &Left) -> Result<(), StoreError> {
    if left.results.is_some() {
        let applied = dialect::apply_executions(run.id.get(), step.into());
        tx.db().execute_raw(applied).await.map_err(StoreError::db)?;
    }
    let known = state_of(tx.db(), run).await?;
    let is_new = known.is_none();
    let mut state = known.unwrap_or(Model {
        environment_id: run.environment.get(),
        version: 0,
        dbt_project: None,
        manifest_run: None,
        manifest_step: None,
        catalog_run: None,
        catalog_step: None,
        sources_run: None,
        sources_step: None,
    });
    let at = (Some(run.id.get()), Some(i64::from(step)));
    if let Some(name) = &left.manifest
        && at >= (state.manifest_run, state.manifest_step)
    {
        (state.manifest_run, state.manifest_step) = at;
        state.dbt_project = Some(name.clone());
    }
    if left.catalog && at >= (state.catalog_run, state.catalog_step) {
        (state.catalog_run, state.catalog_step) = at;
    }
    if left.sources && at >= (state.sources_run, state.sources_step) {
        (state.sources_run, state.sources_step) = at;
    }
    state.version += 1;
    let state = state.into_active_model().reset_all();
    let written = if is_new {
        Entity::insert(state).exec_without_returning(tx.db()).await.map(|_| ())
    } else {
        Entity::update(state).exec(tx.db()).await.map(|_| ())
    };
    written.map_err(StoreError::db)
}
