//! How a worker comes to a run: in order, as slots allow, one at a time for each job.

use std::collections::BTreeMap;

use domain::{
    RunId,
    adapter::FieldSecrets,
    authz::{Permit, Runs, Write},
    connection::Connection,
    environment::Environment,
    environment_variable::VariableName,
    job::Job,
    kept::Hidden,
    lease::{Lease, Worker},
    project::Project,
    repository::Repository,
    run::{Outcome, Run, RunState, RunStatus},
    ssh_tunnel::SshTunnel,
    warehouse_credential::{WarehouseCredential, WarehouseSecret},
};
use sea_orm::{
    ColumnTrait as _, Condition, EntityTrait as _, PaginatorTrait as _, QueryFilter as _,
    QuerySelect as _,
};

use serde_json::{Map, Value};

use super::{
    change::{end, save, under_way},
    deferral, find, lease,
};
use crate::{
    Store, StoreError,
    entities::{
        account,
        run::{Column, Entity},
    },
    environment_variables, environments, jobs,
    profiles::{self, Connecting},
    projects, repositories,
    rows::of_account,
    tx::Tx,
};

/// A run that a worker has claimed, with all it needs.
#[derive(Debug, Clone)]
pub struct ClaimedRun {
    /// The worker's hold on it.
    pub lease: Lease,
    /// The run, starting.
    pub run: Run,
    /// Its job.
    pub job: Job,
    /// Its project.
    pub project: Project,
    /// Its environment.
    pub environment: Environment,
    /// The project's repository.
    pub repository: Option<Repository>,
    /// The private key that git gets in with, if that is by SSH with a deploy key.
    pub deploy_key: Option<Hidden>,
    /// The token that git gets in with by HTTPS.
    pub git_token: Option<Hidden>,
    /// The connection of the environment's profile, or else the environment's, or else the
    /// project's.
    pub connection: Option<Connection>,
    /// The SSH tunnel that leads to the connection's data platform.
    pub tunnel: Option<SshTunnel>,
    /// The private key that logs in to the machine between.
    pub tunnel_key: Option<Hidden>,
    /// The connection's secrets, unsealed.
    pub connection_secrets: FieldSecrets,
    /// The credential of the environment's profile, or else the environment's.
    pub credential: Option<WarehouseCredential>,
    /// The credential's secret, unsealed.
    pub secret: Option<WarehouseSecret>,
    /// Keys that go into `profiles.yml` over connection and credential.
    pub attributes: Map<String, Value>,
    /// The environment variables that dbt is given, secrets unsealed.
    pub variables: BTreeMap<VariableName, Hidden>,
}

impl Store {
    /// Claims the account's next queued run for a worker, which gets a lease of it, if a slot is
    /// free: of the project that has the fewest runs under way, the oldest. One whose job has a run
    /// under way waits for that (runs for pull requests need not).
    ///
    /// A run that cannot be made ready, such as one whose secret the keyring cannot open, ends as
    /// an error and does not keep those behind it waiting.
    ///
    /// # Errors
    /// [`StoreError::Denied`] if the permit is not the runner's, [`StoreError::Unavailable`].
    pub async fn claim_run(
        &self,
        permit: &Permit<Write, Runs>,
        worker: &Worker,
    ) -> Result<Option<ClaimedRun>, StoreError> {
        if !self.has_queued_run(permit).await? {
            return Ok(None);
        }
        loop {
            let mut tx = self.begin_work(permit).await?;
            let Some(queued) = next(&tx).await? else { return Ok(None) };
            let state = RunState::Starting { dequeued_at: tx.now() };
            let run = Run { state, updated_at: tx.now(), ..queued.clone() };
            save(&tx, queued.state, &run).await?;
            let lease = lease::take(&tx, run.id, worker).await?;
            match with_all_it_needs(&tx, self, lease, run.clone()).await {
                Ok(claimed) => {
                    tx.commit_unrecorded().await?;
                    return Ok(Some(claimed));
                }
                Err(error @ (StoreError::NotFound | StoreError::Corrupt(_))) => {
                    tracing::error!(run = %run.id, %error, "a run cannot be made ready");
                    end(&mut tx, run, Outcome::Error, UNREADY).await?;
                    tx.commit().await?;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// A glance without a transaction, so that an idle worker never keeps writers waiting.
    async fn has_queued_run(&self, permit: &Permit<Write, Runs>) -> Result<bool, StoreError> {
        let queued = Entity::find()
            .filter(Column::AccountId.eq(permit.account().get()))
            .filter(Column::Status.eq(i64::from(RunStatus::QUEUED.code())))
            .limit(1)
            .count(self.reader());
        Ok(queued.await.map_err(StoreError::db)? > 0)
    }
}

/// What a run says that cannot be made ready; the reason is for the log alone.
const UNREADY: &str = "what the run needs cannot be read: see the server's log";

/// The next queued run that need not wait, if a slot is free and the account is not locked. No
/// project has to wait behind another's long queue: fewest runs under way first, then the oldest.
async fn next(tx: &Tx) -> Result<Option<Run>, StoreError> {
    let under_way = under_way(tx).await?;
    let slots: Option<i32> = account::Entity::find_by_id(tx.account().get())
        .filter(account::Column::Locked.eq(false))
        .select_only()
        .column(account::Column::RunSlots)
        .into_tuple()
        .one(tx.db())
        .await
        .map_err(StoreError::db)?;
    let slots = usize::try_from(slots.unwrap_or(0)).unwrap_or(0);
    if under_way.len() >= slots {
        return Ok(None);
    }
    let busy = under_way.iter().map(|run| run.job.get());
    let oldest: Vec<(i64, i64)> = of_account::<Entity>(Column::AccountId, tx.account())
        .filter(Column::Status.eq(i64::from(RunStatus::QUEUED.code())))
        .filter(
            Condition::any()
                .add(Column::ForPullRequest.eq(true))
                .add(Column::JobId.is_not_in(busy)),
        )
        .select_only()
        .column(Column::ProjectId)
        .column_as(Column::Id.min(), "oldest")
        .group_by(Column::ProjectId)
        .into_tuple()
        .all(tx.db())
        .await
        .map_err(StoreError::db)?;
    let holds = |project: i64| under_way.iter().filter(|run| run.project.get() == project).count();
    let next = oldest.into_iter().min_by_key(|(project, run)| (holds(*project), *run));
    let Some((_, run)) = next else { return Ok(None) };
    let run = RunId::new(run).map_err(StoreError::corrupt)?;
    find(tx.db(), tx.account(), run).await.map(Some)
}

/// Everything that a worker has to know of a run. It is all there: what a queued run needs is not
/// deleted, or takes the run along.
async fn with_all_it_needs(
    tx: &Tx,
    store: &Store,
    lease: Lease,
    run: Run,
) -> Result<ClaimedRun, StoreError> {
    let account = tx.account();
    let job = jobs::find(tx.db(), account, run.job).await?;
    let run = deferral::settle(tx, run, &job).await?;
    let environment = environments::find(tx.db(), account, run.environment).await?;
    let project = projects::find(tx.db(), account, run.project).await?;
    let repository = match project.spec.repository {
        Some(id) => Some(repositories::find(tx.db(), account, id).await?),
        None => None,
    };
    let (deploy_key, git_token) = match &repository {
        Some(repository) => (
            repositories::deploy_key(tx, repository).await?,
            repositories::git_token(tx, repository).await?,
        ),
        None => (None, None),
    };
    let Connecting {
        connection,
        tunnel,
        tunnel_key,
        connection_secrets,
        credential,
        secret,
        attributes,
    } = profiles::of_run(store, tx, (&environment, &project)).await?;
    let variables = environment_variables::of_run(store, tx, &run).await?;
    Ok(ClaimedRun {
        lease,
        run,
        job,
        project,
        environment,
        repository,
        deploy_key,
        git_token,
        connection,
        tunnel,
        tunnel_key,
        connection_secrets,
        credential,
        secret,
        attributes,
        variables,
    })
}
