//! Who is asking.

use axum::extract::State;
use domain::authz::{Identity, Permit, Read};

use crate::{answer::Object, app::App, error::ApiError};

/// `GET /api/v2/whoami/`
pub(crate) async fn show(
    permit: Permit<Read, Identity>,
    State(app): State<App>,
) -> Result<Object<wire::v2::WhoAmI>, ApiError> {
    let user = app.store.me(&permit).await?;
    Ok(Object(wire::v2::WhoAmI::new(permit.principal(), user.as_ref())))
}
