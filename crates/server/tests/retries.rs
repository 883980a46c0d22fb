//! Retry and rerun, through the router; the runner's part is done by the store's own functions.
#![expect(clippy::unwrap_used, reason = "a failure is a failed test")]

mod common;

use common::House;
use domain::{RunId, authz::Category, run::Outcome};
use reqwest::Method;
use serde_json::{Value, json};
use testkit::{TestAnswer, TestClient};

const STEPS: [&str; 6] = [
    "Clone git repository",
    "Create profile from connection shop",
    "Invoke dbt with `dbt deps`",
    "Invoke dbt with `dbt seed`",
    "Invoke dbt with `dbt build -s 'tag:a b'`",
    "Invoke dbt with `dbt docs generate`",
];

/// A run of the job whose step with this index failed, and left these artifacts.
async fn failed(house: &House, job: i64, step: usize, artifacts: &[&str]) -> RunId {
    house.run(job).await;
    fail_next(house, step, artifacts).await
}

async fn fail_next(house: &House, step: usize, artifacts: &[&str]) -> RunId {
    let (run, steps) = house.begin(&STEPS).await;
    for row in steps.iter().take(step) {
        let last = usize::try_from(row.index).unwrap() == step;
        house.step(row, "…\n", if last { Outcome::Error } else { Outcome::Success }).await;
    }
    let (permit, lease) = (house.runner().await, house.lease(run));
    for path in artifacts {
        let (text, step) = ("{}".as_bytes(), u32::try_from(step).unwrap());
        house.app.store.put_artifact(&permit, &lease, step, path, text).await.unwrap();
    }
    house.finish(run, Outcome::Error).await;
    run
}

const RESULTS: [&str; 2] = ["run_results.json", "manifest.json"];

async fn get(house: &House, rest: &str) -> TestAnswer {
    house.acme.admin.get(&house.acme.v2(rest)).await
}

async fn post(house: &House, rest: &str) -> TestAnswer {
    let request = house.acme.admin.request(Method::POST, &house.acme.v2(rest));
    TestAnswer::of(request.header("Content-Type", "application/json")).await
}

#[tokio::test]
async fn a_failed_run_is_taken_up_by_a_new_one_with_what_it_overrode() {
    let house = House::new().await;
    let job = house.job("Nightly").await;
    let body = json!({ "cause": "by hand", "threads_override": 2, "git_branch": "fix" });
    let path = house.acme.v2(&format!("/jobs/{job}/run/"));
    house.acme.admin.post(&path, body).await;
    let failed = fail_next(&house, 5, &RESULTS).await;
    let told = get(&house, &format!("/runs/{failed}/")).await.data();
    assert_eq!(told.get("can_retry"), Some(&json!(true)));
    assert_eq!(told.get("retry_not_supported_reason"), Some(&Value::Null));

    let details = get(&house, &format!("/runs/{failed}/retry/")).await;
    assert_eq!(details.status(), 200, "{}", details.text());
    assert_eq!(details.data(), json!({ "failed_step": STEPS[4], "skipped_steps": [STEPS[5]] }));

    let retry = post(&house, &format!("/runs/{failed}/retry/")).await;
    assert_eq!(retry.status(), 200, "{}", retry.text());
    let run = retry.data();
    assert_eq!((&run["retrying_run_id"], &run["status"]), (&json!(failed.get()), &json!(1)));
    assert_eq!(run["trigger"]["cause"], format!("retry of run {failed}"));
    assert_eq!(run["trigger"]["cause_category"], "rerun");
    assert_eq!(run["trigger"]["threads_override"], 2);
    assert_eq!(run["trigger"]["git_branch"], "fix");
    // What the runner is to do again.
    let claimed =
        house.app.store.claim_run(&house.runner().await, &common::worker()).await.unwrap().unwrap();
    let taken_up = claimed.run.trigger.retry.unwrap();
    assert_eq!((taken_up.run, taken_up.step), (failed, 5));
    let later: Vec<_> = taken_up.later.iter().map(domain::job::DbtCommand::as_str).collect();
    assert_eq!(later, ["dbt docs generate"]);
    // The old run tells of it, where it is asked to.
    let path = format!("/runs/{failed}/?include_related=run_retries");
    let retries = get(&house, &path).await.data()["run_retries"].clone();
    assert_eq!(retries[0]["id"], run["id"]);
    assert_eq!(get(&house, &format!("/runs/{failed}/")).await.data()["run_retries"], Value::Null);
    assert_eq!(get(&house, &format!("/runs/?retrying_run_id={failed}")).await.ids().len(), 1);
}

#[tokio::test]
async fn what_cannot_be_retried_says_why() {
    let house = House::new().await;
    let job = house.job("Nightly").await;
    let why = async |run: RunId, reason: &str| {
        let told = get(&house, &format!("/runs/{run}/")).await.data();
        assert_eq!(
            (&told["can_retry"], &told["retry_not_supported_reason"]),
            (&json!(false), &json!(reason))
        );
        let path = format!("/runs/{run}/retry/");
        for answer in [get(&house, &path).await, post(&house, &path).await] {
            assert_eq!(answer.status(), 400, "{}", answer.text());
            assert_eq!(answer.data()["retry_not_supported_reason"], reason);
            assert!(
                answer.reason("run_id").starts_with("cannot be retried: "),
                "{}",
                answer.text()
            );
        }
    };
    let set_up = failed(&house, job, 1, &[]).await;
    why(set_up, "RETRY_NO_RUN_RESULTS").await;
    why(failed(&house, job, 3, &RESULTS).await, "RETRY_UNSUPPORTED_CMD").await;
    why(failed(&house, job, 5, &["run_results.json"]).await, "RETRY_NO_RUN_RESULTS").await;
    let retryable = failed(&house, job, 5, &RESULTS).await;
    let queued = RunId::new(house.run(job).await).unwrap();
    why(queued, "RETRY_NOT_FAILED_RUN").await;
    why(retryable, "RETRY_NOT_LATEST_RUN").await;
    // A run that fails after a newer one was queued is not the newest either.
    house.run(job).await;
    why(fail_next(&house, 5, &RESULTS).await, "RETRY_NOT_LATEST_RUN").await;
    let mut body = house.body("old");
    body["dbt_version"] = json!("1.5.2");
    let old = house.job_of(body).await;
    let (next, _) = house.begin(&STEPS).await;
    house.finish(next, Outcome::Cancelled).await;
    why(next, "RETRY_NOT_FAILED_RUN").await;
    why(failed(&house, old, 5, &RESULTS).await, "RETRY_UNSUPPORTED_VERSION").await;
}

#[tokio::test]
async fn a_rerun_takes_up_what_failed_or_else_starts_anew() {
    let house = House::new().await;
    let job = house.job("Nightly").await;
    let path = format!("/jobs/{job}/rerun/");
    let first = post(&house, &path).await;
    assert_eq!(first.status(), 200, "{}", first.text());
    assert_eq!(first.data()["retrying_run_id"], Value::Null);
    assert_eq!(first.data()["trigger"]["cause"], "rerun of the job");
    let failed = fail_next(&house, 5, &RESULTS).await;
    assert_eq!(post(&house, &path).await.data()["retrying_run_id"], failed.get());
    // The newest is queued now: one more is a plain run.
    assert_eq!(post(&house, &path).await.data()["retrying_run_id"], Value::Null);
}

/// The answers to details, retry and rerun.
async fn all(house: &House, client: &TestClient, job: i64, run: RunId) -> [u16; 3] {
    let retry = house.acme.v2(&format!("/runs/{run}/retry/"));
    let rerun = house.acme.v2(&format!("/jobs/{job}/rerun/"));
    [
        client.get(&retry).await.status(),
        client.post(&retry, json!({})).await.status(),
        client.post(&rerun, json!({})).await.status(),
    ]
}

#[tokio::test]
async fn who_may_retry() {
    let house = House::new().await;
    let (job, hr) = (house.job("Nightly").await, house.acme.project("hr").await);
    let run = failed(&house, job, 5, &RESULTS).await;
    let token = || house.acme.service_token();
    assert_eq!(all(&house, &house.app.anonymous(), job, run).await, [401; 3]);
    let billing = token().grant_everywhere("billing_admin").create().await;
    assert_eq!(all(&house, &billing, job, run).await, [403; 3]);
    let viewer = token().grant("job_viewer", &house.sales).create().await;
    assert_eq!(all(&house, &viewer, job, run).await, [200, 403, 403]);
    let elsewhere = token().grant("job_admin", &hr).create().await;
    assert_eq!(all(&house, &elsewhere, job, run).await, [404; 3]);
    let rival = house.app.account("rival").await;
    assert_eq!(all(&house, &rival.admin, job, run).await, [404; 3]);
    // What is raised in staging alone runs nothing in production.
    let raised = token().grant_raised("analyst", &house.sales, &[Category::Staging.key()]);
    assert_eq!(all(&house, &raised.create().await, job, run).await, [200, 403, 403]);
    let runner = token().grant("job_runner", &house.sales).create().await;
    assert_eq!(all(&house, &runner, job, run).await, [200, 200, 200]);
    for rest in ["/runs/999/retry/", "/runs/x/retry/"] {
        assert_eq!(get(&house, rest).await.status(), 404);
        assert_eq!(post(&house, rest).await.status(), 404);
    }
    assert_eq!(post(&house, "/jobs/999/rerun/").await.status(), 404);
}

#[tokio::test]
async fn failures_are_counted_until_a_run_goes_well() {
    let house = House::new().await;
    let job = house.job("Nightly").await;
    let count = async || {
        get(&house, &format!("/jobs/{job}/")).await.data()["run_failure_count"].as_i64().unwrap()
    };
    assert_eq!(count().await, 0);
    failed(&house, job, 1, &[]).await;
    failed(&house, job, 5, &[]).await;
    assert_eq!(count().await, 2);
    let queued = house.run(job).await;
    post(&house, &format!("/runs/{queued}/cancel/")).await;
    assert_eq!(count().await, 2);
    house.run(job).await;
    let (run, _) = house.begin(&STEPS).await;
    house.finish(run, Outcome::Success).await;
    assert_eq!(count().await, 0);
}

#[tokio::test]
async fn the_audit_of_a_run_says_who_cancelled_it() {
    let house = House::new().await;
    let job = house.job("Nightly").await;
    let run = house.run(job).await;
    let audit = async || {
        let path = format!("/runs/{run}/?include_related=audit");
        get(&house, &path).await.data()["audit"].clone()
    };
    assert_eq!(audit().await["cancellation"], Value::Null);
    let (id, token) =
        house.acme.service_token().grant("job_runner", &house.sales).create_with_id().await;
    let path = house.acme.v2(&format!("/runs/{run}/cancel/"));
    assert_eq!(token.post(&path, json!({})).await.status(), 200);
    let actor = audit().await["cancellation"]["actor"].clone();
    assert_eq!(actor, json!({ "id": id.to_string(), "type": "service_token", "name": null }));
}
