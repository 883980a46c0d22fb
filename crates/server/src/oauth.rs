//! `POST /oauth/revoke` (RFC 7009): whoever holds a token may end it.

use axum::extract::State;

use crate::{
    app::App,
    error::ApiError,
    extract::{FormToken, FromWhere},
};

/// Revokes the form's `token`, which is the proof itself. 200 also where nothing is known by it: the
/// answer says nothing of a token, and one that is unknown, over or revoked costs the same look.
pub(crate) async fn revoke(
    State(app): State<App>,
    FromWhere(origin): FromWhere,
    FormToken(token): FormToken,
) -> Result<(), ApiError> {
    if let Some(secret) = token {
        app.store.revoke_presented(&secret, &origin).await?;
    }
    Ok(())
}
