//! `dbt …`: versions of dbt.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `dbt …`
#[derive(Debug, Subcommand)]
pub(crate) enum DbtCommand {
    /// Install a version into the data folder, by python's venv and pip
    #[command(after_help = "\
Example: the newest dbt Core 1.11 with two adapters
  narrowgate dbt install 1.11 --adapter duckdb --adapter snowflake --data-dir data

Runs whose trigger, job or environment asks for `dbt_version` 1.11 (or 1.11.2, 1.11.0-latest) use it
from then on, without a restart. `latest` stays the program of --dbt. Programs that are installed
elsewhere stand in the TOML file:
  [dbt_versions]
  \"1.10\" = \"/opt/dbt-1.10/bin/dbt\"
Once there is one of either, a version that has none ends its run with that reason.")]
    Install(DbtInstallArgs),
    /// What is installed
    List(DbtListArgs),
}

/// `dbt install`
#[derive(Debug, Args)]
pub(crate) struct DbtInstallArgs {
    /// 1.11 for its newest patch, 1.11.2 for that one
    pub(crate) version: String,
    /// duckdb, postgres, snowflake, …: the package dbt-NAME; may be repeated
    #[arg(long = "adapter", value_name = "NAME", default_values = ["duckdb", "postgres"])]
    pub(crate) adapters: Vec<String>,
    /// The Python that it is made with
    #[arg(long, value_name = "PATH", default_value = "python3")]
    pub(crate) python: PathBuf,
    /// The folder that holds everything
    #[arg(long, env = "NARROWGATE_DATA_DIR", value_name = "DIR")]
    pub(crate) data_dir: PathBuf,
}

/// `dbt list`
#[derive(Debug, Args)]
pub(crate) struct DbtListArgs {
    /// The folder that holds everything
    #[arg(long, env = "NARROWGATE_DATA_DIR", value_name = "DIR")]
    pub(crate) data_dir: PathBuf,
}
