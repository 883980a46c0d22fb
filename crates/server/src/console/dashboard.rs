//! The dashboard of a project, to be looked at: its last runs, how fresh its sources are, which tests
//! fail, its documentation.

use std::collections::{BTreeMap, BTreeSet};

use askama::Template;
use axum::extract::State;
use domain::{
    JobId, ProjectId, RunId, Timestamp,
    authz::{Permit, Read, Runs, kinds::Projects},
    list::{ListQuery, Order},
    project::Project,
    run::{Outcome, Run, RunState, usual_seconds},
    run_results::NodeResult,
    source_freshness::{FreshSource, FreshnessStatus, SourceFreshness, Span, Verdict},
};
use store::{ArtifactOfStep, Names};

use super::{
    door::Visitor,
    form::Asked,
    icons,
    marks::Mark,
    page::{Page, Shell, When, span},
    paging::{Choice, address},
    run_view::{RunView, called, named_in, seconds},
    token_view::curl,
};
use crate::{app::App, error::ApiError};

/// How many runs are looked at.
const LAST: u16 = 40;
/// How many of them stand in the table.
const ROWS: usize = 8;
/// Of how many jobs the newest results are read.
const JOBS: usize = 5;
/// The largest results that are read, in bytes: some 2,000 nodes.
const MOST_BYTES: u64 = 2 * 1024 * 1024;
/// How many projects have a tab each; more are chosen from.
const TABS: usize = 6;
/// How wide a bar is with the gap beside it, in the chart's own units.
const STEP: usize = 10;

#[derive(Template)]
#[template(path = "dashboard.html")]
struct Dashboard<'a> {
    shell: Shell<'a>,
    projects: Vec<Choice>,
    in_tabs: bool,
    board: Option<Board>,
}

/// What is shown of a project.
struct Board {
    id: ProjectId,
    name: String,
    figures: [(&'static str, String, String); 4],
    bars: Vec<Bar>,
    /// What the bars say, in a sentence.
    finding: String,
    runs: Vec<RunView>,
    rows: usize,
    freshness: Freshness,
    tests: Tests,
    docs: Option<(RunId, When)>,
}

/// A run in the chart.
struct Bar {
    fill: &'static str,
    x: usize,
    y: i64,
    height: i64,
}

/// How fresh the sources are.
enum Freshness {
    Unknown,
    Unread,
    Known { run: RunId, checked: Option<When>, sources: Vec<SourceView> },
}

/// A source table.
struct SourceView {
    name: String,
    mark: Mark,
    age: String,
    warn_after: String,
    error_after: String,
    error: String,
}

/// Which tests fail in the newest runs of each job.
#[derive(Default)]
struct Tests {
    all: usize,
    failing: Vec<FailingTest>,
    /// Whether some results are too large to be read here.
    partly: bool,
}

/// A test that fails.
struct FailingTest {
    name: String,
    mark: Mark,
    run: RunId,
    step: u32,
    job: String,
    message: String,
}

/// `GET /console/dashboard?project=`: six statements.
pub(super) async fn show(
    permit: Permit<Read, Runs>,
    State(app): State<App>,
    visitor: Visitor,
    Asked(asked): Asked,
) -> Result<Page, ApiError> {
    let projects = projects(&app, &permit).await?;
    let wanted: Option<ProjectId> = asked.first("project").parse().ok();
    let chosen = match wanted {
        Some(id) => Some(projects.iter().find(|one| one.id == id).ok_or(ApiError::NotFound)?),
        None => projects.first(),
    };
    let board = match chosen {
        Some(project) => Some(board(&app, &permit, project).await?),
        None => None,
    };
    let here = chosen.map(|project| project.id.to_string()).unwrap_or_default();
    let choice = |one: &Project| Choice::new(one.id, one.spec.name.as_str(), &here);
    let limit = LAST.to_string();
    let path = address(
        &format!("/api/v2/accounts/{}/runs/", permit.account()),
        &[("project_id", &here), ("order_by", "-id"), ("limit", &limit)],
    );
    Page::of(&Dashboard {
        shell: Shell { visitor: &visitor, here: "dashboard", curl: curl(&app, &path) },
        in_tabs: projects.len() <= TABS,
        projects: projects.iter().map(choice).collect(),
        board,
    })
}

/// The projects that the visitor may see, by name.
async fn projects(app: &App, permit: &Permit<Read, Runs>) -> Result<Vec<Project>, ApiError> {
    let Ok(permit) = permit.also::<Read, Projects>() else { return Ok(Vec::new()) };
    let order = Some(Order { field: "name".to_owned(), descending: false });
    let all = ListQuery { limit: u16::MAX, order, ..ListQuery::first_page() };
    Ok(app.store.projects(&permit, &all).await?.rows)
}

async fn board(
    app: &App,
    permit: &Permit<Read, Runs>,
    project: &Project,
) -> Result<Board, ApiError> {
    let now = app.store.clock().now();
    let last = app.store.newest_runs(permit, project.id, LAST).await?;
    let names = app.store.names(permit, &named_in(last.iter().map(|(run, _)| run))).await?;
    let freshness = Freshness::of(app, permit, project.id, now).await?;
    let newest = newest_of_jobs(&last);
    let path = "run_results.json";
    let results = app.store.artifacts_of_steps(permit, (&newest, None), path, MOST_BYTES).await?;
    let tests = Tests::read(&results, &last, &names);
    let docs = last.iter().map(|(run, _)| run).find(|run| run.has_docs && is_good(run));
    Ok(Board {
        id: project.id,
        name: project.spec.name.as_str().to_owned(),
        figures: [runs_figure(&last), time_figure(&last, now), freshness.figure(), tests.figure()],
        bars: bars(&last, now),
        finding: finding(&last, now),
        rows: ROWS,
        runs: last
            .iter()
            .map(|(run, warnings)| RunView::new(run, &names, *warnings, now))
            .collect(),
        freshness,
        tests,
        docs: docs.map(|run| (run.id, When::new(run.updated_at, now))),
    })
}

fn is_good(run: &Run) -> bool {
    matches!(run.state, RunState::Finished { outcome: Outcome::Success, .. })
}

/// The newest run of each job that came to an end of its own, newest first.
fn newest_of_jobs(last: &[(Run, u64)]) -> Vec<RunId> {
    let mut seen: BTreeSet<JobId> = BTreeSet::new();
    let ended = last.iter().map(|(run, _)| run).filter(|run| {
        matches!(run.state, RunState::Finished { outcome: Outcome::Success | Outcome::Error, .. })
    });
    ended.filter(|run| seen.insert(run.job)).map(|run| run.id).take(JOBS).collect()
}

type Figure = (&'static str, String, String);

fn runs_figure(last: &[(Run, u64)]) -> Figure {
    let mut counts: BTreeMap<u8, (usize, &str)> = BTreeMap::new();
    for (run, warnings) in last {
        let (order, word) = match run.state {
            RunState::Finished { outcome: Outcome::Success, .. } if *warnings > 0 => (1, "warning"),
            RunState::Finished { outcome: Outcome::Success, .. } => (0, "success"),
            RunState::Finished { outcome: Outcome::Error, .. } => (2, "error"),
            RunState::Finished { outcome: Outcome::Cancelled, .. } => (3, "cancelled"),
            RunState::Queued | RunState::Starting { .. } | RunState::Running { .. } => {
                (4, "not ended")
            }
        };
        counts.entry(order).or_insert((0, word)).0 += 1;
    }
    let told: Vec<_> = counts.values().map(|(count, word)| format!("{count} {word}")).collect();
    let label = if last.len() == usize::from(LAST) { "Runs, the last" } else { "Runs" };
    (label, last.len().to_string(), told.join(", "))
}

fn time_figure(last: &[(Run, u64)], now: Timestamp) -> Figure {
    let ended = last.iter().map(|(run, _)| run).filter(|run| run.state.is_finished());
    let took: Vec<_> = ended.filter_map(|run| seconds(run, now)).collect();
    let longest = took.iter().max().map(|most| format!("{} at most", span(*most)));
    let median = usual_seconds(took).map_or_else(|| "–".to_owned(), span);
    ("Median time", median, longest.unwrap_or_else(|| "no run has ended".to_owned()))
}

/// A bar a run, oldest first.
fn bars(last: &[(Run, u64)], now: Timestamp) -> Vec<Bar> {
    let took = |run: &Run| seconds(run, now).unwrap_or_default();
    let longest = last.iter().map(|(run, _)| took(run)).max().unwrap_or_default().max(1);
    let bar = |(nth, (run, warnings)): (usize, &(Run, u64))| {
        let height = (took(run) * 100 / longest).max(4);
        let fill = match run.state {
            RunState::Finished { outcome: Outcome::Success, .. } if *warnings > 0 => "fill-warn",
            RunState::Finished { outcome: Outcome::Success, .. } => "fill-good",
            RunState::Finished { outcome: Outcome::Error, .. } => "fill-bad",
            RunState::Finished { outcome: Outcome::Cancelled, .. } => "fill-none",
            RunState::Queued | RunState::Starting { .. } | RunState::Running { .. } => {
                "fill-running"
            }
        };
        Bar { fill, x: nth * STEP + 1, y: 100 - height, height }
    };
    // At the right end where there are fewer.
    let first = usize::from(LAST).saturating_sub(last.len());
    (first..).zip(last.iter().rev()).map(bar).collect()
}

fn finding(last: &[(Run, u64)], now: Timestamp) -> String {
    let took = last.iter().filter_map(|(run, _)| seconds(run, now));
    let failed = last
        .iter()
        .filter(|(run, _)| matches!(run.state, RunState::Finished { outcome: Outcome::Error, .. }));
    let longest = took.clone().max().map(span).unwrap_or_default();
    let shortest = took.min().map(span).unwrap_or_default();
    let errors = match failed.count() {
        0 => "no errors".to_owned(),
        1 => "1 error".to_owned(),
        errors => format!("{errors} errors"),
    };
    format!("Time taken by the last {} runs: {shortest} to {longest}; {errors}", last.len())
}

impl Freshness {
    async fn of(
        app: &App,
        permit: &Permit<Read, Runs>,
        project: ProjectId,
        now: Timestamp,
    ) -> Result<Self, ApiError> {
        use store::StoreError;

        match app.store.freshness_of(permit, project).await {
            Ok(None) => Ok(Self::Unknown),
            Ok(Some(((_, run), found))) => Ok(Self::read(run, &found, now)),
            Err(StoreError::Conflict(_)) => Ok(Self::Unread),
            Err(error) => Err(error.into()),
        }
    }

    fn read(run: RunId, found: &SourceFreshness, now: Timestamp) -> Self {
        let checked = found.generated_at.map(|time| When::new(time, now));
        let mut sources: Vec<_> = found.sources.iter().map(SourceView::new).collect();
        // What somebody has to do something about comes first.
        let order = |mark: &Mark| match mark.class {
            "bad" => 0,
            "warn" => 1,
            _ => 2,
        };
        sources.sort_by(|a, b| (order(&a.mark), &a.name).cmp(&(order(&b.mark), &b.name)));
        Self::Known { run, checked, sources }
    }

    fn figure(&self) -> Figure {
        const LABEL: &str = "Sources fresh";
        let Self::Known { sources, .. } = self else {
            return (LABEL, "–".to_owned(), "nobody has looked".to_owned());
        };
        let count = |class| sources.iter().filter(|one| one.mark.class == class).count();
        let (warn, bad) = (count("warn"), count("bad"));
        let figure = format!("{} of {}", count("good"), sources.len());
        (LABEL, figure, format!("{warn} warn, {bad} error"))
    }
}

impl SourceView {
    fn new(source: &FreshSource) -> Self {
        let name = format!("{}.{}", source.source, source.table);
        match &source.verdict {
            Verdict::Looked { status, age, criteria, .. } => {
                #[expect(clippy::cast_possible_truncation, reason = "seconds, shown as words")]
                let age = *age as i64;
                Self {
                    name,
                    mark: match status {
                        FreshnessStatus::Pass => Mark::good("Pass"),
                        FreshnessStatus::Warn => Mark::warn("Warn".to_owned()),
                        FreshnessStatus::Error => Mark::bad("Error"),
                    },
                    // To the minute, where it has some.
                    age: span(if age < 60 { age } else { age / 60 * 60 }),
                    warn_after: after(&criteria.warn_after),
                    error_after: after(&criteria.error_after),
                    error: String::new(),
                }
            }
            Verdict::RuntimeError { error } => Self {
                name,
                mark: Mark::bad("Not looked at"),
                age: "–".to_owned(),
                warn_after: "–".to_owned(),
                error_after: "–".to_owned(),
                error: error.clone().unwrap_or_default(),
            },
        }
    }
}

/// `12 hours`
fn after(span: &Span) -> String {
    match &span.0 {
        Some((1, period)) => format!("1 {period}"),
        Some((count, period)) => format!("{count} {period}s"),
        None => "–".to_owned(),
    }
}

impl Tests {
    fn read(results: &[ArtifactOfStep], last: &[(Run, u64)], names: &Names) -> Self {
        let mut tests = Self::default();
        let mut seen = BTreeSet::new();
        // Newest first: what a test came to lately is what it comes to.
        for left in results.iter().rev() {
            let nodes = left.bytes.as_deref().map(NodeResult::parse_all);
            let Some(Ok(nodes)) = nodes else {
                tests.partly = true;
                continue;
            };
            let run = last.iter().find(|(run, _)| run.id == left.run).map(|(run, _)| run);
            let job = run.map(|run| called(names, store::Named::Job(run.job))).unwrap_or_default();
            for node in nodes.into_iter().filter(|node| matches!(node.kind(), "test" | "unit_test"))
            {
                if !seen.insert(node.unique_id.clone()) {
                    continue;
                }
                tests.all += 1;
                if node.status.is_bad() {
                    tests.failing.push(FailingTest {
                        name: node.name().to_owned(),
                        mark: Mark::of_node(node.status, node.failures),
                        run: left.run,
                        step: left.step,
                        job: job.clone(),
                        message: node.message.unwrap_or_default(),
                    });
                }
            }
        }
        tests.failing.sort_by(|a, b| a.name.cmp(&b.name));
        tests
    }

    fn figure(&self) -> Figure {
        const LABEL: &str = "Failing tests";
        match self.all {
            0 => (LABEL, "–".to_owned(), "no test ran lately".to_owned()),
            all => (LABEL, self.failing.len().to_string(), format!("of {all}")),
        }
    }
}
