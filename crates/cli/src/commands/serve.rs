//! `narrowgate serve`: the server, and the runner in it.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use runner::Runner;
use server::{FailureLimits, Server, ServerConfig};
use store::{Clock, DataDir, Store};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use super::open_as;
use crate::{args::ServeArgs, config::Config, error::CliError, output};

pub(super) async fn run(args: &ServeArgs) -> Result<ExitCode, CliError> {
    let mut config = Config::load(args)?;
    listen_to_log(&config.log)?;
    let clock = args.test_clock.map_or(Clock::System, Clock::fixed);
    let dir = DataDir::new(&config.data_dir);
    if !config.no_runner {
        config.dbt = find_dbt(&config.dbt, &dir)?;
    }
    let store = open_as(&config, clock).await?;
    store.lock_for_serving()?;
    let listen = ServerConfig {
        public_url: config.public_url.clone(),
        tls: config.tls(),
        mail: config.mail()?,
        no_openapi: config.no_openapi,
        trusted_proxies: config.trusted_proxy.clone(),
        webhook_targets: config.webhook_targets(),
        keep_artifacts_days: config.keep_artifacts_days,
        keep_token_uses: config.keep_token_uses()?,
        failures: FailureLimits::new(config.failed_tries),
        leak_keys: config.leak_keys.clone(),
        ..ServerConfig::on(config.listen)
    };
    let server = Server::bind(store.clone(), listen).await?;
    let runner = start_runner(&store, &config, args.config.clone()).await?;
    // Before the line that tells a script that it may ask.
    let stop = asked_to_stop()?;
    output::line(format!("listening on {}", server.local_url()));
    let ended = server.run(stop).await;
    runner.stop().await;
    store.close().await?;
    ended?;
    Ok(ExitCode::SUCCESS)
}

/// Without a runner, the server still ends the runs of those that died elsewhere.
async fn start_runner(
    store: &Store,
    config: &Config,
    file: Option<PathBuf>,
) -> Result<Runner, CliError> {
    if config.no_runner {
        return Ok(Runner::watch(store).await?);
    }
    let mut told = config.runner();
    // It may hold a password.
    told.hidden.extend(file);
    Ok(Runner::start(store.clone(), told).await?)
}

/// Over once the process is asked to stop: SIGTERM, or Ctrl-C.
pub(super) fn asked_to_stop() -> Result<impl Future<Output = ()> + Send + 'static, CliError> {
    let mut terminate = signal(SignalKind::terminate()).map_err(CliError::other)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(CliError::other)?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

pub(super) fn listen_to_log(filter: &str) -> Result<(), CliError> {
    let filter = EnvFilter::try_new(filter)
        .map_err(|error| CliError::Usage(format!("`log` is no filter: {error}")))?;
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    Ok(())
}

/// The default dbt: the program, or, where none is named and none is in `PATH`, the newest that is
/// installed in the data folder.
pub(super) fn find_dbt(program: &Path, dir: &DataDir) -> Result<PathBuf, CliError> {
    find_program(program).or_else(|missing| match runner::installed_dbts(dir).pop() {
        Some(newest) if program == Path::new("dbt") => Ok(newest.program),
        _ => Err(missing),
    })
}

/// Whether a program is there to be started, without starting it: dbt takes seconds.
pub(super) fn find_program(program: &Path) -> Result<PathBuf, CliError> {
    runner::find_program(program).ok_or_else(|| {
        let program = program.display();
        let hint = "`narrowgate dbt install 1.11`, or name it with --dbt";
        CliError::Other(format!("the dbt program `{program}` is not there: {hint}"))
    })
}
