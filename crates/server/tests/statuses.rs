//! What every route answers to the mistakes that all callers make alike, and what it says then.
//! SECURITY lines 9, 31 and 50.
//!
//! The walks go over the list of routes, so a new route is in them from its first day.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "what fails here is a failed test"
)]

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use testkit::{TestAccount, TestAnswer, TestApp};

/// What the document says of a route, with its path under an account.
struct Route {
    method: Method,
    path: String,
    /// It names an object that is not there.
    names_nobody: bool,
    reads_a_body: bool,
    reads_parameters: bool,
}

/// Every served route, with ids that nothing has.
fn routes(account: &TestAccount) -> Vec<Route> {
    let document = server::openapi();
    let route = |route: server::ServedRoute| {
        let shown = route.path.replace("{*", "{");
        let shown = if shown.ends_with("{remainder}") { shown } else { format!("{shown}/") };
        let method = route.method.as_str().to_lowercase();
        let operation = &document["paths"][&shown][&method];
        let parameters = operation["parameters"].as_array().unwrap();
        Route {
            path: concrete(route.path, account),
            names_nobody: route.path.matches('{').count() > 1,
            reads_a_body: operation.get("requestBody").is_some(),
            reads_parameters: parameters.iter().any(|parameter| parameter["name"] == "limit"),
            method: route.method,
        }
    };
    let routes: Vec<_> = server::served_routes().into_iter().map(route).collect();
    assert!(routes.len() > 70, "{}", routes.len());
    routes
}

fn concrete(path: &str, account: &TestAccount) -> String {
    let part = |part: &str| match part {
        "{account_id}" => account.id.to_string(),
        "{*remainder}" => "manifest.json".to_owned(),
        "{subscription_id}" => format!("wsu_{}", "x".repeat(27)),
        "{event_id}" => format!("wev_{}", "x".repeat(27)),
        "{receipt_id}" => format!("wrc_{}", "x".repeat(27)),
        _ if part.starts_with('{') => "999999999".to_owned(),
        _ => part.to_owned(),
    };
    path.split('/').map(part).collect::<Vec<_>>().join("/")
}

/// Sends it, and holds what is so of every refusal: the envelope, a request id of ours, and
/// nothing of the inside.
async fn refused(request: RequestBuilder, status: u16, what: &str) -> TestAnswer {
    let answer = TestAnswer::of(request).await;
    let text = answer.text();
    assert_eq!(answer.status(), status, "{what}: {text}");
    let told = &answer.json()["status"];
    assert_eq!((&told["code"], &told["is_success"]), (&json!(status), &json!(false)), "{what}");
    assert!(!told["user_message"].as_str().unwrap().is_empty(), "{what}: {text}");
    assert_eq!(answer.header("x-request-id").len(), 36, "{what}");
    assert_eq!(answer.header("cache-control"), "no-store", "{what}");
    for word in ["sqlite", "sqlx", "sea_orm", "panicked", ".rs:", "/tmp", "database", "narrowgate"]
    {
        assert!(!text.to_lowercase().contains(word), "{what} says `{word}`: {text}");
    }
    answer
}

async fn acme() -> (TestApp, TestAccount, Vec<Route>) {
    let app = TestApp::new().await;
    let acme = app.account("acme").await;
    let routes = routes(&acme);
    (app, acme, routes)
}

#[tokio::test]
async fn a_body_that_is_no_json_of_its_form_is_refused_by_every_route_that_reads_one() {
    let (_app, acme, routes) = acme().await;
    for route in routes.iter().filter(|route| route.reads_a_body) {
        let what = format!("{} {}", route.method, route.path);
        let request = || acme.admin.request(route.method.clone(), &route.path);
        for text in ["{", "nonsense", "[", "\"text\"", "7"] {
            let answer = refused(request().body(text), 400, &what).await;
            assert!(!answer.reason("body").is_empty(), "{what} {text}: {}", answer.text());
        }
        let form = request().header("Content-Type", "application/x-www-form-urlencoded");
        let answer = refused(form.body("name=x"), 415, &what).await;
        assert!(!answer.reason("body").is_empty(), "{what}: {}", answer.text());
        let answer = refused(request().body(" ".repeat((1 << 20) + 1)), 413, &what).await;
        assert!(!answer.reason("body").is_empty(), "{what}: {}", answer.text());
        let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
        refused(request().body(deep), 400, &what).await;
    }
}

#[tokio::test]
async fn parameters_out_of_range_are_refused_by_every_route_that_reads_them() {
    let (_app, acme, routes) = acme().await;
    for route in routes.iter().filter(|route| route.reads_parameters) {
        for (query, field) in [
            ("limit=0", "limit"),
            ("limit=101", "limit"),
            ("offset=-1", "offset"),
            ("state=9", "state"),
        ] {
            let path = format!("{}?{query}", route.path);
            let request = acme.admin.request(route.method.clone(), &path);
            let answer = refused(request, 400, &path).await;
            assert!(!answer.reason(field).is_empty(), "{path}: {}", answer.text());
        }
    }
}

#[tokio::test]
async fn an_id_that_nothing_has_is_not_found_by_every_route_that_names_one() {
    let (_app, acme, routes) = acme().await;
    for route in routes.iter().filter(|route| route.names_nobody) {
        let what = format!("{} {}", route.method, route.path);
        let request = acme.admin.request(route.method.clone(), &route.path);
        if route.reads_a_body {
            // Whether the body or the path is read first is the route's own affair.
            let answer = TestAnswer::of(request.json(&json!({}))).await;
            assert!([400, 404].contains(&answer.status()), "{what}: {}", answer.text());
        } else {
            refused(request, 404, &what).await;
        }
        for id in ["0", "-1", "9223372036854775808", "x"] {
            let path = route.path.replace("999999999", id);
            let answer = TestAnswer::of(acme.admin.request(route.method.clone(), &path)).await;
            assert_eq!(answer.status(), 404, "{} {path}: {}", route.method, answer.text());
        }
    }
}

#[tokio::test]
async fn a_token_that_is_presented_twice_or_in_the_query_is_refused_by_every_route() {
    let (_app, acme, routes) = acme().await;
    for route in &routes {
        let what = format!("{} {}", route.method, route.path);
        let twice = acme.admin.request(route.method.clone(), &route.path);
        let twice = twice.header("Authorization", format!("Bearer {}", acme.admin.secret()));
        let answer = refused(twice, 400, &what).await;
        assert!(!answer.reason("authorization").is_empty(), "{what}: {}", answer.text());
        let path = format!("{}?access_token={}", route.path, acme.admin.secret());
        let answer = refused(acme.admin.request(route.method.clone(), &path), 400, &what).await;
        assert!(!answer.reason("query").is_empty(), "{what}: {}", answer.text());
        assert!(!answer.text().contains(acme.admin.secret()), "{what}");
        assert_eq!(answer.header("www-authenticate"), "Bearer error=\"invalid_request\"");
    }
}

#[tokio::test]
async fn while_the_store_is_away_every_route_says_503_and_when_to_come_back() {
    let (app, acme, routes) = acme().await;
    app.store.close().await.unwrap();
    for route in &routes {
        let what = format!("{} {}", route.method, route.path);
        let request = acme.admin.request(route.method.clone(), &route.path);
        let answer = refused(request, 503, &what).await;
        assert_eq!(answer.header("retry-after"), "1", "{what}");
        assert_eq!(answer.data(), Value::Null, "{what}");
    }
    refused(app.anonymous().request(Method::GET, "/healthz"), 503, "GET /healthz").await;
}

#[tokio::test]
async fn what_is_nowhere_and_what_is_not_allowed_say_so_in_the_envelope() {
    let (app, acme, _) = acme().await;
    let projects = acme.v3("/projects/");
    for (method, path, status) in [
        (Method::GET, "/nowhere", 404),
        (Method::POST, "/api/v9/accounts/1/", 404),
        (Method::GET, "/api/v2/accounts/%ff/", 404),
        (Method::DELETE, projects.as_str(), 405),
        (Method::POST, "/healthz", 405),
        (Method::TRACE, projects.as_str(), 405),
    ] {
        let what = format!("{method} {path}");
        refused(acme.admin.request(method, path), status, &what).await;
    }
    drop(app);
}
