//! The token that calls.

use axum::extract::State;
use domain::authz::{Identity, Permit, Read};
use wire::v2::WhoAmI;

use crate::{answer::Object, app::App, error::ApiError};

/// `DELETE /api/v3/self/token/`: gives who called.
///
/// The presented secret authorises no request after this answer. A service token goes with the last
/// of its secrets that works.
pub(crate) async fn delete(
    permit: Permit<Read, Identity>,
    State(app): State<App>,
) -> Result<Object<WhoAmI>, ApiError> {
    let user = app.store.me(&permit).await?;
    app.store.give_up(&permit).await?;
    Ok(Object(WhoAmI::new(permit.principal(), user.as_ref())))
}
