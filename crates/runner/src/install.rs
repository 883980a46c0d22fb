//! Makes virtual environments with a dbt in them.

use std::{
    fs::{self, DirBuilder},
    io::ErrorKind,
    os::unix::fs::DirBuilderExt as _,
    path::Path,
    process::Command,
};

use store::DataDir;

use crate::{InstalledDbt, RunnerError, dbt::check_dbt, folder, versions};

/// Installs dbt Core of a version (`1.11`: its newest patch; `1.11.2`: that one) with adapters
/// (`duckdb`), by `python -m venv` and pip, in the data folder's `dbt/`. What they say goes to
/// standard error. An installation is there once it is whole; what fails leaves nothing.
///
/// # Errors
/// [`RunnerError::Install`] if the version or an adapter is no such name, it is installed already,
/// or a program fails; [`RunnerError::Program`] if what was installed is no dbt.
pub fn install_dbt(
    data_dir: &DataDir,
    python: &Path,
    version: &str,
    adapters: &[String],
) -> Result<InstalledDbt, RunnerError> {
    let packages = packages(version, adapters)?;
    let folder =
        folder::absolute(data_dir.path()).join(data_dir.dbt().file_name().unwrap_or_default());
    let folder = folder.join(version);
    let failed = |reason: String| RunnerError::Install(reason);
    if let Some(there) = versions::installed(data_dir, version) {
        let (name, is, place) = (there.name, there.version, folder.display());
        return Err(failed(format!(
            "dbt {name} is installed ({is}): remove `{place}` to renew it"
        )));
    }
    let made = make(&folder, python, &packages);
    if made.is_err()
        && let Err(error) = remove(&folder)
    {
        tracing::warn!(folder = %folder.display(), %error, "a half installation stays behind");
    }
    made?;
    versions::installed(data_dir, version)
        .ok_or_else(|| failed(format!("`{}` is gone", folder.display())))
}

fn make(folder: &Path, python: &Path, packages: &[String]) -> Result<(), RunnerError> {
    let unusable = |error: std::io::Error| {
        RunnerError::Install(format!("`{}` cannot be used: {error}", folder.display()))
    };
    remove(folder).map_err(unusable)?;
    // Open to read: runs may have a user of their own. The data folder decides who gets this far.
    DirBuilder::new().recursive(true).mode(0o755).create(folder).map_err(unusable)?;
    run(Command::new(python).args(["-m", "venv"]).arg(folder))?;
    let mut pip = Command::new(folder.join("bin/python"));
    run(pip
        .args(["-m", "pip", "install", "--disable-pip-version-check", "--quiet"])
        .args(packages))?;
    let version = check_dbt(&folder.join("bin/dbt"))?;
    versions::mark(folder, &version).map_err(unusable)
}

fn run(command: &mut Command) -> Result<(), RunnerError> {
    let program = command.get_program().to_string_lossy().into_owned();
    let arguments: Vec<_> = command.get_args().map(|word| word.to_string_lossy()).collect();
    let line = format!("`{program} {}`", arguments.join(" "));
    let failed = |reason: String| RunnerError::Install(format!("{line} {reason}"));
    // Standard output is for what the command tells a script.
    let status = command.stdout(std::io::stderr()).status();
    let status = status.map_err(|error| failed(format!("cannot be started: {error}")))?;
    if status.success() { Ok(()) } else { Err(failed("failed".to_owned())) }
}

fn remove(folder: &Path) -> std::io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// What pip is asked for.
fn packages(version: &str, adapters: &[String]) -> Result<Vec<String>, RunnerError> {
    let numbers: Vec<_> = version.split('.').collect();
    let is_number = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let core = match numbers.len() {
        2 if numbers.iter().all(is_number) => format!("dbt-core~={version}.0"),
        3 if numbers.iter().all(is_number) => format!("dbt-core=={version}"),
        _ => {
            let reason = format!("`{version}` is no version: write 1.11, or 1.11.2");
            return Err(RunnerError::Install(reason));
        }
    };
    let mut packages = vec![core];
    for adapter in adapters {
        let is_name = adapter.starts_with(|c: char| c.is_ascii_lowercase())
            && adapter.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if !is_name {
            let reason = format!("`{adapter}` is no adapter: write duckdb, postgres, snowflake …");
            return Err(RunnerError::Install(reason));
        }
        packages.push(format!("dbt-{adapter}"));
    }
    Ok(packages)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(version: &str, adapters: &[&str]) -> Result<Vec<String>, String> {
        let adapters: Vec<_> = adapters.iter().map(|name| (*name).to_owned()).collect();
        packages(version, &adapters).map_err(|error| error.to_string())
    }

    #[test]
    fn a_minor_version_is_its_newest_patch_and_nothing_else_reaches_pip() {
        assert_eq!(asked("1.11", &["duckdb"]).unwrap(), ["dbt-core~=1.11.0", "dbt-duckdb"]);
        assert_eq!(asked("1.11.2", &[]).unwrap(), ["dbt-core==1.11.2"]);
        for version in ["", "1", "latest", "1.11.2.3", "1..2", "../x", "1.11; x"] {
            assert!(asked(version, &[]).unwrap_err().contains("is no version"), "{version}");
        }
        for adapter in ["", "-r x", "--index-url", "Duck", "a b", "x==1"] {
            assert!(asked("1.11", &[adapter]).unwrap_err().contains("is no adapter"), "{adapter}");
        }
    }
}
