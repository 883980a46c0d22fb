//! Where new secrets go.

use std::path::PathBuf;

use clap::Args;

/// Where new secrets go.
#[derive(Debug, Args)]
pub(crate) struct SinkArgs {
    /// A file that only its owner reads
    #[arg(long, value_name = "FILE", conflicts_with_all = ["advised", "to_env"])]
    pub(crate) to_file: Option<PathBuf>,
    /// A folder with such a file for each token, named after its id
    #[arg(long, value_name = "DIR", requires = "advised", conflicts_with = "to_env")]
    pub(crate) to_dir: Option<PathBuf>,
    /// A file with lines such as `NARROWGATE_TOKEN_7=…`; its other lines stay
    #[arg(long, value_name = "FILE")]
    pub(crate) to_env: Option<PathBuf>,
    /// Show it, also on a terminal
    #[arg(long, conflicts_with = "advised")]
    pub(crate) show: bool,
}
