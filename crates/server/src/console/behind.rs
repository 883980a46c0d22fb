//! Where a log is followed from.

use axum::{extract::FromRequestParts, http::request::Parts};
use store::LogMark;

use super::form::Asked;
use crate::{app::App, endpoint::Part, error::ApiError, extract::LAST_EVENT_ID};

/// The place that a stream broke off at, or else the one that the page had: `?after=`.
pub(super) struct Behind(pub(super) LogMark);

impl FromRequestParts<App> for Behind {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let Ok(Asked(asked)) = Asked::from_request_parts(parts, app).await;
        let last = parts.headers.get(LAST_EVENT_ID).and_then(|value| value.to_str().ok());
        let mark = last.unwrap_or_else(|| asked.first("after")).parse();
        let wrong = || ApiError::field("after", "must be the id of an event of this stream, or 0");
        mark.map(Self).map_err(|_| wrong())
    }
}

impl Part for Behind {}
