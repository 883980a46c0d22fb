//! Personal tokens: a user sees and makes their own; every service token is refused.

use axum::extract::State;
use domain::{
    PersonalTokenId, UserId,
    authz::{OwnTokens, Permit, Read, Write},
    secret::TokenKind,
};
use wire::v3::{NewPersonalToken, PersonalToken, PersonalTokenWithSecret};

use crate::{
    answer::{Created, Object, Page},
    app::{App, mint},
    error::ApiError,
    extract::{At, Body, Query},
};

/// `GET /api/v3/accounts/{account_id}/users/{user_id}/account-apikeys/`
pub(crate) async fn list(
    permit: Permit<Read, OwnTokens>,
    State(app): State<App>,
    At(user): At<UserId>,
    Query(params): Query,
) -> Result<Page<PersonalToken>, ApiError> {
    let tokens = app.store.personal_tokens(&permit, user, &params.query).await?;
    Ok(Page(params, tokens.map(|token| PersonalToken::from(&token))))
}

/// `GET /api/v3/accounts/{account_id}/users/{user_id}/account-apikeys/{personal_token_id}/`
pub(crate) async fn show(
    permit: Permit<Read, OwnTokens>,
    State(app): State<App>,
    At(user): At<UserId>,
    At(id): At<PersonalTokenId>,
) -> Result<Object<PersonalToken>, ApiError> {
    let token = app.store.personal_token(&permit, user, id).await?;
    Ok(Object(PersonalToken::from(&token)))
}

/// `POST /api/v3/accounts/{account_id}/users/{user_id}/account-apikeys/`
///
/// With that to rotating, the only answer that ever carries `token_string`.
pub(crate) async fn create(
    permit: Permit<Write, OwnTokens>,
    State(app): State<App>,
    At(user): At<UserId>,
    Body(body): Body<NewPersonalToken>,
) -> Result<Created<PersonalTokenWithSecret>, ApiError> {
    let secret = mint(TokenKind::Personal);
    let token = app.store.create_personal_token(&permit, user, body.name()?, &secret).await?;
    Ok(Created(PersonalTokenWithSecret::new(&token, &secret)))
}

/// `POST /api/v3/accounts/{account_id}/users/{user_id}/account-apikeys/{personal_token_id}/`
///
/// A new secret, told here once; the old one authorises no request after this answer.
pub(crate) async fn rotate(
    permit: Permit<Write, OwnTokens>,
    State(app): State<App>,
    At(user): At<UserId>,
    At(id): At<PersonalTokenId>,
) -> Result<Object<PersonalTokenWithSecret>, ApiError> {
    let secret = mint(TokenKind::Personal);
    let token = app.store.rotate_personal_token(&permit, user, id, &secret).await?;
    Ok(Object(PersonalTokenWithSecret::new(&token, &secret)))
}

/// `DELETE /api/v3/accounts/{account_id}/users/{user_id}/account-apikeys/{personal_token_id}/`
pub(crate) async fn delete(
    permit: Permit<Write, OwnTokens>,
    State(app): State<App>,
    At(user): At<UserId>,
    At(id): At<PersonalTokenId>,
) -> Result<Object<PersonalToken>, ApiError> {
    let token = app.store.revoke_personal_token(&permit, user, id).await?;
    Ok(Object(PersonalToken::from(&token)))
}
