//! The log of a step, whole and as it comes. SECURITY line 25.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failure is a failed test")]

mod common;

use std::time::{Duration, Instant};

use common::House;
use domain::{
    ServiceTokenId,
    authz::authorize,
    run::{Outcome, Progress, RunStep},
};
use reqwest::{Method, Response};
use serde_json::{Value, json};
use store::{DataDir, Keyring, Store};
use testkit::{TestApp, TestClient};
use tokio::time::timeout;

const STEP: &str = "Invoke dbt with `dbt build`";

/// A server-sent event.
#[derive(Debug, PartialEq)]
struct Event {
    name: String,
    id: Option<u64>,
    data: Value,
}

/// An answer of events, as it comes.
struct Stream {
    response: Response,
    unread: String,
}

impl Stream {
    async fn open(client: &TestClient, path: &str, last: Option<u64>) -> Self {
        let request = client.request(Method::GET, path);
        let request = match last {
            Some(last) => request.header("Last-Event-ID", last),
            None => request,
        };
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["cache-control"], "no-store");
        Self { response, unread: String::new() }
    }

    /// The next event; none at the stream's end.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some((event, rest)) = self.unread.split_once("\n\n") {
                let value = |key| event.lines().find_map(|line| line.strip_prefix(key));
                let event = Event {
                    name: value("event: ")?.to_owned(),
                    id: value("id: ").map(|id| id.parse().unwrap()),
                    data: serde_json::from_str(value("data: ")?).unwrap(),
                };
                let rest = rest.to_owned();
                self.unread = rest;
                return Some(event);
            }
            let chunk = timeout(Duration::from_secs(10), self.response.chunk()).await.unwrap();
            self.unread.push_str(std::str::from_utf8(&chunk.ok()??).unwrap());
        }
    }

    async fn text(&mut self) -> String {
        let event = self.next().await.unwrap();
        assert_eq!(event.name, "log", "{event:?}");
        event.data["text"].as_str().unwrap().to_owned()
    }
}

impl House {
    /// A step that has begun.
    async fn step_under_way(&self) -> RunStep {
        let job = self.job("Nightly").await;
        self.run(job).await;
        let (run, steps) = self.begin(&[STEP]).await;
        let step = steps.into_iter().next().unwrap();
        let permit = self.runner().await;
        self.app.store.begin_step(&permit, &self.lease(run), step.id).await.unwrap();
        step
    }

    async fn says(&self, step: &RunStep, text: &str) {
        let (permit, lease) = (self.runner().await, self.lease(step.run));
        self.app.store.append_log(&permit, &lease, step.id, text).await.unwrap();
    }

    async fn ends(&self, step: &RunStep, outcome: Outcome) {
        let (permit, lease) = (self.runner().await, self.lease(step.run));
        self.app.store.finish_step(&permit, &lease, step.id, outcome).await.unwrap();
    }

    async fn watcher(&self) -> (i64, TestClient) {
        self.acme.service_token().grant("job_viewer", &self.sales).create_with_id().await
    }

    fn logs(&self, step: &RunStep) -> String {
        self.acme.v2(&format!("/steps/{}/logs/?follow=1", step.id))
    }
}

#[tokio::test]
async fn a_log_comes_whole_as_plain_text_or_as_it_is_written_to_its_end() {
    let house = House::on(
        TestApp::set(|config| {
            config.limits.answer = Duration::from_millis(500);
        })
        .await,
    )
    .await;
    let step = house.step_under_way().await;
    house.says(&step, "one\n").await;
    let mut stream = Stream::open(&house.acme.admin, &house.logs(&step), None).await;

    assert_eq!(stream.text().await, "one\n");
    for text in ["zwei ä\r\nthree", "\n\n", "four\n"] {
        // Longer than an answer may take to begin.
        tokio::time::sleep(Duration::from_millis(300)).await;
        let said = Instant::now();
        house.says(&step, text).await;
        assert_eq!(stream.text().await, text);
        assert!(said.elapsed() < Duration::from_millis(700), "{:?}", said.elapsed());
    }
    let (permit, lease) = (house.runner().await, house.lease(step.run));
    let half = Progress { done: 1, total: 2 };
    house.app.store.note_progress(&permit, &lease, step.id, half).await.unwrap();
    let told = stream.next().await.unwrap();
    let half = json!({ "nodes_done": 1, "nodes_total": 2 });
    assert_eq!((told.name.as_str(), told.data), ("progress", half));
    house.ends(&step, Outcome::Error).await;
    let end = Event {
        name: "end".to_owned(),
        id: None,
        data: json!({ "status": 20, "status_humanized": "Error" }),
    };
    assert_eq!(stream.next().await, Some(end));
    assert_eq!(stream.next().await, None);

    for query in ["", "?follow=0", "?follow=false"] {
        let path = house.acme.v2(&format!("/steps/{}/logs/{query}", step.id));
        let whole = house.acme.admin.get(&path).await;
        assert_eq!(whole.text(), "one\nzwei ä\r\nthree\n\nfour\n");
        assert_eq!(whole.header("content-type"), "text/plain; charset=utf-8");
        assert_eq!(whole.header("x-content-type-options"), "nosniff");
    }
}

#[tokio::test]
async fn a_stream_that_broke_off_goes_on_behind_its_last_event() {
    let house = House::new().await;
    let step = house.step_under_way().await;
    for text in ["one ä\n", "two\n"] {
        house.says(&step, text).await;
    }
    let mut stream = Stream::open(&house.acme.admin, &house.logs(&step), None).await;
    let first = stream.next().await.unwrap();
    assert_eq!((&first.data["text"], first.id), (&json!("one ä\ntwo\n"), Some(11)));
    drop(stream);
    house.says(&step, "three\n").await;

    let mut stream = Stream::open(&house.acme.admin, &house.logs(&step), first.id).await;
    assert_eq!(stream.text().await, "three\n");
    house.ends(&step, Outcome::Success).await;
    assert_eq!(stream.next().await.unwrap().name, "end");

    // Within a character, at the very end and behind it.
    let mut stream = Stream::open(&house.acme.admin, &house.logs(&step), Some(5)).await;
    assert_eq!(stream.text().await, "\ntwo\nthree\n");
    for last in [17, 1_000_000] {
        let mut stream = Stream::open(&house.acme.admin, &house.logs(&step), Some(last)).await;
        assert_eq!(stream.next().await.unwrap().name, "end", "{last}");
    }
}

#[tokio::test]
async fn a_long_log_comes_in_pieces_and_none_is_lost() {
    let house = House::new().await;
    let step = house.step_under_way().await;
    let mut whole = String::new();
    for number in 0..40 {
        let text = format!("line {number}\n").repeat(1000);
        house.says(&step, &text).await;
        whole.push_str(&text);
    }
    house.ends(&step, Outcome::Success).await;
    let mut stream = Stream::open(&house.acme.admin, &house.logs(&step), None).await;
    let (mut came, mut pieces) = (String::new(), 0);
    while let Some(event) = stream.next().await {
        if event.name == "end" {
            break;
        }
        came.push_str(event.data["text"].as_str().unwrap());
        assert_eq!(event.id, Some(came.len() as u64));
        pieces += 1;
    }
    assert!(came == whole, "{} bytes of {}", came.len(), whole.len());
    assert_eq!(pieces, 3);
}

#[tokio::test]
async fn a_stream_ends_within_2_s_when_its_token_may_no_longer_read_the_step() {
    let house = House::new().await;
    let hr = house.acme.project("hr").await;
    let step = house.step_under_way().await;
    for (change, code) in [("revoke", 401), ("narrow", 404)] {
        let (id, token) = house.watcher().await;
        let mut stream = Stream::open(&token, &house.logs(&step), None).await;
        let seen = format!("before it is to {change}\n");
        house.says(&step, &seen).await;
        while !stream.text().await.ends_with(&seen) {}

        let path = house.acme.v3(&format!("/service-tokens/{id}/"));
        let answer = if change == "revoke" {
            house.acme.admin.delete(&path).await
        } else {
            let grant = json!([{ "permission_set": "job_viewer", "project_id": hr.id }]);
            house.acme.admin.post(&format!("{path}permissions/"), grant).await
        };
        assert!(answer.status() < 300, "{}", answer.text());
        let changed = Instant::now();
        house.says(&step, &format!("after it is to {change}\n")).await;

        let last = stream.next().await.unwrap();
        assert_eq!((last.name.as_str(), &last.data["code"]), ("refused", &json!(code)), "{change}");
        assert_eq!(stream.next().await, None);
        assert!(changed.elapsed() < Duration::from_secs(2), "{change}: {:?}", changed.elapsed());
    }
}

/// The token is revoked behind the server's back, as another process on the same folder does it.
#[tokio::test]
async fn a_change_by_another_process_ends_a_stream_within_2_s() {
    let house = House::new().await;
    let step = house.step_under_way().await;
    let (id, token) = house.watcher().await;
    let mut stream = Stream::open(&token, &house.logs(&step), None).await;
    house.says(&step, "seen\n").await;
    assert_eq!(stream.text().await, "seen\n");

    let dir = DataDir::new(house.app.folder());
    let keyring = Keyring::load_or_create(&dir.keyring()).unwrap();
    let other = Store::open(&dir, keyring, house.app.clock.clone()).await.unwrap();
    let permit = authorize(&house.acme.admin_caller().await, house.acme.id).unwrap();
    other.revoke_service_token(&permit, ServiceTokenId::new(id).unwrap()).await.unwrap();
    let changed = Instant::now();

    let last = stream.next().await.unwrap();
    assert_eq!((last.name.as_str(), &last.data["code"]), ("refused", &json!(401)));
    assert!(changed.elapsed() < Duration::from_secs(2), "{:?}", changed.elapsed());
    other.close().await.unwrap();
}

#[tokio::test]
async fn nobody_has_more_streams_than_one_may_have_and_a_closed_one_makes_room() {
    let house = House::on(
        TestApp::set(|config| {
            (config.limits.streams_each, config.limits.streams) = (2, 3);
        })
        .await,
    )
    .await;
    let step = house.step_under_way().await;
    let path = house.logs(&step);
    let (_, token) = house.watcher().await;
    let admin = &house.acme.admin;
    let first = Stream::open(admin, &path, None).await;
    let _second = Stream::open(admin, &path, None).await;

    let third = admin.get(&path).await;
    assert_eq!((third.status(), third.header("retry-after")), (429, "1"), "{}", third.text());
    assert_eq!(
        third.json()["status"]["user_message"],
        "at most 2 streams at once: close one first"
    );
    let _of_the_token = Stream::open(&token, &path, None).await;
    let full = token.get(&path).await;
    assert_eq!((full.status(), full.header("retry-after")), (503, "1"), "{}", full.text());

    drop(first);
    // The server notes it when it next has something to say.
    house.says(&step, "more\n").await;
    let until = Instant::now() + Duration::from_secs(5);
    while token.request(Method::GET, &path).send().await.unwrap().status() != 200 {
        assert!(Instant::now() < until);
        house.says(&step, "more\n").await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn a_server_that_stops_ends_its_streams_at_once() {
    let mut house = House::new().await;
    let step = house.step_under_way().await;
    let mut stream = Stream::open(&house.acme.admin, &house.logs(&step), None).await;
    house.says(&step, "one\n").await;
    assert_eq!(stream.text().await, "one\n");

    let stopped = Instant::now();
    house.app.stop().await;
    assert!(stopped.elapsed() < Duration::from_secs(3), "{:?}", stopped.elapsed());
    assert_eq!(stream.next().await, None);
}

#[tokio::test]
async fn what_a_log_cannot_be_asked_is_refused_by_name() {
    let house = House::new().await;
    let step = house.step_under_way().await;
    let path = house.acme.v2(&format!("/steps/{}/logs/", step.id));
    let admin = &house.acme.admin;
    assert!(!admin.get(&format!("{path}?follow=yes")).await.reason("follow").is_empty());
    assert!(!admin.get(&format!("{path}?limit=5")).await.reason("limit").is_empty());
    let bad = admin.request(Method::GET, &house.logs(&step)).header("Last-Event-ID", "-1");
    let bad = testkit::TestAnswer::of(bad).await;
    assert_eq!(bad.status(), 400);
    assert!(!bad.reason("last-event-id").is_empty(), "{}", bad.text());
    let hr = house.acme.project("hr").await;
    let other = house.acme.service_token().grant("job_viewer", &hr).create().await;
    for path in [&path, &house.logs(&step)] {
        assert_eq!(other.get(path).await.status(), 404);
    }
}

#[tokio::test]
async fn dbts_own_log_comes_whole_where_it_is_asked_for_and_else_its_last_thousand_lines() {
    let house = House::new().await;
    let step = house.step_under_way().await;
    house.says(&step, "console\n").await;
    let (permit, lease) = (house.runner().await, house.lease(step.run));
    let mut whole = String::new();
    for part in 0..7 {
        let lines = (0..2000).map(|line| format!("{part}.{line} of dbt's own log\n"));
        let text: String = lines.collect();
        house.app.store.append_debug_log(&permit, &lease, step.id, &text).await.unwrap();
        whole.push_str(&text);
    }
    let steps = [
        house.acme.v2(&format!("/steps/{}/?", step.id)),
        house.acme.v2(&format!("/runs/{}/?include_related=run_steps&", step.run)),
    ];
    for path in &steps {
        let shown = async |query: &str| {
            let answer = house.acme.admin.get(&format!("{path}{query}")).await;
            assert_eq!(answer.status(), 200, "{}", answer.text());
            let data = answer.data();
            if data["run_steps"].is_null() { data } else { data["run_steps"][0].clone() }
        };
        let short = shown("").await;
        assert_eq!((&short["logs"], &short["debug_logs"]), (&json!("console\n"), &Value::Null));
        let last = short["truncated_debug_logs"].as_str().unwrap();
        assert_eq!((last.lines().count(), whole.ends_with(last)), (1000, true), "{path}");
        let long = shown("include_related=debug_logs").await;
        assert_eq!(long["logs"], "console\n");
        assert_eq!(
            (long["debug_logs"] == whole, &long["truncated_debug_logs"]),
            (true, &Value::Null)
        );
    }
    // A page of runs could have gigabytes of it.
    for include in ["run_steps", "run_steps,debug_logs"] {
        let page = house.acme.v2(&format!("/runs/?include_related={include}"));
        let listed = house.acme.admin.get(&page).await.data()[0]["run_steps"][0].clone();
        assert_eq!((&listed["id"], &listed["logs"]), (&json!(step.id.get()), &json!("")));
        assert_eq!(
            (&listed["debug_logs"], &listed["truncated_debug_logs"]),
            (&Value::Null, &Value::Null)
        );
    }
}
