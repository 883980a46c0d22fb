//! One run: its steps, their logs, its models; cancel and retry.

use askama::Template;
use axum::extract::State;
use domain::{
    RunId, StepId, Timestamp,
    authz::{Permit, PrincipalId, Read, Runs, Write},
    run::{Outcome, Run, RunState, RunStep, StepState},
    run_results::MOST_BYTES,
};
use store::{DebugLog, LogMark, Named, Names, StoreError};

use super::{
    behind::Behind,
    door::Visitor,
    form::{Asked, Fields},
    icons,
    log_view::{LogLine, lines},
    marks::Mark,
    page::{Page, Shell, When, span},
    picker::sentence,
    run_view::{RunView, called, named_in, seconds},
    timeline::Timeline,
    token_view::curl,
};
use crate::{
    answer::{Events, Text},
    app::App,
    error::ApiError,
    extract::{At, Standing},
    following::{self, Beginning},
};

#[derive(Template)]
#[template(path = "run.html")]
struct Detail<'a> {
    shell: Shell<'a>,
    run: RunView,
    figures: Figures,
    facts: Vec<Fact>,
    /// What it says of its state.
    message: String,
    steps: Vec<StepView>,
    log: Option<LogView>,
    models: Models,
    live: bool,
    may_cancel: bool,
    may_retry: bool,
    done: Option<&'static str>,
    problem: Option<String>,
}

/// The numbers at the head: a label, a figure, and what stands under it.
type Figures = [(&'static str, String, String); 3];

/// A fact: what it is, and what it says.
struct Fact {
    label: &'static str,
    says: Says,
}

/// What a fact says.
enum Says {
    Text(String),
    /// The name of something, and its page.
    Link(String, String),
    Time(When),
}

/// A step in the list.
struct StepView {
    index: u32,
    name: String,
    mark: Mark,
    took: Option<String>,
    shown: bool,
}

/// The end of a step's log.
struct LogView {
    step: StepId,
    name: String,
    mark: Mark,
    lines: Vec<LogLine>,
    is_cut: bool,
    live: bool,
    /// The place behind it.
    mark_behind: LogMark,
}

/// What came of the models of the step that is shown.
enum Models {
    /// The step builds none, or has not ended.
    None,
    There(Timeline),
    /// There are too many to draw, or the file is not dbt's.
    Unread(&'static str),
}

/// `GET /console/runs/{run_id}`
pub(super) async fn show(
    permit: Permit<Read, Runs>,
    State(app): State<App>,
    visitor: Visitor,
    At(id): At<RunId>,
    Asked(asked): Asked,
) -> Result<Page, ApiError> {
    let done = [("queued", "Run queued"), ("cancelled", "Asked to stop")];
    let done = done.into_iter().find(|(key, _)| asked.has(key)).map(|(_, words)| words);
    let page = detail(&app, &permit, &visitor, id, &asked).await?;
    Page::of(&Detail { done, ..page })
}

/// `POST /console/runs/{run_id}/retry`: a new run, which takes it up where it failed.
pub(super) async fn retry(
    permit: Permit<Write, Runs>,
    State(app): State<App>,
    visitor: Visitor,
    At(id): At<RunId>,
) -> Result<Page, ApiError> {
    match app.store.retry_run(&permit, id).await {
        Ok(run) => Ok(Page::to(&format!("/console/runs/{}?queued=1", run.id))),
        Err(StoreError::NoRetry(why)) => {
            let (permit, asked) = (permit.also()?, Fields::default());
            let page = detail(&app, &permit, &visitor, id, &asked).await?;
            let problem = Some(format!("It cannot be retried: {why}."));
            Page::refused(&StoreError::NoRetry(why).into(), &Detail { problem, ..page })
        }
        Err(error) => Err(error.into()),
    }
}

#[derive(Template)]
#[template(path = "cancel_run.html")]
struct Cancel<'a> {
    shell: Shell<'a>,
    run: RunView,
    problem: Option<String>,
}

/// `GET /console/runs/{run_id}/cancel`: the question.
pub(super) async fn ask_to_cancel(
    permit: Permit<Write, Runs>,
    State(app): State<App>,
    visitor: Visitor,
    At(id): At<RunId>,
) -> Result<Page, ApiError> {
    let question = question(&app, &permit, &visitor, id).await?;
    Page::of(&question)
}

/// `POST /console/runs/{run_id}/cancel`
pub(super) async fn cancel(
    permit: Permit<Write, Runs>,
    State(app): State<App>,
    visitor: Visitor,
    At(id): At<RunId>,
) -> Result<Page, ApiError> {
    match app.store.cancel_run(&permit, id).await {
        Ok(_) => Ok(Page::to(&format!("/console/runs/{id}?cancelled=1"))),
        Err(StoreError::Conflict(why)) => {
            let question = question(&app, &permit, &visitor, id).await?;
            let problem = Some(format!("{why}. Nothing was changed."));
            Page::refused(&StoreError::Conflict(why).into(), &Cancel { problem, ..question })
        }
        Err(error) => Err(error.into()),
    }
}

/// `GET /console/steps/{step_id}/log`: the log so far, whole.
pub(super) async fn log(
    permit: Permit<Read, Runs>,
    State(app): State<App>,
    At(id): At<StepId>,
) -> Result<Text, ApiError> {
    Ok(Text(app.store.run_step(&permit, id, DebugLog::End).await?.log))
}

/// `GET /console/steps/{step_id}/events?after=`: the log from a place on, as it comes.
pub(super) async fn events(
    permit: Permit<Read, Runs>,
    State(app): State<App>,
    At(id): At<StepId>,
    standing: Standing,
    Behind(mark): Behind,
) -> Result<Events, ApiError> {
    following::events(app, &permit, standing, id, Beginning::Mark(mark)).await
}

async fn question<'a>(
    app: &App,
    permit: &Permit<Write, Runs>,
    visitor: &'a Visitor,
    id: RunId,
) -> Result<Cancel<'a>, ApiError> {
    let permit: Permit<Read, Runs> = permit.also()?;
    let run = app.store.run(&permit, id).await?;
    let names = app.store.names(&permit, &named_in([&run])).await?;
    let path = format!("/api/v2/accounts/{}/runs/{id}/cancel/", permit.account());
    let curl = curl(app, &path).replacen("curl ", "curl -X POST ", 1);
    let run = RunView::new(&run, &names, 0, app.store.clock().now());
    Ok(Cancel { shell: Shell { visitor, here: "runs", curl }, run, problem: None })
}

/// The page: six statements at most, since models are asked for of a step that has ended, and what
/// is usual of one that has not.
async fn detail<'a>(
    app: &App,
    permit: &Permit<Read, Runs>,
    visitor: &'a Visitor,
    id: RunId,
    asked: &Fields,
) -> Result<Detail<'a>, ApiError> {
    let now = app.store.clock().now();
    let run = app.store.run(permit, id).await?;
    let steps = app.store.run_steps(permit, &[id]).await?;
    let shown = step_to_show(&steps, asked.first("step").parse().ok());
    let names = app.store.names(permit, &named_in([&run])).await?;
    let log = match shown {
        Some(step) => Some(log_of(app, permit, step).await?),
        None => None,
    };
    let ended = shown.filter(|step| matches!(step.state, StepState::Finished { .. }));
    let (models, outlook) = match ended {
        Some(step) => (models_of(app, permit, step).await?, String::new()),
        None => (Models::None, outlook(app, permit, &run).await?),
    };
    let path =
        format!("/api/v2/accounts/{}/runs/{id}/?include_related=[\"run_steps\"]", permit.account());
    let may_write = permit.also::<Write, Runs>().is_ok_and(|may| may.among(run.project).is_ok());
    let (ended, unasked) = (run.state.is_finished(), !run.cancel_requested);
    Ok(Detail {
        shell: Shell { visitor, here: "runs", curl: curl(app, &path) },
        figures: [
            time_taken(&run, outlook, now),
            nodes_done(&steps, &models),
            time_queued(&run, now),
        ],
        facts: facts(&run, &names, now),
        message: said(&run.message),
        steps: steps.iter().map(|step| StepView::new(step, shown, now)).collect(),
        log,
        models,
        live: !ended,
        may_cancel: may_write && !ended && unasked,
        may_retry: may_write && run.retry_step().is_ok(),
        done: None,
        problem: None,
        run: RunView::new(&run, &names, 0, now),
    })
}

/// What it says of its state, as a sentence.
fn said(message: &str) -> String {
    if message.is_empty() { String::new() } else { sentence(message.trim_end_matches('.')) }
}

/// The one that is asked for; else the one that runs, that failed, or that ended last.
fn step_to_show(steps: &[RunStep], asked: Option<u32>) -> Option<&RunStep> {
    let is = |state: fn(&StepState) -> bool| move |step: &&RunStep| state(&step.state);
    let running = is(|state| matches!(state, StepState::Running { .. }));
    let failed = is(|state| matches!(state, StepState::Finished { outcome: Outcome::Error, .. }));
    let ended = is(|state| matches!(state, StepState::Finished { .. }));
    let named = asked.and_then(|index| steps.iter().find(|step| step.index == index));
    named
        .or_else(|| steps.iter().find(running))
        .or_else(|| steps.iter().find(failed))
        .or_else(|| steps.iter().rfind(ended))
}

async fn log_of(
    app: &App,
    permit: &Permit<Read, Runs>,
    step: &RunStep,
) -> Result<LogView, ApiError> {
    let end = app.store.step_log_end(permit, step.id).await?;
    Ok(LogView {
        step: step.id,
        name: name_of(step),
        mark: Mark::of_step(step.state),
        lines: lines(&end.text),
        is_cut: end.is_cut,
        live: matches!(step.state, StepState::Running { .. }),
        mark_behind: end.mark,
    })
}

async fn models_of(
    app: &App,
    permit: &Permit<Read, Runs>,
    step: &RunStep,
) -> Result<Models, ApiError> {
    let of = (&[step.run][..], Some(step.index));
    let found = app.store.artifacts_of_steps(permit, of, "run_results.json", MOST_BYTES).await?;
    let Some(results) = found.into_iter().next() else { return Ok(Models::None) };
    let Some(bytes) = results.bytes else {
        return Ok(Models::Unread("are too many to be drawn"));
    };
    Ok(match Timeline::read(&bytes) {
        Ok(timeline) => Models::There(timeline),
        Err(_) => Models::Unread("cannot be read: the file is not as dbt writes it"),
    })
}

/// What can be said of a run that has not ended.
async fn outlook(app: &App, permit: &Permit<Read, Runs>, run: &Run) -> Result<String, ApiError> {
    match run.state {
        RunState::Queued => {
            let outlook = app.store.outlook(permit, run).await?;
            let before = outlook.blocked_by.first();
            Ok(before.map_or_else(|| "for a worker".to_owned(), |run| format!("for run #{run}")))
        }
        RunState::Starting { .. } | RunState::Running { .. } => {
            let usual = app.store.usual_run_seconds(permit, run.job).await?;
            Ok(usual.map(|usual| format!("usually {}", span(usual))).unwrap_or_default())
        }
        RunState::Finished { .. } => Ok(String::new()),
    }
}

fn time_taken(run: &Run, outlook: String, now: Timestamp) -> (&'static str, String, String) {
    let took = seconds(run, now).map_or_else(|| "–".to_owned(), span);
    match run.state {
        RunState::Queued => ("Waits", span(now.seconds_since(run.created_at)), outlook),
        RunState::Starting { .. } => ("Running for", "0 s".to_owned(), outlook),
        RunState::Running { .. } => ("Running for", took, outlook),
        RunState::Finished { finished_at, .. } => {
            ("Took", took, format!("ended {}", When::new(finished_at, now).text))
        }
    }
}

/// How far the newest step is that runs nodes; else what the one that is shown came to.
fn nodes_done(steps: &[RunStep], models: &Models) -> (&'static str, String, String) {
    let last = steps.iter().rev().find_map(|step| Some((step, step.progress?)));
    match (last, models) {
        (Some((step, at)), _) => {
            ("Nodes done", format!("{} of {}", at.done, at.total), name_of(step))
        }
        (None, Models::There(models)) => {
            ("Nodes done", models.nodes.to_string(), format!("{} went wrong", models.wrong))
        }
        (None, Models::None | Models::Unread(_)) => {
            ("Nodes done", "–".to_owned(), "no step has told of any".to_owned())
        }
    }
}

fn time_queued(run: &Run, now: Timestamp) -> (&'static str, String, String) {
    let left = run.state.dequeued_at().or(run.state.finished_at()).unwrap_or(now);
    let since = format!("queued {}", When::new(run.created_at, now).text);
    ("Queued for", span(left.seconds_since(run.created_at)), since)
}

/// What is known of it.
fn facts(run: &Run, names: &Names, now: Timestamp) -> Vec<Fact> {
    let of_run = |id: RunId| Says::Link(format!("run #{id}"), format!("/console/runs/{id}"));
    let by = |id: PrincipalId| {
        Named::try_from(id).map_or_else(|_| id.to_string(), |of| called(names, of))
    };
    let time = |time| Says::Time(When::new(time, now));
    let trigger = &run.trigger;
    let list = format!("/console/runs?project={}", run.project);
    let environment = format!("{list}&environment={}", run.environment);
    let branch = match (&run.git_branch, &run.git_sha) {
        (Some(branch), Some(sha)) => Some(format!("{branch} at {}", sha.get(..7).unwrap_or(sha))),
        (branch, sha) => branch.clone().or_else(|| sha.clone()),
    };
    let pull_request = trigger
        .github_pull_request
        .or(trigger.gitlab_merge_request)
        .or(trigger.azure_pull_request)
        .or(trigger.non_native_pull_request);
    let facts = [
        ("Project", Some(Says::Link(called(names, Named::Project(run.project)), list))),
        (
            "Environment",
            Some(Says::Link(called(names, Named::Environment(run.environment)), environment)),
        ),
        ("Cause", Some(Says::Text(trigger.cause.clone()))),
        ("Token", trigger.token.clone().map(Says::Text)),
        ("Branch", branch.map(Says::Text)),
        ("Pull request", pull_request.map(|number| Says::Text(number.to_string()))),
        ("Queued", Some(time(run.created_at))),
        ("Started", run.state.started_at().map(time)),
        ("Ended", run.state.finished_at().map(time)),
        ("Defers to", run.deferring.map(of_run)),
        ("Retries", trigger.retry.as_ref().map(|retry| of_run(retry.run))),
        ("Cancelled by", run.cancelled_by.map(|id| Says::Text(by(id)))),
        ("Worker", run.worker.clone().map(Says::Text)),
    ];
    let fact = |(label, says): (_, Option<_>)| says.map(|says| Fact { label, says });
    facts.into_iter().filter_map(fact).collect()
}

/// The command of a step, or its name where it has none.
fn name_of(step: &RunStep) -> String {
    step.command().unwrap_or(&step.name).to_owned()
}

impl StepView {
    fn new(step: &RunStep, shown: Option<&RunStep>, now: Timestamp) -> Self {
        let took = match step.state {
            StepState::Running { started_at } => Some(now.seconds_since(started_at)),
            StepState::Finished { started_at, finished_at, .. } => {
                Some(finished_at.seconds_since(started_at))
            }
            StepState::Queued | StepState::Skipped => None,
        };
        Self {
            index: step.index,
            name: name_of(step),
            mark: Mark::of_step(step.state),
            took: took.map(span),
            shown: shown.is_some_and(|shown| shown.id == step.id),
        }
    }
}
