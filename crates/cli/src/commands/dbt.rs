//! `narrowgate dbt`: the versions of dbt that runs may ask for.

use std::process::ExitCode;

use store::DataDir;

use super::check_is_made;
use crate::{
    args::{DbtCommand, DbtInstallArgs, DbtListArgs},
    error::CliError,
    output,
};

pub(super) fn run(command: &DbtCommand) -> Result<ExitCode, CliError> {
    match command {
        DbtCommand::Install(args) => install(args),
        DbtCommand::List(args) => list(args),
    }
}

fn install(args: &DbtInstallArgs) -> Result<ExitCode, CliError> {
    let dir = DataDir::new(&args.data_dir);
    check_is_made(&dir)?;
    let made = runner::install_dbt(&dir, &args.python, &args.version, &args.adapters)?;
    let (name, version, program) = (made.name, made.version, made.program.display());
    output::line(format!("installed {version}: runs that ask for dbt {name} use {program}"));
    Ok(ExitCode::SUCCESS)
}

fn list(args: &DbtListArgs) -> Result<ExitCode, CliError> {
    let dir = DataDir::new(&args.data_dir);
    check_is_made(&dir)?;
    let found = runner::installed_dbts(&dir).into_iter();
    let rows = found.map(|dbt| [dbt.name, dbt.version, dbt.program.display().to_string()]);
    output::table(["asked for as", "version", "program"], rows);
    Ok(ExitCode::SUCCESS)
}
