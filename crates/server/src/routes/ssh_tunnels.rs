//! SSH tunnels.

use domain::ssh_tunnel::SshTunnel;

use super::{DELETE, GET, POST, ServedRoute, served};
use crate::admin::{kept, v2};

/// Its routes, in the order of paths.
pub(super) fn routes() -> Vec<ServedRoute> {
    const ALL: &str = "/api/v2/accounts/{account_id}/encryptions";
    const ONE: &str = "/api/v2/accounts/{account_id}/encryptions/{encryption_id}";
    vec![
        served(GET, ALL, "List SSH Tunnels", kept::list::<SshTunnel>),
        served(POST, ALL, "Create SSH Tunnel", v2::ssh_tunnels::create),
        served(GET, ONE, "Retrieve SSH Tunnel", kept::show::<SshTunnel>),
        served(POST, ONE, "Update SSH Tunnel", kept::update::<SshTunnel>),
        served(DELETE, ONE, "Destroy SSH Tunnel", kept::delete::<SshTunnel>),
    ]
}
