//! The one list of routes.

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
    admin::{v2, v3},
    app::App,
    endpoint::{Described, Endpoint},
    error::ApiError,
    extract::MAX_BODY,
    operations::documented_operations,
    public, request_id,
};

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

/// Every route that wants a token, in the order of paths.
#[must_use]
#[expect(clippy::too_many_lines, reason = "it is the one list, and reads as one")]
pub fn served_routes() -> Vec<ServedRoute> {
    const GET: Method = Method::GET;
    const POST: Method = Method::POST;
    const PUT: Method = Method::PUT;
    const PATCH: Method = Method::PATCH;
    const DELETE: Method = Method::DELETE;
    vec![
        served(GET, "/api/v2/whoami", "Who Am I", v2::whoami::show),
        served(GET, "/api/v2/constants", "Constants", v2::constants::show),
        served(GET, "/api/v2/accounts", "List Accounts", v2::accounts::list),
        served(GET, "/api/v2/accounts/{account_id}", "Retrieve Account", v2::accounts::show),
        served(GET, "/api/v2/accounts/{account_id}/jobs", "List Jobs", v2::jobs::list),
        served(POST, "/api/v2/accounts/{account_id}/jobs", "Create Job", v2::jobs::create),
        served(GET, "/api/v2/accounts/{account_id}/jobs/{job_id}", "Retrieve Job", v2::jobs::show),
        served(POST, "/api/v2/accounts/{account_id}/jobs/{job_id}", "Update Job", v2::jobs::update),
        served(
            DELETE,
            "/api/v2/accounts/{account_id}/jobs/{job_id}",
            "Destroy Job",
            v2::jobs::delete,
        ),
        served(
            GET,
            "/api/v2/accounts/{account_id}/jobs/{job_id}/artifacts/{*remainder}",
            "Retrieve Job Artifact",
            v2::artifacts::show_of_job,
        ),
        served(
            POST,
            "/api/v2/accounts/{account_id}/jobs/{job_id}/run",
            "Trigger Job Run",
            v2::runs::trigger,
        ),
        served(GET, "/api/v2/accounts/{account_id}/runs", "List Runs", v2::runs::list),
        served(GET, "/api/v2/accounts/{account_id}/runs/{run_id}", "Retrieve Run", v2::runs::show),
        served(
            GET,
            "/api/v2/accounts/{account_id}/runs/{run_id}/artifacts",
            "List Run Artifacts",
            v2::artifacts::list,
        ),
        served(
            GET,
            "/api/v2/accounts/{account_id}/runs/{run_id}/artifacts/{*remainder}",
            "Retrieve Run Artifact",
            v2::artifacts::show,
        ),
        served(
            POST,
            "/api/v2/accounts/{account_id}/runs/{run_id}/cancel",
            "Cancel Run",
            v2::runs::cancel,
        ),
        served(
            GET,
            "/api/v2/accounts/{account_id}/runs/{run_id}/cancel",
            "Retrieve Cancel",
            v2::runs::cancel,
        ),
        served(
            GET,
            "/api/v2/accounts/{account_id}/steps/{step_id}",
            "Retrieve Run Step",
            v2::steps::show,
        ),
        served(GET, "/api/v2/accounts/{account_id}/projects", "List Projects", v3::projects::list),
        served(
            POST,
            "/api/v2/accounts/{account_id}/projects",
            "Create Project",
            v3::projects::create,
        ),
        served(
            GET,
            "/api/v2/accounts/{account_id}/projects/{project_id}",
            "Retrieve Project",
            v3::projects::show,
        ),
        served(
            POST,
            "/api/v2/accounts/{account_id}/projects/{project_id}",
            "Update Project",
            v3::projects::update,
        ),
        served(
            DELETE,
            "/api/v2/accounts/{account_id}/projects/{project_id}",
            "Destroy Project",
            v3::projects::delete,
        ),
        served(
            GET,
            "/api/v2/accounts/{account_id}/environments",
            "List Environments",
            v2::environments::list,
        ),
        served(
            POST,
            "/api/v2/accounts/{account_id}/environments",
            "Create Environment",
            v2::environments::create,
        ),
        served(
            GET,
            "/api/v2/accounts/{account_id}/environments/{environment_id}",
            "Retrieve Environment",
            v2::environments::show,
        ),
        served(
            POST,
            "/api/v2/accounts/{account_id}/environments/{environment_id}",
            "Update Environment",
            v2::environments::update,
        ),
        served(
            DELETE,
            "/api/v2/accounts/{account_id}/environments/{environment_id}",
            "Destroy Environment",
            v2::environments::delete,
        ),
        served(
            GET,
            "/api/v2/accounts/{account_id}/repositories",
            "List Repositories",
            v2::repositories::list,
        ),
        served(
            POST,
            "/api/v2/accounts/{account_id}/repositories",
            "Create Repository",
            v2::repositories::create,
        ),
        served(
            GET,
            "/api/v2/accounts/{account_id}/repositories/{repository_id}",
            "Retrieve Repository",
            v2::repositories::show,
        ),
        served(
            DELETE,
            "/api/v2/accounts/{account_id}/repositories/{repository_id}",
            "Destroy Repository",
            v2::repositories::delete,
        ),
        served(GET, "/api/v3/accounts", "List Accounts", v2::accounts::list),
        served(POST, "/api/v3/accounts/{account_id}/check", "Check", v3::check::check),
        served(GET, "/api/v3/accounts/{account_id}/projects", "List Projects", v3::projects::list),
        served(
            POST,
            "/api/v3/accounts/{account_id}/projects",
            "Create Project",
            v3::projects::create,
        ),
        served(
            GET,
            "/api/v3/accounts/{account_id}/projects/{project_id}",
            "Retrieve Project",
            v3::projects::show,
        ),
        served(
            POST,
            "/api/v3/accounts/{account_id}/projects/{project_id}",
            "Update Project",
            v3::projects::update,
        ),
        served(
            DELETE,
            "/api/v3/accounts/{account_id}/projects/{project_id}",
            "Destroy Project",
            v3::projects::delete,
        ),
        served(
            GET,
            "/api/v3/accounts/{account_id}/environments",
            "List Environments",
            v3::environments::list_of_account,
        ),
        served(
            DELETE,
            "/api/v3/accounts/{account_id}/environments/{environment_id}",
            "Destroy Environments",
            v3::environments::delete_of_account,
        ),
        served(
            GET,
            "/api/v3/accounts/{account_id}/projects/{project_id}/environments",
            "List Environments",
            v3::environments::list,
        ),
        served(
            POST,
            "/api/v3/accounts/{account_id}/projects/{project_id}/environments",
            "Create Environment",
            v3::environments::create,
        ),
        served(
            GET,
            "/api/v3/accounts/{account_id}/projects/{project_id}/environments/{environment_id}",
            "Retrieve Environment",
            v3::environments::show,
        ),
        served(
            POST,
            "/api/v3/accounts/{account_id}/projects/{project_id}/environments/{environment_id}",
            "Update Environment",
            v3::environments::update,
        ),
        served(
            DELETE,
            "/api/v3/accounts/{account_id}/projects/{project_id}/environments/{environment_id}",
            "Destroy Environment",
            v3::environments::delete,
        ),
        served(
            GET,
            "/api/v3/accounts/{account_id}/projects/{project_id}/repositories",
            "List Repositories",
            v3::repositories::list,
        ),
        served(
            POST,
            "/api/v3/accounts/{account_id}/projects/{project_id}/repositories",
            "Create Repository",
            v3::repositories::create,
        ),
        served(
            GET,
            "/api/v3/accounts/{account_id}/projects/{project_id}/repositories/{repository_id}",
            "Retrieve Repository",
            v3::repositories::show,
        ),
        served(
            POST,
            "/api/v3/accounts/{account_id}/projects/{project_id}/repositories/{repository_id}",
            "Update Repository",
            v3::repositories::update,
        ),
        served(
            DELETE,
            "/api/v3/accounts/{account_id}/projects/{project_id}/repositories/{repository_id}",
            "Destroy Repository",
            v3::repositories::delete,
        ),
        served(
            GET,
            "/api/v3/accounts/{account_id}/connections",
            "List Account Connections",
            v3::connections::list,
        ),
        served(
            POST,
            "/api/v3/accounts/{account_id}/connections",
            "Create Account Connection",
            v3::connections::create,
        ),
        served(
            GET,
            "/api/v3/accounts/{account_id}/connections/{connection_id}",
            "Retrieve Account Connection",
            v3::connections::show,
        ),
        served(
            PATCH,
            "/api/v3/accounts/{account_id}/connections/{connection_id}",
            "Update Account Connection",
            v3::connections::update,
        ),
        served(
            DELETE,
            "/api/v3/accounts/{account_id}/connections/{connection_id}",
            "Delete Account Connection Delete",
            v3::connections::delete,
        ),
        served(
            GET,
            "/api/v3/accounts/{account_id}/projects/{project_id}/credentials",
            "List Credentials",
            v3::credentials::list,
        ),
        served(
            POST,
            "/api/v3/accounts/{account_id}/projects/{project_id}/credentials",
            "Create Credentials",
            v3::credentials::create,
        ),
        served(
            GET,
            "/api/v3/accounts/{account_id}/projects/{project_id}/credentials/{credential_id}",
            "Get Credentials",
            v3::credentials::show,
        ),
        served(
            POST,
            "/api/v3/accounts/{account_id}/projects/{project_id}/credentials/{credential_id}",
            "Update Credentials",
            v3::credentials::update,
        ),
        served(
            PATCH,
            "/api/v3/accounts/{account_id}/projects/{project_id}/credentials/{credential_id}",
            "Partial Update Credentials",
            v3::credentials::update,
        ),
        served(
            DELETE,
            "/api/v3/accounts/{account_id}/projects/{project_id}/credentials/{credential_id}",
            "Delete Credentials",
            v3::credentials::delete,
        ),
        served(
            GET,
            "/api/v3/accounts/{account_id}/service-tokens",
            "List Service Tokens",
            v3::service_tokens::list,
        ),
        served(
            POST,
            "/api/v3/accounts/{account_id}/service-tokens",
            "Create Service Token",
            v3::service_tokens::create,
        ),
        served(
            GET,
            "/api/v3/accounts/{account_id}/service-tokens/{service_token_id}",
            "Retrieve Service Token",
            v3::service_tokens::show,
        ),
        served(
            PUT,
            "/api/v3/accounts/{account_id}/service-tokens/{service_token_id}",
            "Update Service Token",
            v3::service_tokens::update,
        ),
        served(
            POST,
            "/api/v3/accounts/{account_id}/service-tokens/{service_token_id}",
            "Update Service Token",
            v3::service_tokens::update,
        ),
        served(
            DELETE,
            "/api/v3/accounts/{account_id}/service-tokens/{service_token_id}",
            "Delete Service Token",
            v3::service_tokens::delete,
        ),
        served(
            GET,
            "/api/v3/accounts/{account_id}/service-tokens/{service_token_id}/permissions",
            "List Service Token Permissions",
            v3::service_tokens::permissions,
        ),
        served(
            POST,
            "/api/v3/accounts/{account_id}/service-tokens/{service_token_id}/permissions",
            "Replace Service Token Permissions",
            v3::service_tokens::replace_permissions,
        ),
        served(
            GET,
            "/api/v3/accounts/{account_id}/users/{user_id}/account-apikeys",
            "List Account Scoped PATs",
            v3::personal_tokens::list,
        ),
        served(
            POST,
            "/api/v3/accounts/{account_id}/users/{user_id}/account-apikeys",
            "Create Account Scoped PAT",
            v3::personal_tokens::create,
        ),
        served(
            GET,
            "/api/v3/accounts/{account_id}/users/{user_id}/account-apikeys/{personal_token_id}",
            "Get Account Scoped PAT",
            v3::personal_tokens::show,
        ),
        served(
            DELETE,
            "/api/v3/accounts/{account_id}/users/{user_id}/account-apikeys/{personal_token_id}",
            "Delete Account Scoped PAT",
            v3::personal_tokens::delete,
        ),
    ]
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
