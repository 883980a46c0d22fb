//! What webhooks are sent of runs. The runner's part is done by the store's own functions.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failure is a failed test")]

mod common;

use std::time::Duration;

use common::{
    House,
    receiver::{BROKEN, MOVED, OK, Receiver},
};
use domain::run::Outcome;
use serde_json::{Value, json};
use server::WebhookTargets;
use testkit::TestApp;
use tokio::time::{Instant, sleep};

const ALL: [&str; 3] = ["job.run.started", "job.run.completed", "job.run.errored"];

/// A webhook for these events and jobs; gives its id and its secret.
async fn webhook(house: &House, url: &str, events: &[&str], jobs: &[i64]) -> (String, String) {
    let body = json!({
        "name": "ops", "client_url": url, "active": true, "event_types": events, "job_ids": jobs,
    });
    let path = house.acme.v3("/webhooks/subscriptions");
    let made = house.acme.admin.post(&path, body).await;
    assert_eq!(made.status(), 201, "{}", made.text());
    let text = |key: &str| made.data()[key].as_str().unwrap().to_owned();
    (text("id"), text("hmac_secret"))
}

async fn read(house: &House, rest: &str) -> Value {
    let answer = house.acme.admin.get(&house.acme.v3(&format!("/webhooks/{rest}"))).await;
    assert_eq!(answer.status(), 200, "{rest}: {}", answer.text());
    answer.data()
}

/// A run of the job that ends so.
async fn ran(house: &House, job: i64, outcome: Outcome) -> i64 {
    house.run(job).await;
    let (run, _) = house.begin(&["Invoke dbt with `dbt build`"]).await;
    house.wait(90);
    house.finish(run, outcome).await;
    run.get()
}

/// Waits for so many receipts of an event; gives them.
async fn receipts(house: &House, event: &str, count: usize) -> Value {
    let end = Instant::now() + Duration::from_secs(30);
    loop {
        let path = house.acme.v3(&format!("/webhooks/event/{event}/receipts"));
        let answer = house.acme.admin.get(&path).await;
        let told = if answer.status() == 404 { json!([]) } else { answer.data() };
        if told.as_array().unwrap().len() >= count {
            return told;
        }
        assert!(Instant::now() < end, "{told}");
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_run_tells_of_its_start_and_its_end_signed_and_each_try_has_a_receipt() {
    let house = House::new().await;
    let receiver = Receiver::answering(&[OK]).await;
    let (id, secret) = webhook(&house, &receiver.url, &ALL, &[]).await;
    let job = house.job("nightly").await;
    let run = ran(&house, job, Outcome::Success).await;

    let came = receiver.came(2).await;
    assert!(came.iter().all(|delivery| delivery.is_signed_with(&secret)));
    assert!(came.iter().all(|delivery| delivery.head.contains("content-type: application/json")));
    let (started, ended) = (came[0].payload(), came[1].payload());
    assert_eq!(started["eventType"], "job.run.started");
    assert_eq!(started["accountId"], house.acme.id.get());
    assert_eq!((&started["webhookId"], &started["webhookName"]), (&json!(id), &json!("ops")));
    assert_eq!(started["timestamp"], "2026-11-23T12:00:00.000000+00:00");
    let data = json!({
        "jobId": job.to_string(), "jobName": "nightly", "runId": run.to_string(),
        "projectId": house.sales.id.to_string(), "projectName": "sales",
        "environmentId": house.production.to_string(), "environmentName": "production",
        "dbtVersion": started["data"]["dbtVersion"], "runReason": "a test",
        "runStatus": "Running", "runStatusCode": 3, "runStatusMessage": "None",
        "runStartedAt": "2026-11-23T12:00:00.000000+00:00",
    });
    assert_eq!(started["data"], data);
    assert_eq!(ended["eventType"], "job.run.completed");
    assert_eq!(
        (&ended["data"]["runStatus"], &ended["data"]["runStatusCode"]),
        (&json!("Success"), &json!(10))
    );
    assert_eq!(ended["data"]["runFinishedAt"], "2026-11-23T12:01:30.000000+00:00");

    let event = ended["eventId"].as_str().unwrap();
    let told = receipts(&house, event, 1).await;
    assert_eq!(told[0]["request_body"], came[1].body);
    assert_eq!((&told[0]["http_status_code"], &told[0]["error_info"]), (&json!("200"), &json!("")));
    let told = read(&house, &format!("subscription/{id}/events")).await;
    assert_eq!(told.as_array().unwrap().len(), 2, "{told}");
    assert_eq!((&told[1]["id"], &told[1]["job_id"]), (&json!(event), &json!(job.to_string())));
    assert_eq!(read(&house, &format!("subscription/{id}")).await["http_status_code"], "200");
    assert!(!told.to_string().contains(&secret));
}

#[tokio::test]
async fn a_failure_is_told_as_such_and_as_an_end_and_a_cancelled_run_as_an_end() {
    let house = House::new().await;
    let receiver = Receiver::answering(&[OK]).await;
    webhook(&house, &receiver.url, &["job.run.completed", "job.run.errored"], &[]).await;
    let job = house.job("nightly").await;
    ran(&house, job, Outcome::Error).await;
    ran(&house, job, Outcome::Cancelled).await;
    // One that never leaves the queue.
    let run = house.run(job).await;
    let path = house.acme.v2(&format!("/runs/{run}/cancel/"));
    assert_eq!(house.acme.admin.post(&path, json!({})).await.status(), 200);

    let came = receiver.came(4).await;
    let told: Vec<_> = came
        .iter()
        .map(|delivery| {
            let payload = delivery.payload();
            let word = |value: &Value| value.as_str().unwrap().to_owned();
            (word(&payload["eventType"]), word(&payload["data"]["runStatus"]))
        })
        .collect();
    let line = |event: &str, status: &str| (event.to_owned(), status.to_owned());
    assert_eq!(
        told,
        [
            line("job.run.errored", "Errored"),
            line("job.run.completed", "Errored"),
            line("job.run.completed", "Cancelled"),
            line("job.run.completed", "Cancelled"),
        ]
    );
    let data = |index: usize| came[index].payload()["data"].clone();
    assert!(data(0)["runErroredAt"].is_string() && data(0)["runFinishedAt"].is_null());
    assert!(data(1)["runFinishedAt"].is_string() && data(1)["runErroredAt"].is_null());
    assert!(data(3)["runStartedAt"].is_null(), "{}", data(3));
}

#[tokio::test]
async fn a_webhook_of_other_jobs_other_events_or_switched_off_hears_nothing() {
    let house = House::new().await;
    let rival = house.app.account("rival").await;
    let (ours, other) = (house.job("ours").await, house.job("other").await);
    let deaf = Receiver::answering(&[OK]).await;
    webhook(&house, &deaf.url, &ALL, &[other]).await;
    webhook(&house, &deaf.url, &["job.run.errored"], &[]).await;
    let (off, _) = webhook(&house, &deaf.url, &ALL, &[]).await;
    let path = house.acme.v3(&format!("/webhooks/subscription/{off}"));
    assert_eq!(house.acme.admin.put(&path, json!({ "active": false })).await.status(), 200);
    let body = json!({ "name": "r", "client_url": deaf.url, "event_types": ALL });
    let theirs = rival.admin.post(&rival.v3("/webhooks/subscriptions"), body).await;
    assert_eq!(theirs.status(), 201, "{}", theirs.text());
    // One that hears all, and is sent to after the others.
    let receiver = Receiver::answering(&[OK]).await;
    webhook(&house, &receiver.url, &ALL, &[ours]).await;

    ran(&house, ours, Outcome::Success).await;
    receiver.came(2).await;
    ran(&house, ours, Outcome::Success).await;
    receiver.came(4).await;

    assert_eq!(deaf.so_far().len(), 0);
}

#[tokio::test]
async fn an_event_that_did_not_arrive_is_sent_again_as_the_same_event() {
    let house = House::on(TestApp::that_retries().await).await;
    let receiver = Receiver::answering(&[BROKEN, MOVED, OK]).await;
    let (id, secret) = webhook(&house, &receiver.url, &["job.run.completed"], &[]).await;
    let job = house.job("nightly").await;
    ran(&house, job, Outcome::Success).await;

    let first = receiver.came(1).await.remove(0);
    let event = first.payload()["eventId"].as_str().unwrap().to_owned();
    receipts(&house, &event, 1).await;
    assert_eq!(read(&house, &format!("subscription/{id}")).await["http_status_code"], "500");
    house.wait(30);
    receiver.came(2).await;
    receipts(&house, &event, 2).await;
    house.wait(120);
    let came = receiver.came(3).await;
    let told = receipts(&house, &event, 3).await;

    let statuses: Vec<_> =
        told.as_array().unwrap().iter().map(|one| one["http_status_code"].clone()).collect();
    assert_eq!(statuses, ["500", "302", "200"], "no redirect is followed: {told}");
    assert_eq!(told[1]["error_info"], "the answer was 302");
    assert!(came.iter().all(|one| one.body == first.body && one.is_signed_with(&secret)));
    let events = read(&house, &format!("subscription/{id}/events")).await;
    assert_eq!(events.as_array().unwrap().len(), 1, "{events}");
    // It has arrived: there is nothing to send any more.
    house.wait(10_000);
    ran(&house, job, Outcome::Success).await;
    assert_ne!(receiver.came(4).await[3].payload()["eventId"], event);
}

#[tokio::test]
async fn a_webhook_that_takes_none_of_five_tries_is_switched_off_and_says_why() {
    let house = House::on(TestApp::that_retries().await).await;
    let receiver = Receiver::answering(&[BROKEN]).await;
    let (id, _) = webhook(&house, &receiver.url, &["job.run.completed"], &[]).await;
    let job = house.job("nightly").await;
    ran(&house, job, Outcome::Success).await;
    let event = receiver.came(1).await[0].payload()["eventId"].as_str().unwrap().to_owned();
    for (tries, wait) in [(1, 30), (2, 120), (3, 480), (4, 1920)] {
        receipts(&house, &event, tries).await;
        assert_eq!(read(&house, &format!("subscription/{id}")).await["active"], true);
        house.wait(wait);
    }
    receipts(&house, &event, 5).await;

    let told = read(&house, &format!("subscription/{id}")).await;
    assert_eq!(told["active"], false, "{told}");
    assert_eq!(told["deactivate_reason"], "five tries in a row to send an event failed");
    let heard = Receiver::answering(&[OK]).await;
    webhook(&house, &heard.url, &["job.run.completed"], &[]).await;
    ran(&house, job, Outcome::Success).await;
    heard.came(1).await;
    assert_eq!(receiver.so_far().len(), 5);
    // Whoever switches it on again is told of what comes from then on.
    let path = house.acme.v3(&format!("/webhooks/subscription/{id}"));
    let on = house.acme.admin.put(&path, json!({ "active": true })).await;
    assert_eq!((on.status(), on.data()["deactivate_reason"].clone()), (200, Value::Null));
    ran(&house, job, Outcome::Success).await;
    receiver.came(6).await;
}

#[tokio::test]
async fn a_private_address_is_sent_nothing_unless_it_is_allowed() {
    let app = TestApp::set(|config| config.webhook_targets = WebhookTargets::Public).await;
    let house = House::on(app).await;
    let receiver = Receiver::answering(&[OK]).await;
    let (id, _) = webhook(&house, &receiver.url, &["job.run.completed"], &[]).await;
    let job = house.job("nightly").await;
    ran(&house, job, Outcome::Success).await;
    let end = Instant::now() + Duration::from_secs(30);
    let event = loop {
        let events = read(&house, &format!("subscription/{id}/events")).await;
        if let Some(event) = events.get(0) {
            break event["id"].as_str().unwrap().to_owned();
        }
        assert!(Instant::now() < end);
        sleep(Duration::from_millis(20)).await;
    };
    let told = receipts(&house, &event, 1).await;
    let why = told[0]["error_info"].as_str().unwrap();
    assert!(why.contains("private network"), "{told}");
    assert_eq!(receiver.so_far().len(), 0);
}

#[tokio::test]
async fn what_a_stopped_server_left_is_sent_by_the_next_as_the_same_event() {
    let house = House::new().await;
    let receiver = Receiver::answering(&[BROKEN, OK]).await;
    let (_, secret) = webhook(&house, &receiver.url, &["job.run.completed"], &[]).await;
    let job = house.job("nightly").await;
    ran(&house, job, Outcome::Success).await;
    let first = receiver.came(1).await.remove(0);
    let event = first.payload()["eventId"].as_str().unwrap().to_owned();
    receipts(&house, &event, 1).await;
    let House { app, .. } = house;
    let now = app.clock.now();

    let app = app.restart().await;
    app.clock.set(now.plus_seconds(30));

    let second = receiver.came(2).await.remove(1);
    assert_eq!(second.body, first.body);
    assert!(second.is_signed_with(&secret));
}
