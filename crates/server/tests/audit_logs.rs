//! The audit log over the API: list, table, export. SECURITY lines 42 and 43.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "what fails here is a failed test"
)]

use std::time::Duration;

use domain::{
    AccountId,
    audit::{ChainWalk, ExportHead, ExportLine},
};
use serde_json::{Value, json};
use testkit::{TestAccount, TestAnswer, TestApp};

async fn house() -> (TestApp, TestAccount) {
    let app = TestApp::new().await;
    let acme = app.account("acme").await;
    (app, acme)
}

/// Asks for an export, and waits until it is whole.
async fn export(acme: &TestAccount) -> String {
    let path = acme.v3("/audit-logs/export/");
    let asked = acme.admin.post(&path, json!({})).await;
    assert_eq!(asked.status(), 200, "{}", asked.text());
    let job = asked.data()["job_id"].as_str().unwrap().to_owned();
    for _ in 0..500 {
        let status = acme.admin.get(&path).await.data();
        if status["is_running"] == false {
            assert_eq!(status["job_id"], job.as_str());
            return job;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the export never ends");
}

fn lines(file: &TestAnswer) -> (ExportHead, Vec<ExportLine>) {
    let text = file.text();
    let mut lines = text.lines();
    let head = serde_json::from_str(lines.next().unwrap()).unwrap();
    (head, lines.map(|line| serde_json::from_str(line).unwrap()).collect())
}

#[tokio::test]
async fn a_list_is_newest_first_and_filters_by_what_happened_and_when() {
    let (app, acme) = house().await;
    let (id, _) = acme.service_token().named("first").create_with_id().await;
    app.clock.set(app.clock.now().plus_seconds(24 * 60 * 60));
    acme.service_token().named("second").create().await;
    let path = acme.v3("/audit-logs/");
    let page = acme.admin.get(&path).await;
    assert_eq!(page.status(), 200, "{}", page.text());
    let rows = page.data();
    let newest = &rows[0];
    assert_eq!(newest["event_type"], "service_token.created");
    assert_eq!(newest["event_label"], "Service token created");
    assert_eq!(newest["actor"], json!({ "type": "user", "id": acme.admin_id.to_string() }));
    assert_eq!(newest["event_context"]["after"]["name"], "second");
    assert_eq!(newest["event_context"]["address"], "127.0.0.1");
    assert_eq!(
        (&newest["source"], &newest["service"]),
        (&json!("narrowgate"), &json!("admin_api"))
    );
    assert_eq!(page.json()["extra"]["order_by"], "-id");
    let total = page.json()["extra"]["pagination"]["total_count"].as_u64().unwrap();
    let found = async |query: &str| {
        let answer = acme.admin.get(&format!("{path}?{query}")).await;
        assert_eq!(answer.status(), 200, "{query}: {}", answer.text());
        let rows = answer.data().as_array().unwrap().clone();
        rows.iter().map(|row| row["event_context"]["object"].clone()).collect::<Vec<_>>()
    };
    let token = format!("service_token:{id}");
    assert_eq!(found("event_type=service_token.created").await.len(), 2);
    assert_eq!(found(&format!("object={token}")).await, [token.as_str()]);
    assert_eq!(found("logged_at_start=2026-11-24").await.len(), 1);
    assert_eq!(found("logged_at_end=2026-11-23").await.len() as u64, total - 1);
    let day = "logged_at_start=2026-11-24T12:00:00Z&logged_at_end=2026-11-24T12:00:00%2B00:00";
    assert_eq!(found(day).await.len(), 1, "both ends are included");
    assert_eq!(found("limit=1&offset=1&order_by=id").await.len(), 1);
    for (query, field) in [
        ("logged_at_start=tomorrow", "logged_at_start"),
        ("order_by=change", "order_by"),
        ("created_at__gt=x", "created_at"),
    ] {
        let answer = acme.admin.get(&format!("{path}?{query}")).await;
        assert_eq!((answer.status(), answer.reason(field).is_empty()), (400, false), "{query}");
    }
}

#[tokio::test]
async fn a_table_holds_every_record_once_in_order_and_no_formula() {
    let (_app, acme) = house().await;
    acme.service_token().named("=HYPERLINK(\"http://evil\")").create().await;
    let agent = acme.admin.request(reqwest::Method::POST, &acme.v3("/service-tokens/"));
    let agent = agent.header("User-Agent", "=cmd|' /C calc'!A0, \"x\"");
    let made = TestAnswer::of(agent.json(&json!({ "name": "t", "permission_grants": [] }))).await;
    assert_eq!(made.status(), 201);
    let total = acme.admin.get(&acme.v3("/audit-logs/")).await.ids().len();
    let table = acme.admin.get(&acme.v3("/audit-logs/download/")).await;
    assert_eq!((table.status(), total), (200, 0), "ids of a log are text");
    assert_eq!(table.header("content-type"), "text/csv; charset=utf-8");
    assert_eq!(table.header("content-disposition"), "attachment; filename=\"audit-log.csv\"");
    let text = table.text();
    let rows: Vec<_> = text.lines().collect();
    let ids: Vec<_> = rows.iter().map(|row| row.split(',').next().unwrap()).collect();
    let records = acme.admin.get(&acme.v3("/audit-logs/")).await.data();
    let count = records.as_array().unwrap().len();
    let expected: Vec<_> = (1..=count).map(|id| format!("\"{id}\"")).collect();
    assert_eq!(ids[0], "\"id\"");
    assert_eq!(ids[1..], expected, "one line a record, in order");
    assert!(rows.last().unwrap().contains(r#""'=cmd|' /C calc'!A0, ""x""""#), "{text}");
    let none = acme.v3("/audit-logs/download/?logged_at_end=2020-01-01");
    assert_eq!(acme.admin.get(&none).await.text().lines().count(), 1, "the head alone");
    let wrong = acme.v3("/audit-logs/download/?logged_at_end=x");
    assert_eq!(acme.admin.get(&wrong).await.status(), 400);
}

#[tokio::test]
async fn an_export_is_whole_in_order_and_can_be_verified_by_an_outsider() {
    let (app, acme) = house().await;
    let idle = acme.admin.get(&acme.v3("/audit-logs/export/")).await.data();
    assert_eq!((&idle["is_running"], &idle["job_id"]), (&json!(false), &Value::Null));
    // More than one turn of the writer.
    let permit = domain::authz::authorize(&acme.admin_caller().await, acme.id).unwrap();
    for _ in 0..1_100 {
        let change = store::AccountChange { run_slots: Some(7), ..store::AccountChange::default() };
        app.store.update_account(&permit, change).await.unwrap();
    }
    let job = export(&acme).await;
    let told = acme.admin.get(&acme.v3(&format!("/audit-logs/export/{job}/download/"))).await;
    let url = told.data()["download_url"].as_str().unwrap().to_owned();
    let path = url.strip_prefix(app.url()).unwrap();
    let file = acme.admin.get(path).await;
    assert_eq!(file.status(), 200);
    let (head, lines) = lines(&file);
    assert_eq!(head.records, i64::try_from(lines.len()).unwrap());
    assert!(head.records > 1_100);
    assert_eq!(lines.last().unwrap().record.event, "audit_export.requested");
    let mut walk = ChainWalk::new(acme.id);
    for line in &lines {
        walk.step(&line.record, line.hash).unwrap();
    }
    walk.end(head.records, head.last_hash).unwrap();
    // The canonical bytes are the text itself.
    let text = file.text();
    let last = text.lines().last().unwrap();
    let canonical = last.split_once(r#","record":"#).unwrap().1.strip_suffix('}').unwrap();
    assert_eq!(serde_json::to_string(&lines.last().unwrap().record).unwrap(), canonical);
    // One that was changed shows.
    let mut changed = lines[1_000].record.clone();
    changed.actor = "user:999".to_owned();
    let mut walk = ChainWalk::new(acme.id);
    let broken = lines.iter().try_for_each(|line| {
        let record = if line.record.seq == changed.seq { &changed } else { &line.record };
        walk.step(record, line.hash)
    });
    assert!(broken.is_err());
    let again = export(&acme).await;
    assert_ne!(again, job);
    assert_eq!(acme.admin.get(path).await.status(), 200, "an earlier one stays for a while");
    for _ in 0..5 {
        export(&acme).await;
    }
    assert_eq!(acme.admin.get(path).await.status(), 404, "and goes");
}

#[tokio::test]
async fn what_a_stopped_server_left_is_written_at_the_next_start() {
    let (app, acme) = house().await;
    let permit = domain::authz::authorize(&acme.admin_caller().await, acme.id).unwrap();
    let asked = app.store.request_audit_export(&permit).await.unwrap().unwrap();
    let told = acme.v3(&format!("/audit-logs/export/{}/download/", asked.id));
    assert_eq!(acme.admin.get(&told).await.status(), 409, "nobody was woken yet");
    let file = acme.v3(&format!("/audit-logs/export/{}/file/", asked.id));
    assert_eq!(acme.admin.get(&file).await.status(), 409);
    let running = acme.admin.post(&acme.v3("/audit-logs/export/"), json!({})).await;
    assert_eq!(running.data()["job_id"], asked.id.as_str(), "it is that one");
    let secret = acme.admin.secret().to_owned();
    let app = app.restart().await;
    let admin = app.presenting(&secret);
    let mut status = 409;
    for _ in 0..500 {
        status = admin.get(&told).await.status();
        if status == 200 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(status, 200);
}

#[tokio::test]
async fn only_those_who_may_read_the_audit_read_it_and_only_their_accounts() {
    let (app, acme) = house().await;
    let rival = app.account("rival").await;
    let job = export(&acme).await;
    let paths = [
        "/audit-logs/".to_owned(),
        "/audit-logs/download/".to_owned(),
        "/audit-logs/export/".to_owned(),
        format!("/audit-logs/export/{job}/download/"),
        format!("/audit-logs/export/{job}/file/"),
    ];
    let viewer = acme.service_token().grant_everywhere("account_viewer").create().await;
    let admin = acme.service_token().grant_everywhere("job_admin").create().await;
    for path in &paths {
        assert_eq!(viewer.get(&acme.v3(path)).await.status(), 200, "{path}");
        assert_eq!(admin.get(&acme.v3(path)).await.status(), 403, "{path}");
        assert_eq!(rival.admin.get(&acme.v3(path)).await.status(), 404, "{path}");
        assert_eq!(app.anonymous().get(&acme.v3(path)).await.status(), 401, "{path}");
    }
    for path in &paths[3..] {
        assert_eq!(rival.admin.get(&rival.v3(path)).await.status(), 404, "{path}");
    }
    assert_eq!(admin.post(&acme.v3("/audit-logs/export/"), json!({})).await.status(), 403);
    for id in ["nope", "..%2f..%2fkeyring", "0", &"a".repeat(36)] {
        let path = acme.v3(&format!("/audit-logs/export/{id}/file/"));
        assert_eq!(acme.admin.get(&path).await.status(), 404, "{id}");
    }
    assert_eq!(AccountId::new(1).unwrap(), acme.id);
}
