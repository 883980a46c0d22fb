//! SSH tunnels of connections: kept as other nouns are; the server makes the key pair.

use axum::extract::State;
use domain::authz::{Connections, Permit, Write};
use wire::{
    KeptBody as _,
    v2::{SshTunnel, SshTunnelBody},
};

use crate::{admin::v3::same_account, answer::Created, app::App, error::ApiError, extract::Body};

/// `POST /api/v2/accounts/{account_id}/encryptions/`
pub(crate) async fn create(
    permit: Permit<Write, Connections>,
    State(app): State<App>,
    Body(body): Body<SshTunnelBody>,
) -> Result<Created<SshTunnel>, ApiError> {
    same_account(&permit, &body.account_id)?;
    let made = app.store.create_ssh_tunnel(&permit, body.over(None)?).await?;
    Ok(Created(SshTunnel::from(&made)))
}
