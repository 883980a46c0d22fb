//! `run …`.

use clap::{Args, Subcommand};
use domain::{JobId, RunId};

use super::ClientArgs;

/// `run …`
#[derive(Debug, Subcommand)]
pub(crate) enum RunCommand {
    /// Start a job
    Trigger(RunTriggerArgs),
    /// One run and its steps
    Show(RunShowArgs),
    /// The newest runs
    List(ClientArgs),
    /// A run's log; exit code 0 only if the run succeeded
    Logs(RunLogsArgs),
}

/// `run trigger`
#[derive(Debug, Args)]
pub(crate) struct RunTriggerArgs {
    #[command(flatten)]
    pub(crate) client: ClientArgs,
    /// The job's id
    pub(crate) job: JobId,
    /// Why
    #[arg(long, default_value = "narrowgate run trigger")]
    pub(crate) cause: String,
    /// Show the log as it comes, to the run's end
    #[arg(long)]
    pub(crate) follow: bool,
}

/// A run by its id.
#[derive(Debug, Args)]
pub(crate) struct RunShowArgs {
    #[command(flatten)]
    pub(crate) client: ClientArgs,
    /// The run's id
    pub(crate) id: RunId,
}

/// `run logs`
#[derive(Debug, Args)]
pub(crate) struct RunLogsArgs {
    #[command(flatten)]
    pub(crate) client: ClientArgs,
    /// The run's id
    pub(crate) id: RunId,
    /// Go on to the run's end
    #[arg(long)]
    pub(crate) follow: bool,
    /// dbt's own logs, with what it says for debugging, in place of its console
    #[arg(long, conflicts_with = "follow")]
    pub(crate) debug: bool,
}
