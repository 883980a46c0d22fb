//! Which server is asked, and as whom.

use clap::Args;
use domain::AccountId;

/// Which server, account and token.
#[derive(Debug, Args)]
pub(crate) struct ClientArgs {
    /// The server
    #[arg(long, env = "NARROWGATE_URL", default_value = "http://127.0.0.1:8580")]
    pub(crate) url: String,
    /// The account's id
    #[arg(long, env = "NARROWGATE_ACCOUNT")]
    pub(crate) account: AccountId,
    /// The token; better in the environment, where other users of the machine do not see it
    #[arg(long, env = "NARROWGATE_TOKEN", hide_env_values = true)]
    pub(crate) token: String,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}
