//! The dashboard of a project.
#![expect(clippy::indexing_slicing, reason = "a failure is a failed test")]

mod common;

use common::{House, browser::Browser};
use domain::{RunId, run::Outcome};

const DASHBOARD: &str = "/console/dashboard";
const RESULTS: &str = include_str!("../../domain/tests/run_results.json");
const SOURCES: &str = include_str!("../../domain/tests/artifacts/sources.json");

async fn house() -> (House, Browser) {
    let house = House::new().await;
    let browser = Browser::admin(&house.app, &house.acme, "acme").await;
    (house, browser)
}

/// A run of the job that took so long, left this and ended so.
async fn left(
    house: &House,
    job: i64,
    seconds: i64,
    files: &[(&str, &str)],
    outcome: Outcome,
) -> RunId {
    house.run(job).await;
    let (run, steps) = house.begin(&["Invoke dbt with `dbt build`"]).await;
    house.wait(seconds);
    house.step(&steps[0], "", outcome).await;
    let (runner, lease) = (house.runner().await, house.lease(run));
    for (path, text) in files {
        let put = house.app.store.put_artifact(&runner, &lease, 1, path, text.as_bytes()).await;
        assert!(put.is_ok(), "{put:?}");
    }
    house.finish(run, outcome).await;
    run
}

#[tokio::test]
async fn a_project_shows_its_last_runs_sources_and_failing_tests() {
    let (house, browser) = house().await;
    let empty = browser.get(DASHBOARD).await.text();
    assert!(empty.contains("<h1>sales</h1>") && empty.contains("No job of this project has run"));
    let (nightly, hourly) = (house.job("Nightly <u>x</u>").await, house.job("Hourly").await);
    let page_of = "<html>the site</html>";
    let documented = [("catalog.json", "{}"), ("static_index.html", page_of)];
    let docs = left(&house, hourly, 30, &documented, Outcome::Success).await;
    let sources = left(&house, hourly, 40, &[("sources.json", SOURCES)], Outcome::Success).await;
    let failed = left(&house, nightly, 78, &[("run_results.json", RESULTS)], Outcome::Error).await;
    let waiting = house.run(nightly).await;

    let page = browser.get(DASHBOARD).await;
    let text = page.text();
    assert_eq!(page.status(), 200, "{text}");
    for told in [
        "<dt>Runs</dt><dd>4</dd><dd>1 success, 1 warning, 1 error, 1 not ended</dd>",
        "<dt>Median time</dt><dd>40 s</dd><dd>1 min 18 s at most</dd>",
        "<dt>Sources fresh</dt><dd>1 of 3</dd><dd>1 warn, 1 error</dd>",
        "<dt>Failing tests</dt><dd>1</dd><dd>of 21</dd>",
        "aria-label=\"Time taken by the last 4 runs: 30 s to 1 min 18 s; 1 error\"",
        "legacy.old_customers",
        "823 days",
        "1 day</td>",
        "12 hours</td>",
        "positive_column_agg_daily_revenue_revenue</a>",
        "Fail, 1 row",
    ] {
        assert!(text.contains(told), "{told}: {text}");
    }
    for run in [docs, sources, failed] {
        assert!(text.contains(&format!("/console/runs/{run}\"")), "{run}");
    }
    assert!(text.contains(&format!("/console/runs/{failed}?step=1\"")));
    assert!(text.contains(&format!("/console/runs/{waiting}\"")));
    assert!(text.contains("Nightly &#60;u&#62;x") && !text.contains("<u>x"));
    assert_eq!(text.matches("<rect class=\"fill-").count(), 4 + 4, "the key, and a bar a run");

    let site = format!("/console/projects/{}/docs", house.sales.id);
    assert!(text.contains(&format!("href=\"{site}\"")));
    let site = browser.get(&site).await;
    assert_eq!((site.status(), &*site.text()), (200, page_of));
    assert!(site.header("content-security-policy").starts_with("sandbox allow-scripts;"));
    assert_eq!(site.header("cross-origin-opener-policy"), "", "with it no browser shows the page");
    assert_eq!(site.header("cache-control"), "no-store");

    // A test that passes later fails no longer.
    let mended = RESULTS.replace("\"fail\"", "\"pass\"");
    left(&house, nightly, 5, &[("run_results.json", &mended)], Outcome::Success).await;
    let text = browser.get(DASHBOARD).await.text();
    assert!(text.contains("None of 21 in the newest run of each job."), "{text}");
}

#[tokio::test]
async fn projects_are_chosen_by_tabs_and_those_of_others_are_not_here() {
    let (house, browser) = house().await;
    let hr = house.acme.project("hr").await;
    let page = browser.get(&format!("{DASHBOARD}?project={}", hr.id)).await.text();
    assert!(page.contains("<h1>hr</h1>"), "{page}");
    let tab = format!("<a href=\"{DASHBOARD}?project={}\" aria-current=\"page\">hr</a>", hr.id);
    assert!(page.contains(&tab), "{page}");
    assert!(
        page.contains("No run has looked.") && page.contains("No test ran in the newest runs.")
    );
    for nth in 0..6 {
        house.acme.project(&format!("project {nth}")).await;
    }
    let many = browser.get(DASHBOARD).await.text();
    assert!(many.contains("<select class=\"input\" id=\"project\""), "{many}");

    let other = house.app.account("umbrella").await;
    let stranger = Browser::admin(&house.app, &other, "umbrella").await;
    assert!(stranger.get(DASHBOARD).await.text().contains("No projects yet"));
    let theirs = stranger.get(&format!("{DASHBOARD}?project={}", house.sales.id)).await;
    assert_eq!(theirs.status(), 404);
    let docs = format!("/console/projects/{}/docs", house.sales.id);
    assert_eq!(stranger.get(&docs).await.status(), 404);
}

#[tokio::test]
async fn a_page_takes_six_statements_at_most() {
    let (house, browser) = house().await;
    let job = house.job("Nightly").await;
    for files in [&[("sources.json", SOURCES)], &[("run_results.json", RESULTS)]] {
        left(&house, job, 1, files, Outcome::Success).await;
    }
    for _ in 0..45 {
        house.run(job).await;
    }
    assert_eq!(browser.get("/console/you").await.status(), 200);
    let before = house.app.store.statements();
    let page = browser.get(DASHBOARD).await;
    let statements = house.app.store.statements() - before;
    assert_eq!(page.status(), 200, "{}", page.text());
    assert!(statements <= 6, "{statements}");
}
