//! Another secret for a service token, and who still sends the old one.

use axum::extract::State;
use domain::{
    ServiceTokenId,
    authz::{Permit, Read, ServiceTokens, Write},
    secret::TokenKind,
};
use wire::v3::{RotatedToken, RotationBody, ServiceToken, TokenCredential};

use crate::{
    answer::{Object, Page},
    app::{App, mint},
    error::ApiError,
    extract::{At, Body, IdempotencyKey, Query},
};

/// `GET /api/v3/accounts/{account_id}/service-token-credentials/`
pub(crate) async fn list(
    permit: Permit<Read, ServiceTokens>,
    State(app): State<App>,
    Query(params): Query,
) -> Result<Page<TokenCredential>, ApiError> {
    let page = app.store.token_credentials(&permit, &params.query).await?;
    let now = app.store.clock().now();
    let told =
        |(token, credential, senders)| TokenCredential::new(token, &credential, senders, now);
    Ok(Page(params, page.map(told)))
}

/// `POST /api/v3/accounts/{account_id}/service-tokens/{service_token_id}/rotate/`
///
/// A second secret with the same grants, told here alone; with an `Idempotency-Key`, for ten minutes
/// again to the same caller who asks the same.
pub(crate) async fn rotate(
    permit: Permit<Write, ServiceTokens>,
    State(app): State<App>,
    At(id): At<ServiceTokenId>,
    IdempotencyKey(key): IdempotencyKey,
    Body(body): Body<RotationBody>,
) -> Result<Object<RotatedToken>, ApiError> {
    let (how, secret) = (body.read()?, mint(TokenKind::Service));
    let rotated = app.store.rotate_service_token(&permit, id, how, secret, key).await?;
    Ok(Object(RotatedToken::new(&rotated.token, &rotated.secret)))
}

/// `POST /api/v3/accounts/{account_id}/service-tokens/{service_token_id}/rotate/cancel/`
///
/// The old secret lives on as if there had been no rotation; the new one opens nothing any more.
pub(crate) async fn cancel(
    permit: Permit<Write, ServiceTokens>,
    State(app): State<App>,
    At(id): At<ServiceTokenId>,
) -> Result<Object<ServiceToken>, ApiError> {
    let token = app.store.cancel_rotation(&permit, id).await?;
    Ok(Object(ServiceToken::new(&token, false)))
}
