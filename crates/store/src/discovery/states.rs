//! States of environments, built when they are asked for, and kept as far as they fit.

use std::{collections::BTreeMap, sync::Arc};

use domain::{
    AccountId, EnvironmentId, JobId, RunId,
    artifact::{Catalog, InvalidArtifact, Manifest, RunResults, Sources, Text},
    authz::{Metadata, Permit, Read},
    discovery::{Execution, Fold, Invocation, ProjectState},
};
use moka::future::Cache;
use sea_orm::{
    ColumnTrait as _, EntityTrait as _, QueryFilter as _, QuerySelect as _, QueryTrait as _,
};

use super::{CATALOG, MANIFEST, RESULTS, SOURCES, bytes_of_step, executions::Invocations};
use crate::{
    Store, StoreError,
    entities::{applied_node, environment, environment_state, node_execution, run},
    rows::only,
};

/// How much memory states take together, in bytes.
const MOST: u64 = 512 << 20;
/// What an execution takes beside the artifacts, in bytes.
const EXECUTION: usize = 512;

/// The states that were asked for last, and of what version of the environment each is.
pub(crate) struct States(Cache<EnvironmentId, Built>);

#[derive(Clone)]
struct Built {
    version: i64,
    state: Arc<ProjectState>,
    /// In KiB: a state takes at most 1.5 × the size of the artifacts that it is of.
    weight: u32,
}

impl Default for States {
    fn default() -> Self {
        let cache = Cache::builder()
            .max_capacity(MOST / 1024)
            .weigher(|_, built: &Built| built.weight)
            .build();
        Self(cache)
    }
}

impl Store {
    /// What is known of an environment: as it is after the last step that was folded. Requests that
    /// come together have it built once.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if the environment is out of reach, [`StoreError::Missing`] if its
    /// newest manifest is not there any more, [`StoreError::Unavailable`].
    pub async fn project_state(
        &self,
        permit: &Permit<Read, Metadata>,
        id: EnvironmentId,
    ) -> Result<Arc<ProjectState>, StoreError> {
        self.reached_environment(permit, id).await?;
        let row = environment_state::Entity::find_by_id(id.get());
        let Some(row) = row.one(self.reader()).await.map_err(StoreError::db)? else {
            return Ok(Arc::default());
        };
        let states = &self.states().0;
        if let Some(built) = states.get(&id).await {
            if built.version >= row.version {
                return Ok(built.state);
            }
            states.invalidate(&id).await;
        }
        let built = states.try_get_with(id, build(self, permit.account(), row)).await;
        built.map(|built| built.state).map_err(|error| again(&error))
    }

    /// Whether a permit reaches an environment that is there.
    pub(super) async fn reached_environment(
        &self,
        permit: &Permit<Read, Metadata>,
        id: EnvironmentId,
    ) -> Result<(), StoreError> {
        self.reached::<environment::Entity, _, _>(permit, id.get()).await.map(drop)
    }
}

/// An error that several have waited for, for each of them.
fn again(error: &StoreError) -> StoreError {
    match error {
        StoreError::NotFound => StoreError::NotFound,
        StoreError::Missing(what) => StoreError::Missing(what.clone()),
        StoreError::Corrupt(what) => StoreError::Corrupt(what.clone()),
        other => StoreError::Unavailable(other.to_string()),
    }
}

async fn build(
    store: &Store,
    account: AccountId,
    row: environment_state::Model,
) -> Result<Built, StoreError> {
    let mut gathering = Gathering { store, account, fold: Fold::default(), bytes: 0 };
    let places = [
        (MANIFEST, row.manifest_run.zip(row.manifest_step)),
        (CATALOG, row.catalog_run.zip(row.catalog_step)),
        (SOURCES, row.sources_run.zip(row.sources_step)),
    ];
    for (path, step) in places {
        if let Some(step) = step {
            gathering.artifact(path, step).await?;
        }
    }
    gathering.executions(row.environment_id).await?;
    let Gathering { fold, bytes, .. } = gathering;
    let state = tokio::task::spawn_blocking(move || fold.finish()).await;
    let weight = u32::try_from(bytes.saturating_mul(3) / 2 / 1024).unwrap_or(u32::MAX);
    let state = Arc::new(state.map_err(StoreError::corrupt)?);
    Ok(Built { version: row.version, state, weight: weight.max(1) })
}

/// What a state is folded from.
struct Gathering<'a> {
    store: &'a Store,
    account: AccountId,
    fold: Fold,
    bytes: usize,
}

enum Parsed {
    Manifest(Manifest),
    Catalog(Catalog),
    Sources(Sources),
}

fn parse(path: &str, bytes: &[u8]) -> Result<Parsed, InvalidArtifact> {
    Ok(match path {
        MANIFEST => Parsed::Manifest(Manifest::parse(bytes)?),
        CATALOG => Parsed::Catalog(Catalog::parse(bytes)?),
        _ => Parsed::Sources(Sources::parse(bytes)?),
    })
}

impl Gathering<'_> {
    async fn artifact(&mut self, path: &'static str, step: (i64, i64)) -> Result<(), StoreError> {
        let missing = || StoreError::Missing(format!("{path} of run {} is gone", step.0));
        let bytes = bytes_of_step(self.store, self.account, step, path).await?;
        let bytes = bytes.ok_or_else(missing)?;
        self.bytes += bytes.len();
        let run = run::Entity::find_by_id(step.0);
        let run = only(run, self.store.reader()).await?;
        let job = JobId::new(run.job_id).map_err(StoreError::corrupt)?;
        let run = RunId::new(step.0).map_err(StoreError::corrupt)?;
        let of = (run, u32::try_from(step.1).map_err(StoreError::corrupt)?);
        let parsed = tokio::task::spawn_blocking(move || parse(path, &bytes)).await;
        match parsed.map_err(StoreError::corrupt)?.map_err(StoreError::corrupt)? {
            Parsed::Manifest(manifest) => {
                self.fold.manifest(Invocation::new(of, job, &manifest.metadata), manifest);
            }
            Parsed::Catalog(catalog) => {
                self.fold.catalog(Invocation::new(of, job, &catalog.metadata), catalog);
            }
            Parsed::Sources(sources) => {
                self.fold.sources(Invocation::new(of, job, &sources.metadata), sources);
            }
        }
        Ok(())
    }

    /// The newest execution of each node, with the code that dbt made for it where that is there.
    async fn executions(&mut self, environment: i64) -> Result<(), StoreError> {
        let applied = applied_node::Entity::find()
            .filter(applied_node::Column::EnvironmentId.eq(environment));
        let newest = applied.clone().select_only().column(applied_node::Column::ExecutionId);
        let db = self.store.reader();
        let rows = node_execution::Entity::find()
            .filter(node_execution::Column::Id.in_subquery(newest.into_query()))
            .all(db)
            .await
            .map_err(StoreError::db)?;
        let applied = applied.all(db).await.map_err(StoreError::db)?;
        let successes: BTreeMap<_, _> = applied
            .into_iter()
            .map(|row| (row.unique_id, row.success_run_id.zip(row.success_job_id)))
            .collect();
        let invocations = Invocations::of(db, &rows).await?;
        let mut by_step: BTreeMap<(i64, i64), BTreeMap<String, Execution>> = BTreeMap::new();
        for row in rows {
            self.bytes += EXECUTION + row.message.as_ref().map_or(0, String::len);
            let step = (row.run_id, row.step);
            let mut execution = invocations.execution(&row)?;
            execution.last_success = match successes.get(&row.unique_id).copied().flatten() {
                Some((run, job)) => Some((
                    RunId::new(run).map_err(StoreError::corrupt)?,
                    JobId::new(job).map_err(StoreError::corrupt)?,
                )),
                None => None,
            };
            by_step.entry(step).or_default().insert(row.unique_id, execution);
        }
        for (step, mut executions) in by_step {
            self.code(step, &mut executions).await?;
            for (node, execution) in executions {
                self.fold.execution(Text::from(node.as_str()), execution);
            }
        }
        Ok(())
    }

    async fn code(
        &mut self,
        step: (i64, i64),
        executions: &mut BTreeMap<String, Execution>,
    ) -> Result<(), StoreError> {
        let bytes = bytes_of_step(self.store, self.account, step, RESULTS).await?;
        let Some(bytes) = bytes else { return Ok(()) };
        let results = tokio::task::spawn_blocking(move || RunResults::parse(&bytes)).await;
        let Ok(results) = results.map_err(StoreError::corrupt)? else { return Ok(()) };
        for result in results.results {
            if let Some(execution) = executions.get_mut(result.unique_id.as_str()) {
                self.bytes += result.compiled_code.as_ref().map_or(0, |code| code.len());
                execution.compiled_code = result.compiled_code;
            }
        }
        Ok(())
    }
}
