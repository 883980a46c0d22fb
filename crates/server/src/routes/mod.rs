//! The one list of routes: a file an area.

use axum::{
    Router,
    extract::DefaultBodyLimit,
    handler::Handler,
    http::Method,
    middleware,
    routing::{MethodFilter, MethodRouter, get, on},
};
use domain::authz::Action;
use store::Store;
use tower_http::catch_panic::CatchPanicLayer;

use crate::{
    app::App,
    endpoint::{Described, Endpoint},
    error::ApiError,
    extract::MAX_BODY,
    operations::documented_operations,
    public, request_id,
};

mod accounts;
mod connections;
mod environment_variables;
mod environments;
mod extended_attributes;
mod jobs;
mod notifications;
mod profiles;
mod projects;
mod repositories;
mod runs;
mod tokens;

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
const PUBLIC: [(&str, &str); 3] = [("GET", "/"), ("GET", "/healthz"), ("GET", "/api/openapi.json")];

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

/// Every route that wants a token, area by area.
#[must_use]
pub fn served_routes() -> Vec<ServedRoute> {
    [
        accounts::routes(),
        projects::routes(),
        repositories::routes(),
        connections::routes(),
        environments::routes(),
        environment_variables::routes(),
        jobs::routes(),
        runs::routes(),
        notifications::routes(),
        extended_attributes::routes(),
        profiles::routes(),
        tokens::routes(),
    ]
    .concat()
}

/// The whole router: what is served, what is documented and not built yet (501), what is public.
///
/// Slashes at the end of paths are the server's business: see [`serve`](crate::serve).
pub fn router(store: Store, public_url: &str) -> Router {
    let app = App { store, public_url: public_url.trim_end_matches('/').into() };
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
        .route("/api/openapi.json", get(public::openapi));
    served
        .into_iter()
        .map(|route| (route.path, route.handler))
        .chain(missing)
        .fold(public, |router, (path, handler)| router.route(path, handler))
        .fallback(public::no_such_path)
        .method_not_allowed_fallback(public::method_not_allowed)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(CatchPanicLayer::custom(|_| {
            axum::response::IntoResponse::into_response(ApiError::Internal)
        }))
        .layer(middleware::from_fn(request_id::identify))
        .with_state(app)
}
