//! Connections of the account.

use crate::{Store, StoreError};
use domain::{
    ConnectionId,
    authz::{Connections, Permit, Read, Write},
    connection::{Connection, ConnectionSpec},
    list::{ListQuery, Paged},
};

impl Store {
    /// Those that the permit reaches.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] (order or filter), [`StoreError::Unavailable`].
    pub async fn connections(
        &self,
        _permit: &Permit<Read, Connections>,
        _query: &ListQuery,
    ) -> Result<Paged<Connection>, StoreError> {
        todo!()
    }
    /// One of them.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Unavailable`].
    pub async fn connection(
        &self,
        _permit: &Permit<Read, Connections>,
        _id: ConnectionId,
    ) -> Result<Connection, StoreError> {
        todo!()
    }
    /// Makes one.
    ///
    /// # Errors
    /// [`StoreError::Denied`], [`StoreError::Invalid`] (an id that names nothing in reach), [`StoreError::Conflict`], [`StoreError::CredentialChanged`], [`StoreError::Unavailable`].
    pub async fn create_connection(
        &self,
        _permit: &Permit<Write, Connections>,
        _spec: ConnectionSpec,
    ) -> Result<Connection, StoreError> {
        todo!()
    }
    /// Changes it: `change` gets what it is and gives what it shall be, inside the transaction.
    ///
    /// # Errors
    /// As creating, [`StoreError::NotFound`], and whatever `change` gives.
    pub async fn update_connection<E: From<StoreError>>(
        &self,
        _permit: &Permit<Write, Connections>,
        _id: ConnectionId,
        _change: impl FnOnce(ConnectionSpec) -> Result<ConnectionSpec, E> + Send,
    ) -> Result<Connection, E> {
        todo!()
    }
    /// Deletes it; its id is never given out again. Gives what it was.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Denied`], [`StoreError::Conflict`], [`StoreError::CredentialChanged`], [`StoreError::Unavailable`].
    pub async fn delete_connection(
        &self,
        _permit: &Permit<Write, Connections>,
        _id: ConnectionId,
    ) -> Result<Connection, StoreError> {
        todo!()
    }
}
