//! Webhooks, through the router; what they are sent to is a small real server.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failure is a failed test")]

mod common;

use common::{
    House,
    receiver::{MOVED, OK, Receiver},
};
use domain::{kept::Hidden, webhook::signature};
use serde_json::{Value, json};
use testkit::{TestAnswer, TestClient};
use tokio::net::TcpListener;

fn body(url: &str) -> Value {
    json!({
        "name": "ops", "description": "tells ops", "client_url": url, "active": true,
        "event_types": ["job.run.errored", "job.run.started"], "job_ids": [],
    })
}

fn all(house: &House) -> String {
    house.acme.v3("/webhooks/subscriptions")
}

fn one(house: &House, id: &str, rest: &str) -> String {
    house.acme.v3(&format!("/webhooks/subscription/{id}{rest}"))
}

/// A webhook; gives its id and its secret.
async fn made(house: &House, body: Value) -> (String, String) {
    let answer = house.acme.admin.post(&all(house), body).await;
    assert_eq!(answer.status(), 201, "{}", answer.text());
    let text = |key: &str| answer.data()[key].as_str().unwrap().to_owned();
    (text("id"), text("hmac_secret"))
}

#[tokio::test]
async fn a_webhook_is_made_read_changed_and_deleted_and_its_secret_is_told_once() {
    let house = House::new().await;
    let (acme, admin) = (&house.acme, &house.acme.admin);
    let (first, second) = (house.job("a").await, house.job("b").await);
    let mut new = body("https://example.com/hook");
    new["job_ids"] = json!([first, second.to_string()]);
    new["account_id"] = json!(acme.id.get());
    let answer = admin.post(&all(&house), new).await;
    assert_eq!(answer.status(), 201, "{}", answer.text());
    let made = answer.data();
    let id = made["id"].as_str().unwrap().to_owned();
    assert!(id.starts_with("wsu_"), "{id}");
    assert_eq!(made["hmac_secret"].as_str().unwrap().len(), 43);
    assert_eq!(made["job_ids"], json!([first, second]));
    assert_eq!(made["event_types"], json!(["job.run.started", "job.run.errored"]));
    assert_eq!((&made["http_status_code"], &made["dispatched_at"]), (&json!("0"), &Value::Null));

    let read = admin.get(&one(&house, &id, "")).await;
    let mut quiet = made.clone();
    quiet["hmac_secret"] = Value::Null;
    assert_eq!((read.status(), read.data()), (200, quiet.clone()));
    assert_eq!(admin.get(&one(&house, &id, "/")).await.data(), quiet);
    let list = admin.get(&format!("{}?limit=1&name__icontains=OPS&active=true", all(&house))).await;
    assert_eq!(list.data(), json!([quiet]));
    assert_eq!(list.json()["extra"]["pagination"], json!({ "count": 1, "total_count": 1 }));

    let change = json!({ "active": false, "description": null, "job_ids": [second] });
    let changed = admin.put(&one(&house, &id, ""), change).await;
    assert_eq!(changed.status(), 200, "{}", changed.text());
    assert_eq!(
        (&changed.data()["active"], &changed.data()["name"]),
        (&json!(false), &json!("ops"))
    );
    assert_eq!(changed.data()["description"], "tells ops");
    assert_eq!(changed.data()["job_ids"], json!([second]));
    // What was read can be sent back whole.
    let again = admin.put(&one(&house, &id, ""), changed.data()).await;
    assert_eq!((again.status(), again.data()), (200, changed.data()));

    let gone = admin.delete(&one(&house, &id, "")).await;
    assert_eq!((gone.status(), &gone.data()["id"]), (200, &json!(id)));
    assert_eq!(admin.get(&one(&house, &id, "")).await.status(), 404);
    assert_eq!(admin.delete(&one(&house, &id, "")).await.status(), 404);
    assert_eq!(admin.put(&one(&house, &id, ""), json!({})).await.status(), 404);
    assert_eq!(admin.get(&all(&house)).await.data(), json!([]));
}

#[tokio::test]
async fn a_test_sends_one_signed_delivery_and_keeps_its_receipt() {
    let house = House::new().await;
    let receiver = Receiver::answering(&[OK]).await;
    let (id, secret) = made(&house, body(&receiver.url)).await;
    let admin = &house.acme.admin;

    let tested = admin.get(&one(&house, &id, "/test")).await;
    assert_eq!(tested.status(), 200, "{}", tested.text());
    let event = tested.data()["event_id"].as_str().unwrap().to_owned();

    let came = receiver.so_far();
    let [delivery] = came.as_slice() else { panic!("{}", came.len()) };
    assert!(delivery.head.starts_with("post /hook?x=1 http/1.1\r\n"), "{}", delivery.head);
    assert!(delivery.is_signed_with(&secret), "{}", delivery.head);
    let (sent, payload) = (delivery.body.as_str(), delivery.payload());
    let signed = signature(&Hidden::new(secret.clone()), sent.as_bytes());
    assert_eq!((&payload["eventType"], &payload["webhookId"]), (&json!("test"), &json!(id)));
    assert_eq!(
        (&payload["eventId"], &payload["accountId"]),
        (&json!(event), &json!(house.acme.id.get()))
    );
    assert_eq!(payload["timestamp"], "2026-11-23T12:00:00.000000+00:00");

    let get = async |rest: String| {
        let answer = admin.get(&house.acme.v3(&rest)).await;
        assert_eq!(answer.status(), 200, "{rest}: {}", answer.text());
        answer.data()
    };
    let told = get(format!("/webhooks/event/{event}")).await;
    assert_eq!((&told["payload"], &told["http_status_code"]), (&json!(sent), &json!("200")));
    assert_eq!(
        (&told["subscription_id"], &told["trigger_event_type"]),
        (&json!(id), &json!("test"))
    );
    assert_eq!(get(format!("/webhooks/subscription/{id}/events")).await, json!([told]));
    let receipts = get(format!("/webhooks/event/{event}/receipts")).await;
    let path = format!("/webhooks/subscription/{id}/event/{event}/receipt");
    assert_eq!(get(path).await, receipts);
    let receipt = receipts[0].clone();
    assert_eq!(
        (&receipt["request_body"], &receipt["response_body"]),
        (&json!(sent), &json!("fine\n"))
    );
    assert_eq!((&receipt["http_status_code"], &receipt["error_info"]), (&json!("200"), &json!("")));
    let key = receipt["id"].as_str().unwrap();
    assert_eq!(get(format!("/webhooks/receipt/{key}")).await, receipt);
    let whole = [told.to_string(), receipts.to_string(), admin.get(&all(&house)).await.text()];
    assert!(!whole.iter().any(|text| text.contains(&secret) || text.contains(&signed)));
    let webhook = get(format!("/webhooks/subscription/{id}")).await;
    assert_eq!(webhook["http_status_code"], "200");
    assert_eq!(webhook["dispatched_at"], receipt["dispatched_at"]);

    // What was sent of another webhook is not this one's; what was sent of a deleted one is gone.
    let (other, _) = made(&house, body(&receiver.url)).await;
    let path = one(&house, &other, &format!("/event/{event}/receipt"));
    assert_eq!(admin.get(&path).await.status(), 404);
    admin.delete(&one(&house, &id, "")).await;
    for rest in
        [format!("event/{event}"), format!("event/{event}/receipts"), format!("receipt/{key}")]
    {
        let path = house.acme.v3(&format!("/webhooks/{rest}"));
        assert_eq!(admin.get(&path).await.status(), 404, "{rest}");
    }
}

#[tokio::test]
async fn a_delivery_that_fails_is_told_and_follows_no_redirect() {
    let house = House::new().await;
    let moved = Receiver::answering(&[MOVED]).await;
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    for (url, status, told) in [
        (moved.url.clone(), json!("302"), "the answer was 302"),
        (format!("http://{closed}/"), Value::Null, "no connection"),
        ("https://no-such-host.invalid/".to_owned(), Value::Null, "leads nowhere"),
    ] {
        let (id, _) = made(&house, body(&url)).await;
        let tested = house.acme.admin.get(&one(&house, &id, "/test")).await;
        assert_eq!(tested.status(), 200, "{}", tested.text());
        let event = tested.data()["event_id"].as_str().unwrap().to_owned();
        let path = house.acme.v3(&format!("/webhooks/event/{event}/receipts"));
        let receipt = house.acme.admin.get(&path).await.data()[0].clone();
        assert_eq!(receipt["http_status_code"], status, "{url}: {receipt}");
        assert!(receipt["error_info"].as_str().unwrap().contains(told), "{url}: {receipt}");
    }
    assert_eq!(moved.so_far().len(), 1);
}

#[tokio::test]
async fn each_wrong_field_is_named() {
    let house = House::new().await;
    let rival = house.app.account("rival").await;
    let nobodys = 999_999;
    for (field, value) in [
        ("name", json!("")),
        ("name", Value::Null),
        ("name", json!("x".repeat(256))),
        ("description", json!("x".repeat(10_001))),
        ("event_types", json!([])),
        ("event_types", json!(["job.run.done"])),
        ("event_types", Value::Null),
        ("client_url", json!("http://example.com")),
        ("client_url", json!("https://ada:pw@example.com")),
        ("client_url", json!("file:///etc/passwd")),
        ("client_url", Value::Null),
        ("job_ids", json!([nobodys])),
        ("job_ids", json!(["x"])),
        ("job_ids", json!([0])),
        ("active", json!("yes")),
    ] {
        let mut wrong = body("https://example.com");
        wrong[field] = value.clone();
        let answer = house.acme.admin.post(&all(&house), wrong).await;
        assert_eq!(answer.status(), 400, "{field} {value}: {}", answer.text());
        assert_ne!(answer.reason(field), "", "{field} {value}: {}", answer.text());
    }
    let (id, _) = made(&house, body("https://example.com")).await;
    let answer = house.acme.admin.put(&one(&house, &id, ""), json!({ "client_url": "x" })).await;
    assert_eq!((answer.status(), answer.reason("client_url").is_empty()), (400, false));
    // Another account's.
    let theirs = json!({ "account_id": rival.id.get() });
    assert_eq!(house.acme.admin.put(&one(&house, &id, ""), theirs).await.status(), 404);
    let path = rival.v3(&format!("/webhooks/subscription/{id}"));
    assert_eq!(rival.admin.get(&path).await.status(), 404);
    for key in ["1", "wsu_x", "wev_aaaaaaaaaaaaaaaaaaaaaaaaaaa"] {
        assert_eq!(house.acme.admin.get(&one(&house, key, "")).await.status(), 404, "{key}");
    }
}

/// The answers to list, create, show, update, test, events and delete.
async fn every(house: &House, client: &TestClient, id: &str) -> [u16; 7] {
    let mut new = body("https://no-such-host.invalid/");
    new["name"] = json!("another");
    [
        client.get(&all(house)).await.status(),
        client.post(&all(house), new).await.status(),
        client.get(&one(house, id, "")).await.status(),
        client.put(&one(house, id, ""), json!({ "name": "new" })).await.status(),
        client.get(&one(house, id, "/test")).await.status(),
        client.get(&one(house, id, "/events")).await.status(),
        client.delete(&one(house, id, "")).await.status(),
    ]
}

#[tokio::test]
async fn who_may_what_with_webhooks() {
    let house = House::new().await;
    let (id, _) = made(&house, body("https://no-such-host.invalid/")).await;
    let token = || house.acme.service_token();
    assert_eq!(every(&house, &house.app.anonymous(), &id).await, [401; 7]);
    let runner = token().grant("job_runner", &house.sales).create().await;
    assert_eq!(every(&house, &runner, &id).await, [403; 7]);
    let rival = house.app.account("rival").await;
    assert_eq!(every(&house, &rival.admin, &id).await, [404; 7]);
    let webhooks = token().grant_everywhere("webhooks_only").create().await;
    assert_eq!(every(&house, &webhooks, &id).await, [200, 201, 200, 200, 200, 200, 200]);
}

#[tokio::test]
async fn a_token_of_one_project_makes_webhooks_for_its_jobs_alone() {
    let house = House::new().await;
    let hr = house.acme.project("hr").await;
    let ours = house.job("ours").await;
    let mut theirs = house.body("theirs");
    theirs["project_id"] = json!(hr.id.get());
    let category = domain::authz::Category::Staging;
    theirs["environment_id"] = json!(house.environment(&hr, category).await.get());
    let theirs = house.job_of(theirs).await;
    let developer = house.acme.service_token().grant("developer", &house.sales).create().await;
    let with = |jobs: Value| {
        let mut new = body("https://example.com");
        new["job_ids"] = jobs;
        new
    };
    for jobs in [json!([]), json!([theirs]), json!([ours, theirs])] {
        let answer = developer.post(&all(&house), with(jobs.clone())).await;
        assert_eq!(answer.status(), 400, "{jobs}: {}", answer.text());
        assert_ne!(answer.reason("job_ids"), "", "{jobs}");
    }
    let made = developer.post(&all(&house), with(json!([ours]))).await;
    assert_eq!(made.status(), 201, "{}", made.text());
    // Nor does it lead a webhook that tells of other projects elsewhere.
    for jobs in [json!([]), json!([theirs])] {
        let made = house.acme.admin.post(&all(&house), with(jobs)).await;
        let id = made.data()["id"].as_str().unwrap().to_owned();
        let moved = json!({ "client_url": "https://elsewhere.example.com" });
        assert_eq!(developer.put(&one(&house, &id, ""), moved).await.status(), 400);
    }
    // A job that is deleted leaves the list; the last one takes the webhook out of service.
    let id = made.data()["id"].as_str().unwrap().to_owned();
    let path = house.acme.v2(&format!("/jobs/{ours}/"));
    assert_eq!(house.acme.admin.delete(&path).await.status(), 200);
    let left =
        TestAnswer::of(house.acme.admin.request(reqwest::Method::GET, &one(&house, &id, "")));
    let left = left.await.data();
    assert_eq!((&left["job_ids"], &left["active"]), (&json!([]), &json!(false)));
    assert_eq!(left["deactivate_reason"], "the last of its jobs was deleted");
}

#[tokio::test]
async fn a_page_of_webhooks_is_as_many_statements_as_one() {
    let house = House::new().await;
    for _ in 0..3 {
        made(&house, body("https://example.com")).await;
    }
    let two = house.statements_of(&format!("{}?limit=2", all(&house))).await;
    made(&house, body("https://example.com")).await;
    assert_eq!(house.statements_of(&format!("{}?limit=2", all(&house))).await, two);
    assert!(two <= 4, "{two}");
}
