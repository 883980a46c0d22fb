//! What is done to many service tokens at once: a documented addition.

use axum::extract::State;
use domain::{
    authz::{Permit, ServiceTokens, Write},
    secret::TokenKind,
};
use store::{PlannedToken, Store};
use wire::v3::{Many, ManyTokens, OneOfMany, RevokeManyBody, RotateManyBody};

use crate::{
    answer::Object,
    app::{App, mint},
    error::ApiError,
    extract::{Body, IdempotencyKey},
};

/// `POST /api/v3/accounts/{account_id}/service-tokens/revoke/`
///
/// Tells which tokens the filter means, or ends them, all or none. The token that asks is not among
/// them.
pub(crate) async fn revoke(
    permit: Permit<Write, ServiceTokens>,
    State(app): State<App>,
    Body(body): Body<RevokeManyBody>,
) -> Result<Object<ManyTokens>, ApiError> {
    match body.read(Store::MAX_REVOKED)? {
        Many::Plan(filter) => Ok(plan(app.store.plan_revocation(&permit.also()?, &filter).await?)),
        Many::Do(filter, expected) => {
            let revoked = app.store.revoke_many(&permit, &filter, &expected).await?;
            let tokens = revoked.iter().map(|token| OneOfMany::new(token, None)).collect();
            Ok(Object(ManyTokens { dry_run: false, tokens }))
        }
    }
}

/// `POST /api/v3/accounts/{account_id}/service-tokens/rotate/`
///
/// Tells which tokens the filter means and which of them can be rotated, or rotates those, all or
/// none. The secrets are told here alone; with an `Idempotency-Key`, for ten minutes again to the
/// same caller who asks the same.
pub(crate) async fn rotate(
    permit: Permit<Write, ServiceTokens>,
    State(app): State<App>,
    IdempotencyKey(key): IdempotencyKey,
    Body(body): Body<RotateManyBody>,
) -> Result<Object<ManyTokens>, ApiError> {
    match body.read(Store::MAX_ROTATED)? {
        (Many::Plan(filter), _) => Ok(plan(app.store.plan_rotation(&permit, &filter).await?)),
        (Many::Do(filter, expected), how) => {
            let secrets = expected.iter().map(|_| mint(TokenKind::Service)).collect();
            let rotated =
                app.store.rotate_many(&permit, &filter, &expected, how, secrets, key).await?;
            let told = rotated.iter().map(|one| OneOfMany::rotated(&one.token, &one.secret));
            Ok(Object(ManyTokens { dry_run: false, tokens: told.collect() }))
        }
    }
}

fn plan(planned: Vec<PlannedToken>) -> Object<ManyTokens> {
    let one = |planned: PlannedToken| OneOfMany::new(&planned.token, planned.skipped);
    Object(ManyTokens { dry_run: true, tokens: planned.into_iter().map(one).collect() })
}
