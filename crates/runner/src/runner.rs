//! The handle that a server holds.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use store::{DataDir, Store, StoreError};
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{
    abandoned,
    databases::Databases,
    folder,
    worker::{self, Workshop},
};

/// What a runner is told.
#[derive(Debug, Clone)]
pub struct RunnerConfig {
    /// The `dbt` program: a path, or a name to look for in `PATH`.
    pub dbt: PathBuf,
    /// The `git` program, likewise.
    pub git: PathBuf,
    /// The most runs that this process executes at once, all accounts together.
    pub workers: usize,
}

impl Default for RunnerConfig {
    fn default() -> Self {
        Self { dbt: "dbt".into(), git: "git".into(), workers: 4 }
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
    claiming: JoinHandle<()>,
    stop: DropGuard,
}

impl Runner {
    /// Fails abandoned runs (of every account) with a plain reason and clears up what they left on
    /// this machine, then starts claiming. At most one runner works on a data folder.
    ///
    /// # Errors
    /// [`RunnerError::Store`] if the store does not answer; [`RunnerError::Denied`] if the
    /// catalogue does not give `system:runner` the right to write runs.
    pub async fn start(store: Store, config: RunnerConfig) -> Result<Self, RunnerError> {
        let data_dir = DataDir::new(folder::absolute(store.data_dir().path()));
        abandoned::clear(&store, &data_dir).await?;
        let config = RunnerConfig {
            dbt: settled(&config.dbt),
            git: settled(&config.git),
            workers: config.workers.max(1),
        };
        let stop = CancellationToken::new();
        let workshop = Workshop {
            store,
            data_dir,
            config,
            databases: Databases::default(),
            stop: stop.clone(),
        };
        let claiming = tokio::spawn(worker::claim(Arc::new(workshop)));
        Ok(Self { claiming, stop: stop.drop_guard() })
    }

    /// Stops claiming and ends the runs under way: their process groups get SIGTERM, then SIGKILL
    /// after a grace of 5 s, and each ends as an error with the reason that the server was
    /// stopped. Returns when all is written.
    pub async fn stop(self) {
        drop(self.stop);
        if let Err(error) = self.claiming.await {
            tracing::error!(%error, "the runner did not stop in order");
        }
    }
}

/// A relative path with folders in it would mean something else in a run's own folder.
fn settled(program: &Path) -> PathBuf {
    match program.components().count() {
        0 | 1 => program.to_owned(),
        _ => std::path::absolute(program).unwrap_or_else(|_| program.to_owned()),
    }
}
