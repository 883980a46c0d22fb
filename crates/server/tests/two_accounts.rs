//! Two accounts side by side: nothing of one shows in the other. SECURITY line 16.
//!
//! Both have one of everything. Every route is asked under one account with the ids of the other,
//! in paths and in bodies, and no answer may hold a word that only the other account has.

mod common;

use common::everything::{Everything, everything, names};
use reqwest::Method;
use serde_json::{Value, json};
use testkit::{TestAnswer, TestApp};

#[tokio::test]
async fn no_id_of_another_account_opens_anything() {
    let app = TestApp::new().await;
    let (us, them) = (app.account("ours").await, app.account("theirs").await);
    let ours = everything(&app, &us, "ours").await;
    let theirs = everything(&app, &them, "theirs").await;
    let before = theirs.told(&app, &["account_id"]).await;
    let mut asked = 0;
    // It names nothing, and would end the token that asks.
    let mut routes = server::served_routes();
    routes.retain(|route| route.path != "/api/v3/self/token");
    for route in routes {
        let parameters: Vec<_> =
            names(route.path).into_iter().filter(|name| *name != "account_id").collect();
        // Each parameter but the account in turn, all of them at once, and none: then only the
        // body names what is the other's.
        let foreign = parameters.iter().map(|name| vec![*name]);
        for foreign in foreign.chain([parameters.clone(), vec![]]) {
            let path = ours.path(route.path, &theirs, &foreign);
            let request = us.admin.request(route.method.clone(), &path);
            let request = if route.method == Method::GET {
                request
            } else {
                request.json(&foreign_body(&theirs, &ours))
            };
            let answer = TestAnswer::of(request).await;
            asked += 1;
            let (method, text) = (&route.method, answer.text());
            assert!(!text.contains("theirs"), "{method} {path}: {text}");
            assert!(answer.status() < 500 || answer.status() == 501, "{method} {path}: {text}");
            let named = foreign.iter().any(|name| *name != "remainder");
            assert!(!named || answer.status() >= 300, "{method} {path}: {text}");
        }
    }
    assert!(asked > 60, "{asked}");
    // Nothing of the other account has changed, and nothing of ours has been tied to it.
    assert_eq!(theirs.told(&app, &["account_id"]).await, before);
    ours.nothing_names(&ours.told(&app, &["account_id"]).await, &theirs);
}

/// A body that names the other account's objects wherever a body can name one.
fn foreign_body(theirs: &Everything, ours: &Everything) -> Value {
    json!({
        "name": "ours-again", "cause": "ours", "state": 1, "type": "deployment",
        "project_id": theirs.id("project_id"), "environment_id": theirs.id("environment_id"),
        "connection_id": theirs.id("connection_id"), "repository_id": theirs.id("repository_id"),
        "credentials_id": theirs.id("credential_id"),
        "deferring_environment_id": theirs.id("environment_id"),
        "deferring_job_definition_id": theirs.id("job_id"),
        "docs_job_id": theirs.id("job_id"), "freshness_job_id": theirs.id("job_id"),
        "service_token_id": theirs.id("service_token_id"), "resource": "jobs", "action": "read",
        "remote_url": "https://git.example/ours.git", "account_id": ours.id("account_id"),
        "permission_grants": [
            { "permission_set": "job_admin", "project_id": theirs.id("project_id") },
        ],
    })
}

#[tokio::test]
async fn lists_show_one_account_only() {
    let app = TestApp::new().await;
    let (us, them) = (app.account("ours").await, app.account("theirs").await);
    let ours = everything(&app, &us, "ours").await;
    let theirs = everything(&app, &them, "theirs").await;
    let related = "include_related=project,environment,environments,repository,connection,job,run_steps,\
                   trigger,most_recent_run,service_token_permissions,credentials,account";
    for route in server::served_routes() {
        if route.method != Method::GET || route.path.contains("remainder") {
            continue;
        }
        let path = ours.own(route.path);
        for query in
            [related, "state=all&limit=100", &format!("project_id={}", theirs.id("project_id"))]
        {
            let answer = us.admin.get(&format!("{path}?{query}")).await;
            assert!(!answer.text().contains("theirs"), "{}: {}", route.path, answer.text());
        }
    }
}
