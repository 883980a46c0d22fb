//! What webhooks and mails tell of tokens: what happens to them, and when they end.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failure is a failed test")]

mod common;

use std::{collections::BTreeMap, time::Duration};

use common::{
    mail_server::MailServer,
    receiver::{OK, Receiver},
};
use domain::{
    authz::{License, Permit, ServiceTokens, SystemTask, Write, authorize},
    webhook::EventType,
};
use serde_json::{Value, json};
use server::MailConfig;
use testkit::{TestAccount, TestApp, TestClient};
use tokio::time::sleep;

/// A webhook for these events; gives what it is signed with.
async fn webhook(acme: &TestAccount, url: &str, events: &[&str]) -> String {
    let body = json!({ "name": "ops", "client_url": url, "event_types": events });
    let made = acme.admin.post(&acme.v3("/webhooks/subscriptions"), body).await;
    assert_eq!(made.status(), 201, "{}", made.text());
    made.data()["hmac_secret"].as_str().unwrap().to_owned()
}

async fn post(acme: &TestAccount, path: &str, body: Value) -> Value {
    post_by(&acme.admin, &acme.v3(path), body).await
}

async fn post_by(client: &TestClient, path: &str, body: Value) -> Value {
    let answer = client.post(path, body).await;
    assert!(answer.status() < 300, "{path}: {}", answer.text());
    answer.data()
}

#[tokio::test]
async fn what_happens_to_a_token_is_told_signed_and_never_with_a_secret() {
    let app = TestApp::new().await;
    let acme = app.account("acme").await;
    let receiver = Receiver::answering(&[OK]).await;
    let all = EventType::ALL.map(EventType::word);
    let signed_with = webhook(&acme, &receiver.url, &all).await;

    let made = post(&acme, "/service-tokens/", json!({ "name": "nightly" })).await;
    let id = &made["id"];
    post(&acme, &format!("/service-tokens/{id}/"), json!({ "name": "daily" })).await;
    let grants = json!([{ "permission_set": "job_viewer", "all_projects": true }]);
    post(&acme, &format!("/service-tokens/{id}/permissions/"), grants).await;
    let held_to = json!({ "read_only": true });
    post(&acme, &format!("/service-tokens/{id}/restrictions/"), held_to).await;
    let rotated = post(&acme, &format!("/service-tokens/{id}/rotate/"), json!({})).await;
    post(&acme, &format!("/service-tokens/{id}/"), json!({ "state": 2 })).await;

    let came = receiver.came(6).await;
    assert!(came.iter().all(|delivery| delivery.is_signed_with(&signed_with)));
    for secret in [&made["token_string"], &rotated["token_string"]] {
        let secret = secret.as_str().unwrap();
        assert!(came.iter().all(|delivery| !delivery.body.contains(secret)));
    }
    let told: Vec<_> = came
        .iter()
        .map(|delivery| {
            let body = delivery.payload();
            let of = &body["data"];
            assert_eq!((&of["tokenId"], &of["tokenUid"]), (&json!(id.to_string()), &made["uid"]));
            assert_eq!(of["actor"], format!("user:{}", acme.admin_id));
            assert_eq!(body["timestamp"], "2026-11-23T12:00:00.000000+00:00");
            let how = of["change"].as_str().unwrap_or_default();
            format!("{} {how}", body["eventType"].as_str().unwrap()).trim_end().to_owned()
        })
        .collect();
    assert_eq!(
        told,
        [
            "service_token.created",
            "service_token.changed renamed",
            "service_token.changed grants_replaced",
            "service_token.changed restrictions_replaced",
            "service_token.rotated",
            "service_token.revoked",
        ]
    );
    assert_eq!(came[0].payload()["data"]["tokenName"], "nightly");
    assert_eq!(came[5].payload()["data"]["tokenName"], "daily");
}

#[tokio::test]
async fn who_may_not_read_tokens_has_nobody_told_of_them() {
    let app = TestApp::new().await;
    let acme = app.account("acme").await;
    let hooks = acme.service_token().grant_everywhere("webhooks_only").create().await;
    let all = acme.v3("/webhooks/subscriptions");
    let body = |events: &[&str]| json!({ "name": "ops", "client_url": "http://127.0.0.1:1/", "event_types": events });

    let refused = hooks.post(&all, body(&["job.run.started", "service_token.revoked"])).await;
    assert_eq!(refused.status(), 403);
    assert_eq!(
        refused.data()["required"],
        json!({ "resource": "service_tokens", "access": "read" })
    );
    let made = hooks.post(&all, body(&["job.run.started"])).await;
    assert_eq!(made.status(), 201, "{}", made.text());
    let one =
        |made: &Value| acme.v3(&format!("/webhooks/subscription/{}", made["id"].as_str().unwrap()));
    let widened = hooks.put(&one(&made.data()), body(&["service_token.created"])).await;
    assert_eq!(widened.status(), 403);
    // Nor is a webhook led elsewhere that tells of them.
    let admins = acme.admin.post(&all, body(&["service_token.leaked"])).await;
    let led = hooks.put(&one(&admins.data()), json!({ "client_url": "http://127.0.0.1:2/" })).await;
    assert_eq!(led.status(), 403);

    let unknown = acme.admin.post(&all, body(&["service_token.gone"])).await;
    assert_eq!(unknown.status(), 400);
    let why = unknown.data()["reasons"]["event_types"].to_string();
    assert!(why.contains("`service_token.canary_used`") && !why.contains("gone"), "{why}");
}

#[tokio::test]
async fn a_token_is_reminded_of_30_7_and_1_days_before_its_end_once_each() {
    let mails = MailServer::new().await;
    let app = TestApp::with_mail(&mails.url).await;
    let acme = app.account("acme").await;
    acme.user("ada@acme.example", License::Developer, &["account_admin"]).await;
    acme.user("bob@acme.example", License::Developer, &["job_viewer"]).await;
    let receiver = Receiver::answering(&[OK]).await;
    webhook(&acme, &receiver.url, &["service_token.expiring"]).await;
    let start = app.clock.now();
    let on = |day: i64| start.plus_seconds(day * 24 * 60 * 60);
    let body = json!({ "name": "nightly", "expires_at": on(100).to_string() });
    let id = post(&acme, "/service-tokens/", body).await["id"].clone();
    post(&acme, "/service-tokens/", json!({ "name": "for ever" })).await;
    let reminded = async |app: &TestApp, day: i64| {
        app.clock.set(on(day));
        let watcher = app.system(SystemTask::Watcher, acme.id).await;
        let permit: Permit<Write, ServiceTokens> = authorize(&watcher, acme.id).unwrap();
        app.store.remind(&permit).await.unwrap()
    };

    let counts = [reminded(&app, 69).await, reminded(&app, 70).await, reminded(&app, 71).await];
    assert_eq!(counts, [0, 1, 0]);
    let told = receiver.came(1).await.remove(0).payload();
    assert_eq!(told["data"]["daysBefore"], 30);
    assert_eq!(told["data"]["expiresAt"], on(100).to_string());
    assert_eq!(told["data"]["actor"], "system:watcher");
    let to: BTreeMap<_, _> =
        mails.mails(2).await.into_iter().map(|mail| (header(&mail, "To: "), mail)).collect();
    assert_eq!(to.keys().collect::<Vec<_>>(), ["ada@acme.example", "admin@acme.example"]);
    let mail = &to["ada@acme.example"];
    assert_eq!(header(mail, "Subject: "), "The service token nightly ends within 30 days");
    assert!(mail.contains(&format!("/console/service-tokens/{id}")), "{mail}");
    // What was sent is noted before the server stops, or it would be sent twice.
    // The admin's own token has ended by then.
    app.clock.set(start);
    let noted = async || {
        let hooks = acme.admin.get(&acme.v3("/webhooks/subscriptions")).await;
        hooks.data()[0]["http_status_code"] == "200"
    };
    while !noted().await {
        sleep(Duration::from_millis(20)).await;
    }
    // The 7 days pass unseen, and what comes is of the last day alone; a restart sends nothing anew.
    let app = app.restart_with(|config| config.mail = None).await;
    assert_eq!(reminded(&app, 71).await, 0);
    assert_eq!((reminded(&app, 99).await, reminded(&app, 99).await), (1, 0));
    // With another end it is told of anew.
    app.clock.set(start);
    let admin = app.presenting(acme.admin.secret());
    let moved = json!({ "expires_at": on(105).to_string() });
    post_by(&admin, &acme.v3(&format!("/service-tokens/{id}/")), moved).await;
    assert_eq!((reminded(&app, 99).await, reminded(&app, 99).await), (1, 0));
    assert_eq!(reminded(&app, 106).await, 0, "what is over needs no reminder");

    let came = receiver.came(3).await;
    let days: Vec<_> = came.iter().map(|one| one.payload()["data"]["daysBefore"].clone()).collect();
    assert_eq!(days, [30, 1, 7]);
}

#[tokio::test]
async fn the_server_itself_looks_for_tokens_that_end() {
    let mails = MailServer::new().await;
    let from = "Narrowgate <narrowgate@example.com>".to_owned();
    let mail = MailConfig { url: mails.url.clone(), from };
    let app = TestApp::set(|config| {
        config.mail = Some(mail);
        config.reminder_round = Duration::from_millis(50);
    })
    .await;
    let acme = app.account("acme").await;
    let end = app.clock.now().plus_seconds(8 * 24 * 60 * 60);
    post(&acme, "/service-tokens/", json!({ "name": "nightly", "expires_at": end.to_string() }))
        .await;
    app.clock.set(end.plus_seconds(-60));
    let mail = mails.mails(1).await.remove(0);
    assert_eq!(header(&mail, "Subject: "), "The service token nightly ends within a day");
}

fn header(mail: &str, name: &str) -> String {
    mail.lines().find_map(|line| line.strip_prefix(name)).unwrap().to_owned()
}
