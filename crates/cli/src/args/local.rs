//! What is asked of a data folder on this machine: `init`, `sign-in-link`, `demo`, `dev-cert`.

use std::path::PathBuf;

use clap::Args;
use domain::{AccountId, Name, Plan, user::Email};

use super::SinkArgs;

/// Where the data is.
#[derive(Debug, Args)]
pub(crate) struct DataDirArgs {
    /// The folder that holds everything
    #[arg(long, env = "NARROWGATE_DATA_DIR", value_name = "DIR")]
    pub(crate) data_dir: PathBuf,
    /// The keyring file; `keyring.json` in the data folder unless given
    #[arg(long, env = "NARROWGATE_KEYRING", value_name = "FILE")]
    pub(crate) keyring: Option<PathBuf>,
}

/// `init`
#[derive(Debug, Args)]
#[command(after_help = "\
A second `init` on the same folder adds an account. The admin's token goes to a file, or (--show) is
shown once, and ends by itself after 30 days: make another before.
  narrowgate init --data-dir data --account-name Acme --admin-email ada@example.com --to-env .env
writes NARROWGATE_TOKEN=… to .env, which client commands read from the environment.")]
pub(crate) struct InitArgs {
    #[command(flatten)]
    pub(crate) data: DataDirArgs,
    /// What the account is called
    #[arg(long, value_parser = name)]
    pub(crate) account_name: Name,
    /// developer, starter, team or enterprise: which permission sets tokens may carry
    #[arg(long, default_value = "enterprise")]
    pub(crate) plan: Plan,
    /// The first admin: Developer licence, Account Admin
    #[arg(long, value_parser = Email::parse)]
    pub(crate) admin_email: Email,
    /// What the sign-in link begins with
    #[arg(
        long,
        env = "NARROWGATE_PUBLIC_URL",
        value_name = "URL",
        default_value = "http://127.0.0.1:8580"
    )]
    pub(crate) public_url: String,
    #[command(flatten)]
    pub(crate) sink: SinkArgs,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

/// `sign-in-link`
#[derive(Debug, Args)]
#[command(after_help = "\
For whoever has no password yet, or lost it. The link is good once, for 7 days; an earlier one of the
same user ends, and once it is used, so do their sessions.")]
pub(crate) struct SignInLinkArgs {
    #[command(flatten)]
    pub(crate) data: DataDirArgs,
    /// The account's id
    #[arg(long, default_value = "1")]
    pub(crate) account: AccountId,
    /// Whose link it is: a user of the account
    #[arg(long, value_parser = Email::parse)]
    pub(crate) email: Email,
    /// Takes their second factor away, too: for whoever lost it and the recovery codes
    #[arg(long)]
    pub(crate) forget_second_factor: bool,
    /// What the link begins with
    #[arg(
        long,
        env = "NARROWGATE_PUBLIC_URL",
        value_name = "URL",
        default_value = "http://127.0.0.1:8580"
    )]
    pub(crate) public_url: String,
}

/// `demo`
#[derive(Debug, Args)]
#[command(after_help = "\
A second demo on the same folder adds an account of its own; remove the folder to start anew.")]
pub(crate) struct DemoArgs {
    /// The demo's own data folder
    #[arg(long, value_name = "DIR", default_value = "demo-data")]
    pub(crate) data_dir: PathBuf,
    /// The address to listen on
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8580")]
    pub(crate) listen: std::net::SocketAddr,
    /// The dbt program
    #[arg(long, value_name = "PATH", default_value = "dbt", env = "NARROWGATE_DBT")]
    pub(crate) dbt: PathBuf,
    /// The dbt project to show
    #[arg(long, value_name = "DIR", default_value = "examples/shop")]
    pub(crate) example: PathBuf,
    /// End after the runs instead of serving on
    #[arg(long)]
    pub(crate) exit: bool,
}

/// `dev-cert`
#[derive(Debug, Args)]
#[command(after_help = "\
Writes ca.pem (let clients trust it), ca-key.pem, cert.pem and key.pem. A second call on the same
folder keeps the authority and makes a new certificate, which a running server takes up by itself.
The authority is for this machine's tests: whoever holds ca-key.pem can pose as any server to a
client that trusts ca.pem.
Example:
  narrowgate dev-cert --out tls --name metadata.localhost
  narrowgate serve --data-dir data --tls-cert tls/cert.pem --tls-key tls/key.pem
  SSL_CERT_FILE=tls/ca.pem NARROWGATE_URL=https://localhost:8580 narrowgate token list")]
pub(crate) struct DevCertArgs {
    /// The folder to write to
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// A host name or address besides `localhost`, `127.0.0.1` and `::1`; may be repeated
    #[arg(long = "name", value_name = "HOST")]
    pub(crate) names: Vec<String>,
}

fn name(text: &str) -> Result<Name, domain::InvalidName> {
    Name::parse(text)
}
