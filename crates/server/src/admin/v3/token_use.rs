//! What a service token was used for, and by whom.

use axum::extract::State;
use domain::{
    ServiceTokenId,
    authz::{Permit, Read, ServiceTokens},
};
use wire::v3::{TokenUse, asked_days};

use crate::{
    answer::Object,
    app::App,
    error::ApiError,
    extract::{At, Query},
};

/// `GET /api/v3/accounts/{account_id}/service-tokens/{service_token_id}/use/?days=90`
pub(crate) async fn show(
    permit: Permit<Read, ServiceTokens>,
    State(app): State<App>,
    At(id): At<ServiceTokenId>,
    Query(params): Query,
) -> Result<Object<TokenUse>, ApiError> {
    let days = asked_days(&params)?;
    let (token, uses) = app.store.token_uses(&permit, id, days).await?;
    let since = days.since(app.store.clock().now());
    Ok(Object(TokenUse::new(&token, days, since, &uses)))
}
