//! Two projects of one account: a token of one reaches nothing of the other. SECURITY line 15,
//! with real objects. And what one of everything costs to read.

mod common;

use common::everything::{everything, names, reads};
use domain::authz::PermissionSet;
use reqwest::Method;
use testkit::{TestAnswer, TestApp};

/// What lies in one project, by the names that paths have for it.
const OF_A_PROJECT: [&str; 9] = [
    "project_id",
    "repository_id",
    "project_connection_id",
    "adapter_id",
    "credential_id",
    "environment_id",
    "job_id",
    "run_id",
    "step_id",
];

#[tokio::test]
async fn no_permission_set_on_one_project_opens_anything_of_another() {
    let app = TestApp::new().await;
    let acme = app.account("acme").await;
    let here = everything(&app, &acme, "here").await;
    let there = everything(&app, &acme, "there").await;
    let before = there.told(&app, &OF_A_PROJECT).await;
    let routes: Vec<_> = server::served_routes()
        .into_iter()
        .filter(|route| names(route.path).iter().any(|name| OF_A_PROJECT.contains(name)))
        .collect();
    let (mut opened, mut hidden) = (0, 0);
    for set in PermissionSet::all() {
        let grant = serde_json::json!({
            "name": "t",
            "permission_grants": [{ "permission_set": set.key(), "project_id": here.project.id.get() }],
        });
        let made = acme.admin.post(&acme.v3("/service-tokens/"), grant).await;
        if made.status() != 201 {
            // An account-level set, or one that no token carries: `routes.rs` looks at those.
            continue;
        }
        let token = app.presenting(made.data()["token_string"].as_str().unwrap());
        let rights = set.row().rights;
        for route in &routes {
            let holds = rights.allow(route.action);
            let bound: Vec<_> =
                names(route.path).into_iter().filter(|name| OF_A_PROJECT.contains(name)).collect();
            for foreign in bound.iter().map(|name| vec![*name]).chain([bound.clone()]) {
                let path = here.path(route.path, &there, &foreign);
                let answer = TestAnswer::of(token.request(route.method.clone(), &path)).await;
                let (method, status, text) = (&route.method, answer.status(), answer.text());
                assert!(!text.contains("there"), "{set}: {method} {path}: {text}");
                // A body that is wrong may be told before what the path names is looked up.
                let early = status == 400 && *method != Method::GET && *method != Method::DELETE;
                let expected = if holds { status == 404 || early } else { status == 403 };
                assert!(expected, "{set}: {method} {path}: {text}");
                hidden += usize::from(status == 404);
            }
            // So that the answers above mean something: its own it does see.
            if holds && reads(route) && here.has_all(route.path) {
                let path = here.own(route.path);
                let answer = token.get(&path).await;
                let (status, text) = (answer.status(), answer.text());
                // 400 and 403: it wants a parameter, or a right, besides.
                assert!([200, 400, 403].contains(&status), "{set}: {path}: {text}");
                opened += usize::from(status == 200);
            }
        }
    }
    assert!(opened > 50 && hidden > 200, "{opened} opened, {hidden} hidden");
    assert_eq!(
        there.told(&app, &OF_A_PROJECT).await,
        before,
        "nothing of the other project has changed"
    );
}

#[tokio::test]
async fn reading_one_object_takes_two_statements_at_most() {
    let app = TestApp::new().await;
    let acme = app.account("acme").await;
    let all = everything(&app, &acme, "acme").await;
    let mut read = 0;
    for route in server::served_routes().iter().filter(|route| reads(route)) {
        // `validate` asks a question about several objects; it reads none of them out.
        let asks = route.path.contains("/validate/");
        if asks || !route.path.ends_with('}') || !all.has_all(route.path) {
            continue;
        }
        let path = all.own(route.path);
        // Who asks is known for 2 s, and read anew after that: the first statement.
        acme.admin.get(&acme.v2("/")).await;
        let before = app.store.statements();
        let answer = acme.admin.get(&path).await;
        let sent = 1 + app.store.statements() - before;
        assert_eq!(answer.status(), 200, "{path}: {}", answer.text());
        assert!(sent <= 2, "{path} takes {sent} statements");
        read += 1;
    }
    assert!(read >= 14, "{read}");
}
