//! SSH tunnels: how a connection's data platform is reached through another machine.

use serde::{Deserialize, Serialize};

use crate::{
    ConnectionId,
    authz::Connections,
    kept::{FieldKind, Level, Noun, Reference},
};

/// An SSH tunnel of a connection. Its private key is sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SshTunnel {
    /// A connection of the account; each has one at most.
    pub connection_id: ConnectionId,
    /// Who logs in to the machine between.
    pub username: String,
    /// Its SSH port, 1 to 65535.
    pub port: u16,
    /// Its host name or address.
    pub hostname: String,
    /// The public half of the key that logs in: a line for `authorized_keys`.
    pub public_key: String,
}

impl Noun for SshTunnel {
    const WORD: &str = "ssh_tunnel";
    const PARAMETER: &str = "encryption_id";
    const LEVEL: Level = Level::Account;
    const FIELDS: &[(&str, FieldKind)] =
        &[("connection_id", FieldKind::Int), ("hostname", FieldKind::Text)];
    type Resource = Connections;

    fn references(&self) -> Vec<(&'static str, Reference)> {
        vec![("connection_id", Reference::Connection(self.connection_id))]
    }

    fn unique(&self) -> Option<(&'static str, String)> {
        Some(("connection_id", self.connection_id.to_string()))
    }

    /// A tunnel goes with its connection.
    fn goes_with(&self, gone: Reference) -> bool {
        gone == Reference::Connection(self.connection_id)
    }
}
