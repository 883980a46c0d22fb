//! What secret scanners found. A public route: its proof is the signature, or the secrets themselves.

use axum::{Json, body::Bytes, extract::State, http::HeaderMap};
use wire::v3::{FoundSecret, LeakFeedback};

use crate::{
    app::App,
    error::ApiError,
    extract::{FromWhere, RawBody, is_json},
    leak_keys::Proof,
};

/// `POST /api/v3/leaks`: secrets that were found where everybody can read them are ended at once.
///
/// Where the configuration names keys, nothing is read before the signature is found to be right.
/// Else whoever presents a secret may end it; each that is unknown counts as a wrong token of the
/// address, so that this is no better a place for guessing than any other.
pub(crate) async fn take(
    State(app): State<App>,
    FromWhere(origin): FromWhere,
    headers: HeaderMap,
    RawBody(body): RawBody,
) -> Result<Json<Vec<LeakFeedback>>, ApiError> {
    let now = app.store.clock().now();
    let proof = app.leak_keys.proof(&headers, &body);
    if proof != Proof::Signature {
        app.failures.admit(origin.address, None, now)?;
    }
    if proof == Proof::None {
        app.failures.failed(origin.address, None, now);
        return Err(ApiError::ReportNotSigned);
    }
    let found = report(&headers, &body)?;
    let leaks: Vec<_> = found.iter().map(|one| (one.secret.as_ref(), &one.leak)).collect();
    let ended = app.store.end_leaked(&leaks, &origin).await?;
    for ((secret, _), is_ours) in leaks.iter().zip(&ended) {
        if proof == Proof::Secrets && !is_ours {
            app.failures.failed(origin.address, *secret, now);
        }
    }
    Ok(Json(found.iter().zip(ended).map(|(one, is_ours)| one.feedback(is_ours)).collect()))
}

fn report(headers: &HeaderMap, body: &Bytes) -> Result<Vec<FoundSecret>, ApiError> {
    if !is_json(headers) {
        return Err(ApiError::UnsupportedMediaType);
    }
    Ok(FoundSecret::report(body)?)
}
