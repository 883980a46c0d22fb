//! `narrowgate run …`: runs of jobs.

use std::{collections::BTreeMap, process::ExitCode, time::Duration};

use serde::Deserialize;
use serde_json::{Value, json};
use wire::client::Client;

use crate::{
    args::{ClientArgs, RunCommand, RunLogsArgs, RunShowArgs, RunTriggerArgs},
    error::CliError,
    output,
};

/// How often a run is looked at while it is followed.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// What of a run is shown.
#[derive(Debug, Deserialize)]
pub(super) struct Run {
    pub(super) id: i64,
    job_id: i64,
    status_humanized: String,
    status_message: Option<String>,
    is_complete: bool,
    pub(super) is_success: bool,
    duration_humanized: Option<String>,
    created_at: String,
    #[serde(default, rename = "run_steps")]
    steps: Option<Vec<Step>>,
}

/// What of a step is shown.
#[derive(Debug, Deserialize)]
struct Step {
    id: i64,
    index: i64,
    name: String,
    status_humanized: String,
    duration: Option<String>,
    logs: Option<String>,
}

pub(super) async fn run(command: RunCommand) -> Result<ExitCode, CliError> {
    match command {
        RunCommand::Trigger(args) => trigger(&args).await,
        RunCommand::Show(args) => show(&args).await,
        RunCommand::List(args) => list(&args).await,
        RunCommand::Logs(args) => logs(&args).await,
    }
}

async fn trigger(args: &RunTriggerArgs) -> Result<ExitCode, CliError> {
    let (client, path) = (&args.client, args.client.v2(&format!("/jobs/{}/run/", args.job)));
    let made: Value = client.client()?.post(&path, &json!({ "cause": args.cause })).await?;
    if client.json && !args.follow {
        output::json(&made)?;
        return Ok(ExitCode::SUCCESS);
    }
    let run: Run = serde_json::from_value(made).map_err(CliError::other)?;
    output::line(format!("run {} of job {} is queued", run.id, run.job_id));
    if !args.follow {
        return Ok(ExitCode::SUCCESS);
    }
    let run = follow(&client.client()?, &client.v2(&format!("/runs/{}/", run.id))).await?;
    Ok(ended(&run))
}

async fn show(args: &RunShowArgs) -> Result<ExitCode, CliError> {
    let path = args.client.v2(&format!("/runs/{}/?include_related=run_steps", args.id));
    let run: Value = args.client.client()?.get(&path).await?;
    if args.client.json {
        output::json(&run)?;
        return Ok(ExitCode::SUCCESS);
    }
    let run: Run = serde_json::from_value(run).map_err(CliError::other)?;
    tell(&run);
    let steps = run.steps.unwrap_or_default().into_iter();
    let rows = steps.map(|step| {
        [
            step.index.to_string(),
            step.name,
            step.status_humanized,
            step.duration.unwrap_or_default(),
        ]
    });
    output::table(["step", "name", "status", "duration"], rows);
    Ok(ExitCode::SUCCESS)
}

async fn list(args: &ClientArgs) -> Result<ExitCode, CliError> {
    let runs: Value = args.client()?.get(&args.v2("/runs/?order_by=-id&limit=20")).await?;
    if args.json {
        output::json(&runs)?;
        return Ok(ExitCode::SUCCESS);
    }
    let runs: Vec<Run> = serde_json::from_value(runs).map_err(CliError::other)?;
    let rows = runs.into_iter().map(|run| {
        let (id, job) = (run.id.to_string(), run.job_id.to_string());
        [id, job, run.status_humanized, run.created_at, run.duration_humanized.unwrap_or_default()]
    });
    output::table(["id", "job", "status", "created", "duration"], rows);
    Ok(ExitCode::SUCCESS)
}

async fn logs(args: &RunLogsArgs) -> Result<ExitCode, CliError> {
    let (client, path) = (args.client.client()?, args.client.v2(&format!("/runs/{}/", args.id)));
    let run = if args.follow {
        follow(&client, &path).await?
    } else {
        let run = look(&client, &path).await?;
        Printed::default().print(&run);
        run
    };
    Ok(ended(&run))
}

fn ended(run: &Run) -> ExitCode {
    tell(run);
    if run.is_success { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A run's result in a line.
pub(super) fn tell(run: &Run) {
    let message = run.status_message.as_deref().unwrap_or_default();
    let message = if message.is_empty() { String::new() } else { format!(": {message}") };
    let time = run.duration_humanized.as_deref().unwrap_or_default();
    output::line(format!("run {}: {} after {time}{message}", run.id, run.status_humanized));
}

/// Shows a run's log as it comes, to the run's end.
pub(super) async fn follow(client: &Client, path: &str) -> Result<Run, CliError> {
    let mut printed = Printed::default();
    loop {
        let run = look(client, path).await?;
        printed.print(&run);
        if run.is_complete {
            return Ok(run);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

async fn look(client: &Client, path: &str) -> Result<Run, CliError> {
    Ok(client.get(&format!("{path}?include_related=run_steps")).await?)
}

/// How much of each step's log has been shown.
#[derive(Default)]
struct Printed(BTreeMap<i64, usize>);

impl Printed {
    fn print(&mut self, run: &Run) {
        for step in run.steps.iter().flatten() {
            let log = step.logs.as_deref().unwrap_or_default();
            if log.is_empty() {
                continue;
            }
            let shown = self.0.entry(step.id).or_insert_with(|| {
                output::line(format!("--- {}. {}", step.index, step.name));
                0
            });
            // A log only grows.
            output::text(log.get(*shown..).unwrap_or_default());
            *shown = log.len();
        }
    }
}
