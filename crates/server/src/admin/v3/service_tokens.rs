//! Service tokens and their permission rows.

use axum::extract::State;
use domain::{
    ServiceTokenId,
    authz::{Permit, Read, ServiceTokens, Write},
    list::Paged,
    secret::TokenKind,
    token_proposal::Widening,
};
use store::{NewServiceToken, StoreError, TokenChange};
use wire::{
    ListParams,
    v3::{
        PermissionRow, PermissionRows, ServiceToken, ServiceTokenBody, ServiceTokenWithSecret,
        TokenProposal,
    },
};

use super::{paged, token_proposals};
use crate::{
    answer::{Accepted, Created, Either, Object, Page},
    app::{App, mint},
    error::ApiError,
    extract::{At, Body, Query},
};

/// `GET /api/v3/accounts/{account_id}/service-tokens/`
pub(crate) async fn list(
    permit: Permit<Read, ServiceTokens>,
    State(app): State<App>,
    Query(params): Query,
) -> Result<Page<ServiceToken>, ApiError> {
    let tokens = app.store.service_tokens(&permit, &params.query).await?;
    let rows = wants_rows(&params);
    Ok(Page(params, tokens.map(|token| ServiceToken::new(&token, rows))))
}

/// `GET /api/v3/accounts/{account_id}/service-tokens/{service_token_id}/`
pub(crate) async fn show(
    permit: Permit<Read, ServiceTokens>,
    State(app): State<App>,
    At(id): At<ServiceTokenId>,
    Query(params): Query,
) -> Result<Object<ServiceToken>, ApiError> {
    let token = app.store.service_token(&permit, id).await?;
    Ok(Object(ServiceToken::new(&token, wants_rows(&params))))
}

/// `POST /api/v3/accounts/{account_id}/service-tokens/`
///
/// The only answer that ever carries `token_string`.
pub(crate) async fn create(
    permit: Permit<Write, ServiceTokens>,
    State(app): State<App>,
    Body(body): Body<ServiceTokenBody>,
) -> Result<Created<ServiceTokenWithSecret>, ApiError> {
    super::same_account(&permit, &body.account_id)?;
    let secret = mint(TokenKind::Service);
    if body.is_canary()? {
        let canary = (body.required_name()?, body.end()?);
        let token = app.store.create_canary(&permit, canary, &secret).await?;
        return Ok(Created(ServiceTokenWithSecret::new(&token, &secret)));
    }
    let new =
        NewServiceToken { name: body.required_name()?, grants: body.grants()?, end: body.end()? };
    let (held_to, responsible) = (body.restrictions()?, body.responsible()?);
    let token = app.store.create_token_of(&permit, new, held_to, responsible, &secret).await?;
    Ok(Created(ServiceTokenWithSecret::new(&token, &secret)))
}

/// `PUT` (the document) or `POST` (Terraform)
/// `/api/v3/accounts/{account_id}/service-tokens/{service_token_id}/`: a new name, another end,
/// disabled or enabled, or state 2.
///
/// Grants are changed by [`replace_permissions`] alone, restrictions by a route of their own; here
/// they are an echo of what was read.
pub(crate) async fn update(
    permit: Permit<Write, ServiceTokens>,
    State(app): State<App>,
    At(id): At<ServiceTokenId>,
    Body(body): Body<ServiceTokenBody>,
) -> Result<Object<ServiceToken>, ApiError> {
    super::same_account(&permit, &body.account_id)?;
    if let Some(echo) = body.echoed_restrictions()? {
        let (_, held_to) = app.store.token_restrictions(&permit.also()?, id).await?;
        if echo != held_to {
            let where_then = "are changed by POST of the token's `restrictions/`";
            return Err(ApiError::field("restrictions", where_then));
        }
    }
    let change = TokenChange {
        name: body.name()?,
        end: body.end()?,
        disabled: body.disabled.value(),
        responsible: body.responsible()?,
    };
    let token = if body.deletes()? {
        app.store.revoke_service_token(&permit, id).await?
    } else if change == TokenChange::default() {
        app.store.service_token(&permit.also()?, id).await?
    } else {
        app.store.update_service_token(&permit, id, change).await?
    };
    Ok(Object(ServiceToken::new(&token, false)))
}

/// `DELETE /api/v3/accounts/{account_id}/service-tokens/{service_token_id}/`
///
/// The token authorises no request after this answer.
pub(crate) async fn delete(
    permit: Permit<Write, ServiceTokens>,
    State(app): State<App>,
    At(id): At<ServiceTokenId>,
) -> Result<Object<ServiceToken>, ApiError> {
    let token = app.store.revoke_service_token(&permit, id).await?;
    Ok(Object(ServiceToken::new(&token, false)))
}

/// `GET /api/v3/accounts/{account_id}/service-tokens/{service_token_id}/permissions/`
pub(crate) async fn permissions(
    permit: Permit<Read, ServiceTokens>,
    State(app): State<App>,
    At(id): At<ServiceTokenId>,
    Query(params): Query,
) -> Result<Page<PermissionRow>, ApiError> {
    let (token, page) = app.store.service_token_rows(&permit, id, &params.query).await?;
    let rows = PermissionRow::all_of(&token);
    let told = |id| rows.iter().find(|row| row.id == id).cloned();
    let rows = page.rows.into_iter().filter_map(told).collect();
    Ok(Page(params, Paged { rows, total: page.total }))
}

/// `POST /api/v3/accounts/{account_id}/service-tokens/{service_token_id}/permissions/`
///
/// Replaces the whole set, all or nothing; the secret stays. Where the account's policy asks for a
/// second person, what widens is proposed: 202.
pub(crate) async fn replace_permissions(
    permit: Permit<Write, ServiceTokens>,
    State(app): State<App>,
    At(id): At<ServiceTokenId>,
    Query(params): Query,
    Body(rows): Body<PermissionRows>,
) -> Result<Either<Page<PermissionRow>, Accepted<TokenProposal>>, ApiError> {
    let grants = rows.grants()?;
    match app.store.replace_grants(&permit, id, grants.clone()).await {
        Ok(token) => Ok(Either::One(paged(params, PermissionRow::all_of(&token)))),
        Err(StoreError::NeedsSecond) => {
            let asked = Widening::Grants(grants);
            token_proposals::propose(&app, &permit, id, asked, false).await.map(Either::Other)
        }
        Err(error) => Err(error.into()),
    }
}

fn wants_rows(params: &ListParams) -> bool {
    params.include.has("service_token_permissions") || params.include.has("permission_grants")
}
