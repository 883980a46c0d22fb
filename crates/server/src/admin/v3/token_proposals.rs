//! Proposals to let a service token do more, where the account's policy asks for a second person: a
//! documented addition.

use axum::extract::State;
use domain::{
    ServiceTokenId, TokenProposalId,
    authz::{Permit, Read, ServiceTokens, Write},
    token_proposal::Widening,
};
use wire::v3::TokenProposal;

use crate::{
    answer::{Accepted, Object, Page},
    app::App,
    error::ApiError,
    extract::{At, Query},
};

/// `GET /api/v3/accounts/{account_id}/service-token-proposals/`
pub(crate) async fn list(
    permit: Permit<Read, ServiceTokens>,
    State(app): State<App>,
    Query(params): Query,
) -> Result<Page<TokenProposal>, ApiError> {
    let page = app.store.token_proposals(&permit, &params.query).await?;
    let (account, now) = (permit.account(), app.store.clock().now());
    Ok(Page(params, page.map(|proposal| TokenProposal::new(account, &proposal, now))))
}

/// `GET /api/v3/accounts/{account_id}/service-token-proposals/{service_token_proposal_id}/`
pub(crate) async fn show(
    permit: Permit<Read, ServiceTokens>,
    State(app): State<App>,
    At(id): At<TokenProposalId>,
) -> Result<Object<TokenProposal>, ApiError> {
    let proposal = app.store.token_proposal(&permit, id).await?;
    Ok(Object(TokenProposal::new(permit.account(), &proposal, app.store.clock().now())))
}

/// `POST /api/v3/accounts/{account_id}/service-token-proposals/{service_token_proposal_id}/accept/`
///
/// The token has what was proposed with this answer. By another person than who proposed it.
pub(crate) async fn accept(
    permit: Permit<Write, ServiceTokens>,
    State(app): State<App>,
    At(id): At<TokenProposalId>,
) -> Result<Object<TokenProposal>, ApiError> {
    let proposal = app.store.accept_proposal(&permit, id).await?;
    Ok(Object(TokenProposal::new(permit.account(), &proposal, app.store.clock().now())))
}

/// `POST /api/v3/accounts/{account_id}/service-token-proposals/{service_token_proposal_id}/reject/`
///
/// Nothing is done. Whoever proposed it takes it back by this.
pub(crate) async fn reject(
    permit: Permit<Write, ServiceTokens>,
    State(app): State<App>,
    At(id): At<TokenProposalId>,
) -> Result<Object<TokenProposal>, ApiError> {
    let proposal = app.store.reject_proposal(&permit, id).await?;
    Ok(Object(TokenProposal::new(permit.account(), &proposal, app.store.clock().now())))
}

/// Proposes what was asked of another route: 202.
pub(super) async fn propose(
    app: &App,
    permit: &Permit<Write, ServiceTokens>,
    token: ServiceTokenId,
    asked: Widening,
    forced: bool,
) -> Result<Accepted<TokenProposal>, ApiError> {
    let proposal = app.store.propose(permit, token, asked, forced).await?;
    Ok(Accepted(TokenProposal::new(permit.account(), &proposal, app.store.clock().now())))
}
