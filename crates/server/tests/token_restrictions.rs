//! What service tokens are held to, beside their grants: over the API, and on every route.
//! SECURITY lines 18 and 34.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failure is a failed test")]

mod common;

use common::{
    House,
    everything::{Everything, everything, names, reads},
};
use domain::authz::{Access, Action, Category, ResourceKind};
use reqwest::Method;
use serde_json::{Value, json};
use testkit::{TestAccount, TestAnswer, TestApp, TestClient};

async fn token(app: &TestApp, acme: &TestAccount, set: &str, held_to: Value) -> (i64, TestClient) {
    let body = json!({
        "name": "nightly",
        "permission_grants": [{ "permission_set": set, "all_projects": true }],
        "restrictions": held_to,
    });
    let made = acme.admin.post(&acme.v3("/service-tokens/"), body).await;
    assert_eq!(made.status(), 201, "{}", made.text());
    (made.id(), app.presenting(made.data()["token_string"].as_str().unwrap()))
}

fn at(acme: &TestAccount, id: i64) -> String {
    acme.v3(&format!("/service-tokens/{id}/restrictions/"))
}

const NOTHING: &str =
    r#"{"addresses":null,"environments":null,"jobs":null,"read_only":false,"rate":null}"#;

fn nothing() -> Value {
    serde_json::from_str(NOTHING).unwrap()
}

#[tokio::test]
async fn a_token_is_held_from_its_creation_and_what_it_is_held_to_is_replaced_as_a_whole() {
    let house = House::new().await;
    let (app, acme) = (&house.app, &house.acme);
    let job = house.job("nightly").await;
    let (id, held) = token(app, acme, "job_admin", json!({ "read_only": true })).await;
    assert_eq!(acme.admin.get(&at(acme, id)).await.data()["read_only"], true);
    let trigger = acme.v2(&format!("/jobs/{job}/run/"));
    assert_eq!(held.post(&trigger, json!({ "cause": "x" })).await.status(), 403);

    let wide = json!({
        "addresses": ["127.0.0.0/9", "127.128.0.0/9", "2001:db8::1/64"],
        "environments": [house.production.get()], "jobs": [job, job],
        "rate": { "per_second": 5 },
    });
    let changed = acme.admin.post(&at(acme, id), wide).await;
    assert_eq!(changed.status(), 200, "{}", changed.text());
    let now = json!({
        "addresses": ["127.0.0.0/8", "2001:db8::/64"],
        "environments": [house.production.get()], "jobs": [job], "read_only": false,
        "rate": { "per_second": 5, "burst": 5 },
    });
    assert_eq!(changed.data(), now);
    assert_eq!(acme.admin.get(&at(acme, id)).await.data(), now);
    // It counts at once, for a secret that was read a moment ago.
    assert_eq!(held.post(&trigger, json!({ "cause": "x" })).await.status(), 200);
    assert_eq!(held.get(&acme.v3("/projects/")).await.status(), 403);

    assert_eq!(acme.admin.post(&at(acme, id), json!({})).await.data(), nothing());
    assert_eq!(held.get(&acme.v3("/projects/")).await.status(), 200);
}

#[tokio::test]
async fn every_change_is_in_the_audit_and_followers_hear_of_it() {
    let app = TestApp::new().await;
    let acme = app.account("acme").await;
    let (id, _) = token(&app, &acme, "job_admin", json!({ "read_only": true })).await;
    let before = app.store.events_after(0).await.unwrap().len();
    let held = json!({ "addresses": ["127.0.0.1"] });
    assert_eq!(acme.admin.post(&at(&acme, id), held).await.status(), 200);
    assert_eq!(app.store.events_after(0).await.unwrap().len(), before + 1);
    let logs = acme.admin.get(&acme.v3("/audit-logs/?limit=100")).await.text();
    assert_eq!(logs.matches("service_token.restrictions_replaced").count(), 2, "{logs}");
    assert!(logs.contains("127.0.0.1/32") && logs.contains("read_only"), "{logs}");
}

#[tokio::test]
async fn a_field_that_cannot_be_refuses_the_whole_change_and_is_named() {
    let app = TestApp::new().await;
    let (acme, rival) = (app.account("acme").await, app.account("rival").await);
    let theirs = everything(&app, &rival, "rival").await;
    let (id, _) = token(&app, &acme, "job_admin", json!({ "read_only": true })).await;
    let many = |count: usize| vec!["10.0.0.0/8"; count];
    for (wrong, field) in [
        (json!({ "addresses": ["127.0.0.1", "10.0.0.0/33"] }), "addresses[1]"),
        (json!({ "addresses": ["any"] }), "addresses[0]"),
        (json!({ "addresses": [] }), "addresses"),
        (json!({ "addresses": many(101) }), "addresses"),
        (json!({ "addresses": "127.0.0.1" }), "addresses"),
        (json!({ "environments": [] }), "environments"),
        (json!({ "environments": [0] }), "environments[0]"),
        (json!({ "environments": [999_999] }), "restrictions.environments"),
        (json!({ "environments": [theirs.id("environment_id")] }), "restrictions.environments"),
        (json!({ "jobs": [-1] }), "jobs[0]"),
        (json!({ "jobs": [theirs.id("job_id")] }), "restrictions.jobs"),
        (json!({ "jobs": vec![1; 501] }), "jobs"),
        (json!({ "rate": {} }), "rate.per_second"),
        (json!({ "rate": { "per_second": 0 } }), "rate.per_second"),
        (json!({ "rate": { "per_second": 1, "burst": 1_000_001 } }), "rate.burst"),
        (json!({ "readonly": true }), "readonly"),
        (json!({ "addresses": ["203.0.113.0/24"] }), "restrictions.addresses"),
    ] {
        let answer = acme.admin.post(&at(&acme, id), wrong.clone()).await;
        assert_eq!(answer.status(), 400, "{wrong}: {}", answer.text());
        assert!(!answer.reason(field).is_empty(), "{wrong}: {}", answer.text());
        // At creation, too: no token is made that would be held to less than was meant.
        let body = json!({ "name": "more", "permission_grants": [], "restrictions": wrong });
        let answer = acme.admin.post(&acme.v3("/service-tokens/"), body).await;
        assert_eq!(answer.status(), 400, "{wrong}: {}", answer.text());
        let named = format!("restrictions.{}", field.trim_start_matches("restrictions."));
        assert!(!answer.reason(&named).is_empty(), "{wrong}: {}", answer.text());
    }
    let left = json!({ "read_only": true });
    assert_eq!(acme.admin.get(&at(&acme, id)).await.data()["read_only"], left["read_only"]);
    assert_eq!(acme.admin.get(&acme.v3("/service-tokens/")).await.ids().len(), 1);
    // Where they are not changed, they are not taken silently.
    let path = acme.v3(&format!("/service-tokens/{id}/"));
    let body = json!({ "name": "new name", "restrictions": { "read_only": false } });
    let answer = acme.admin.put(&path, body).await;
    assert!(answer.reason("restrictions").contains("restrictions/"), "{}", answer.text());
    assert_eq!(acme.admin.get(&path).await.data()["name"], "nightly");
}

#[tokio::test]
async fn a_list_that_shuts_out_its_author_is_saved_only_by_force() {
    let app = TestApp::new().await;
    let acme = app.account("acme").await;
    let (id, held) = token(&app, &acme, "job_admin", json!({})).await;
    let refused = acme.admin.post(&at(&acme, id), json!({ "addresses": ["203.0.113.7"] })).await;
    let reason = refused.reason("restrictions.addresses");
    assert!(reason.contains("127.0.0.1") && reason.contains("force"), "{reason}");
    assert_eq!(held.get(&acme.v3("/projects/")).await.status(), 200);
    let forced = json!({ "addresses": ["203.0.113.7"], "force": true });
    assert_eq!(acme.admin.post(&at(&acme, id), forced.clone()).await.status(), 200);
    assert_eq!(held.get(&acme.v3("/projects/")).await.status(), 403);
    let (_, made) = token(&app, &acme, "job_admin", forced).await;
    assert_eq!(made.get(&acme.v3("/projects/")).await.status(), 403);
}

#[tokio::test]
async fn a_token_is_used_from_its_addresses_only_and_is_told_why_elsewhere() {
    let app = TestApp::behind(&["127.0.0.1"]).await;
    let acme = app.account("acme").await;
    let list = json!({
        "addresses": ["192.0.2.0/24", "2001:db8::/32", "::ffff:198.51.100.0/120"], "force": true,
    });
    let (_, held) = token(&app, &acme, "job_admin", list).await;
    let path = acme.v3("/projects/");
    let from = async |address: &str| {
        let request = held.request(Method::GET, &path).header("X-Forwarded-For", address);
        TestAnswer::of(request).await
    };
    for inside in ["192.0.2.0", "192.0.2.255", "::ffff:192.0.2.9", "2001:db8::1", "198.51.100.7"] {
        assert_eq!(from(inside).await.status(), 200, "{inside}");
    }
    for outside in ["192.0.1.255", "192.0.3.0", "2001:db9::", "203.0.113.1", "nonsense"] {
        let refused = from(outside).await;
        assert_eq!(refused.status(), 403, "{outside}");
        assert_eq!(refused.data(), json!({ "rule": "restriction", "restriction": "addresses" }));
        assert_eq!(refused.header("www-authenticate"), "", "no other token would help");
    }
    // Who has not proved the secret is told nothing of the list.
    let (bad, nowhere) = (app.presenting("ngst_wrong"), app.anonymous());
    for client in [bad, nowhere] {
        let request = client.request(Method::GET, &path).header("X-Forwarded-For", "203.0.113.1");
        assert_eq!(TestAnswer::of(request).await.status(), 401);
    }
}

#[tokio::test]
async fn a_read_only_token_reads_all_that_it_did_and_writes_nothing() {
    let app = TestApp::new().await;
    let acme = app.account("acme").await;
    let all = everything(&app, &acme, "acme").await;
    let (_, free) = token(&app, &acme, "account_admin", json!({})).await;
    let (_, held) = token(&app, &acme, "account_admin", json!({ "read_only": true })).await;
    let (mut read, mut refused) = (0, 0);
    // Who is held to reading may still give itself up, which would end this walk.
    let stays = |route: &&server::ServedRoute| {
        route.path != "/api/v3/self/token" && all.has_all(route.path)
    };
    for route in server::served_routes().iter().filter(stays) {
        let path = all.own(route.path);
        let answer = TestAnswer::of(held.request(route.method.clone(), &path)).await;
        let what = format!("{} {path}: {}", route.method, answer.text());
        if route.action.access == Access::Write {
            assert_eq!(answer.status(), 403, "{what}");
            let data = answer.data();
            if holds(route.action) {
                let told = (&data["rule"], &data["restriction"], &data["permission_sets"]);
                assert_eq!(
                    told,
                    (&json!("restriction"), &json!("read_only"), &json!([])),
                    "{what}"
                );
                refused += 1;
            }
        } else if reads(route) && route.path.contains("v3") {
            let as_before = free.get(&path).await;
            assert_eq!(answer.status(), as_before.status(), "{what}");
            read += usize::from(answer.status() == 200);
        }
    }
    assert!(read > 30 && refused > 60, "{read} read, {refused} refused");
}

/// Whether Account Admin holds it, by the catalogue.
fn holds(action: Action) -> bool {
    "account_admin".parse::<domain::authz::PermissionSet>().unwrap().row().rights.allow(action)
}

/// What `check/` says of an action on the job or environment that a path names.
async fn told(held: &TestClient, of: &Everything<'_>, path: &str, action: Action) -> Option<Value> {
    let names = names(path);
    // A path that names a run or a step besides has more to be found.
    if names.iter().any(|name| ["run_id", "step_id"].contains(name)) {
        return None;
    }
    let id = |name: &str| names.contains(&name).then(|| of.id(name));
    let question = json!({
        "resource": action.on.key(), "action": action.access.key(),
        "job_id": id("job_id"), "environment_id": id("environment_id"),
    });
    id("job_id").or(id("environment_id"))?;
    let answer = held.post(&of.account.v3("/check/"), question).await;
    assert_eq!(answer.status(), 200, "{}", answer.text());
    Some(answer.data())
}

/// What every route answers to a token that is held to objects of `here`, where `there` has its
/// like: the kinds that are left, of here only; no other kind.
async fn walk(
    held: &TestClient,
    here: &Everything<'_>,
    there: &Everything<'_>,
    left: &[ResourceKind],
) {
    let bound = ["environment_id", "job_id", "run_id", "step_id"];
    let (mut opened, mut hidden, mut refused, mut checked) = (0, 0, 0, 0);
    for route in server::served_routes() {
        let kind = route.action.on;
        if !holds(route.action) {
            continue;
        }
        let of_object = names(route.path).iter().any(|name| bound.contains(name));
        if !left.contains(&kind) {
            let path = here.own(route.path);
            let answer = TestAnswer::of(held.request(route.method.clone(), &path)).await;
            assert_eq!(answer.status(), 403, "{} {path}: {}", route.method, answer.text());
            assert_eq!(answer.data()["rule"], "restriction", "{} {path}", route.method);
            refused += 1;
            continue;
        }
        if of_object {
            let path = there.own(route.path);
            let answer = TestAnswer::of(held.request(route.method.clone(), &path)).await;
            let (status, text) = (answer.status(), answer.text());
            let early = status == 400 && !reads(&route) && route.method != Method::DELETE;
            assert!(status == 404 || early, "{} {path}: {text}", route.method);
            if let Some(told) = told(held, there, route.path, route.action).await {
                assert_eq!(
                    (&told["allowed"], &told["status"]),
                    (&json!(false), &json!(404)),
                    "{told}"
                );
                checked += 1;
            }
            assert!(!text.contains("there"), "{} {path}: {text}", route.method);
            hidden += usize::from(status == 404);
        }
        if reads(&route) && here.has_all(route.path) {
            let path = here.own(route.path);
            let answer = held.get(&path).await;
            let text = answer.text();
            assert!([200, 400].contains(&answer.status()), "{path}: {text}");
            assert!(!text.contains("there"), "{path}: {text}");
            opened += usize::from(answer.status() == 200);
        }
        if let Some(told) = told(held, here, route.path, route.action).await {
            assert_eq!(told["allowed"], true, "{} {}: {told}", route.method, route.path);
        }
    }
    assert!(checked >= 5, "{checked}");
    assert!(opened >= 8 && hidden >= 8 && refused > 80, "{opened}, {hidden}, {refused}");
}

#[tokio::test]
async fn a_token_that_is_held_to_jobs_reaches_them_and_their_runs_on_every_route_and_no_more() {
    let app = TestApp::new().await;
    let acme = app.account("acme").await;
    let here = everything(&app, &acme, "here").await;
    let there = everything(&app, &acme, "there").await;
    let jobs = json!({ "jobs": [here.id("job_id")] });
    let (_, held) = token(&app, &acme, "account_admin", jobs).await;
    walk(&held, &here, &there, &[ResourceKind::Jobs, ResourceKind::Runs]).await;
}

#[tokio::test]
async fn a_token_that_is_held_to_environments_reaches_what_is_in_them_and_no_more() {
    let app = TestApp::new().await;
    let acme = app.account("acme").await;
    let here = everything(&app, &acme, "here").await;
    let there = everything(&app, &acme, "there").await;
    let environments = json!({ "environments": [here.id("environment_id")] });
    let (_, held) = token(&app, &acme, "account_admin", environments).await;
    let left = [ResourceKind::Environments, ResourceKind::Jobs, ResourceKind::Runs];
    walk(&held, &here, &there, &left).await;
}

/// Two environments of one project, and jobs in both: what is held to one does not move, name,
/// start or see what is in the other.
#[tokio::test]
async fn within_one_project_too_what_is_not_named_is_neither_seen_nor_named_nor_moved_to() {
    let house = House::new().await;
    let (app, acme) = (&house.app, &house.acme);
    let staging = house.environment(&house.sales, Category::Staging).await.get();
    let production = house.production.get();
    let (ours, other) = (house.job("ours").await, house.job("other").await);
    let mut elsewhere = house.body("elsewhere");
    elsewhere["environment_id"] = json!(staging);
    let elsewhere = house.job_of(elsewhere).await;
    let jobs = acme.v2("/jobs/");
    let job = |id: i64| acme.v2(&format!("/jobs/{id}/"));
    let run = |id: i64| acme.v2(&format!("/jobs/{id}/run/"));
    let cause = || json!({ "cause": "a test" });

    let (_, held) = token(app, acme, "job_admin", json!({ "environments": [production] })).await;
    let list = held.get(&jobs).await;
    assert_eq!(
        (list.ids(), &list.json()["extra"]["pagination"]["total_count"]),
        (vec![ours, other], &json!(2))
    );
    assert_eq!(held.get(&job(elsewhere)).await.status(), 404);
    assert_eq!(held.post(&run(elsewhere), cause()).await.status(), 404);
    assert_eq!(held.delete(&job(elsewhere)).await.status(), 404);
    let moved = held.post(&job(ours), json!({ "environment_id": staging })).await;
    assert_eq!(moved.status(), 404, "{}", moved.text());
    let deferring = held.post(&job(ours), json!({ "deferring_environment_id": staging })).await;
    assert!(!deferring.reason("deferring_environment_id").is_empty(), "{}", deferring.text());
    // A new job in an environment that it is held to is one of them.
    let mut body = house.body("new");
    assert_eq!(held.post(&jobs, body.clone()).await.status(), 201);
    body["environment_id"] = json!(staging);
    assert_eq!(held.post(&jobs, body.clone()).await.status(), 404);

    let (_, held) = token(app, acme, "job_admin", json!({ "jobs": [ours] })).await;
    assert_eq!(held.get(&jobs).await.ids(), [ours]);
    assert_eq!(held.post(&run(ours), cause()).await.status(), 200);
    assert_eq!(held.post(&run(other), cause()).await.status(), 404);
    house.run(other).await;
    let runs = held.get(&acme.v2("/runs/")).await;
    assert_eq!(runs.json()["extra"]["pagination"]["total_count"], 1, "{}", runs.text());
    assert!(runs.data().as_array().unwrap().iter().all(|run| run["job_id"] == ours));
    let condition = json!({ "condition": { "job_id": other, "project_id": house.sales.id.get(), "statuses": [10] } });
    let waits =
        held.post(&job(ours), json!({ "job_completion_trigger_condition": condition })).await;
    assert_eq!(waits.status(), 400, "{}", waits.text());
    let defers = held.post(&job(ours), json!({ "deferring_job_definition_id": other })).await;
    assert!(!defers.reason("deferring_job_definition_id").is_empty(), "{}", defers.text());
    // A new job would be none of those that it is held to: said, since nothing is hidden by it.
    let made = held.post(&jobs, house.body("new too")).await;
    assert_eq!((made.status(), &made.data()["restriction"]), (403, &json!("jobs")));
    let (_, held) =
        token(app, acme, "account_admin", json!({ "environments": [production] })).await;
    let new = json!({ "name": "new", "type": "development" });
    let made = held.post(&house.sales.v3("/environments/"), new).await;
    assert_eq!((made.status(), &made.data()["restriction"]), (403, &json!("environments")));
    let seen = held.get(&house.sales.v3("/environments/")).await;
    assert_eq!(seen.ids(), [production]);
}

#[tokio::test]
async fn a_token_that_asks_too_often_waits_as_long_as_it_is_told_and_no_other_does() {
    let app = TestApp::new().await;
    let acme = app.account("acme").await;
    let rate = json!({ "rate": { "per_second": 2, "burst": 3 } });
    let (_, held) = token(&app, &acme, "job_admin", rate.clone()).await;
    let (_, other) = token(&app, &acme, "job_admin", rate).await;
    let path = acme.v3("/projects/");
    for _ in 0..3 {
        assert_eq!(held.get(&path).await.status(), 200);
    }
    let statements = app.store.statements();
    let refused = held.get(&path).await;
    assert_eq!((refused.status(), refused.header("retry-after")), (429, "1"), "{}", refused.text());
    assert_eq!(refused.data(), json!({ "rule": "restriction", "restriction": "rate" }));
    assert_eq!(app.store.statements(), statements, "the store is not asked");
    assert_eq!(other.get(&path).await.status(), 200);
    assert_eq!(acme.admin.get(&path).await.status(), 200);
    app.clock.set(app.clock.now().plus_seconds(1));
    let twice = [held.get(&path).await.status(), held.get(&path).await.status()];
    assert_eq!((twice, held.get(&path).await.status()), ([200, 200], 429));
}

#[tokio::test]
async fn who_is_restricted_makes_and_widens_no_token_that_is_less_so() {
    let app = TestApp::behind(&["127.0.0.1"]).await;
    let acme = app.account("acme").await;
    let list = |texts: &[&str]| json!({ "addresses": texts, "force": true });
    let (own, maker) = token(&app, &acme, "account_admin", list(&["192.0.2.0/24"])).await;
    let (free, _) = token(&app, &acme, "job_viewer", json!({})).await;
    let send = async |method: Method, path: String, body: Value| {
        let request = maker.request(method, &path).header("X-Forwarded-For", "192.0.2.7");
        TestAnswer::of(request.json(&body)).await
    };
    let create = async |held_to: Value| {
        let grants = json!([{ "permission_set": "job_viewer", "all_projects": true }]);
        let body = json!({ "name": "made", "permission_grants": grants, "restrictions": held_to });
        send(Method::POST, acme.v3("/service-tokens/"), body).await
    };
    for looser in [json!({}), json!(null), list(&["192.0.2.0/23"]), json!({ "read_only": true })] {
        let refused = create(looser.clone()).await;
        assert_eq!(refused.status(), 403, "{looser}: {}", refused.text());
        let told = refused.json()["status"]["developer_message"].clone();
        assert!(told.as_str().unwrap().contains("`addresses`"), "{told}");
    }
    let made = create(list(&["192.0.2.7"])).await;
    assert_eq!(made.status(), 201, "{}", made.text());
    // What it made it narrows and widens within what it is held to itself, and no further.
    let made = at(&acme, made.id());
    let widened = send(Method::POST, made.clone(), list(&["192.0.2.0/24"])).await;
    assert_eq!(widened.status(), 200, "{}", widened.text());
    assert_eq!(send(Method::POST, made, json!({})).await.status(), 403);
    assert_eq!(send(Method::POST, at(&acme, own), json!({})).await.status(), 403, "its own");
    // One that is not restricted it may narrow, and not give other grants.
    let rows = json!([{ "permission_set": "job_admin", "all_projects": true }]);
    let permissions = acme.v3(&format!("/service-tokens/{free}/permissions/"));
    assert_eq!(send(Method::POST, permissions.clone(), rows.clone()).await.status(), 403);
    let narrower = send(Method::POST, at(&acme, free), list(&["203.0.113.7"])).await;
    assert_eq!(narrower.status(), 200, "{}", narrower.text());
    assert_eq!(send(Method::POST, permissions, rows).await.status(), 403);

    let by_rate = json!({ "rate": { "per_second": 1000 } });
    let (_, maker) = token(&app, &acme, "account_admin", by_rate).await;
    let body = json!({ "name": "made", "permission_grants": [] });
    let refused = maker.post(&acme.v3("/service-tokens/"), body).await;
    assert_eq!((refused.status(), &refused.data()["restriction"]), (403, &json!("rate")));
}
