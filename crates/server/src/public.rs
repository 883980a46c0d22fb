//! What is answered without a token. Every route here stands in `public-routes.txt`.

use axum::{Json, extract::State, response::IntoResponse};
use serde_json::json;

use crate::{app::App, error::ApiError};

/// `GET /`: something below 400, which Airflow's connection test wants to see.
pub(crate) async fn root(State(app): State<App>) -> impl IntoResponse {
    let openapi = (!app.no_openapi).then_some("/api/openapi.json");
    Json(json!({ "name": "Narrowgate", "openapi": openapi }))
}

/// `GET /healthz`: 200 while the database answers.
pub(crate) async fn health(State(app): State<App>) -> Result<impl IntoResponse, ApiError> {
    app.store.ping().await?;
    Ok(Json(json!({ "status": "ok" })))
}

/// `GET /api/openapi.json`: the document of what is served; a setting shuts it.
pub(crate) async fn openapi(State(app): State<App>) -> Result<impl IntoResponse, ApiError> {
    if app.no_openapi {
        return Err(ApiError::NoSuchPath);
    }
    Ok(Json(crate::openapi()))
}

/// Every other path.
pub(crate) async fn no_such_path() -> ApiError {
    ApiError::NoSuchPath
}

/// Every other method.
pub(crate) async fn method_not_allowed() -> ApiError {
    ApiError::MethodNotAllowed
}
