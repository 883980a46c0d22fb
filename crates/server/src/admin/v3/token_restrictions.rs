//! What service tokens are held to, beside their grants: a documented addition.

use axum::extract::State;
use domain::{
    ServiceTokenId,
    authz::{Permit, Read, ServiceTokens, Write},
    token_proposal::Widening,
};
use store::StoreError;
use wire::v3::{TokenProposal, TokenRestrictions, TokenRestrictionsBody};

use super::token_proposals;
use crate::{
    answer::{Accepted, Either, Object},
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
/// Replaces all of them, or none; the secret stays. `{}` takes all of them back. Where the account's
/// policy asks for a second person, what widens is proposed: 202.
pub(crate) async fn replace(
    permit: Permit<Write, ServiceTokens>,
    State(app): State<App>,
    At(id): At<ServiceTokenId>,
    Body(body): Body<TokenRestrictionsBody>,
) -> Result<Either<Object<TokenRestrictions>, Accepted<TokenProposal>>, ApiError> {
    let (asked, forced) = (body.restrictions("")?, body.forced());
    match app.store.replace_token_restrictions(&permit, id, asked.clone(), forced).await {
        Ok(held) => Ok(Either::One(Object(TokenRestrictions::from(&held)))),
        Err(StoreError::NeedsSecond) => {
            let asked = Widening::Restrictions(asked);
            token_proposals::propose(&app, &permit, id, asked, forced).await.map(Either::Other)
        }
        Err(error) => Err(error.into()),
    }
}
