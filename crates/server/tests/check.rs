//! May this token do that here? `POST /api/v3/accounts/{account_id}/check/`

mod common;

use common::House;
use domain::authz::Category;
use serde_json::{Value, json};
use testkit::{TestAccount, TestApp, TestClient};

async fn ask(client: &TestClient, acme: &TestAccount, question: Value) -> Value {
    let answer = client.post(&acme.v3("/check/"), question).await;
    assert_eq!(answer.status(), 200, "{}", answer.text());
    answer.data()
}

#[tokio::test]
async fn a_token_asks_what_it_may_do_and_learns_why_not() {
    let app = TestApp::new().await;
    let acme = app.account("acme").await;
    let (sales, hr) = (acme.project("sales").await, acme.project("hr").await);
    let token = acme.service_token().grant("job_admin", &sales).create().await;
    let trigger =
        |project: i64| json!({ "resource": "runs", "action": "write", "project_id": project });

    let here = ask(&token, &acme, trigger(sales.id.get())).await;
    assert_eq!((&here["allowed"], &here["reason"]), (&json!(true), &Value::Null));
    assert_eq!(here["projects"], json!([sales.id.get()]));

    let there = ask(&token, &acme, trigger(hr.id.get())).await;
    assert_eq!(there["allowed"], false);
    assert!(there["reason"].as_str().unwrap().contains("other projects"), "{there}");

    let billing = ask(&token, &acme, json!({ "resource": "billing", "action": "read" })).await;
    assert_eq!(billing["reason"], "no grant holds read on billing");
    assert_eq!(billing["permission_sets"][0]["key"], "billing_admin");
}

#[tokio::test]
async fn categories_count_where_a_set_is_raised() {
    let app = TestApp::new().await;
    let acme = app.account("acme").await;
    let sales = acme.project("sales").await;
    let token = acme.service_token().grant_raised("analyst", &sales, &["staging"]).create().await;
    for (category, allowed) in [("staging", true), ("production", false), ("other", false)] {
        let question = json!({
            "resource": "runs", "action": "write", "project_id": sales.id.get(),
            "environment_category": category,
        });
        assert_eq!(ask(&token, &acme, question).await["allowed"], allowed, "{category}");
    }
    let whole = json!({ "resource": "runs", "action": "write", "project_id": sales.id.get() });
    let whole = ask(&token, &acme, whole).await;
    assert!(whole["reason"].as_str().unwrap().contains("staging environments only"), "{whole}");
}

#[tokio::test]
async fn another_token_is_asked_about_by_those_who_read_service_tokens_only() {
    let app = TestApp::new().await;
    let acme = app.account("acme").await;
    let (id, token) = acme.service_token().grant_everywhere("job_viewer").create_with_id().await;
    let question = json!({ "resource": "jobs", "action": "read", "service_token_id": id });
    let seen = ask(&acme.admin, &acme, question.clone()).await;
    assert_eq!((&seen["allowed"], &seen["projects"]), (&json!(true), &json!("all")));
    assert_eq!(token.post(&acme.v3("/check/"), question).await.status(), 403);
    let nobody = json!({ "resource": "jobs", "action": "read", "service_token_id": 999 });
    assert_eq!(acme.admin.post(&acme.v3("/check/"), nobody).await.status(), 404);
    // Asking is no use of that token.
    app.store.flush_last_used().await.unwrap();
    let path = acme.v3(&format!("/service-tokens/{id}/"));
    let used = acme.admin.get(&path).await.data()["last_used"].clone();
    assert_ne!(used, Value::Null, "it was used once, by itself");
}

#[tokio::test]
async fn a_question_that_cannot_be_is_refused_field_by_field() {
    let app = TestApp::new().await;
    let acme = app.account("acme").await;
    for (question, field) in [
        (json!({}), "resource"),
        (json!({ "resource": "jobs" }), "action"),
        (json!({ "resource": "moons", "action": "read" }), "resource"),
        (json!({ "resource": "jobs", "action": "own" }), "action"),
        (json!({ "resource": "jobs", "action": "read", "project_id": 0 }), "project_id"),
        (
            json!({ "resource": "jobs", "action": "read", "environment_category": "moon" }),
            "environment_category",
        ),
        (
            json!({ "resource": "jobs", "action": "read", "environment_category": "staging" }),
            "project_id",
        ),
        (json!({ "resource": "jobs", "action": "read", "projct_id": 1 }), "projct_id"),
    ] {
        let answer = acme.admin.post(&acme.v3("/check/"), question.clone()).await;
        assert_eq!(answer.status(), 400, "{question}");
        assert!(!answer.reason(field).is_empty(), "{question}: {}", answer.text());
    }
    let (path, empty) = (acme.v3("/check/"), json!({}));
    assert_eq!(app.anonymous().post(&path, empty).await.status(), 401);
}

#[tokio::test]
async fn a_job_and_an_environment_are_asked_about_as_their_requests_are_answered() {
    let house = House::new().await;
    let acme = &house.acme;
    let job = house.job("nightly").await;
    let staging = house.environment(&house.sales, Category::Staging).await.get();
    let hr = acme.project("hr").await;
    let raised = acme.service_token().grant_raised("analyst", &house.sales, &["staging"]);
    let raised = raised.create().await;
    let on = |resource: &str, access: &str, place: Value| {
        let mut question = json!({ "resource": resource, "action": access });
        question.as_object_mut().unwrap().extend(place.as_object().unwrap().clone());
        question
    };
    let answer = ask(&raised, acme, on("runs", "write", json!({ "job_id": job }))).await;
    let told = (&answer["allowed"], &answer["status"], &answer["rule"]);
    assert_eq!(told, (&json!(false), &json!(403), &json!("environment_category")), "{answer}");
    let trigger = acme.v2(&format!("/jobs/{job}/run/"));
    assert_eq!(raised.post(&trigger, json!({ "cause": "x" })).await.status(), 403);
    let there = ask(&raised, acme, on("jobs", "write", json!({ "environment_id": staging }))).await;
    assert_eq!(there["allowed"], true, "{there}");
    let mut body = house.body("new");
    body["environment_id"] = json!(staging);
    assert_eq!(raised.post(&acme.v2("/jobs/"), body).await.status(), 201);

    // What is out of reach and what is nowhere are told alike.
    let elsewhere = acme.service_token().grant("job_admin", &hr).create().await;
    let mut told = Vec::new();
    for place in [
        json!({ "job_id": job }),
        json!({ "job_id": 999_999 }),
        json!({ "environment_id": staging }),
        json!({ "job_id": job, "environment_id": staging }),
    ] {
        let answer = ask(&elsewhere, acme, on("jobs", "read", place)).await;
        assert_eq!(answer["status"], 404, "{answer}");
        told.push(answer);
    }
    told.dedup();
    assert_eq!(told.len(), 1, "{told:#?}");
    let nowhere = ask(&acme.admin, acme, on("jobs", "read", json!({ "project_id": 999 }))).await;
    assert_eq!(nowhere["status"], 404, "{nowhere}");
}

#[tokio::test]
async fn nobody_learns_by_asking_about_another_token_what_they_do_not_see() {
    let house = House::new().await;
    let acme = &house.acme;
    let job = house.job("nightly").await;
    let (id, _) = acme.service_token().grant_everywhere("job_admin").create_with_id().await;
    // Reads service tokens, and no job.
    let asks = acme.service_token().grant_everywhere("security_admin").create().await;
    let question = |job: i64| json!({ "resource": "jobs", "action": "read", "job_id": job, "service_token_id": id });
    assert_eq!(ask(&acme.admin, acme, question(job)).await["allowed"], true);
    assert_eq!(ask(&asks, acme, question(job)).await, ask(&asks, acme, question(999_999)).await);
}

#[tokio::test]
async fn an_address_and_a_time_are_asked_about_and_only_by_who_reads_service_tokens() {
    let app = TestApp::new().await;
    let acme = app.account("acme").await;
    let body = json!({
        "name": "t", "restrictions": { "addresses": ["127.0.0.1", "192.0.2.0/24"] },
        "permission_grants": [{ "permission_set": "job_admin", "all_projects": true }],
    });
    let made = acme.admin.post(&acme.v3("/service-tokens/"), body).await;
    let (id, token) = (made.id(), app.presenting(made.data()["token_string"].as_str().unwrap()));
    let from = |address: &str| json!({ "resource": "jobs", "action": "read", "service_token_id": id, "address": address });
    assert_eq!(ask(&acme.admin, &acme, from("192.0.2.7")).await["allowed"], true);
    let outside = ask(&acme.admin, &acme, from("192.0.3.7")).await;
    let told = (&outside["status"], &outside["rule"], &outside["restriction"]);
    assert_eq!(told, (&json!(403), &json!("restriction"), &json!("addresses")));
    assert_eq!(outside["permission_sets"], json!([]));
    let rule = json!({ "name": "none of it", "type": 2, "cidrs": [{ "cidr": "192.0.2.128/25" }],
        "rule_set_enabled": true });
    assert_eq!(acme.admin.post(&acme.v3("/ip-restrictions/"), rule).await.status(), 201);
    let denied = ask(&acme.admin, &acme, from("192.0.2.129")).await;
    assert_eq!((&denied["status"], &denied["rule"]), (&json!(403), &Value::Null), "{denied}");
    let own = json!({ "resource": "jobs", "action": "read", "address": "192.0.2.7" });
    assert_eq!(token.post(&acme.v3("/check/"), own).await.status(), 403, "no search for addresses");

    let at = |at: &str| json!({ "resource": "jobs", "action": "read", "at": at });
    assert_eq!(ask(&token, &acme, at("2027-01-01T00:00:00Z")).await["allowed"], true);
    let user = acme.admin.post(&acme.v3("/check/"), at("2027-01-01T00:00:00Z")).await;
    assert_eq!((user.status(), user.reason("at").is_empty()), (400, false), "{}", user.text());
    let ended = json!({ "state": 2 });
    assert_eq!(
        acme.admin.put(&acme.v3(&format!("/service-tokens/{id}/")), ended).await.status(),
        200
    );
    let gone = acme.admin.post(&acme.v3("/check/"), from("127.0.0.1")).await;
    assert_eq!(gone.status(), 404);
}

#[tokio::test]
async fn a_thousand_are_asked_at_once_and_answered_in_their_order() {
    let house = House::new().await;
    let acme = &house.acme;
    let job = house.job("nightly").await;
    let token = acme.service_token().grant("job_viewer", &house.sales).create().await;
    let questions: Vec<_> = (0..1_000)
        .map(|number| {
            let access = if number % 3 == 0 { "write" } else { "read" };
            json!({ "resource": "runs", "action": access, "job_id": job + number % 2 })
        })
        .collect();
    house.app.store.flush_last_used().await.unwrap();
    token.get(&acme.v3("/projects/")).await;
    let before = house.app.store.statements();
    let answer = token.post(&acme.v3("/check/"), json!({ "questions": questions })).await;
    assert_eq!(house.app.store.statements() - before, 1, "one look for all jobs");
    let answers = answer.data()["answers"].as_array().unwrap().clone();
    assert_eq!(answers.len(), 1_000);
    for (number, told) in answers.iter().enumerate() {
        let status = match (number % 3, number % 2) {
            (0, _) => json!(403),
            (_, 0) => Value::Null,
            _ => json!(404),
        };
        assert_eq!(told["status"], status, "{number}: {told}");
    }
    for (wrong, field) in [
        (json!([]), "questions"),
        (json!(vec![json!({ "resource": "runs", "action": "read" }); 1_001]), "questions"),
        (
            json!([{ "resource": "runs", "action": "read" }, { "action": "read" }]),
            "questions[1].resource",
        ),
        (json!([{ "resource": "runs", "action": "read", "at": "soon" }]), "questions[0].at"),
        (
            json!([{ "resource": "runs", "action": "read", "address": "::z" }]),
            "questions[0].address",
        ),
    ] {
        let answer = token.post(&acme.v3("/check/"), json!({ "questions": wrong })).await;
        assert_eq!(answer.status(), 400, "{wrong}");
        assert!(!answer.reason(field).is_empty(), "{field}: {}", answer.text());
    }
    let both =
        json!({ "resource": "runs", "questions": [{ "resource": "runs", "action": "read" }] });
    let both = token.post(&acme.v3("/check/"), both).await;
    assert!(!both.reason("questions").is_empty(), "{}", both.text());
}

#[tokio::test]
async fn a_question_about_another_time_is_judged_by_the_secret_that_asks() {
    let app = TestApp::new().await;
    let acme = app.account("acme").await;
    let (id, old) = acme.service_token().grant_everywhere("job_admin").create_with_id().await;
    let path = acme.v3(&format!("/service-tokens/{id}/rotate/"));
    let rotated = acme.admin.post(&path, json!({ "overlap_minutes": 60 })).await;
    let new = app.presenting(rotated.data()["token_string"].as_str().unwrap());
    let at = |time: &str| json!({ "resource": "jobs", "action": "read", "at": time });
    for (client, time, status) in [
        (&old, "2026-11-23T12:59:59Z", Value::Null),
        (&old, "2026-11-23T13:00:00Z", json!(401)),
        (&new, "2026-11-23T13:00:00Z", Value::Null),
        (&new, "2026-11-23T11:59:59Z", json!(401)),
    ] {
        let answer = client.post(&acme.v3("/check/"), at(time)).await;
        assert_eq!(answer.data()["status"], status, "{time}: {}", answer.text());
    }
}
