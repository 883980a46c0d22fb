//! The environment variables that a run's programs are given.

use std::{collections::BTreeMap, ffi::OsStr, path::Path};

use domain::{LeaseId, RunId, environment_variable::VariableName, kept::Hidden, run::Run};
use tokio::process::Command;

use crate::{
    folder::RunFolder,
    limits::Bounds,
    program::find_program,
    run_user::RunUser,
    sandbox::{Sandbox, Warehouse},
};

/// The run of a process.
const RUN: &str = "NARROWGATE_RUN_ID";
/// The lease under which a process was started, so that those of a dead worker can be found.
const LEASE: &str = "NARROWGATE_LEASE_ID";
/// The data folder of the server that started a process.
pub(crate) const DATA_DIR: &str = "NARROWGATE_DATA_DIR";

/// The way to the network, where a machine has a proxy or certificates of its own.
const NETWORK: [&str; 10] = [
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
    "GIT_SSL_CAINFO",
];

/// What git needs of the server's own set-up to log in elsewhere.
const LOGIN: [&str; 6] =
    ["HOME", "USER", "LOGNAME", "XDG_CONFIG_HOME", "SSH_AUTH_SOCK", "GIT_SSH_COMMAND"];

/// Whose process it is, and what it may take of the machine.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Marks<'a> {
    pub(crate) run: RunId,
    pub(crate) lease: LeaseId,
    pub(crate) data_dir: &'a Path,
    pub(crate) bounds: &'a Bounds,
    /// Who executes dbt, if not the server's user.
    pub(crate) user: Option<RunUser>,
    /// What dbt runs in, if anything.
    pub(crate) sandbox: Option<&'a Sandbox>,
}

/// A git command, with the server's own login and nothing that would point it elsewhere.
pub(crate) fn git(program: &Path, marks: Marks<'_>, folder: &RunFolder) -> Command {
    let mut command = bare(marks.bounds.command(program), marks);
    command.envs(inherited(&LOGIN)).current_dir(folder.root());
    command.env("GIT_TERMINAL_PROMPT", "0");
    command.env("TMPDIR", folder.temporary());
    command
}

/// An ssh command, for a tunnel.
pub(crate) fn ssh(marks: Marks<'_>, folder: &RunFolder) -> Command {
    let mut command = bare(marks.bounds.command(Path::new("ssh")), marks);
    command.current_dir(folder.root());
    command
}

/// A dbt command, which sees nothing of the server's environment but the way to programs and to
/// the network, and what the project gives its runs.
pub(crate) fn dbt(
    program: &Path,
    marks: Marks<'_>,
    folder: &RunFolder,
    warehouse: Option<&Warehouse>,
    variables: &BTreeMap<VariableName, Hidden>,
) -> Command {
    let within = marks.sandbox.map(|sandbox| {
        let found = find_program(program).unwrap_or_else(|| program.to_owned());
        sandbox.words(folder, warehouse, &found)
    });
    let command = marks.bounds.command_in(&within.unwrap_or_default(), program);
    let mut command = bare(command, marks);
    if let Some(user) = marks.user {
        user.puts_on(&mut command);
    }
    // First, so that they take the place of none of ours.
    command.envs(variables.iter().map(|(name, value)| (name.as_str(), value.reveal())));
    command
        .env("HOME", folder.home())
        .env("TMPDIR", folder.temporary())
        .env("DBT_PROFILES_DIR", folder.profiles())
        .env("DBT_TARGET_PATH", "target")
        .env("DBT_SEND_ANONYMOUS_USAGE_STATS", "false")
        .env("DO_NOT_TRACK", "1")
        .env("DBT_USE_COLORS", "false")
        .env("PYTHONUNBUFFERED", "1");
    command
}

/// Which run it is, by dbt Cloud's names: for macros (`env_var`), and copied by dbt into the `env` of
/// its artifacts' metadata, where dagster-dbt looks for `DBT_CLOUD_RUN_ID`.
pub(crate) fn identity(run: &Run) -> impl Iterator<Item = (String, String)> {
    let ids = [
        ("ACCOUNT", run.account.to_string()),
        ("PROJECT", run.project.to_string()),
        ("ENVIRONMENT", run.environment.to_string()),
        ("JOB", run.job.to_string()),
        ("RUN", run.id.to_string()),
    ];
    ids.into_iter().flat_map(|(noun, id)| {
        let name = format!("DBT_CLOUD_{noun}_ID");
        [(format!("DBT_ENV_CUSTOM_ENV_{name}"), id.clone()), (name, id)]
    })
}

fn bare(mut command: Command, marks: Marks<'_>) -> Command {
    command
        .env_clear()
        .envs(inherited(&["PATH"]))
        .envs(inherited(&NETWORK))
        .env("LANG", "C.UTF-8")
        .env(RUN, marks.run.to_string())
        .env(LEASE, marks.lease.to_string())
        .env(DATA_DIR, marks.data_dir);
    command
}

fn inherited<'a>(names: &'a [&'a str]) -> impl Iterator<Item = (&'a str, impl AsRef<OsStr>)> {
    names.iter().filter_map(|name| Some((*name, std::env::var_os(name)?)))
}

/// What stands in `/proc/PID/environ` for a process of this data folder and lease.
pub(crate) fn marks_in_environ(data_dir: &Path, lease: LeaseId) -> [Vec<u8>; 2] {
    let folder = [DATA_DIR.as_bytes(), b"=", data_dir.as_os_str().as_encoded_bytes()].concat();
    [folder, format!("{LEASE}={lease}").into_bytes()]
}
