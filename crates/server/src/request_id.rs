//! A request's id: ours, never the caller's, in the log, in audit records and in the answer.

use axum::{
    extract::Request,
    http::{HeaderName, HeaderValue, header},
    middleware::Next,
    response::Response,
};
use tracing::Instrument as _;
use uuid::Uuid;

/// The id of the request that is being answered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RequestId(Uuid);

impl std::fmt::Display for RequestId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// The longest part of a path that is logged as it came. Ids and names of nouns are shorter; a
/// token, also one that is escaped, is longer.
const LONGEST_PART: usize = 40;

/// A path for the log: what may be a token in a wrong place is left out.
fn shown(path: &str) -> String {
    let part = |part| if str::len(part) > LONGEST_PART { "…" } else { part };
    path.split('/').map(part).collect::<Vec<_>>().join("/")
}

/// Gives each request an id, logs it without its query, and puts on each answer the headers that
/// all of them have.
pub(crate) async fn identify(mut request: Request, next: Next) -> Response {
    let id = RequestId(Uuid::now_v7());
    request.extensions_mut().insert(id);
    let span = tracing::info_span!(
        "request",
        %id,
        method = %request.method(),
        path = shown(request.uri().path()),
    );
    let mut response = next.run(request).instrument(span.clone()).await;
    tracing::debug!(parent: &span, status = response.status().as_u16(), "answered");
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(&id.to_string()) {
        headers.insert(HeaderName::from_static("x-request-id"), value);
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_that_may_be_a_token_is_not_logged() {
        assert_eq!(shown("/api/v2/accounts/1/jobs/17/"), "/api/v2/accounts/1/jobs/17/");
        let token = format!("ngst_{}", "a".repeat(42));
        let escaped = token.replace('_', "%5F");
        for part in [token, escaped] {
            assert_eq!(shown(&format!("/api/v3/{part}/x")), "/api/v3/…/x");
        }
    }
}
