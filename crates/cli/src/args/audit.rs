//! `audit …`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use domain::AccountId;

/// `audit …`
#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// Walk every account's chain of audit records, on the server's machine
    Verify(AuditVerifyArgs),
}

/// `audit verify`
#[derive(Debug, Args)]
pub(crate) struct AuditVerifyArgs {
    /// The folder that holds everything
    #[arg(long, env = "NARROWGATE_DATA_DIR", value_name = "DIR", required_unless_present = "file")]
    pub(crate) data_dir: Option<PathBuf>,
    /// The keyring file; `keyring.json` in the data folder unless given
    #[arg(long, env = "NARROWGATE_KEYRING", value_name = "FILE")]
    pub(crate) keyring: Option<PathBuf>,
    /// One account only
    #[arg(long)]
    pub(crate) account: Option<AccountId>,
    /// An export's file instead of a data folder's chains
    #[arg(long, value_name = "EXPORT", conflicts_with = "account")]
    pub(crate) file: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}
