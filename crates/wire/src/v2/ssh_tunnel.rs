//! SSH tunnels (documents: `ConnectionEncryptionResponse`, `ConnectionEncryptionRequest`).

use domain::{ConnectionId, kept::Kept, ssh_tunnel::SshTunnel as Spec};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Invalid, KeptBody, KeptFace, Patch, field, kept::of_account};

/// An SSH tunnel, as v2 has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SshTunnel {
    /// Its id.
    pub id: i64,
    /// The account that it belongs to.
    pub account_id: i64,
    /// The connection that it is for.
    pub connection_id: i64,
    /// Who logs in to the machine between.
    pub username: String,
    /// Its SSH port.
    pub port: u16,
    /// Its host name or address.
    pub hostname: String,
    /// The public half of the key that this server made: a line for `authorized_keys`.
    pub public_key: String,
    /// 1 active, 2 deleted.
    pub state: u8,
    /// When it was made.
    pub created_at: String,
    /// When it last changed.
    pub updated_at: String,
}

impl From<&Kept<Spec>> for SshTunnel {
    fn from(kept: &Kept<Spec>) -> Self {
        Self {
            id: kept.id.get(),
            account_id: kept.account.get(),
            connection_id: kept.spec.connection_id.get(),
            username: kept.spec.username.clone(),
            port: kept.spec.port,
            hostname: kept.spec.hostname.clone(),
            public_key: kept.spec.public_key.clone(),
            state: field::state_of(kept.deleted),
            created_at: kept.created_at.to_string(),
            updated_at: kept.updated_at.to_string(),
        }
    }
}

/// The body that makes or changes an SSH tunnel. Keys that are absent keep their value; other keys
/// are ignored, also a key pair: the server makes its own.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct SshTunnelBody {
    /// The account, if given: the path's.
    #[schema(value_type = Option<i64>)]
    pub account_id: Patch<i64>,
    /// A connection of the account that has no tunnel yet; required.
    #[schema(value_type = Option<i64>)]
    pub connection_id: Patch<i64>,
    /// Who logs in to the machine between; required.
    #[schema(value_type = Option<String>)]
    pub username: Patch<String>,
    /// Its SSH port; 22 unless given.
    #[schema(value_type = Option<i64>)]
    pub port: Patch<i64>,
    /// Its host name or address; required.
    #[schema(value_type = Option<String>)]
    pub hostname: Patch<String>,
    /// 1; or 2, which deletes it.
    #[schema(value_type = Option<i64>)]
    pub state: Patch<i64>,
}

impl KeptFace for Spec {
    type Told = SshTunnel;
    type Body = SshTunnelBody;
}

impl KeptBody for SshTunnelBody {
    type Noun = Spec;

    of_account! {}

    /// The key is the store's to make: it is empty where a tunnel is made.
    fn over(self, old: Option<Spec>) -> Result<Spec, Invalid> {
        let mut bad = Invalid::collector();
        let bad = &mut bad;
        field::state(bad, &self.state);
        let connection = field::id(bad, "connection_id", self.connection_id, ConnectionId::new);
        let username = field::read(bad, "username", self.username, word).value();
        let hostname = field::read(bad, "hostname", self.hostname, word).value();
        let port = field::read(bad, "port", self.port, |port| {
            u16::try_from(port)
                .ok()
                .filter(|port| *port > 0)
                .ok_or("must be a whole number from 1 to 65535")
        });
        let connection = connection.value().or(old.as_ref().map(|old| old.connection_id));
        let username = username.or_else(|| old.as_ref().map(|old| old.username.clone()));
        let hostname = hostname.or_else(|| old.as_ref().map(|old| old.hostname.clone()));
        for (field, missing) in [
            ("connection_id", connection.is_none()),
            ("username", username.is_none()),
            ("hostname", hostname.is_none()),
        ] {
            if missing {
                bad.note(field, "is required");
            }
        }
        std::mem::take(bad).finish()?;
        let port = port.or_keep(old.as_ref().map_or(22, |old| old.port));
        let public_key = old.map(|old| old.public_key).unwrap_or_default();
        match (connection, username, hostname) {
            (Some(connection_id), Some(username), Some(hostname)) => {
                Ok(Spec { connection_id, username, port, hostname, public_key })
            }
            _ => Err(Invalid::field("connection_id", "is required")),
        }
    }
}

/// One word that ssh cannot take for an option.
fn word(text: String) -> Result<String, &'static str> {
    let fine = (1..=255).contains(&text.len())
        && !text.starts_with('-')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "._-:".contains(c));
    if fine { Ok(text) } else { Err("must have 1 to 255 letters, digits, `.`, `_`, `-` and `:`") }
}
