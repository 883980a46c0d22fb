//! `narrowgate runner`: a runner alone, beside a server on the same data folder.

use std::{process::ExitCode, time::Duration};

use runner::Runner;
use store::{Clock, DataDir};

use super::{
    check_is_made, open_as,
    serve::{asked_to_stop, find_dbt, listen_to_log},
};
use crate::{args::RunnerArgs, config::Config, error::CliError, output};

pub(super) async fn run(args: &RunnerArgs) -> Result<ExitCode, CliError> {
    let mut config = Config::load_runner(args)?;
    listen_to_log(&config.log)?;
    let dir = DataDir::new(&config.data_dir);
    check_is_made(&dir)?;
    config.dbt = find_dbt(&config.dbt, &dir)?;
    let store = open_as(&config, Clock::System).await?;
    let mut told = config.runner();
    told.hidden.extend(args.config.clone());
    if let Some(millis) = args.test_lease {
        told.lease = Duration::from_millis(millis);
    }
    let runner = Runner::start(store.clone(), told).await?;
    // Before the line that tells a script that it is there.
    let stop = asked_to_stop()?;
    output::line(format!("ready: {} runs at once on {}", config.workers, dir.path().display()));
    stop.await;
    runner.stop().await;
    store.close().await?;
    Ok(ExitCode::SUCCESS)
}
