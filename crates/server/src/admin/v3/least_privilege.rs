//! A service token narrowed to what it was used for.

use axum::extract::State;
use domain::{
    ServiceTokenId,
    authz::{Permit, Read, ServiceTokens, Write},
};
use store::Narrowing;
use wire::v3::{LeastPrivilege, NarrowBody, RightLost, ServiceToken, asked_days, placed};

use crate::{
    answer::Object,
    app::App,
    error::ApiError,
    extract::{At, Body, Query},
};

/// `GET /api/v3/accounts/{account_id}/service-tokens/{service_token_id}/least-privilege/?days=90`
pub(crate) async fn show(
    permit: Permit<Read, ServiceTokens>,
    State(app): State<App>,
    At(id): At<ServiceTokenId>,
    Query(params): Query,
) -> Result<Object<LeastPrivilege>, ApiError> {
    let days = asked_days(&params)?;
    let narrowing = app.store.least_privilege(&permit, id, days).await?;
    Ok(Object(told(narrowing)))
}

/// `POST /api/v3/accounts/{account_id}/service-tokens/{service_token_id}/least-privilege/`
///
/// The proposal that was read, or nothing; the secret stays.
pub(crate) async fn apply(
    permit: Permit<Write, ServiceTokens>,
    State(app): State<App>,
    At(id): At<ServiceTokenId>,
    Body(body): Body<NarrowBody>,
) -> Result<Object<ServiceToken>, ApiError> {
    let (days, name) = body.read()?;
    let token = app.store.narrow(&permit, id, days, &name).await?;
    Ok(Object(ServiceToken::new(&token, true)))
}

/// `POST /api/v3/accounts/{account_id}/service-tokens/{service_token_id}/least-privilege/undo/`
///
/// What it had before, as long as nothing else of its rights has changed.
pub(crate) async fn undo(
    permit: Permit<Write, ServiceTokens>,
    State(app): State<App>,
    At(id): At<ServiceTokenId>,
) -> Result<Object<ServiceToken>, ApiError> {
    let token = app.store.widen_again(&permit, id).await?;
    Ok(Object(ServiceToken::new(&token, true)))
}

fn told(narrowing: Narrowing) -> LeastPrivilege {
    let Narrowing { token, days, uses, proposal, failing, lost, name, undoable_since, .. } =
        narrowing;
    LeastPrivilege {
        days: days.get(),
        proposal_id: name,
        failing: placed(&failing),
        rights_lost: lost.iter().map(RightLost::from).collect(),
        undoable_since: undoable_since.map(|time| time.to_string()),
        ..LeastPrivilege::new(&token, &uses, &proposal)
    }
}
