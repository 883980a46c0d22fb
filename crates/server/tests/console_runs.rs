//! Runs in the console: the list, one run as it goes on, its files; cancel and retry.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failure is a failed test")]

mod common;

use common::{
    House,
    browser::{Browser, PASSWORD, link},
};
use domain::{
    RunId,
    authz::License,
    run::{Outcome, Progress, RunStep},
};
use reqwest::Method;
use serde_json::json;
use testkit::TestAnswer;

const RUNS: &str = "/console/runs";
const RESULTS: &str = include_str!("../../domain/tests/run_results.json");
const STEPS: [&str; 3] =
    ["Clone git repository", "Invoke dbt with `dbt deps`", "Invoke dbt with `dbt build`"];
const LOG: &str = "15:50:20  Running with dbt=1.11.16\n\
    15:50:24  38 of 38 FAIL 1 positive_column <b>bold</b> [FAIL 1 in 0.06s]\n";

async fn house() -> (House, Browser) {
    let house = House::new().await;
    let browser = Browser::admin(&house.app, &house.acme, "acme").await;
    (house, browser)
}

/// Somebody else of the account, with this permission set.
async fn somebody(house: &House, set: &str) -> Browser {
    let email = format!("{set}@acme.example");
    house.acme.user(&email, License::Developer, &[set]).await;
    let browser = Browser::new(&house.app);
    let code = link(&house.app, &house.acme, &email).await;
    assert_eq!(browser.come_in(&code, PASSWORD).await.status(), 303);
    browser
}

impl House {
    /// A run of the job whose last step failed and left results.
    async fn failed_run(&self, job: i64) -> (RunId, Vec<RunStep>) {
        self.run(job).await;
        let (run, steps) = self.begin(&STEPS).await;
        self.step(&steps[0], "Cloning\n", Outcome::Success).await;
        self.step(&steps[1], "", Outcome::Success).await;
        self.step(&steps[2], LOG, Outcome::Error).await;
        let (runner, lease) = (self.runner().await, self.lease(run));
        for (path, text) in [("run_results.json", RESULTS), ("manifest.json", "{}")] {
            self.app.store.put_artifact(&runner, &lease, 3, path, text.as_bytes()).await.unwrap();
        }
        self.wait(78);
        self.finish(run, Outcome::Error).await;
        (run, steps)
    }

    async fn statements_of_page(&self, browser: &Browser, path: &str) -> u64 {
        let before = self.app.store.statements();
        let page = browser.get(path).await;
        assert_eq!(page.status(), 200, "{path}: {}", page.text());
        self.app.store.statements() - before
    }
}

/// How many rows the table of the list has.
fn rows(page: &TestAnswer) -> usize {
    page.text().matches("<th class=\"name\" scope=\"row\">").count()
}

#[tokio::test]
async fn runs_are_listed_and_narrowed_by_job_environment_and_state() {
    let (house, browser) = house().await;
    let empty = browser.get(RUNS).await.text();
    assert!(empty.contains("No runs yet") && empty.contains("/jobs/1/run/"), "{empty}");

    let (nightly, hourly) = (house.job("Nightly <i>build</i>").await, house.job("Hourly").await);
    house.failed_run(nightly).await;
    let waiting = house.run(hourly).await;
    let page = browser.get(RUNS).await;
    let text = page.text();
    assert_eq!(rows(&page), 2);
    assert!(text.contains("Nightly &#60;i&#62;build&#60;/i&#62;") && !text.contains("<i>build"));
    assert!(text.contains("Queued</span>") && text.contains("Error</span>"));
    assert!(text.contains("<td class=\"num\" data-label=\"Took\">1 min 18 s</td>"), "{text}");
    assert!(text.contains("admin@acme.example"), "who started it");
    assert!(text.contains("/runs/?order_by=-id&#38;limit=25"), "the same in the API");

    let (project, production) = (house.sales.id, house.production);
    for (asked, found) in [
        (format!("?project={project}"), 2),
        (format!("?project={project}&job={hourly}"), 1),
        (format!("?environment={production}&status=20"), 1),
        ("?status=1,2,3".to_owned(), 1),
        ("?status=30".to_owned(), 0),
        (format!("?job={hourly}&status=20"), 0),
        // What is no filter narrows nothing, nor does a job of another project than the chosen one.
        ("?project=x&page=0".to_owned(), 2),
        (format!("?project={project}&job=99999"), 2),
        ("?job=99999".to_owned(), 0),
    ] {
        let page = browser.get(&format!("{RUNS}{asked}")).await;
        assert_eq!((page.status(), rows(&page)), (200, found), "{asked}");
        assert_eq!(page.text().contains("No run is like this"), found == 0, "{asked}");
    }
    let one = browser.get(&format!("{RUNS}?status=1,2,3")).await.text();
    assert!(one.contains(&format!("href=\"/console/runs/{waiting}\"")));
    assert!(one.contains("status__in=%5B1%2C2%2C3%5D"), "{one}");

    for _ in 0..25 {
        house.run(hourly).await;
    }
    let (first, second) = (browser.get(RUNS).await, browser.get(&format!("{RUNS}?page=2")).await);
    assert_eq!((rows(&first), rows(&second)), (25, 2));
    assert!(first.text().contains("1–25 of 27") && second.text().contains("26–27 of 27"));
    assert!(second.text().contains("href=\"/console/runs\" rel=\"prev\""), "{}", second.text());
}

#[tokio::test]
async fn a_run_shows_its_steps_the_end_of_a_log_and_a_bar_for_each_model() {
    let (house, browser) = house().await;
    let job = house.job("Nightly").await;
    let (run, steps) = house.failed_run(job).await;
    let path = format!("{RUNS}/{run}");
    let page = browser.get(&path).await;
    let text = page.text();
    assert_eq!(page.status(), 200, "{text}");
    assert!(text.contains("<dd>1 min 18 s</dd>"), "{text}");
    for step in ["Clone git repository", "dbt deps", "dbt build"] {
        assert!(text.contains(&format!(">{step}</a>")), "{step}");
    }
    // The step that failed is the one that is shown.
    assert!(text.contains("<time>15:50:24</time><span>38 of 38 <b class=\"bad\">FAIL</b> 1"));
    assert!(text.contains("&#60;b&#62;bold") && !text.contains("<b>bold"), "{text}");
    assert!(text.contains("17 of 21 tests passed"), "{text}");
    assert!(text.contains("agg_daily_revenue</span>") && text.contains("<rect class=\"fill-bad\""));
    assert!(text.contains("Got 1 result, configured to fail if != 0"));
    assert!(!text.contains("data-live"), "it has ended");

    let cloned = browser.get(&format!("{path}?step=1")).await.text();
    assert!(cloned.contains("<span>Cloning</span>") && !cloned.contains("fill-good\" x="));
    let log = browser.get(&format!("/console/steps/{}/log", steps[2].id)).await;
    assert_eq!((log.header("content-type"), &*log.text()), ("text/plain; charset=utf-8", LOG));

    let files = browser.get(&format!("{path}/artifacts")).await.text();
    let link = format!("{path}/artifacts/run_results.json?step=3");
    assert!(files.contains(&format!("href=\"{link}\"")), "{files}");
    let file = browser.get(&link).await;
    assert_eq!((file.header("content-type"), &*file.text()), ("application/json", RESULTS));
    assert_eq!(browser.get(&format!("{path}/artifacts/nothing.json")).await.status(), 404);
}

#[tokio::test]
async fn a_long_log_shows_its_end_and_says_so() {
    let (house, browser) = house().await;
    house.run(house.job("Nightly").await).await;
    let (run, steps) = house.begin(&["Invoke dbt with `dbt build`"]).await;
    let lines: Vec<_> = (0..4_000).map(|line| format!("line {line} of very many\n")).collect();
    house.step(&steps[0], &lines.concat(), Outcome::Success).await;
    let text = browser.get(&format!("{RUNS}/{run}")).await.text();
    assert!(text.contains("This is its end.") && text.contains("class=\"log cut\""), "{text}");
    assert!(text.contains("<span>line 3999 of very many</span>") && !text.contains("line 999 of"));
    assert!(text.len() < 250_000, "{} bytes", text.len());
}

#[tokio::test]
async fn a_log_is_followed_from_where_the_page_ends_until_the_session_does() {
    let (house, browser) = house().await;
    house.run(house.job("Nightly").await).await;
    let (run, steps) = house.begin(&["Invoke dbt with `dbt build`"]).await;
    let (runner, lease, step) = (house.runner().await, house.lease(run), steps[0].id);
    let store = &house.app.store;
    store.begin_step(&runner, &lease, step).await.unwrap();
    store.append_log(&runner, &lease, step, "the first\n").await.unwrap();
    let progress = Progress { done: 3, total: 38 };
    store.note_progress(&runner, &lease, step, progress).await.unwrap();

    let page = browser.get(&format!("{RUNS}/{run}")).await.text();
    assert!(page.contains("data-live") && page.contains("<dd>3 of 38</dd>"), "{page}");
    assert!(page.contains("<span>the first</span>"));
    let (_, rest) = page.split_once("data-events=\"").unwrap();
    let events = rest.split('"').next().unwrap();
    let mut stream = browser.open(events).await;
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    store.append_log(&runner, &lease, step, "the second\n").await.unwrap();
    let mut told = String::new();
    while !told.contains("the second") {
        told += std::str::from_utf8(&stream.chunk().await.unwrap().unwrap()).unwrap();
    }
    assert!(!told.contains("the first"), "{told}");
    let id = told.lines().find_map(|line| line.strip_prefix("id: ")).unwrap().to_owned();

    let broken = browser.request(Method::GET, events).header("Last-Event-ID", id);
    let mut again = browser.begin(broken).await;
    let leaving = Browser::new(&house.app);
    leaving.holds(&browser.cookie());
    assert_eq!(leaving.post("/console/sign-out", &[]).await.status(), 303);
    let mut rest = String::new();
    while let Some(chunk) = again.chunk().await.unwrap() {
        rest += std::str::from_utf8(&chunk).unwrap();
    }
    assert!(rest.contains("event: refused") && rest.contains("401"), "{rest}");
    assert!(!rest.contains("the second"), "{rest}");
}

#[tokio::test]
async fn a_run_is_cancelled_and_retried_by_a_form_by_whoever_may() {
    let (house, browser) = house().await;
    let job = house.job("Nightly").await;
    let (failed, _) = house.failed_run(job).await;
    let page = browser.get(&format!("{RUNS}/{failed}")).await.text();
    assert!(page.contains("Retry from the failure") && !page.contains("/cancel\""), "{page}");
    let retried = browser.post(&format!("{RUNS}/{failed}/retry"), &[]).await;
    assert_eq!(retried.status(), 303, "{}", retried.text());
    let to = retried.header("location").to_owned();
    let page = browser.get(&to).await.text();
    assert!(page.contains("Run queued") && page.contains(&format!(">run #{failed}</a>")), "{page}");
    let again = browser.post(&format!("{RUNS}/{failed}/retry"), &[]).await;
    assert_eq!(again.status(), 400);
    assert!(again.text().contains("It cannot be retried: the job has a newer run."));

    let run = to.split('?').next().unwrap();
    let question = browser.get(&format!("{run}/cancel")).await.text();
    assert!(question.contains("Let it run"), "{question}");
    let cancelled = browser.post(&format!("{run}/cancel"), &[]).await;
    assert_eq!(
        (cancelled.status(), cancelled.header("location")),
        (303, &*format!("{run}?cancelled=1"))
    );
    assert!(browser.get(run).await.text().contains("Cancelled</span>"));
    let late = browser.post(&format!("{run}/cancel"), &[]).await;
    assert_eq!(late.status(), 409);
    assert!(late.text().contains("It cannot be cancelled"), "{}", late.text());

    let token = house.acme.service_token().named("airflow").grant("job_admin", &house.sales);
    let (token, client) = token.create_with_id().await;
    let path = house.acme.v2(&format!("/jobs/{job}/run/"));
    let by_token = client.post(&path, json!({ "cause": "a test" })).await.id();
    let page = browser.get(&format!("{RUNS}/{by_token}")).await.text();
    let link = format!("<a href=\"/console/service-tokens/{token}\">airflow</a>");
    assert!(page.contains(&link), "{page}");

    let viewer = somebody(&house, "job_viewer").await;
    let page = viewer.get(&format!("{RUNS}/{by_token}")).await.text();
    assert!(
        page.contains(&format!("<dd>service token {token}</dd>")),
        "a name that they may not read"
    );
    assert!(!page.contains("airflow"), "{page}");
    let waiting = house.run(job).await;
    let page = viewer.get(&format!("{RUNS}/{waiting}")).await;
    assert_eq!(page.status(), 200);
    assert!(!page.text().contains("/cancel\"") && !page.text().contains("Service tokens</a>"));
    let refused = viewer.post(&format!("{RUNS}/{waiting}/cancel"), &[]).await;
    assert_eq!(refused.status(), 403);
    assert_eq!(
        house.acme.admin.get(&house.acme.v2(&format!("/runs/{waiting}/"))).await.data()["status"],
        1
    );
}

#[tokio::test]
async fn who_may_not_read_runs_sees_none_and_those_of_another_account_are_not_here() {
    let (house, browser) = house().await;
    let run = house.run(house.job("Nightly").await).await;
    let nobody = somebody(&house, "billing_admin").await;
    assert_eq!(nobody.get(RUNS).await.status(), 403);
    assert!(!nobody.get("/console/you").await.text().contains("href=\"/console/runs\""));
    assert!(browser.get("/console/you").await.text().contains("href=\"/console/runs\""));

    let other = house.app.account("umbrella").await;
    let stranger = Browser::admin(&house.app, &other, "umbrella").await;
    assert_eq!(rows(&stranger.get(RUNS).await), 0);
    for rest in ["", "/cancel", "/artifacts", "/artifacts/manifest.json"] {
        assert_eq!(stranger.get(&format!("{RUNS}/{run}{rest}")).await.status(), 404, "{rest}");
    }
    assert_eq!(stranger.post(&format!("{RUNS}/{run}/cancel"), &[]).await.status(), 404);
}

#[tokio::test]
async fn a_page_takes_six_statements_at_most() {
    let (house, browser) = house().await;
    let token = house.acme.service_token().grant("job_admin", &house.sales).create().await;
    let job = house.job("Nightly").await;
    let (failed, _) = house.failed_run(job).await;
    let path = house.acme.v2(&format!("/jobs/{job}/run/"));
    assert_eq!(token.post(&path, json!({ "cause": "a test" })).await.status(), 200);
    for _ in 0..30 {
        house.run(job).await;
    }
    let (running, steps) = house.begin(&STEPS).await;
    let (runner, lease) = (house.runner().await, house.lease(running));
    house.app.store.begin_step(&runner, &lease, steps[0].id).await.unwrap();
    let waiting = running.get() + 1;
    // The first request in a while also notes that the session is in use.
    assert_eq!(browser.get("/console/you").await.status(), 200);
    for path in [
        RUNS.to_owned(),
        format!("{RUNS}?project={}&job={job}&page=2", house.sales.id),
        format!("{RUNS}/{failed}"),
        format!("{RUNS}/{running}"),
        format!("{RUNS}/{waiting}"),
        format!("{RUNS}/{waiting}/cancel"),
        format!("{RUNS}/{failed}/artifacts"),
    ] {
        let statements = house.statements_of_page(&browser, &path).await;
        assert!(statements <= 6, "{path}: {statements}");
    }
}
