//! SSH tunnels of connections: kept as other nouns are (see [`crate::kept`]), with a key pair that
//! is made here.

use domain::{
    ConnectionId,
    authz::{Connections, Permit, Write},
    kept::{Hidden, Kept},
    ssh_tunnel::SshTunnel,
};
use sea_orm::{ColumnTrait as _, QueryFilter as _};

use crate::{Store, StoreError, entities::kept::Column, kept, rows::ACTIVE, ssh_key, tx::Tx};

impl Store {
    /// Makes one, with a key pair of its own.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] (no such connection, or it has one already),
    /// [`StoreError::CredentialChanged`], [`StoreError::Unavailable`].
    pub async fn create_ssh_tunnel(
        &self,
        permit: &Permit<Write, Connections>,
        spec: SshTunnel,
    ) -> Result<Kept<SshTunnel>, StoreError> {
        let key = ssh_key::generate(&format!("narrowgate-connection-{}", spec.connection_id))?;
        let spec = SshTunnel { public_key: key.public, ..spec };
        self.keep(permit, None, spec, Some(key.private)).await
    }
}

/// The tunnel that leads to a connection's data platform, and its private key.
pub(crate) async fn of_connection(
    store: &Store,
    tx: &Tx,
    id: ConnectionId,
) -> Result<Option<(SshTunnel, Hidden)>, StoreError> {
    let row = kept::of_account::<SshTunnel>(tx.account())
        .filter(Column::State.eq(ACTIVE))
        .filter(Column::Unique.eq(id.to_string()))
        .one(tx.db())
        .await
        .map_err(StoreError::db)?;
    let Some(row) = row else { return Ok(None) };
    let tunnel = row.into_domain::<SshTunnel>()?;
    let key = kept::secret_of(store, tx.db(), tunnel.id).await?;
    Ok(Some((tunnel.spec, key.ok_or(StoreError::NotFound)?)))
}
