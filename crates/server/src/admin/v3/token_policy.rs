//! What an account asks of its service tokens.

use axum::extract::State;
use domain::authz::{AccountSettings, Permit, Read, ServiceTokens, Write};
use wire::v3::{TokenPolicy, TokenPolicyBody};

use super::same_account;
use crate::{answer::Object, app::App, error::ApiError, extract::Body};

/// `GET /api/v3/accounts/{account_id}/service-token-policy/`
pub(crate) async fn show(
    permit: Permit<Read, ServiceTokens>,
    State(app): State<App>,
) -> Result<Object<TokenPolicy>, ApiError> {
    let policy = app.store.token_policy(&permit).await?;
    Ok(Object(TokenPolicy::new(permit.account(), &policy)))
}

/// `POST /api/v3/accounts/{account_id}/service-token-policy/`: what is absent stays.
pub(crate) async fn update(
    permit: Permit<Write, AccountSettings>,
    State(app): State<App>,
    Body(body): Body<TokenPolicyBody>,
) -> Result<Object<TokenPolicy>, ApiError> {
    same_account(&permit, &body.account_id)?;
    let change = |old| body.over(old).map_err(ApiError::from);
    let policy = app.store.update_token_policy(&permit, change).await?;
    Ok(Object(TokenPolicy::new(permit.account(), &policy)))
}
