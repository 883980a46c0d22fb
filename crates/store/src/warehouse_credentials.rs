//! Warehouse credentials; the secret is sealed and never read back but by the runner.

use crate::{Store, StoreError};
use domain::{
    CredentialId, ProjectId,
    authz::{EnvironmentCredentials, Permit, Read, Write},
    list::{ListQuery, Paged},
    warehouse_credential::{CredentialSpec, WarehouseCredential, WarehouseSecret},
};

impl Store {
    /// Those that the permit reaches.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] (order or filter), [`StoreError::Unavailable`].
    pub async fn warehouse_credentials(
        &self,
        _permit: &Permit<Read, EnvironmentCredentials>,
        _query: &ListQuery,
    ) -> Result<Paged<WarehouseCredential>, StoreError> {
        todo!()
    }
    /// One of them.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Unavailable`].
    pub async fn warehouse_credential(
        &self,
        _permit: &Permit<Read, EnvironmentCredentials>,
        _id: CredentialId,
    ) -> Result<WarehouseCredential, StoreError> {
        todo!()
    }
    /// Makes one.
    ///
    /// # Errors
    /// [`StoreError::Denied`], [`StoreError::Invalid`] (an id that names nothing in reach), [`StoreError::Conflict`], [`StoreError::CredentialChanged`], [`StoreError::Unavailable`].
    pub async fn create_warehouse_credential(
        &self,
        _permit: &Permit<Write, EnvironmentCredentials>,
        _project: ProjectId,
        _secret: Option<WarehouseSecret>,
        _spec: CredentialSpec,
    ) -> Result<WarehouseCredential, StoreError> {
        todo!()
    }
    /// Changes it (`secret`: `None` keeps the old one): `change` gets what it is and gives what it shall be, inside the transaction.
    ///
    /// # Errors
    /// As creating, [`StoreError::NotFound`], and whatever `change` gives.
    pub async fn update_warehouse_credential<E: From<StoreError>>(
        &self,
        _permit: &Permit<Write, EnvironmentCredentials>,
        _id: CredentialId,
        _secret: Option<WarehouseSecret>,
        _change: impl FnOnce(CredentialSpec) -> Result<CredentialSpec, E> + Send,
    ) -> Result<WarehouseCredential, E> {
        todo!()
    }
    /// Deletes it; its id is never given out again. Gives what it was.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Denied`], [`StoreError::Conflict`], [`StoreError::CredentialChanged`], [`StoreError::Unavailable`].
    pub async fn delete_warehouse_credential(
        &self,
        _permit: &Permit<Write, EnvironmentCredentials>,
        _id: CredentialId,
    ) -> Result<WarehouseCredential, StoreError> {
        todo!()
    }
}
