//! The `dbt` program: how it is called, and what its end means.

use std::{
    os::unix::process::ExitStatusExt as _,
    path::Path,
    process::{Command as StdCommand, Stdio},
};

use tokio::process::Command;

use crate::{
    RunnerError,
    limits::Bounds,
    process::End,
    profile::{self, Profile},
};

/// Asks a `dbt` program for its version, such as `1.11.2`.
///
/// # Errors
/// [`RunnerError::Program`] if it cannot be started, fails, or does not say a version.
pub fn check_dbt(program: &Path) -> Result<String, RunnerError> {
    let wrong =
        |reason: String| RunnerError::Program { program: program.display().to_string(), reason };
    let mut command = StdCommand::new(program);
    command.arg("--version").stdin(Stdio::null());
    command.env("DBT_SEND_ANONYMOUS_USAGE_STATS", "false").env("DBT_USE_COLORS", "false");
    let output = command.output().map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => wrong("is not there: install dbt or name its path".into()),
        _ => wrong(format!("cannot be started: {error}")),
    })?;
    let text = String::from_utf8_lossy(&output.stdout);
    version(&text)
        .filter(|_| output.status.success())
        .ok_or_else(|| wrong("is no dbt: it does not answer `--version` with a version".into()))
}

/// The installed version in what `dbt --version` says: `  - installed: 1.11.2` of dbt Core, or
/// `dbt 2.0.1` of its successor.
fn version(text: &str) -> Option<String> {
    let installed = text.lines().find_map(|line| line.trim().strip_prefix("- installed:"));
    let stated = installed.or_else(|| {
        let first = text.lines().next()?;
        first.starts_with("dbt").then(|| first.split_whitespace().last()).flatten()
    })?;
    let version = stated.split_whitespace().next()?;
    version.starts_with(|c: char| c.is_ascii_digit()).then(|| version.to_owned())
}

/// Makes a dbt command of a run one with these arguments, in its project's folder, with its own log
/// in the folder `log`.
pub(crate) fn invocation(
    command: &mut Command,
    arguments: &[String],
    project: &Path,
    profile: &Profile,
    log: &Path,
) {
    command.args(arguments).current_dir(project).env("DBT_PROFILE", profile::NAME);
    command.env("DBT_LOG_PATH", log).env("DBT_LOG_FORMAT_FILE", "json");
    command.env("DBT_LOG_LEVEL_FILE", "debug");
    command.envs(profile.secrets.iter().map(|(name, secret)| (name, secret.reveal())));
}

/// What a program says when the disk is full (ENOSPC).
pub(crate) const NO_SPACE: &str = "No space left on device";

/// What dbt's end means; `Ok` if it did what it was asked to.
///
/// # Errors
/// A sentence, by dbt's documented exit codes; it names the bound that dbt ran into, if it did, or
/// that the disk is full.
pub(crate) fn verdict(end: &End, bounds: &Bounds) -> Result<(), String> {
    let (code, signal) = (end.status.code(), end.status.signal());
    let failure = match (code, signal) {
        (Some(0), _) => return Ok(()),
        (Some(1), _) => {
            "dbt ended with code 1: what it ran has failed, its log says where".to_owned()
        }
        (Some(2), _) => "dbt ended with code 2: it could not run, its log says why".to_owned(),
        (Some(code), _) => format!("dbt ended with code {code}"),
        (None, signal) => format!("dbt was ended by signal {}", signal.unwrap_or(0)),
    };
    Err(match bounds.met(signal, &end.last_words) {
        Some(bound) => format!("{failure}; {bound}"),
        None if end.last_words.contains(NO_SPACE) => {
            format!("{failure}; there is no space left on the runner's disk")
        }
        None => failure,
    })
}

#[cfg(test)]
mod tests {
    use std::process::ExitStatus;

    use super::*;
    use crate::limits::Limits;

    #[test]
    fn the_version_is_the_installed_one() {
        let core = "Core:\n  - installed: 1.11.2\n  - latest:    1.11.4 - Update available!\n";
        assert_eq!(version(core).as_deref(), Some("1.11.2"));
        assert_eq!(version("dbt 2.0.1").as_deref(), Some("2.0.1"));
        assert_eq!(version("GNU bash, version 5.2"), None);
        assert_eq!(version(""), None);
    }

    #[test]
    fn a_program_that_is_not_there_is_told_by_name() {
        let error = check_dbt(Path::new("/nowhere/dbt")).unwrap_err().to_string();
        assert_eq!(error, "`/nowhere/dbt` is not there: install dbt or name its path");
    }

    #[test]
    fn a_program_that_is_no_dbt_is_told_so() {
        let error = check_dbt(Path::new("true")).unwrap_err().to_string();
        assert_eq!(error, "`true` is no dbt: it does not answer `--version` with a version");
    }

    #[test]
    fn only_code_0_is_success() {
        let bounds = Bounds::of(Limits { max_file_size_mib: 7, ..Limits::default() });
        let verdict = |raw: i32, said: &str| {
            let end = End { status: ExitStatus::from_raw(raw), last_words: said.to_owned() };
            verdict(&end, &bounds)
        };
        assert_eq!(verdict(0, "File too large"), Ok(()));
        assert!(verdict(1 << 8, "").unwrap_err().contains("code 1"));
        assert!(verdict(2 << 8, "").unwrap_err().contains("code 2"));
        assert_eq!(verdict(9, "").unwrap_err(), "dbt was ended by signal 9");
        let full = verdict(1 << 8, "[Errno 28] No space left on device").unwrap_err();
        assert!(full.ends_with("; there is no space left on the runner's disk"), "{full}");
        let told = verdict(25, "").unwrap_err();
        assert!(
            told.starts_with("dbt was ended by signal 25; it met the runner's bound"),
            "{told}"
        );
    }
}
