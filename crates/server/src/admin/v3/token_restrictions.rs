//! What service tokens are held to, beside their grants: a documented addition.

use axum::extract::State;
use domain::{
    ServiceTokenId,
    authz::{Permit, Read, ServiceTokens, Write},
};
use wire::v3::{TokenRestrictions, TokenRestrictionsBody};

use crate::{
    answer::Object,
    app::App,
    error::ApiError,
    extract::{At, Body},
};

/// `GET /api/v3/accounts/{account_id}/service-tokens/{service_token_id}/restrictions/`
pub(crate) async fn show(
    permit: Permit<Read, ServiceTokens>,
    State(app): State<App>,
    At(id): At<ServiceTokenId>,
) -> Result<Object<TokenRestrictions>, ApiError> {
    let (_, restrictions) = app.store.token_restrictions(&permit, id).await?;
    Ok(Object(TokenRestrictions::from(&restrictions)))
}

/// `POST /api/v3/accounts/{account_id}/service-tokens/{service_token_id}/restrictions/`
///
/// Replaces all of them, or none; the secret stays. `{}` takes all of them back.
pub(crate) async fn replace(
    permit: Permit<Write, ServiceTokens>,
    State(app): State<App>,
    At(id): At<ServiceTokenId>,
    Body(body): Body<TokenRestrictionsBody>,
) -> Result<Object<TokenRestrictions>, ApiError> {
    let restrictions = body.restrictions("")?;
    let forced = body.forced();
    let held = app.store.replace_token_restrictions(&permit, id, restrictions, forced).await?;
    Ok(Object(TokenRestrictions::from(&held)))
}
