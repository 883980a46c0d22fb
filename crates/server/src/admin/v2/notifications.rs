//! Notifications, as far as they are not like every kept noun.

use axum::extract::State;
use domain::authz::{OwnTokens, Permit, Write};
use wire::v2::Unsubscribed;

use crate::{answer::Object, app::App, error::ApiError};

/// `POST /api/v2/notifications/unsubscribe/`: the caller leaves all that goes to their address.
pub(crate) async fn unsubscribe(
    permit: Permit<Write, OwnTokens>,
    State(app): State<App>,
) -> Result<Object<Unsubscribed>, ApiError> {
    let notifications = app.store.unsubscribe(&permit).await?;
    Ok(Object(Unsubscribed { notifications }))
}
