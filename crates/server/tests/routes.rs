//! The router against the catalogue. SECURITY line 15.
//!
//! What is expected is computed from `catalogue.toml` and `operations.toml` as plain tables, by
//! none of the code under test.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "what fails here is a failed test"
)]

mod common;

use std::collections::{BTreeMap, BTreeSet};

use common::everything::everything;
use reqwest::Method;
use serde_json::{Value, json};
use testkit::{TestAccount, TestAnswer, TestApp, TestClient};

const CATALOGUE: &str = include_str!("../../domain/src/authz/catalogue.toml");

/// Operations of ours, which dbt's documents and clients do not have: method, path, action.
const ADDITIONS: &[(&str, &str, &str)] =
    &[("POST", "/api/v3/accounts/{account_id}/check", "read on identity")];

/// A user may do this of their own by what they are; of others, and so for a service token, it
/// needs what the documents' operation says.
const OF_ONESELF: &[(&str, &str, &str)] = &[
    ("GET", "/api/v2/users/{user_id}", "read on identity"),
    ("POST", "/api/v2/users/{user_id}", "read on identity"),
];

/// Set → the actions that it holds, as `read on jobs`.
fn sets() -> BTreeMap<String, (bool, BTreeSet<String>)> {
    let catalogue: toml::Table = CATALOGUE.parse().unwrap();
    let faces: BTreeMap<_, _> = catalogue["resource"]
        .as_table()
        .unwrap()
        .iter()
        .map(|(key, row)| (key.clone(), row.get("face").is_none()))
        .collect();
    let list = |row: &toml::Value, key: &str| -> Vec<String> {
        let names = row.get(key).and_then(toml::Value::as_array).cloned().unwrap_or_default();
        names.iter().map(|name| name.as_str().unwrap().to_owned()).collect()
    };
    catalogue["permission_set"]
        .as_table()
        .unwrap()
        .iter()
        .filter(|(_, row)| list(row, "plans").contains(&"enterprise".to_owned()))
        .map(|(key, row)| {
            let own = list(row, "own_only");
            let (write, read) = (list(row, "write"), list(row, "read"));
            let mut holds: BTreeSet<_> = write
                .iter()
                .filter(|kind| !own.contains(kind))
                .map(|kind| format!("write on {kind}"))
                .chain(write.iter().chain(&read).map(|kind| format!("read on {kind}")))
                .collect();
            if write.iter().chain(&read).any(|kind| faces[kind]) {
                holds.insert("read on account_record".to_owned());
            }
            holds.insert("read on identity".to_owned());
            (key.clone(), (row["level"].as_str() == Some("account"), holds))
        })
        .collect()
}

/// Method, path, action of everything that wants a token.
fn operations() -> Vec<(String, String, String)> {
    let served = server::served_routes()
        .into_iter()
        .map(|route| (route.method.to_string(), route.path.to_owned(), route.action.to_string()))
        .filter(|(method, path, _)| {
            !OF_ONESELF.iter().any(|(of, place, _)| of == method && place == path)
        });
    let documented = server::documented_operations().iter().map(|operation| {
        let action = format!("{} on {}", operation.access.key(), operation.resource);
        (operation.method.clone(), operation.path.clone(), action)
    });
    let mut all: Vec<_> = served.chain(documented).collect();
    all.sort();
    all.dedup_by(|a, b| (&a.0, &a.1) == (&b.0, &b.1));
    all
}

#[test]
fn every_served_route_needs_what_the_list_of_operations_says() {
    // What any caller may read of its own account, by the decision in ARCHITECTURE.md, needs less
    // than the documents' operation.
    let decided = [("GET", "/api/v2/accounts/{account_id}", "read on account_record")];
    let decided = decided.iter().chain(OF_ONESELF);
    for route in server::served_routes() {
        let (method, action) = (route.method.to_string(), route.action.to_string());
        let documented = server::documented_operations()
            .iter()
            .find(|operation| operation.path == route.path && operation.method == method)
            .map(|operation| format!("{} on {}", operation.access.key(), operation.resource));
        let ours = ADDITIONS
            .iter()
            .chain(decided.clone())
            .find(|(m, path, _)| *m == method && *path == route.path)
            .map(|(.., action)| (*action).to_owned());
        assert_eq!(Some(action), ours.or(documented), "{method} {}", route.path);
    }
}

#[tokio::test]
async fn every_operation_answers_every_permission_set_as_the_catalogue_says() {
    let app = TestApp::new().await;
    let acme = app.account("acme").await;
    let rival = app.account("rival").await;
    let project = acme.project("sales").await;
    let operations = operations();
    let unbuilt = unbuilt();
    let decided = "/api/v2/accounts/{account_id}";
    let (mut asked, mut checked) = (0, 0);
    for (set, (account_level, holds)) in sets() {
        let token = acme.service_token().named(&set);
        let token = if account_level {
            token.grant_everywhere(&set).create().await
        } else {
            token.grant(&set, &project).create().await
        };
        let check = check_all(&token, &acme, &operations).await;
        for ((method, path, action), told) in operations.iter().zip(check) {
            // It would end the token that asks: see `token_life.rs`.
            if path == "/api/v3/self/token" {
                continue;
            }
            let action =
                if method == "GET" && path == decided { "read on account_record" } else { action };
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            // Objects that are not there: nothing is changed, and a permit shows as a 404.
            let own = concrete(path, acme.id.get());
            let answer = TestAnswer::of(token.request(method.clone(), &own)).await;
            let refused = answer.status() == 403;
            assert_eq!(
                refused,
                !holds.contains(action),
                "{set}: {method} {own}: {}",
                answer.text()
            );
            assert!(answer.status() != 401 && answer.status() != 500, "{set}: {method} {own}");
            // What is asked beforehand is answered as the request is.
            if !(method == "GET" && path == decided) {
                assert_eq!(told["allowed"], !refused, "{set}: {method} {own}: {told}");
                checked += 1;
            }
            // What is not built says so by its name, to whoever may.
            let missing = unbuilt.get(&(method.to_string(), path.clone()));
            assert_eq!(answer.status() == 501, missing.is_some() && !refused, "{method} {own}");
            if let Some(name) = missing.filter(|_| !refused) {
                let said = answer.json()["status"]["user_message"].clone();
                assert_eq!(said, format!("`{name}` is not implemented"), "{method} {own}");
            }
            asked += 1;
            if path.contains("{account_id}") {
                let theirs = concrete(path, rival.id.get());
                let answer = TestAnswer::of(token.request(method.clone(), &theirs)).await;
                assert_eq!(answer.status(), 404, "{set}: {method} {theirs}");
                asked += 1;
            }
        }
    }
    for (method, path, _) in &operations {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let own = concrete(path, acme.id.get());
        let answer = TestAnswer::of(app.anonymous().request(method.clone(), &own)).await;
        assert_eq!(answer.status(), 401, "{method} {own}");
        asked += 1;
    }
    println!("{asked} requests, {checked} checks, {} operations", operations.len());
    assert!(asked > 10_000 && checked > 5_000);
}

/// What `check/` says of each operation's action.
async fn check_all(
    token: &TestClient,
    acme: &TestAccount,
    operations: &[(String, String, String)],
) -> Vec<Value> {
    let question = |(_, _, action): &(String, String, String)| {
        let (access, resource) = action.split_once(" on ").unwrap();
        json!({ "resource": resource, "action": access })
    };
    let questions: Vec<_> = operations.iter().map(question).collect();
    let answer = token.post(&acme.v3("/check/"), json!({ "questions": questions })).await;
    assert_eq!(answer.status(), 200, "{}", answer.text());
    answer.data()["answers"].as_array().unwrap().clone()
}

/// Each set under restrictions, and for each action one route that needs it.
#[tokio::test]
async fn a_check_of_a_restricted_token_says_what_its_requests_are_answered_with() {
    let app = TestApp::new().await;
    let acme = app.account("acme").await;
    let mut routes: Vec<_> = operations();
    // It would end the token that asks: see `token_life.rs`.
    routes.retain(|(_, path, _)| path != "/api/v3/self/token");
    routes.sort_by(|one, other| one.2.cmp(&other.2));
    routes.dedup_by(|one, other| one.2 == other.2);
    let here = everything(&app, &acme, "here").await;
    let mut asked = 0;
    for set in sets().into_keys() {
        for held_to in [
            json!({ "read_only": true }),
            json!({ "jobs": [here.id("job_id")] }),
            json!({ "environments": [here.id("environment_id")], "rate": { "per_second": 1000 } }),
        ] {
            let grants = json!([{ "permission_set": set, "all_projects": true }]);
            let body = json!({ "name": set, "permission_grants": grants, "restrictions": held_to });
            let made = acme.admin.post(&acme.v3("/service-tokens/"), body).await;
            assert_eq!(made.status(), 201, "{}", made.text());
            let token = app.presenting(made.data()["token_string"].as_str().unwrap());
            let check = check_all(&token, &acme, &routes).await;
            for ((method, path, action), told) in routes.iter().zip(check) {
                let method = Method::from_bytes(method.as_bytes()).unwrap();
                let path = concrete(path, acme.id.get());
                let answer = TestAnswer::of(token.request(method, &path)).await;
                let what = format!("{set} {held_to}: {action} {path}: {told}: {}", answer.text());
                assert_eq!(told["allowed"], answer.status() != 403, "{what}");
                if answer.status() == 403 {
                    let data = answer.data();
                    assert_eq!(
                        (&told["rule"], &told["status"]),
                        (&data["rule"], &json!(403)),
                        "{what}"
                    );
                    assert_eq!(told["restriction"], data["restriction"], "{what}");
                    let keys = |sets: &Value| -> Vec<String> {
                        let sets = sets.as_array().unwrap().iter();
                        let key = |set: &Value| {
                            set.get("key").unwrap_or(set).as_str().unwrap().to_owned()
                        };
                        sets.map(key).collect()
                    };
                    assert_eq!(
                        keys(&told["permission_sets"]),
                        keys(&data["permission_sets"]),
                        "{what}"
                    );
                }
                asked += 1;
            }
        }
    }
    assert!(asked > 3_000, "{asked}");
}

fn concrete(path: &str, account: i64) -> String {
    path.split('/')
        .map(|part| match part {
            "{account_id}" => account.to_string(),
            "{*remainder}" => "manifest.json".to_owned(),
            _ if part.starts_with('{') => "999999999".to_owned(),
            _ => part.to_owned(),
        })
        .collect::<Vec<_>>()
        .join("/")
}

#[tokio::test]
async fn what_is_public_stands_in_public_routes_txt() {
    let app = TestApp::new().await;
    let listed: BTreeSet<_> = include_str!("../public-routes.txt").lines().collect();
    let public = server::public_routes();
    assert_eq!(listed, public.iter().map(String::as_str).collect());
    for route in &public {
        // A route that reads is open as it is; one that writes reads its proof from the body, or
        // wants a signature of it, and a form of the console also says by which page it was sent.
        match route.split_once(' ').unwrap() {
            ("POST", path) if path.starts_with("/console/") => {
                let answer = app.anonymous().post(path, json!({})).await;
                assert_eq!(answer.status(), 403, "{route}");
            }
            ("GET", path) if path.ends_with("/{file}") => {
                let path = path.replace("{file}", "nothing.css");
                assert_eq!(app.anonymous().get(&path).await.status(), 404, "{route}");
            }
            ("POST", path) => {
                let answer = app.anonymous().post(path, json!({})).await;
                let refused = if path.starts_with("/hooks/") { 403 } else { 400 };
                assert_eq!(answer.status(), refused, "{route}");
            }
            (_, path) => assert_eq!(app.anonymous().get(path).await.status(), 200, "{route}"),
        }
    }
}

/// Method and path → the name of what is documented and not served.
fn unbuilt() -> BTreeMap<(String, String), String> {
    let served: BTreeSet<_> = server::served_routes()
        .into_iter()
        .map(|route| (route.method.to_string(), route.path.to_owned()))
        .collect();
    server::documented_operations()
        .iter()
        .map(|operation| {
            ((operation.method.clone(), operation.path.clone()), operation.name.clone())
        })
        .filter(|(key, _)| !served.contains(key))
        .collect()
}

#[test]
fn what_is_not_built_yet_stands_in_unimplemented_operations_txt() {
    let of = |source: &str| {
        let all = server::documented_operations().iter();
        all.filter(|operation| operation.source == source).count()
    };
    assert_eq!((of("openapi-v2"), of("openapi-v3")), (52, 155), "all of dbt's two documents");
    let unbuilt = unbuilt();
    let missing: Vec<_> = server::documented_operations()
        .iter()
        .filter(|operation| {
            unbuilt.contains_key(&(operation.method.clone(), operation.path.clone()))
        })
        .map(|operation| {
            let line = format!("{} {} ({})", operation.method, operation.path, operation.name);
            let reason = operation.missing.as_deref().unwrap_or_default();
            assert!(!reason.is_empty(), "{line} is not served: say why in operations.toml");
            format!("{line}: {reason}")
        })
        .collect();
    golden("../../../unimplemented-operations.txt", &(missing.join("\n") + "\n"));
}

/// Compares with a file, or writes it where `NARROWGATE_BLESS` is set.
fn golden(file: &str, text: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(file);
    if std::env::var_os("NARROWGATE_BLESS").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let there = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        there == text,
        "{} differs: run with NARROWGATE_BLESS=1 and read the diff",
        path.display()
    );
}

#[tokio::test]
async fn what_is_not_built_says_so_by_name_after_authorisation() {
    let app = TestApp::new().await;
    let acme = app.account("acme").await;
    let path = acme.v3("/private-endpoints/");
    let answer = acme.admin.get(&path).await;
    assert_eq!(answer.status(), 501);
    let message = "`List Private Endpoints` is not implemented";
    assert_eq!(answer.json()["status"]["user_message"], message);
    let narrow = acme.service_token().grant_everywhere("job_runner").create().await;
    assert_eq!(narrow.get(&path).await.status(), 403);
    assert_eq!(app.anonymous().get(&path).await.status(), 401);
    assert_eq!(app.anonymous().post("/api/v3/nowhere/", json!({})).await.status(), 404);
}

#[tokio::test]
async fn the_openapi_document_names_every_served_route_and_every_schema_that_it_uses() {
    let app = TestApp::new().await;
    let document = app.anonymous().get("/api/openapi.json").await.json();
    let text = document.to_string();
    let mut ids = BTreeSet::new();
    for route in server::served_routes() {
        let path = route.path.replace("{*", "{");
        let path = if path.ends_with("{remainder}") { path } else { format!("{path}/") };
        let method = route.method.as_str().to_lowercase();
        let operation = &document["paths"][&path][&method];
        assert_eq!(operation["summary"], route.name, "{method} {path}");
        let id = operation["operationId"].as_str().unwrap().to_owned();
        assert!(ids.insert(id.clone()), "two operations are called {id}");
    }
    for reference in text.split("#/components/schemas/").skip(1) {
        let name = reference.split('"').next().unwrap();
        assert!(document["components"]["schemas"].get(name).is_some(), "{name}");
    }
}
