//! What can be asked on the command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use domain::{
    AccountId, EnvironmentId, JobId, Name, Plan, ProjectId, RunId, ServiceTokenId, Timestamp,
    user::Email,
};

/// Service account tokens for dbt Core, and the APIs that they open.
#[derive(Debug, Parser)]
#[command(
    name = "narrowgate",
    version,
    after_help = "\
Start here:
  narrowgate demo                          see it at work
  narrowgate init --data-dir data --account-name Acme --plan enterprise --admin-email ada@example.com
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
A second `init` on the same folder adds an account. The admin's token is shown once and ends by
itself after 30 days: make another before.")]
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
    /// What the link begins with
    #[arg(
        long,
        env = "NARROWGATE_PUBLIC_URL",
        value_name = "URL",
        default_value = "http://127.0.0.1:8580"
    )]
    pub(crate) public_url: String,
}

/// `serve`: what is not given comes from the environment, then the file, then the default.
#[derive(Debug, Args)]
#[command(after_help = "\
Each option may also stand in the environment, as NARROWGATE_ and its name in capitals
(NARROWGATE_LISTEN), or in a TOML file, by its name with underscores (listen = \"127.0.0.1:8580\").
An option wins over the environment, the environment over the file.")]
#[expect(clippy::struct_excessive_bools, reason = "the command line's own switches")]
pub(crate) struct ServeArgs {
    /// The folder that holds everything
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<String>,
    /// A TOML file [default: narrowgate.toml in the data folder, if it is there]
    #[arg(long, value_name = "FILE", env = "NARROWGATE_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// The keyring file [default: keyring.json in the data folder]
    #[arg(long, value_name = "FILE")]
    pub(crate) keyring: Option<String>,
    /// The address to listen on; port 0 takes a free one [default: 127.0.0.1:8580]
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) listen: Option<String>,
    /// What links begin with [default: the address]
    #[arg(long, value_name = "URL")]
    pub(crate) public_url: Option<String>,
    /// Serve TLS with this certificate, PEM; read anew when the file changes
    #[arg(long, value_name = "FILE")]
    pub(crate) tls_cert: Option<String>,
    /// The certificate's private key, PEM
    #[arg(long, value_name = "FILE")]
    pub(crate) tls_key: Option<String>,
    /// A proxy whose X-Forwarded-For is believed: an address or a network; may be repeated
    #[arg(long, value_name = "CIDR")]
    pub(crate) trusted_proxy: Vec<String>,
    /// The mail server for invitations and notifications: `smtps://user:password@host:465`; better in
    /// the environment [default: none, links are shown to the inviter and notifications dropped]
    #[arg(long, value_name = "URL")]
    pub(crate) smtp_url: Option<String>,
    /// Who writes them: `Narrowgate <narrowgate@example.com>`
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) smtp_from: Option<String>,
    /// The dbt program [default: dbt]
    #[arg(long, value_name = "PATH")]
    pub(crate) dbt: Option<String>,
    /// How many runs to execute at once [default: 4]
    #[arg(long, value_name = "N")]
    pub(crate) workers: Option<usize>,
    #[command(flatten)]
    pub(crate) programs: ProgramArgs,
    /// What to log, on standard error: a level, or a filter such as `store=debug` [default: info]
    #[arg(long, value_name = "FILTER")]
    pub(crate) log: Option<String>,
    /// Serve without executing runs: `narrowgate runner` does
    #[arg(long)]
    pub(crate) no_runner: bool,
    /// Serve plain HTTP beyond this machine: tokens can be read on the way
    #[arg(long)]
    pub(crate) allow_plain_http: bool,
    /// Shut /api/openapi.json; `narrowgate openapi` prints the same
    #[arg(long)]
    pub(crate) no_openapi: bool,
    /// Send webhooks into private networks too, this machine included
    #[arg(long)]
    pub(crate) allow_private_webhooks: bool,
    /// Remove the artifacts of runs that ended more than so many days ago [default: keep all]
    #[arg(long, value_name = "DAYS")]
    pub(crate) keep_artifacts_days: Option<u32>,
    /// How many wrong tokens an address may present at once before it has to wait, one a second
    /// after that; ten times as many from its network, a hundred times overall; 0 is any [default: 60]
    #[arg(long, value_name = "N")]
    pub(crate) failed_tries: Option<u32>,
    /// A clock that stands still, for tests
    #[arg(long, hide = true, value_parser = Timestamp::parse)]
    pub(crate) test_clock: Option<Timestamp>,
}

/// The heading of options about what runs may.
const OF_RUNS: &str = "Programs of runs";

/// What the programs of runs, dbt and git, may take, and who executes dbt.
#[derive(Debug, Args)]
pub(crate) struct ProgramArgs {
    /// How much nicer than the server they are, 0 to 19 [default: 5]
    #[arg(long, help_heading = OF_RUNS, value_name = "N")]
    pub(crate) niceness: Option<u8>,
    /// The largest file that they may write, the DuckDB file included; 0 is any [default: 65536]
    #[arg(long, help_heading = OF_RUNS, value_name = "MIB")]
    pub(crate) max_file_size_mib: Option<u64>,
    /// The most processes and threads of their user, counted over all that this user runs; 0 is
    /// any; the kernel does not hold root to it [default: 4096]
    #[arg(long, help_heading = OF_RUNS, value_name = "N")]
    pub(crate) max_processes: Option<u64>,
    /// The largest address space of each; 0 is any. DuckDB and Python map several times what they
    /// use: try 16384 [default: 0]
    #[arg(long, help_heading = OF_RUNS, value_name = "MIB")]
    pub(crate) max_memory_mib: Option<u64>,
    /// How large the clones that are kept of repositories may be, all together; those that were used
    /// longest ago are removed, and all after 30 days without use; 0 keeps none [default: 10240]
    #[arg(long, help_heading = OF_RUNS, value_name = "MIB")]
    pub(crate) max_clones_mib: Option<u64>,
    /// The user that executes dbt, where the server is root: a name, a number, or `uid:gid`. It gets
    /// its run's folder and the DuckDB files, and can read neither keys nor database; dbt has to be
    /// where it gets (not under /root). See docs/isolation.md [default: the server's own user]
    #[arg(long, help_heading = OF_RUNS, value_name = "USER")]
    pub(crate) run_as: Option<String>,
    /// Whether dbt runs in a sandbox, where it reads neither keys nor database, nor what other runs
    /// have: auto (in bubblewrap where that works), bubblewrap (or not at all), off [default: auto]
    #[arg(long, help_heading = OF_RUNS, value_name = "MODE")]
    pub(crate) sandbox: Option<String>,
}

/// `runner`: what is not given comes from the environment, then the file, then the default.
#[derive(Debug, Args)]
#[command(after_help = "\
Executes runs that a server on the same machine and data folder queues. The server need not run one
itself, and any number of runners may stand beside it:
  narrowgate serve --data-dir data --no-runner
  narrowgate runner --data-dir data --workers 8 --dbt /opt/dbt/bin/dbt

A line on standard output says when it is ready. It looks for queued runs every second. SIGTERM (or
Ctrl-C) ends it: runs under way end as errors that say so, one that has not begun goes back into
the queue. A runner that dies is noticed by the others and by the server within 30 seconds: its
runs end as errors, or are queued again where nothing had begun.

Each option may also stand in the environment (NARROWGATE_WORKERS) or in the server's TOML file.")]
pub(crate) struct RunnerArgs {
    /// The folder that holds everything
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<String>,
    /// A TOML file [default: narrowgate.toml in the data folder, if it is there]
    #[arg(long, value_name = "FILE", env = "NARROWGATE_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// The keyring file [default: keyring.json in the data folder]
    #[arg(long, value_name = "FILE")]
    pub(crate) keyring: Option<String>,
    /// The dbt program [default: dbt]
    #[arg(long, value_name = "PATH")]
    pub(crate) dbt: Option<String>,
    /// How many runs to execute at once [default: 4]
    #[arg(long, value_name = "N")]
    pub(crate) workers: Option<usize>,
    #[command(flatten)]
    pub(crate) programs: ProgramArgs,
    /// What to log, on standard error: a level, or a filter such as `store=debug` [default: info]
    #[arg(long, value_name = "FILTER")]
    pub(crate) log: Option<String>,
    /// After how many milliseconds without an answer it is taken for dead, for tests
    #[arg(long, hide = true)]
    pub(crate) test_lease: Option<u64>,
}

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

/// `token …`
#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Make a token; its secret is shown once
    #[command(after_help = "\
Example: a token that may run the jobs of project 7 and read metadata everywhere
  narrowgate token create --name nightly --grant job_runner:7 --grant metadata_only")]
    Create(TokenCreateArgs),
    /// The account's tokens
    List(ClientArgs),
    /// One token
    Show(TokenShowArgs),
    /// A token's permissions; with --grant, replaced as a whole; with --none, taken away
    Permissions(TokenPermissionsArgs),
    /// What a token is held to beside its permissions; with options, replaced as a whole; with
    /// --none, taken back
    #[command(after_help = "\
Example: jobs 12 and 13 only, from one network, at most 5 times a second
  narrowgate token restrictions 7 --job 12 --job 13 --address 192.0.2.0/24 --rate 5")]
    Restrictions(TokenRestrictionsArgs),
    /// Change a token: its name, when it ends, disabled or enabled; the secret stays
    Change(TokenChangeArgs),
    /// Another secret for a token with the same permissions, beside the old one for a while
    #[command(after_help = "\
Examples: a token whose old secret works for an hour more, or 5 minutes after the new one's first use
  narrowgate token rotate 7 --overlap 60 --after-first-use 5 --to-file nightly.token
a secret that leaked
  narrowgate token rotate 7 --overlap 0 --to-file nightly.token
every token that an advisory is about: first the plan, then it is done
  narrowgate token rotate --advised
  narrowgate token rotate --advised --apply --to-dir successors
and what is left to swap
  narrowgate token old-secrets")]
    Rotate(TokenRotateArgs),
    /// Take a rotation back while the old secret works: the new secret opens nothing any more
    CancelRotation(TokenShowArgs),
    /// Old secrets that still work, and who sends them; exit code 3 while there are any
    OldSecrets(ClientArgs),
    /// Delete a token: it stops working at once
    Delete(TokenShowArgs),
    /// Take over the metadata of tokens made elsewhere, from CSV or JSON, on the server's machine
    #[command(after_help = "\
CSV has the columns name, created_at, last_used and permissions (`job_admin:7;metadata_only`); JSON
is a list of objects with the same keys, permissions as a list of such texts. The tokens have no
secret: each must be rotated before use.")]
    Import(TokenImportArgs),
}

/// `token create`
#[derive(Debug, Args)]
pub(crate) struct TokenCreateArgs {
    #[command(flatten)]
    pub(crate) client: ClientArgs,
    /// What to call it
    #[arg(long)]
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) grants: GrantArgs,
    #[command(flatten)]
    pub(crate) restrictions: RestrictionArgs,
    /// When it ends: a time such as `2027-01-31` (UTC), or `never`; unless given, as the account's
    /// policy says
    #[arg(long, value_name = "TIME")]
    pub(crate) expires_at: Option<String>,
}

/// `token change`
#[derive(Debug, Args)]
pub(crate) struct TokenChangeArgs {
    #[command(flatten)]
    pub(crate) client: ClientArgs,
    /// The token's id
    pub(crate) id: ServiceTokenId,
    /// Another name
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// When it ends: a time such as `2027-01-31` (UTC), or `never`
    #[arg(long, value_name = "TIME")]
    pub(crate) expires_at: Option<String>,
    /// It opens nothing until it is enabled
    #[arg(long, conflicts_with = "enable")]
    pub(crate) disable: bool,
    /// It opens again what it may
    #[arg(long)]
    pub(crate) enable: bool,
}

/// `token rotate`
#[derive(Debug, Args)]
pub(crate) struct TokenRotateArgs {
    #[command(flatten)]
    pub(crate) client: ClientArgs,
    /// The token's id
    #[arg(required_unless_present = "advised")]
    pub(crate) id: Option<ServiceTokenId>,
    /// Every token that an advisory is about: shows the plan
    #[arg(long, conflicts_with = "id")]
    pub(crate) advised: bool,
    /// Does what the plan shows
    #[arg(long, requires = "advised")]
    pub(crate) apply: bool,
    /// How many minutes the old secret works on at most; 0 after a leak [default: a day, or what
    /// the account allows]
    #[arg(long, value_name = "MINUTES")]
    pub(crate) overlap: Option<u32>,
    /// End it so many minutes after the new one's first use, if that is earlier
    #[arg(long, value_name = "MINUTES")]
    pub(crate) after_first_use: Option<u32>,
    #[command(flatten)]
    pub(crate) sink: SinkArgs,
}

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

/// Grants as text.
#[derive(Debug, Args)]
pub(crate) struct GrantArgs {
    /// SET on all projects, or SET:PROJECT[,PROJECT…]; may be repeated
    #[arg(long = "grant", value_name = "SET[:PROJECT,…]")]
    pub(crate) grants: Vec<String>,
    /// Environment categories in which raisable sets may write: all, development, staging,
    /// production, other
    #[arg(long, value_delimiter = ',', value_name = "CATEGORY,…")]
    pub(crate) environments: Vec<String>,
}

/// A token by its id.
#[derive(Debug, Args)]
pub(crate) struct TokenShowArgs {
    #[command(flatten)]
    pub(crate) client: ClientArgs,
    /// The token's id
    pub(crate) id: ServiceTokenId,
}

/// `token permissions`
#[derive(Debug, Args)]
pub(crate) struct TokenPermissionsArgs {
    #[command(flatten)]
    pub(crate) client: ClientArgs,
    /// The token's id
    pub(crate) id: ServiceTokenId,
    #[command(flatten)]
    pub(crate) grants: GrantArgs,
    /// Take all its permissions away
    #[arg(long, conflicts_with = "grants")]
    pub(crate) none: bool,
}

/// What a token is held to.
#[derive(Debug, Args)]
#[group(multiple = true)]
pub(crate) struct RestrictionArgs {
    /// From this network or address only; may be repeated
    #[arg(long = "address", value_name = "CIDR")]
    pub(crate) addresses: Vec<String>,
    /// This environment, and what is in it, only; may be repeated
    #[arg(long = "environment", value_name = "ID")]
    pub(crate) environment_ids: Vec<EnvironmentId>,
    /// This job, and its runs, only; may be repeated
    #[arg(long = "job", value_name = "ID")]
    pub(crate) jobs: Vec<JobId>,
    /// No write at all
    #[arg(long)]
    pub(crate) read_only: bool,
    /// So many requests a second
    #[arg(long, value_name = "N")]
    pub(crate) rate: Option<i64>,
    /// So many at once; as many as a second unless given
    #[arg(long, value_name = "N", requires = "rate")]
    pub(crate) burst: Option<i64>,
    /// Also a list of addresses that shuts out the own one
    #[arg(long)]
    pub(crate) force: bool,
}

/// `token restrictions`
#[derive(Debug, Args)]
pub(crate) struct TokenRestrictionsArgs {
    #[command(flatten)]
    pub(crate) client: ClientArgs,
    /// The token's id
    pub(crate) id: ServiceTokenId,
    #[command(flatten)]
    pub(crate) restrictions: RestrictionArgs,
    /// Take all of them back
    #[arg(long, conflicts_with = "RestrictionArgs")]
    pub(crate) none: bool,
}

/// `token import`
#[derive(Debug, Args)]
pub(crate) struct TokenImportArgs {
    #[command(flatten)]
    pub(crate) data: DataDirArgs,
    /// The account's id
    #[arg(long, env = "NARROWGATE_ACCOUNT")]
    pub(crate) account: AccountId,
    /// A `.csv` or `.json` file
    pub(crate) file: PathBuf,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `check`
#[derive(Debug, Args)]
#[command(after_help = "\
Asks about the token that calls, or with --service-token about another one.
Exit code 0: it may; 3: it may not; 1: the question failed.
  narrowgate check --resource runs --access write --project 7
  narrowgate check --resource runs --access write --job 12 --address 192.0.2.7 --service-token 3")]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    pub(crate) client: ClientArgs,
    /// The kind of resource, such as `runs`, `jobs`, `service_tokens`
    #[arg(long)]
    pub(crate) resource: String,
    /// read or write
    #[arg(long, default_value = "read")]
    pub(crate) access: String,
    /// In which project; anywhere unless given
    #[arg(long)]
    pub(crate) project: Option<ProjectId>,
    /// On which environment, or in it
    #[arg(long)]
    pub(crate) environment: Option<EnvironmentId>,
    /// On which job, or its runs
    #[arg(long)]
    pub(crate) job: Option<JobId>,
    /// In environments of which category
    #[arg(long)]
    pub(crate) environment_category: Option<String>,
    /// From which address; who asks has to read service tokens
    #[arg(long)]
    pub(crate) address: Option<std::net::IpAddr>,
    /// When; now unless given
    #[arg(long, value_parser = Timestamp::parse)]
    pub(crate) at: Option<Timestamp>,
    /// About which service token
    #[arg(long)]
    pub(crate) service_token: Option<ServiceTokenId>,
}

/// `scan`
#[derive(Debug, Args)]
#[command(after_help = "\
Looks through every file, hidden, ignored and binary ones too; symbolic links are not followed. A token
is told by its place and its first nine characters, never as a whole.
  narrowgate scan .                  a folder
  narrowgate scan --git              all that the repository here has ever kept
  kubectl logs pod | narrowgate scan -
Exit code 0: none was found; 1: one was, or an error; 2: not all could be read, and none was found in
the rest.")]
pub(crate) struct ScanArgs {
    /// Files and folders; `-` is standard input
    #[arg(value_name = "PATH", required_unless_present = "git")]
    pub(crate) paths: Vec<PathBuf>,
    /// Take each PATH (or the folder here) as a git repository, and look through its whole history
    /// instead: what is in no branch any more, too
    #[arg(long)]
    pub(crate) git: bool,
    /// Leave out what git ignores in these folders
    #[arg(long, conflicts_with = "git")]
    pub(crate) skip_ignored: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `run …`
#[derive(Debug, Subcommand)]
pub(crate) enum RunCommand {
    /// Start a job
    Trigger(RunTriggerArgs),
    /// One run and its steps
    Show(RunShowArgs),
    /// The newest runs
    List(ClientArgs),
    /// A run's log; exit code 0 only if the run succeeded
    Logs(RunLogsArgs),
}

/// `run trigger`
#[derive(Debug, Args)]
pub(crate) struct RunTriggerArgs {
    #[command(flatten)]
    pub(crate) client: ClientArgs,
    /// The job's id
    pub(crate) job: JobId,
    /// Why
    #[arg(long, default_value = "narrowgate run trigger")]
    pub(crate) cause: String,
    /// Show the log as it comes, to the run's end
    #[arg(long)]
    pub(crate) follow: bool,
}

/// A run by its id.
#[derive(Debug, Args)]
pub(crate) struct RunShowArgs {
    #[command(flatten)]
    pub(crate) client: ClientArgs,
    /// The run's id
    pub(crate) id: RunId,
}

/// `run logs`
#[derive(Debug, Args)]
pub(crate) struct RunLogsArgs {
    #[command(flatten)]
    pub(crate) client: ClientArgs,
    /// The run's id
    pub(crate) id: RunId,
    /// Go on to the run's end
    #[arg(long)]
    pub(crate) follow: bool,
    /// dbt's own logs, with what it says for debugging, in place of its console
    #[arg(long, conflicts_with = "follow")]
    pub(crate) debug: bool,
}

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
