//! Where new secrets go.

use std::path::PathBuf;

use clap::Args;

/// Where the secret of one token goes. On a terminal it has to be said.
#[derive(Debug, Args)]
pub(crate) struct SinkArgs {
    /// Write the secret to a file that only its owner reads; one that is there already is refused
    #[arg(long, value_name = "FILE", conflicts_with = "to_env")]
    pub(crate) to_file: Option<PathBuf>,
    /// Write it to a file with lines such as `NARROWGATE_TOKEN_7=…`; its other lines stay
    #[arg(long, value_name = "FILE")]
    pub(crate) to_env: Option<PathBuf>,
    /// Write over files that are there
    #[arg(long)]
    pub(crate) overwrite: bool,
    /// Show it, also on a terminal
    #[arg(long, conflicts_with_all = ["to_file", "to_env"])]
    pub(crate) show: bool,
}

/// Where the secrets of many tokens go. It has to be said.
#[derive(Debug, Args)]
pub(crate) struct ManySecretsArgs {
    /// Write each new secret to a file of this folder that only its owner reads, named after the
    /// token's id
    #[arg(long, value_name = "DIR", conflicts_with = "to_env")]
    pub(crate) to_dir: Option<PathBuf>,
    /// Write them to a file with lines such as `NARROWGATE_TOKEN_7=…`; its other lines stay
    #[arg(long, value_name = "FILE")]
    pub(crate) to_env: Option<PathBuf>,
    /// Write over files that are there
    #[arg(long)]
    pub(crate) overwrite: bool,
}
