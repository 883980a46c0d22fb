//! `narrowgate run …`: runs of jobs.

use std::process::ExitCode;

use serde::Deserialize;
use serde_json::{Value, json};
use wire::v2::{NodeCounts, NodeEnds};

use super::{follow::follow, progress::At};
use crate::{
    args::{ClientArgs, RunCommand, RunLogsArgs, RunShowArgs, RunTriggerArgs},
    error::CliError,
    output,
};

/// What of a run is shown.
#[derive(Debug, Deserialize)]
pub(super) struct Run {
    pub(super) id: i64,
    pub(super) account_id: i64,
    pub(super) status: u8,
    job_id: i64,
    status_humanized: String,
    status_message: Option<String>,
    pub(super) is_complete: bool,
    pub(super) is_success: bool,
    duration_humanized: Option<String>,
    created_at: String,
    nodes_done: Option<u64>,
    nodes_total: Option<u64>,
    counts: Option<NodeCounts>,
    pub(super) estimated_remaining_seconds: Option<u64>,
    #[serde(default, rename = "run_steps")]
    pub(super) steps: Option<Vec<Step>>,
}

/// What of a step is shown.
#[derive(Debug, Deserialize)]
pub(super) struct Step {
    pub(super) id: i64,
    index: i64,
    name: String,
    status_humanized: String,
    duration: Option<String>,
    nodes_done: Option<u64>,
    nodes_total: Option<u64>,
    logs: Option<String>,
    debug_logs: Option<String>,
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
    if let Some(at) = At::of(run.nodes_done, run.nodes_total) {
        output::line(at.told(run.estimated_remaining_seconds));
    }
    for (kind, ends) in
        run.counts.iter().flat_map(|of| [("models", &of.models), ("tests", &of.tests)])
    {
        output::line(told(kind, ends));
    }
    let steps = run.steps.unwrap_or_default().into_iter();
    let rows = steps.map(|step| {
        [
            step.index.to_string(),
            step.name,
            step.status_humanized,
            step.duration.unwrap_or_default(),
            At::of(step.nodes_done, step.nodes_total).map_or_else(String::new, |at| at.told(None)),
        ]
    });
    output::table(["step", "name", "status", "duration", "nodes"], rows);
    Ok(ExitCode::SUCCESS)
}

/// `models: 12 passed, 0 warned, 1 failed, 3 skipped`
fn told(kind: &str, ends: &NodeEnds) -> String {
    let NodeEnds { passed, warned, failed, skipped } = ends;
    format!("{kind}: {passed} passed, {warned} warned, {failed} failed, {skipped} skipped")
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
        let related = if args.debug { "[\"run_steps\",\"debug_logs\"]" } else { "run_steps" };
        let run = client.get(&format!("{path}?include_related={related}")).await?;
        print(&run, args.debug);
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

/// Shows what there is of a run's log, or of dbt's own logs of its steps.
fn print(run: &Run, debug: bool) {
    for step in run.steps.iter().flatten() {
        let log = if debug { &step.debug_logs } else { &step.logs };
        let log = log.as_deref().unwrap_or_default();
        if !log.is_empty() {
            output::line(step.headline());
            output::text(log);
        }
    }
}

impl Step {
    /// What stands above a step's log.
    pub(super) fn headline(&self) -> String {
        format!("--- {}. {}", self.index, self.name)
    }
}
