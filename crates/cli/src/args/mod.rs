//! What can be asked on the command line, a file for each noun.

mod audit;
mod check;
mod client;
mod dbt;
mod local;
mod run;
mod scan;
mod serve;
mod sink;
mod token;
mod token_filter;

use clap::{Parser, Subcommand};

pub(crate) use self::{
    audit::{AuditCommand, AuditVerifyArgs},
    check::CheckArgs,
    client::ClientArgs,
    dbt::{DbtCommand, DbtInstallArgs, DbtListArgs},
    local::{DataDirArgs, DemoArgs, DevCertArgs, InitArgs, SignInLinkArgs},
    run::{RunCommand, RunLogsArgs, RunShowArgs, RunTriggerArgs},
    scan::ScanArgs,
    serve::{RunnerArgs, ServeArgs},
    sink::{ManySecretsArgs, SinkArgs},
    token::{
        GrantArgs, LeastPrivilegeArgs, ProposalArgs, RestrictionArgs, TokenApplyArgs,
        TokenCanaryArgs, TokenChangeArgs, TokenCommand, TokenCreateArgs, TokenDeleteArgs,
        TokenImportArgs, TokenListArgs, TokenPermissionsArgs, TokenRestrictionsArgs,
        TokenRevokeArgs, TokenRotateArgs, TokenShowArgs, TokenUseArgs,
    },
    token_filter::TokenFilterArgs,
};

/// Service account tokens for dbt Core, and the APIs that they open.
#[derive(Debug, Parser)]
#[command(
    name = "narrowgate",
    version,
    after_help = "\
Start here:
  narrowgate demo                          see it at work
  narrowgate init --data-dir data --account-name Acme --admin-email ada@example.com --show
  narrowgate serve --data-dir data

Client commands read NARROWGATE_URL, NARROWGATE_ACCOUNT and NARROWGATE_TOKEN.
Exit codes: 0 done, 1 an error (one line on standard error), 2 wrong arguments\nor configuration, 3 `check` says no."
)]
pub(crate) struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make an account and its first admin
    Init(InitArgs),
    /// Make a link by which a user sets a password and comes into the console
    SignInLink(SignInLinkArgs),
    /// Run the server and, in it, the runner
    Serve(ServeArgs),
    /// Run a runner alone, beside a server on the same data folder
    Runner(RunnerArgs),
    /// See it at work: an account, a dbt project, tokens, a run
    Demo(DemoArgs),
    /// Service tokens: create, list, show, change, delete, import
    #[command(subcommand)]
    Token(TokenCommand),
    /// May this token do that? With the reason
    Check(CheckArgs),
    /// Runs: trigger, show, list, logs
    #[command(subcommand)]
    Run(RunCommand),
    /// The audit log
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Versions of dbt that runs may ask for: install, list
    #[command(subcommand)]
    Dbt(DbtCommand),
    /// Find tokens where they should not be: in files, in the history of a repository, in a stream
    Scan(ScanArgs),
    /// Make a local authority and a certificate, to try TLS with
    DevCert(DevCertArgs),
    /// Print the OpenAPI document of what is served
    Openapi,
    /// Bring a data folder's database up to date
    Migrate(DataDirArgs),
}
