//! One file a command.

mod audit;
mod canary;
mod check;
mod dbt;
mod demo;
mod dev_cert;
mod follow;
mod grants;
mod init;
mod least_privilege;
mod many;
mod progress;
mod proposals;
mod restrictions;
mod revoke;
mod rotate;
mod run;
mod runner;
mod scan;
mod serve;
mod sign_in_link;
mod sink;
mod token;
mod token_file;
mod token_use;

use std::{path::Path, process::ExitCode};

use domain::secret::TokenSecret;
use store::{Clock, DataDir, Keyring, Store};

use crate::{
    args::{Arguments, ClientArgs, Command, DataDirArgs},
    config::Config,
    error::CliError,
    output,
};

/// Does what was asked.
pub(crate) async fn run(arguments: Arguments) -> Result<ExitCode, CliError> {
    match arguments.command {
        Command::Init(args) => init::run(args).await,
        Command::SignInLink(args) => sign_in_link::run(&args).await,
        Command::Serve(args) => serve::run(&args).await,
        Command::Runner(args) => runner::run(&args).await,
        Command::Demo(args) => demo::run(args).await,
        Command::Token(command) => token::run(command).await,
        Command::Check(args) => check::run(args).await,
        Command::Run(command) => run::run(command).await,
        Command::Audit(command) => audit::run(command).await,
        Command::Dbt(command) => dbt::run(&command),
        Command::Scan(args) => scan::run(&args),
        Command::DevCert(args) => dev_cert::run(&args),
        Command::Openapi => {
            output::json(&server::openapi())?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Migrate(args) => migrate(&args).await,
    }
}

async fn migrate(args: &DataDirArgs) -> Result<ExitCode, CliError> {
    open_existing(args).await?.close().await?;
    output::line(format!("the database in {} is up to date", args.data_dir.display()));
    Ok(ExitCode::SUCCESS)
}

/// Opens a data folder, made if it is missing, for a local command; a server may be running on it.
async fn open(args: &DataDirArgs) -> Result<Store, CliError> {
    let keyring = args.keyring.clone();
    let dir = DataDir::new(&args.data_dir);
    open_with(&dir, &keyring.unwrap_or_else(|| dir.keyring()), Clock::System).await
}

/// The same for a command that makes no sense on a new folder.
async fn open_existing(args: &DataDirArgs) -> Result<Store, CliError> {
    check_is_made(&DataDir::new(&args.data_dir))?;
    open(args).await
}

fn check_is_made(dir: &DataDir) -> Result<(), CliError> {
    if dir.is_made() {
        return Ok(());
    }
    let hint = "`narrowgate init` makes one";
    Err(CliError::Other(format!("`{}` is no data folder: {hint}", dir.path().display())))
}

async fn open_with(dir: &DataDir, keyring: &Path, clock: Clock) -> Result<Store, CliError> {
    let keyring = Keyring::of(dir, keyring)?;
    Ok(Store::open(dir, keyring, clock).await?)
}

/// Opens a data folder as the configuration says, for what executes or serves runs.
async fn open_as(config: &Config, clock: Clock) -> Result<Store, CliError> {
    let dir = DataDir::new(&config.data_dir);
    let artifacts = config.artifacts.place()?;
    let keyring = Keyring::of(&dir, &config.keyring())?;
    Ok(Store::open_with(&dir, keyring, clock, artifacts).await?)
}

impl ClientArgs {
    /// The client that the arguments ask for.
    fn client(&self) -> Result<wire::client::Client, CliError> {
        // Read here, so that a text that is no token is not repeated in the complaint.
        let token = TokenSecret::parse(self.token.trim()).map_err(|_| {
            let right = "47 characters that begin with `ngst_` or `ngpt_`";
            CliError::Usage(format!("--token (NARROWGATE_TOKEN) holds no token: {right}"))
        })?;
        Ok(wire::client::Client::new(&self.url, token)?)
    }

    /// `/api/v3/accounts/{id}` and what follows.
    fn v3(&self, rest: &str) -> String {
        format!("/api/v3/accounts/{}{rest}", self.account)
    }

    /// `/api/v2/accounts/{id}` and what follows.
    fn v2(&self, rest: &str) -> String {
        format!("/api/v2/accounts/{}{rest}", self.account)
    }
}
