//! The handle that a server holds.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use domain::lease::Worker;
use store::{DataDir, Store, StoreError};
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{
    folder,
    limits::{Bounds, Limits},
    reaper,
    run_user::RunUser,
    sandbox::{Sandbox, SandboxMode},
    versions::DbtVersions,
    worker::{self, Workshop},
};

/// What a runner is told.
#[derive(Debug, Clone)]
pub struct RunnerConfig {
    /// The `dbt` program: a path, or a name to look for in `PATH`.
    pub dbt: PathBuf,
    /// Programs for versions of dbt that runs ask for, beside those that are installed in the data
    /// folder; where there are neither, all runs take [`RunnerConfig::dbt`].
    pub dbt_versions: DbtVersions,
    /// The `git` program, likewise.
    pub git: PathBuf,
    /// The most runs that this process executes at once, all accounts together.
    pub workers: usize,
    /// What each program of a run may take of the machine.
    pub limits: Limits,
    /// How large the clones that are kept of repositories may be, all together, in MiB; 0 keeps none.
    pub max_clones_mib: u64,
    /// The user that executes dbt, by name, number or `uid:gid`; the server's own unless given.
    pub run_as: Option<String>,
    /// Whether dbt runs in a sandbox.
    pub sandbox: SandboxMode,
    /// Files and folders outside of the data folder that are not there in the sandbox, such as the
    /// keyring.
    pub hidden: Vec<PathBuf>,
    /// After how long without an answer its runs are taken for abandoned, by others; in tests less
    /// than [`Worker::LEASE`].
    pub lease: Duration,
}

impl Default for RunnerConfig {
    fn default() -> Self {
        Self {
            dbt: "dbt".into(),
            dbt_versions: DbtVersions::new(),
            git: "git".into(),
            workers: 4,
            limits: Limits::default(),
            max_clones_mib: 10_240,
            run_as: None,
            sandbox: SandboxMode::Off,
            hidden: Vec::new(),
            lease: Worker::LEASE,
        }
    }
}

/// Why a runner cannot do its work.
#[derive(Debug, thiserror::Error)]
pub enum RunnerError {
    /// The store does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The catalogue does not let the runner do its work.
    #[error("the runner may not do its work: {0}")]
    Denied(#[from] domain::authz::Denied),
    /// Runs cannot be executed by this user.
    #[error("`run_as` cannot be `{user}`: {reason}")]
    RunAs {
        /// As it was configured.
        user: String,
        /// Why.
        reason: String,
    },
    /// There is no sandbox on this machine, and there has to be one.
    #[error("`sandbox` cannot be `bubblewrap`: {0}")]
    Sandbox(String),
    /// A dbt cannot be installed.
    #[error("dbt cannot be installed: {0}")]
    Install(String),
    /// A program cannot be started, or is not what it should be.
    #[error("`{program}` {reason}")]
    Program {
        /// As it was configured.
        program: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// Executes runs until it is stopped. Dropping it stops it too, without waiting.
#[derive(Debug)]
pub struct Runner {
    tasks: Vec<JoinHandle<()>>,
    stop: DropGuard,
}

impl Runner {
    /// Begins to claim and execute runs, and to look for those whose worker is dead. Any number of
    /// runners, in any number of processes of this machine, may work on a data folder.
    ///
    /// # Errors
    /// [`RunnerError::Store`] if the store does not answer; [`RunnerError::Denied`] if the
    /// catalogue does not give `system:runner` the right to write runs; [`RunnerError::RunAs`] and
    /// [`RunnerError::Sandbox`] if runs cannot be kept apart as it is asked for.
    pub async fn start(store: Store, config: RunnerConfig) -> Result<Self, RunnerError> {
        worker::permits(&store).await?;
        let mut worker = Worker::of_process(std::process::id(), store.clock().now());
        worker.lease = config.lease;
        let config = RunnerConfig {
            dbt: settled(&config.dbt),
            dbt_versions: config
                .dbt_versions
                .iter()
                .map(|(version, program)| (version.clone(), settled(program)))
                .collect(),
            git: settled(&config.git),
            workers: config.workers.max(1),
            ..config
        };
        let bounds = Bounds::of(config.limits);
        tracing::info!("programs of runs are bounded: {bounds}");
        let data_dir = data_dir(&store);
        let (user, sandbox) = isolated(&config, &data_dir).await?;
        let stop = CancellationToken::new();
        let reaping = reap(&store, &stop);
        let workshop =
            Workshop { store, data_dir, config, bounds, user, sandbox, worker, stop: stop.clone() };
        let workshop = Arc::new(workshop);
        workshop.evict_clones();
        let claiming = tokio::spawn(worker::claim(workshop));
        Ok(Self { tasks: vec![claiming, reaping], stop: stop.drop_guard() })
    }

    /// Executes nothing, and looks for runs whose worker is dead: for a server whose runners are
    /// other processes, so that runs end also when none of those is left.
    ///
    /// # Errors
    /// As [`Runner::start`].
    pub async fn watch(store: &Store) -> Result<Self, RunnerError> {
        worker::permits(store).await?;
        let stop = CancellationToken::new();
        Ok(Self { tasks: vec![reap(store, &stop)], stop: stop.drop_guard() })
    }

    /// Stops claiming and ends the runs under way: their process groups get SIGTERM, then SIGKILL
    /// after a grace of 5 s, and each ends as an error with the reason that the server was
    /// stopped; one of which nothing has begun goes back into the queue. Returns when all is
    /// written, and no lease is held.
    pub async fn stop(self) {
        drop(self.stop);
        for task in self.tasks {
            if let Err(error) = task.await {
                tracing::error!(%error, "the runner did not stop in order");
            }
        }
    }
}

/// Who executes dbt and in what, and a line that tells it.
async fn isolated(
    config: &RunnerConfig,
    data_dir: &DataDir,
) -> Result<(Option<RunUser>, Option<Sandbox>), RunnerError> {
    let user = match &config.run_as {
        Some(name) => Some(
            RunUser::prepare(name, data_dir)
                .await
                .map_err(|reason| RunnerError::RunAs { user: name.clone(), reason })?,
        ),
        None => None,
    };
    let sandbox = match config.sandbox {
        SandboxMode::Off => Err("it is off".to_owned()),
        SandboxMode::Auto | SandboxMode::Bubblewrap => {
            Sandbox::prepare(data_dir.path(), &config.hidden, user).await
        }
    };
    match (&config.run_as, &sandbox) {
        (_, Err(reason)) if config.sandbox == SandboxMode::Bubblewrap => {
            return Err(RunnerError::Sandbox(reason.clone()));
        }
        (Some(name), Ok(_)) => {
            tracing::info!("runs are executed in bubblewrap, as user {name}, each by itself");
        }
        (None, Ok(_)) => {
            tracing::info!("runs are executed in bubblewrap, each by itself, as the server's user");
        }
        (Some(name), Err(reason)) => tracing::info!(
            "runs are executed as user {name}, who cannot read keys and database; in no sandbox: {reason}"
        ),
        (None, Err(reason)) => tracing::warn!(
            "runs can read the server's data folder: see docs/isolation.md; in no sandbox: {reason}"
        ),
    }
    Ok((user, sandbox.ok()))
}

fn reap(store: &Store, stop: &CancellationToken) -> JoinHandle<()> {
    tokio::spawn(reaper::watch(store.clone(), data_dir(store), stop.clone()))
}

/// The store's folder, as a process in any folder sees it.
fn data_dir(store: &Store) -> DataDir {
    DataDir::new(folder::absolute(store.data_dir().path()))
}

/// A relative path with folders in it would mean something else in a run's own folder.
fn settled(program: &Path) -> PathBuf {
    match program.components().count() {
        0 | 1 => program.to_owned(),
        _ => std::path::absolute(program).unwrap_or_else(|_| program.to_owned()),
    }
}
