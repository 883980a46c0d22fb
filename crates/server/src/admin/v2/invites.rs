//! Invitations: what was sent, and what came of it. They are sent in v3.

use axum::extract::State;
use domain::{
    InviteId,
    authz::{Invitations, Permit, Read},
};
use wire::v2::Invite;

use crate::{
    answer::{Object, Page},
    app::App,
    error::ApiError,
    extract::{At, Query},
};

/// `GET /api/v2/accounts/{account_id}/invites/`
pub(crate) async fn list(
    permit: Permit<Read, Invitations>,
    State(app): State<App>,
    Query(params): Query,
) -> Result<Page<Invite>, ApiError> {
    let page = app.store.invites(&permit, &params.query).await?;
    let now = app.store.clock().now();
    Ok(Page(params, page.map(|invite| Invite::new(&invite, now))))
}

/// `GET /api/v2/accounts/{account_id}/invites/{invite_id}/`
pub(crate) async fn show(
    permit: Permit<Read, Invitations>,
    State(app): State<App>,
    At(id): At<InviteId>,
) -> Result<Object<Invite>, ApiError> {
    let invite = app.store.invite(&permit, id).await?;
    Ok(Object(Invite::new(&invite, app.store.clock().now())))
}
