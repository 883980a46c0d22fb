//! Executes runs: git checkout, `profiles.yml`, the `dbt` process, its log and its artifacts.
//!
//! This crate knows how a claimed run is carried out on this machine. It must never know HTTP
//! routes or SQL, nor decide who may do what: it acts as the principal `system:runner`, with the
//! rights of that row of the catalogue, and shows the store a permit like everyone else.
//!
//! A run travels like this. The worker asks the store for the next one of each account
//! while slots are free. A plan names its steps: clone, profile, `dbt deps`, then the
//! job's own. Each step that starts a program goes through `process`, which puts it into a process
//! group of its own, merges what it says into the step's log, and ends the whole group when the
//! run is interrupted: cancelled, out of time, or the server stops. What a step left
//! in `target/` is kept as artifacts of that step. All a run needs on disk is one private
//! folder in the data folder, removed when the run ends.
//!
//! Several runners may work on one data folder. Each holds its runs by a lease that it renews
//! (`lease`); a run whose worker is dead is found by the others (`reaper`), which clear up what it
//! left and end the run, or queue it again if nothing of it had begun.
//!
//! ```no_run
//! # async fn serve(store: store::Store) -> Result<(), runner::RunnerError> {
//! use runner::{Runner, RunnerConfig};
//!
//! let runner = Runner::start(store, RunnerConfig::default()).await?;
//! // … until the server is asked to stop:
//! runner.stop().await;
//! # Ok(())
//! # }
//! ```

mod artifacts;
mod checkout;
mod clones;
mod dbt;
mod dbt_log;
mod execution;
mod folder;
mod git;
mod install;
mod interrupt;
mod lease;
mod leftovers;
mod limits;
mod lines;
mod log;
mod plan;
mod process;
mod profile;
mod program;
mod progress;
mod reaper;
mod run_user;
mod runner;
mod sandbox;
mod secret_file;
mod surroundings;
mod tunnel;
mod versions;
mod worker;

pub use dbt::check_dbt;
pub use install::install_dbt;
pub use limits::Limits;
pub use program::find_program;
pub use runner::{Runner, RunnerConfig, RunnerError};
pub use sandbox::{InvalidSandboxMode, SandboxMode};
pub use versions::{DbtVersions, InstalledDbt, installed_dbts};
