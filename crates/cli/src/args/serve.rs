//! `serve` and `runner`, and what both say of the programs of runs.

use std::path::PathBuf;

use clap::Args;
use domain::Timestamp;

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
    /// For how many days it is known what tokens were used for, 90 to 400 [default: 400]
    #[arg(long, value_name = "DAYS")]
    pub(crate) keep_token_uses_days: Option<u16>,
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
