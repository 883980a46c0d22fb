//! The one list of routes: a file an area.

use axum::{
    Router,
    extract::{DefaultBodyLimit, Request, State},
    handler::Handler,
    http::Method,
    middleware::{self, Next},
    response::Response,
    routing::{MethodFilter, MethodRouter, get, on, post},
};
use domain::authz::Action;
use tower_http::catch_panic::CatchPanicLayer;

use crate::{
    admin::v3,
    app::App,
    console,
    endpoint::{Described, Endpoint},
    error::ApiError,
    extract::MAX_BODY,
    git_hooks::{self, MAX_DELIVERY},
    leaks, oauth,
    operations::documented_operations,
    public, request_id, unread, uses,
};

mod accounts;
mod additions;
mod audit_logs;
mod connections;
mod environment_variables;
mod environments;
mod extended_attributes;
mod ip_restrictions;
mod jobs;
mod model_notifications;
mod notifications;
mod oauth_configurations;
mod people;
mod profiles;
mod project_adapters;
mod project_connections;
mod projects;
mod repositories;
mod runs;
mod semantic_layer;
mod ssh_tunnels;
mod tokens;
mod user_credentials;
mod webhooks;

const GET: Method = Method::GET;
const POST: Method = Method::POST;
const PUT: Method = Method::PUT;
const PATCH: Method = Method::PATCH;
const DELETE: Method = Method::DELETE;

/// A route that wants a token, and what is known of it.
#[derive(Clone)]
pub struct ServedRoute {
    /// Its method.
    pub method: Method,
    /// Its path, without a slash at its end; it answers with one, too.
    pub path: &'static str,
    /// The operation's name, as dbt's document has it where it is dbt's.
    pub name: &'static str,
    /// The action that its handler's permit stands for.
    pub action: Action,
    pub(crate) described: Described,
    handler: MethodRouter<App>,
}

/// The public routes: method, path. Everything else wants a token.
const PUBLIC: [(&str, &str); 16] = [
    ("GET", "/"),
    ("GET", "/healthz"),
    ("GET", "/api/openapi.json"),
    ("GET", "/invites/accept"),
    ("POST", "/api/v3/invites/accept"),
    ("POST", "/hooks/git/{hook_key}"),
    ("GET", "/console/sign-in"),
    ("POST", "/console/sign-in"),
    ("POST", "/console/sign-in/code"),
    ("GET", "/console/reset"),
    ("POST", "/console/reset"),
    ("GET", "/console/welcome"),
    ("POST", "/console/welcome"),
    ("GET", "/console/static/{file}"),
    ("POST", "/oauth/revoke"),
    ("POST", "/api/v3/leaks"),
];

/// The public routes, as `public-routes.txt` lists them: `GET /healthz`.
#[must_use]
pub fn public_routes() -> Vec<String> {
    PUBLIC.iter().map(|(method, path)| format!("{method} {path}")).collect()
}

fn served<H, T, U>(
    method: Method,
    path: &'static str,
    name: &'static str,
    handler: H,
) -> ServedRoute
where
    H: Handler<T, App> + Endpoint<U>,
    T: 'static,
{
    let filter = MethodFilter::try_from(method.clone()).expect("the list has plain methods only");
    ServedRoute {
        method,
        path,
        name,
        action: H::action(),
        described: H::describe(),
        handler: on(filter, handler),
    }
}

/// Every route that wants a token, area by area. The pages of the console want a session instead:
/// [`console_pages`](crate::console_pages).
#[must_use]
pub fn served_routes() -> Vec<ServedRoute> {
    [
        accounts::routes(),
        people::routes(),
        projects::routes(),
        repositories::routes(),
        connections::routes(),
        project_connections::routes(),
        project_adapters::routes(),
        user_credentials::routes(),
        environments::routes(),
        environment_variables::routes(),
        jobs::routes(),
        runs::routes(),
        model_notifications::routes(),
        notifications::routes(),
        extended_attributes::routes(),
        profiles::routes(),
        ssh_tunnels::routes(),
        ip_restrictions::routes(),
        audit_logs::routes(),
        oauth_configurations::routes(),
        additions::routes(),
        webhooks::routes(),
        semantic_layer::routes(),
        tokens::routes(),
    ]
    .concat()
}

/// The whole router: what is served, what is documented and not built yet (501), what is public.
///
/// Slashes at the end of paths are the server's business: see [`serve`](crate::serve).
pub(crate) fn router(app: App) -> Router {
    let served = served_routes();
    let missing = documented_operations().iter().filter(|operation| {
        !served
            .iter()
            .any(|route| route.path == operation.path && route.method == operation.method.as_str())
    });
    let missing: Vec<_> = missing
        .filter_map(|operation| Some((operation.path.as_str(), operation.refusing()?)))
        .collect();
    let public = Router::new()
        .route("/", get(public::root))
        .route("/healthz", get(public::health))
        .route("/api/openapi.json", get(public::openapi))
        .route("/invites/accept", get(console::welcome::show))
        .route("/api/v3/invites/accept", post(v3::invites::accept))
        .route("/oauth/revoke", post(oauth::revoke))
        .route("/api/v3/leaks", post(leaks::take))
        .route("/hooks/git/{hook_key}", git_hook())
        .route("/console/sign-in", get(console::sign_in::show))
        .route("/console/sign-in", post(console::sign_in::enter))
        .route("/console/sign-in/code", post(console::second_step::enter))
        .route("/console/reset", get(console::reset::show))
        .route("/console/reset", post(console::reset::send))
        .route("/console/welcome", get(console::welcome::show))
        .route("/console/welcome", post(console::welcome::come_in))
        .route("/console/static/{file}", get(console::assets::show));
    let pages = console::console_pages();
    let all = served
        .into_iter()
        .map(|route| (route.path, route.handler))
        .chain(pages.into_iter().map(|page| (page.path, page.handler)))
        .chain(missing)
        .fold(public, |router, (path, handler)| router.route(path, handler));
    dressed(all, app)
}

/// Where git hosts send to; what they tell of a push can be long.
fn git_hook() -> MethodRouter<App> {
    post(git_hooks::take).layer(DefaultBodyLimit::max(MAX_DELIVERY))
}

/// What holds for every path: limits, what is answered to the rest and to a panic, the request's
/// id.
fn dressed(routes: Router<App>, app: App) -> Router {
    routes
        .fallback(public::no_such_path)
        .method_not_allowed_fallback(public::method_not_allowed)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(middleware::from_fn_with_state(app.clone(), console::door::watch))
        .layer(middleware::from_fn(unread::drain))
        .layer(middleware::from_fn_with_state(app.clone(), in_time))
        .layer(middleware::from_fn_with_state(app.clone(), uses::count))
        .layer(CatchPanicLayer::custom(|_| {
            axum::response::IntoResponse::into_response(ApiError::Internal)
        }))
        .layer(middleware::from_fn(request_id::identify))
        .with_state(app)
}

/// Gives up an answer that takes too long to begin; what it has not committed is not done. A stream
/// that has begun goes on.
async fn in_time(
    State(app): State<App>,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let answer = tokio::time::timeout(app.limits.answer, next.run(request));
    answer.await.map_err(|_| ApiError::TookTooLong)
}

#[cfg(test)]
mod tests {
    use axum::{body::Body, routing::get};
    use tower::ServiceExt as _;

    use super::*;
    use crate::serve::Limits;

    async fn defect() -> &'static str {
        panic!("of /some/where.rs")
    }

    #[tokio::test]
    async fn a_panic_is_a_500_that_says_nothing_of_the_inside() {
        let house = testkit::TestApp::new().await;
        let app = App {
            store: house.store.clone(),
            public_url: "".into(),
            limits: Limits::default(),
            no_openapi: false,
            mailer: None,
            trusted_proxies: std::sync::Arc::default(),
            exports: std::sync::Arc::default(),
            webhook_targets: crate::WebhookTargets::Public,
            streams: crate::streams::Streams::default(),
            rates: crate::rates::Rates::default(),
            leak_keys: std::sync::Arc::default(),
            failures: crate::failures::Failures::new(None),
            console: std::sync::Arc::default(),
        };
        let router = dressed(Router::new().route("/", get(defect)), app);
        let answer = router.oneshot(Request::new(Body::empty())).await.unwrap();
        assert_eq!(answer.status().as_u16(), 500);
        assert!(answer.headers().contains_key("x-request-id"));
        let body = axum::body::to_bytes(answer.into_body(), 10_000).await.unwrap();
        let told: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(told["status"]["user_message"], "Something went wrong on our side.");
        assert_eq!(told["data"], serde_json::Value::Null);
    }
}
