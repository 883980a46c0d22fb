//! Runs, their steps and artifacts, through the router; the runner's part is done by the store's
//! own functions under the runner's principal.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failure is a failed test")]

mod common;

use common::House;
use domain::{RunId, authz::Category, run::Outcome};
use reqwest::Method;
use serde_json::{Value, json};
use testkit::{TestAnswer, TestClient};

const STEPS: [&str; 4] = [
    "Clone git repository",
    "Create profile from connection shop",
    "Invoke dbt with `dbt deps`",
    "Invoke dbt with `dbt build`",
];

/// A run whose four steps went well, each a minute long, with artifacts of the last two.
async fn succeeded(house: &House, job: i64) -> i64 {
    house.run(job).await;
    house.wait(30);
    let (run, steps) = house.begin(&STEPS).await;
    for step in &steps {
        house.wait(60);
        house.step(step, &format!("log of step {}\n", step.index), Outcome::Success).await;
    }
    put(house, run, 3, "run_results.json", "{\"step\":3}").await;
    put(house, run, 4, "run_results.json", "{\"step\":4}").await;
    put(house, run, 4, "compiled/shop/a.sql", "select 1").await;
    put(house, run, 3, "manifest.json", "{}").await;
    house.finish(run, Outcome::Success).await;
    run.get()
}

async fn put(house: &House, run: RunId, step: u32, path: &str, text: &str) {
    let (permit, bytes) = (house.runner().await, text.as_bytes());
    let lease = house.lease(run);
    house.app.store.put_artifact(&permit, &lease, step, path, bytes).await.unwrap();
}

#[tokio::test]
async fn a_trigger_gives_the_queued_run() {
    let house = House::new().await;
    let job = house.job("Nightly").await;
    let (acme, admin) = (&house.acme, &house.acme.admin);
    let body = json!({
        "cause": "by hand", "steps_override": ["dbt parse"], "threads_override": 2,
        "git_sha": null, "schema_override": null, "additional_run_config": {},
    });
    for path in [acme.v2(&format!("/jobs/{job}/run/")), acme.v2(&format!("/jobs/{job}/run"))] {
        let answer = admin.post(&path, body.clone()).await;
        assert_eq!(answer.status(), 200, "{}", answer.text());
        let (run, id) = (answer.data(), answer.id());
        assert_eq!((&run["status"], &run["status_humanized"]), (&json!(1), &json!("Queued")));
        assert_eq!((&run["job_id"], &run["job_definition_id"]), (&json!(job), &json!(job)));
        assert_eq!(run["account_id"], acme.id.get());
        assert_eq!(run["trigger"]["cause"], "by hand");
        assert_eq!(run["trigger"]["cause_category"], "api");
        assert_eq!(run["trigger"]["steps_override"], json!(["dbt parse"]));
        let place = format!("/deploy/{}/projects/{}/runs/{id}/", acme.id, house.sales.id);
        assert_eq!(run["href"], format!("{}{place}", house.app.url()));
    }
    // No Content-Type, and a JSON body.
    let path = acme.v2(&format!("/jobs/{job}/run/"));
    let bare = admin.request(Method::POST, &path).body(r#"{"cause":"bare"}"#);
    assert_eq!(TestAnswer::of(bare).await.status(), 200);
    assert_eq!(admin.get(&acme.v2("/runs/")).await.ids().len(), 3);
}

#[tokio::test]
async fn a_run_tells_who_or_what_started_it_and_by_which_token() {
    let house = House::new().await;
    let job = house.job("Nightly").await;
    let mut body = house.body("after");
    body["job_completion_trigger_condition"] = json!({
        "condition": { "job_id": job, "project_id": house.sales.id.get(), "statuses": [10] },
    });
    let next = house.job_of(body).await;
    let first = succeeded(&house, job).await;

    let shown = async |query: &str| {
        let path = house.acme.v2(&format!("/runs/?include_related=trigger,audit&{query}"));
        let answer = house.acme.admin.get(&path).await.data();
        let run = answer.as_array().unwrap().first().unwrap();
        let [trigger, actor] = [&run["trigger"], &run["audit"]["trigger"]["actor"]];
        (trigger.clone(), actor["type"].clone())
    };
    let (trigger, actor) = shown(&format!("pk={first}")).await;
    assert_eq!((&trigger["cause_category"], &actor), (&json!("api"), &json!("user")));
    assert_eq!(trigger["token_uid"].as_str().unwrap().len(), 36, "{trigger}");
    assert_eq!(trigger["job_completion_run_id"], Value::Null);
    let (trigger, actor) = shown(&format!("job_definition_id={next}")).await;
    assert_eq!((&trigger["cause_category"], &actor), (&json!("job completion"), &json!("system")));
    assert_eq!(trigger["token_uid"], Value::Null);
    assert_eq!(trigger["job_completion_run_id"], first);
    assert_eq!(trigger["cause"], format!("run {first} of job {job} ended: success"));
}

#[tokio::test]
async fn a_circle_of_jobs_is_refused_by_name() {
    let house = House::new().await;
    let job = house.job("Nightly").await;
    let path = house.acme.v2(&format!("/jobs/{job}/"));
    let condition = json!({ "job_completion_trigger_condition": { "condition": {
        "job_id": job, "project_id": house.sales.id.get(), "statuses": [10, 20],
    } } });

    let refused = house.acme.admin.post(&path, condition).await;

    assert_eq!(refused.status(), 400, "{}", refused.text());
    let reason = refused.reason("job_completion_trigger_condition");
    assert!(reason.contains("start itself"), "{reason}");
    let shown = house.acme.admin.get(&path).await.data();
    assert_eq!(shown["job_completion_trigger_condition"], Value::Null);
}

#[tokio::test]
async fn a_run_tells_which_run_it_defers_to() {
    let house = House::new().await;
    let whole = house.job("Whole").await;
    house.run(whole).await;
    let (first, _) = house.begin(&STEPS).await;
    put(&house, first, 4, "manifest.json", "{}").await;
    house.finish(first, Outcome::Success).await;
    let mut body = house.body("Slim");
    body["deferring_job_definition_id"] = json!(whole);
    let slim = house.job_of(body).await;
    let run = house.run(slim).await;
    let path = house.acme.v2(&format!("/runs/{run}/"));
    assert_eq!(house.acme.admin.get(&path).await.data()["deferring_run_id"], Value::Null);

    house.begin(&STEPS).await;

    assert_eq!(house.acme.admin.get(&path).await.data()["deferring_run_id"], first.get());
    let list = house.acme.v2(&format!("/runs/?deferring_run_id={first}"));
    assert_eq!(house.acme.admin.get(&list).await.ids(), [run]);
}

#[tokio::test]
async fn a_trigger_that_cannot_be_is_told_field_by_field_and_queues_nothing() {
    let house = House::new().await;
    let job = house.job("Nightly").await;
    let path = house.acme.v2(&format!("/jobs/{job}/run/"));
    for (field, body) in [
        ("cause", json!({})),
        ("cause", json!({ "cause": "" })),
        ("cause", json!({ "cause": "x".repeat(256) })),
        ("cause", json!({ "cause": "a\nb" })),
        ("cause", json!({ "cause": 5 })),
        ("steps_override", json!({ "cause": "c", "steps_override": [] })),
        ("steps_override[0]", json!({ "cause": "c", "steps_override": ["sh -c id"] })),
        ("threads_override", json!({ "cause": "c", "threads_override": 0 })),
        ("timeout_seconds_override", json!({ "cause": "c", "timeout_seconds_override": 86_401 })),
        ("git_branch", json!({ "cause": "c", "git_branch": "--upload-pack=x" })),
    ] {
        let answer = house.acme.admin.post(&path, body).await;
        assert_eq!(answer.status(), 400, "{field}: {}", answer.text());
        assert_ne!(answer.reason(field), "", "{field}: {}", answer.text());
    }
    let bare = TestAnswer::of(house.acme.admin.request(Method::POST, &path)).await;
    assert_eq!((bare.status(), bare.reason("cause").as_str()), (400, "is required"));
    assert_eq!(house.acme.admin.get(&house.acme.v2("/runs/")).await.ids(), [0; 0]);
}

/// The answers to trigger, list, show, step, artifacts, artifact, the job's artifact and cancel.
async fn all(house: &House, client: &TestClient, job: i64, run: i64) -> [u16; 8] {
    let path = |rest: &str| house.acme.v2(rest);
    let steps = format!("/runs/{run}/?include_related=run_steps");
    let steps = house.acme.admin.get(&path(&steps)).await.data();
    let step = steps["run_steps"][0]["id"].as_i64().unwrap();
    let get = async |rest: String| client.get(&path(&rest)).await.status();
    [
        client.post(&path(&format!("/jobs/{job}/run/")), json!({ "cause": "c" })).await.status(),
        get("/runs/".to_owned()).await,
        get(format!("/runs/{run}/")).await,
        get(format!("/steps/{step}/")).await,
        get(format!("/runs/{run}/artifacts/")).await,
        get(format!("/runs/{run}/artifacts/manifest.json")).await,
        get(format!("/jobs/{job}/artifacts/manifest.json")).await,
        client.post(&path(&format!("/runs/{run}/cancel/")), json!({})).await.status(),
    ]
}

#[tokio::test]
async fn who_may_what_with_runs() {
    let house = House::new().await;
    let (job, hr) = (house.job("Nightly").await, house.acme.project("hr").await);
    let run = succeeded(&house, job).await;
    let token = || house.acme.service_token();
    assert_eq!(all(&house, &house.app.anonymous(), job, run).await, [401; 8]);
    let billing = token().grant_everywhere("billing_admin").create().await;
    assert_eq!(all(&house, &billing, job, run).await, [403; 8]);
    let viewer = token().grant("job_viewer", &house.sales).create().await;
    assert_eq!(all(&house, &viewer, job, run).await, [403, 200, 200, 200, 200, 200, 200, 403]);
    let elsewhere = token().grant("job_admin", &hr).create().await;
    assert_eq!(all(&house, &elsewhere, job, run).await, [404, 200, 404, 404, 404, 404, 404, 404]);
    assert_eq!(elsewhere.get(&house.acme.v2("/runs/")).await.ids(), [0; 0]);
    let mixed = token().grant("job_viewer", &house.sales).grant("job_admin", &hr).create().await;
    assert_eq!(all(&house, &mixed, job, run).await, [403, 200, 200, 200, 200, 200, 200, 403]);
    // The run has finished: whoever may cancel it hears so.
    let runner = token().grant("job_runner", &house.sales).create().await;
    assert_eq!(all(&house, &runner, job, run).await, [200, 200, 200, 200, 200, 200, 200, 400]);
}

#[tokio::test]
async fn a_category_raises_runs_in_its_environments_alone() {
    let house = House::new().await;
    let mut body = house.body("staging");
    body["environment_id"] = json!(house.environment(&house.sales, Category::Staging).await.get());
    let (staging, production) = (house.job_of(body).await, house.job("production").await);
    let token = house.acme.service_token();
    let analyst = token.grant_raised("analyst", &house.sales, &["staging"]).create().await;
    let trigger = async |job: i64| {
        let path = house.acme.v2(&format!("/jobs/{job}/run/"));
        analyst.post(&path, json!({ "cause": "c" })).await
    };
    assert_eq!(trigger(production).await.status(), 403);
    let run = trigger(staging).await;
    assert_eq!(run.status(), 200);
    let cancel = |run: i64| house.acme.v2(&format!("/runs/{run}/cancel/"));
    assert_eq!(analyst.post(&cancel(run.id()), json!({})).await.status(), 200);
    let theirs = house.run(production).await;
    assert_eq!(analyst.post(&cancel(theirs), json!({})).await.status(), 403);
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let house = House::new().await;
    let (job, rival) = (house.job("Nightly").await, house.app.account("rival").await);
    let run = succeeded(&house, job).await;
    for (method, rest) in [
        (Method::GET, format!("/runs/{run}/")),
        (Method::GET, format!("/runs/{run}/artifacts/")),
        (Method::GET, format!("/runs/{run}/artifacts/manifest.json")),
        (Method::GET, format!("/jobs/{job}/artifacts/manifest.json")),
        (Method::GET, "/steps/1/".to_owned()),
        (Method::POST, format!("/runs/{run}/cancel/")),
        (Method::GET, format!("/runs/{run}/cancel/")),
        (Method::GET, "/runs/9223372036854775808/".to_owned()),
    ] {
        let answer = TestAnswer::of(rival.admin.request(method, &rival.v2(&rest))).await;
        assert_eq!(answer.status(), 404, "{rest}");
        assert_eq!(answer.json()["status"]["code"], 404, "{rest}");
    }
    // A job that is deleted starts nothing more; its runs stay.
    let admin = &house.acme.admin;
    assert_eq!(admin.delete(&house.acme.v2(&format!("/jobs/{job}/"))).await.status(), 200);
    let path = house.acme.v2(&format!("/jobs/{job}/run/"));
    assert_eq!(admin.post(&path, json!({ "cause": "c" })).await.status(), 404);
    assert_eq!(admin.get(&house.acme.v2(&format!("/runs/{run}/"))).await.status(), 200);
}

#[tokio::test]
async fn a_list_is_filtered_ordered_and_cut() {
    let house = House::new().await;
    let (nightly, hourly) = (house.job("Nightly").await, house.job("Hourly").await);
    house.run(nightly).await;
    let (first, _) = house.begin(&STEPS).await;
    house.wait(60);
    put(&house, first, 4, "catalog.json", "{}").await;
    house.finish(first, Outcome::Success).await;
    let first = first.get();
    let between = house.app.clock.now();
    house.wait(60);
    house.run(hourly).await;
    let (second, _) = house.begin(&STEPS).await;
    house.wait(60);
    house.finish(second, Outcome::Error).await;
    let second = second.get();
    let third = house.run(nightly).await;
    let list = async |query: &str| {
        let answer = house.acme.admin.get(&house.acme.v2(&format!("/runs?{query}"))).await;
        assert_eq!(answer.status(), 200, "{query}: {}", answer.text());
        answer.ids()
    };
    let sales = house.sales.id;
    let (from, until) = ("2026-11-23T00:00:00%2B00:00", "2026-11-24T00:00:00%2B00:00");
    let early = between.to_string().replace('+', "%2B");
    for (query, expected) in [
        (String::new(), vec![first, second, third]),
        ("order_by=-id".to_owned(), vec![third, second, first]),
        ("order_by=-created_at&limit=2".to_owned(), vec![third, second]),
        ("order_by=-finished_at&status__in=[10,20]".to_owned(), vec![second, first]),
        (format!("job_definition_id={nightly}"), vec![first, third]),
        (format!("job_definition_id={hourly}&include_related="), vec![second]),
        (format!("project_id={sales}&offset=2"), vec![third]),
        (format!("project_id__in=[{sales}]"), vec![first, second, third]),
        (format!("environment_id={}", house.production), vec![first, second, third]),
        ("environment_id=999".to_owned(), vec![]),
        ("status=20".to_owned(), vec![second]),
        ("status__in=[1,2,3]".to_owned(), vec![third]),
        ("status__in=[10, 20]".to_owned(), vec![first, second]),
        (format!("id__gt={first}"), vec![second, third]),
        (format!("pk__in=[{first},{third}]"), vec![first, third]),
        // Only what has finished falls in such a range.
        (format!("finished_at__range=[\"{from}\",\"{until}\"]"), vec![first, second]),
        (format!("finished_at__range=[\"{from}\",\"{early}\"]&order_by=finished_at"), vec![first]),
        (format!("created_at__range=[\"{early}\",\"{until}\"]"), vec![second, third]),
        ("state=all".to_owned(), vec![first, second, third]),
        ("dbt_version=latest".to_owned(), vec![first, second, third]),
        ("dbt_version__in=[\"1.5.0\",\"1.6.0\"]".to_owned(), vec![]),
        ("has_docs_generated=true".to_owned(), vec![first]),
        ("has_docs_generated=false".to_owned(), vec![second, third]),
        ("has_sources_generated=true".to_owned(), vec![]),
        (format!("deferring_run_id={first}"), vec![]),
    ] {
        assert_eq!(list(&query).await, expected, "{query}");
    }
    for query in [
        "limit=101",
        "status=done",
        "status__in=[x]",
        "created_at__range=[\"2026-01-01\"]",
        "created_at__range=[\"then\",\"now\"]",
        "order_by=logs",
        "id__gt=x",
        "has_docs_generated=maybe",
    ] {
        let answer = house.acme.admin.get(&house.acme.v2(&format!("/runs/?{query}"))).await;
        assert_eq!(answer.status(), 400, "{query}");
    }
}

#[tokio::test]
async fn a_run_tells_its_states_and_durations() {
    let house = House::new().await;
    let job = house.job("Nightly").await;
    let run = house.run(job).await;
    let path = house.acme.v2(&format!("/runs/{run}/"));
    let told = async || {
        let run = house.acme.admin.get(&path).await.data();
        ["status", "is_complete", "queued_duration", "run_duration", "duration"]
            .map(|key| run[key].to_string().replace('"', ""))
            .join(" ")
    };
    house.wait(30);
    assert_eq!(told().await, "1 false 00:00:30 00:00:00 00:00:30");
    let (id, steps) = house.begin(&STEPS).await;
    house.wait(60);
    assert_eq!(told().await, "3 false 00:00:30 00:01:00 00:01:30");
    house.step(&steps[0], "cloned\n", Outcome::Success).await;
    house.finish(id, Outcome::Error).await;
    house.wait(3600);
    assert_eq!(told().await, "20 true 00:00:30 00:01:00 00:01:30");
    let data = house.acme.admin.get(&path).await.data();
    assert_eq!(data["duration_humanized"], "1 minute, 30 seconds");
    assert_eq!(data["finished_at"], "2026-11-23T12:01:30.000000+00:00");
    for related in ["trigger", "job", "environment", "repository", "audit"] {
        assert_eq!(data.get(related), Some(&Value::Null), "{related}");
    }
    assert_eq!(data["run_steps"], json!([]));
}

#[tokio::test]
async fn related_objects_come_where_they_are_asked_for() {
    let house = House::new().await;
    let job = house.job("Nightly").await;
    let run = succeeded(&house, job).await;
    let get = async |query: &str| {
        let path = house.acme.v2(&format!("/runs/{run}/?{query}"));
        let answer = house.acme.admin.get(&path).await;
        assert_eq!(answer.status(), 200, "{query}: {}", answer.text());
        answer.data()
    };
    let data = get("include_related=trigger&include_related=job&include_related=environment").await;
    assert_eq!(data["trigger"]["cause"], "a test");
    assert_eq!(data["job"]["name"], "Nightly");
    assert_eq!(data["environment"]["id"], house.production.get());
    let data = get("include_related=['run_steps','audit']").await;
    assert_eq!(data["audit"]["trigger"]["actor"]["id"], house.acme.admin_id.to_string());
    let steps = data["run_steps"].as_array().unwrap();
    let names: Vec<_> = steps.iter().map(|step| step["name"].as_str().unwrap()).collect();
    assert_eq!(names, STEPS);
    let last = &steps[3];
    assert_eq!((&last["index"], &last["status_humanized"]), (&json!(4), &json!("Success")));
    assert_eq!(last["logs"], "log of step 4\n");
    assert_eq!(last["truncated_debug_logs"], "log of step 4\n");
    assert_eq!(last["debug_logs"], Value::Null);
    assert_eq!(last["run_step_command"]["dbt_command"], "dbt build");
    let data = get("include_related=[\"run_steps\",\"debug_logs\"]").await;
    assert_eq!(data["run_steps"][3]["debug_logs"], "log of step 4\n");
    assert_eq!(data["run_steps"][3]["truncated_debug_logs"], Value::Null);
    let url = "https://git.example/acme/shop.git";
    let path = house.sales.v3("/repositories/");
    let repository = house.acme.admin.post(&path, json!({ "remote_url": url })).await.id();
    let linked = json!({ "name": "sales", "repository_id": repository });
    assert_eq!(house.acme.admin.post(&house.sales.url(), linked).await.status(), 200);
    let data = get("include_related=[repository]").await;
    assert_eq!(data["repository"]["remote_url"], url);
    // A Job Runner reads no environments.
    let runner = house.acme.service_token().grant("job_runner", &house.sales).create().await;
    let path = house.acme.v2(&format!("/runs/{run}/?include_related=job,environment,repository"));
    let data = runner.get(&path).await.data();
    assert_eq!(data["job"]["id"], job);
    assert_eq!((&data["environment"], &data["repository"]), (&Value::Null, &Value::Null));
}

#[tokio::test]
async fn a_step_is_shown_alone() {
    let house = House::new().await;
    let job = house.job("Nightly").await;
    let run = succeeded(&house, job).await;
    let path = house.acme.v2(&format!("/runs/{run}/?include_related=run_steps"));
    let steps = house.acme.admin.get(&path).await.data()["run_steps"].clone();
    let id = steps[2]["id"].as_i64().unwrap();
    for path in [house.acme.v2(&format!("/steps/{id}/")), house.acme.v2(&format!("/steps/{id}"))] {
        let step = house.acme.admin.get(&path).await;
        assert_eq!((step.status(), &step.data()), (200, &steps[2]));
    }
    let path = house.acme.v2(&format!("/steps/{id}/?include_related=debug_logs"));
    assert_eq!(house.acme.admin.get(&path).await.data()["debug_logs"], "log of step 3\n");
    for id in ["999", "x"] {
        let path = house.acme.v2(&format!("/steps/{id}/"));
        assert_eq!(house.acme.admin.get(&path).await.status(), 404, "{id}");
    }
}

#[tokio::test]
async fn a_run_is_cancelled_by_post_without_a_body_and_by_get() {
    let house = House::new().await;
    let job = house.job("Nightly").await;
    for (method, slash) in [(Method::POST, "/"), (Method::POST, ""), (Method::GET, "/")] {
        let run = house.run(job).await;
        let path = house.acme.v2(&format!("/runs/{run}/cancel{slash}"));
        let answer = TestAnswer::of(house.acme.admin.request(method.clone(), &path)).await;
        assert_eq!(answer.status(), 200, "{method}: {}", answer.text());
        assert_eq!((answer.id(), &answer.data()["status"]), (run, &json!(30)));
        // Twice is a 400, as clients know it.
        let again = TestAnswer::of(house.acme.admin.request(method, &path)).await;
        assert_eq!(again.status(), 400);
        assert_eq!(again.json()["status"]["code"], 400);
        assert!(again.reason("status").contains("finished"), "{}", again.text());
    }
    let run = house.run(job).await;
    let (id, _) = house.begin(&STEPS).await;
    let path = house.acme.v2(&format!("/runs/{run}/cancel/"));
    let json = house.acme.admin.request(Method::POST, &path);
    let json = TestAnswer::of(json.header("Content-Type", "application/json")).await;
    assert_eq!((json.status(), &json.data()["status"]), (200, &json!(3)));
    let reader = house.runner().await.also().unwrap();
    assert!(house.app.store.run(&reader, id).await.unwrap().cancel_requested);
}

#[tokio::test]
async fn artifacts_are_listed_once_each_and_fetched_as_they_are() {
    let house = House::new().await;
    let job = house.job("Nightly").await;
    let run = succeeded(&house, job).await;
    let get = async |rest: &str| house.acme.admin.get(&house.acme.v2(rest)).await;
    let list = get(&format!("/runs/{run}/artifacts/")).await;
    assert_eq!(list.data(), json!(["compiled/shop/a.sql", "manifest.json", "run_results.json"]));
    let of_step = get(&format!("/runs/{run}/artifacts?step=4")).await;
    assert_eq!(of_step.data(), json!(["compiled/shop/a.sql", "run_results.json"]));
    let file = get(&format!("/runs/{run}/artifacts/run_results.json")).await;
    assert_eq!((file.status(), file.text().as_str()), (200, "{\"step\":4}"));
    assert_eq!(file.header("content-type"), "application/json");
    let earlier = get(&format!("/runs/{run}/artifacts/run_results.json?step=3")).await;
    assert_eq!(earlier.text(), "{\"step\":3}");
    let sql = get(&format!("/runs/{run}/artifacts/compiled/shop/a.sql")).await;
    assert_eq!(sql.text(), "select 1");
    assert_eq!(sql.header("content-type"), "text/plain; charset=utf-8");
    // A later run that failed does not stand in for the job's artifacts.
    house.run(job).await;
    let (failed, _) = house.begin(&STEPS).await;
    put(&house, failed, 4, "manifest.json", "failed").await;
    house.finish(failed, Outcome::Error).await;
    let of_job = get(&format!("/jobs/{job}/artifacts/manifest.json")).await;
    assert_eq!((of_job.status(), of_job.text().as_str()), (200, "{}"));
    assert_eq!(get(&format!("/runs/{failed}/artifacts/manifest.json")).await.text(), "failed");
}

#[tokio::test]
async fn a_run_counts_what_became_of_its_models_and_tests_in_all_its_steps() {
    let house = House::new().await;
    let job = house.job("Nightly").await;
    house.run(job).await;
    let (run, _) = house.begin(&STEPS).await;
    let path = house.acme.v2(&format!("/runs/{run}/"));
    assert_eq!(house.acme.admin.get(&path).await.data()["counts"], Value::Null);
    let results = |which: &str, results: Value| {
        json!({ "args": { "which": which }, "results": results }).to_string()
    };
    let ended = |id: &str, status: &str| json!({ "unique_id": id, "status": status });
    let built =
        [ended("model.s.a", "success"), ended("model.s.b", "error"), ended("seed.s.c", "success")];
    let tested = [ended("test.s.t", "warn"), ended("model.s.a", "skipped")];
    for (step, text) in [
        (2, results("build", json!(built))),
        // Once more: it counts in place of the first.
        (2, results("build", json!(built))),
        (3, results("test", json!(tested))),
        (4, results("generate", json!(built))),
    ] {
        put(&house, run, step, "run_results.json", &text).await;
    }
    house.finish(run, Outcome::Error).await;

    let counts = json!({
        "models": { "passed": 1, "warned": 0, "failed": 1, "skipped": 1 },
        "tests": { "passed": 0, "warned": 1, "failed": 0, "skipped": 0 },
    });
    assert_eq!(house.acme.admin.get(&path).await.data()["counts"], counts);
    let listed = house.acme.admin.get(&house.acme.v2("/runs/")).await.data();
    assert_eq!(listed[0]["counts"], counts);
}

#[tokio::test]
async fn a_job_can_be_deferred_to_once_a_good_run_of_it_has_left_a_manifest() {
    let house = House::new().await;
    let job = house.job("Nightly").await;
    let deferrable = async || {
        let job = house.acme.admin.get(&house.acme.v2(&format!("/jobs/{job}/"))).await.data();
        job["is_deferrable"].as_bool().unwrap()
    };
    for (outcome, path) in [(Outcome::Error, "manifest.json"), (Outcome::Success, "catalog.json")] {
        house.run(job).await;
        let (run, _) = house.begin(&STEPS).await;
        put(&house, run, 4, path, "{}").await;
        house.finish(run, outcome).await;
        assert!(!deferrable().await, "{path}");
    }
    succeeded(&house, job).await;
    assert!(deferrable().await);
}

#[tokio::test]
async fn an_artifact_that_is_not_there_is_not_found_in_the_envelope() {
    let house = House::new().await;
    let job = house.job("Nightly").await;
    let run = succeeded(&house, job).await;
    let get = async |rest: &str| house.acme.admin.get(&house.acme.v2(rest)).await;
    for path in [
        "catalog.json",
        "manifest.json?step=1",
        "manifest.json?step=4000000000",
        "..%2F..%2Fkeyring",
        "compiled/..%2Fmanifest.json",
        "%00",
        "compiled",
    ] {
        let answer = get(&format!("/runs/{run}/artifacts/{path}")).await;
        assert_eq!(answer.status(), 404, "{path}: {}", answer.text());
        assert_eq!(answer.json()["status"]["code"], 404, "{path}");
    }
    assert_eq!(get(&format!("/jobs/{job}/artifacts/catalog.json")).await.status(), 404);
    assert_eq!(get("/runs/999/artifacts/").await.status(), 404);
    for step in ["abc", "0", "-1", "1.5"] {
        for path in ["artifacts/", "artifacts/manifest.json"] {
            let answer = get(&format!("/runs/{run}/{path}?step={step}")).await;
            assert_eq!(answer.status(), 400, "{path} {step}");
            assert_ne!(answer.reason("step"), "");
        }
    }
    let empty = house.run(job).await;
    assert_eq!(get(&format!("/runs/{empty}/artifacts/")).await.data(), json!([]));
}

/// Every file of a run's artifacts, on the disk.
fn on_disk(house: &House, run: RunId, path: &str) -> std::path::PathBuf {
    let folder = house.app.store.data_dir().artifacts();
    folder.join(format!("{}/{run}/1/{path}", house.acme.id))
}

#[tokio::test]
async fn a_large_artifact_that_was_altered_or_cut_off_looks_whole_to_nobody() {
    let house = House::new().await;
    let job = house.job("Nightly").await;
    house.run(job).await;
    let (run, _) = house.begin(&["Invoke dbt with `dbt docs generate`"]).await;
    let whole = "<html>".repeat(500_000);
    let (permit, lease) = (house.runner().await, house.lease(run));
    for path in ["catalog.json", "static_index.html"] {
        let put = house.app.store.put_artifact(&permit, &lease, 1, path, whole.as_bytes());
        put.await.unwrap();
    }
    house.finish(run, Outcome::Success).await;
    let docs = format!("/docs/{}/{}/", house.acme.id, house.sales.id);
    let artifact = house.acme.v2(&format!("/runs/{run}/artifacts/catalog.json"));
    let answer = async |path: &str| {
        let answer = house.acme.admin.request(Method::GET, path).send().await.unwrap();
        let length = answer.content_length().unwrap();
        assert_eq!(length == 3_000_000, answer.status() == 200, "{length}");
        (answer.status().as_u16(), answer.bytes().await)
    };
    for (path, name) in [(&artifact, "catalog.json"), (&docs, "static_index.html")] {
        let (status, body) = answer(path).await;
        assert!(status == 200 && body.unwrap() == whole, "{path}");

        // As long as it was: that it is another shows at its end alone, which is not sent.
        let file = on_disk(&house, run, name);
        let altered = whole.replacen("<html>", "<HTML>", 1);
        std::fs::write(&file, &altered).unwrap();
        let (status, body) = answer(path).await;
        assert!(status == 200 && body.is_err(), "{path}: {body:?}");

        // Of another length it is not begun.
        std::fs::write(&file, whole.split_at(2_999_999).0).unwrap();
        let (status, body) = answer(path).await;
        assert_eq!(status, 500, "{path}");
        assert!(!String::from_utf8_lossy(&body.unwrap()).contains("<html>"), "{path}");
    }
}

#[tokio::test]
async fn a_run_is_one_statement_and_a_page_of_them_as_many_as_one() {
    let house = House::new().await;
    let job = house.job("Nightly").await;
    for _ in 0..5 {
        succeeded(&house, job).await;
    }
    let run = succeeded(&house, job).await;
    // Who asks is known from the requests before.
    assert_eq!(house.statements_of(&house.acme.v2(&format!("/runs/{run}/"))).await, 1);
    let related = "include_related=trigger,job,environment,run_steps,debug_logs,audit";
    let many = house.statements_of(&house.acme.v2(&format!("/runs/?limit=5&{related}"))).await;
    let two = house.statements_of(&house.acme.v2(&format!("/runs/?limit=2&{related}"))).await;
    println!("{many} statements");
    assert_eq!(many, two);
    assert!(many <= 8, "{many}");
}

#[tokio::test]
async fn a_locked_account_queues_no_runs_and_begins_none() {
    let house = House::new().await;
    let job = house.job("nightly").await;
    house.run(job).await;
    let account = house.acme.v2("/");
    let lock = json!({ "locked": true, "lock_reason": "the invoice" });
    let locked = house.acme.admin.patch(&account, lock).await.data();
    assert_eq!((&locked["locked"], &locked["lock_reason"]), (&json!(true), &json!("the invoice")));
    let path = house.acme.v2(&format!("/jobs/{job}/run/"));
    let refused = house.acme.admin.post(&path, json!({ "cause": "a test" })).await;
    assert_eq!(refused.status(), 409, "{}", refused.text());
    let permit = house.runner().await;
    assert!(house.app.store.claim_run(&permit, &common::worker()).await.unwrap().is_none());
    let unlocked = house.acme.admin.patch(&account, json!({ "locked": false })).await.data();
    assert_eq!(unlocked["lock_reason"], serde_json::Value::Null);
    assert!(house.app.store.claim_run(&permit, &common::worker()).await.unwrap().is_some());
}

#[tokio::test]
async fn a_project_with_a_run_under_way_stays_until_the_run_has_ended() {
    let house = House::new().await;
    house.run(house.job("nightly").await).await;
    let (run, _) = house.begin(&["dbt build"]).await;
    let refused = house.acme.admin.delete(&house.sales.url()).await;
    assert_eq!(refused.status(), 409, "{}", refused.text());
    assert!(refused.text().contains("cancel it first"), "{}", refused.text());
    assert_eq!(house.acme.admin.get(&house.sales.url()).await.status(), 200);
    house.finish(run, Outcome::Success).await;
    assert_eq!(house.acme.admin.delete(&house.sales.url()).await.status(), 200);
}
