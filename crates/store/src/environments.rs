//! Environments.

use crate::{Store, StoreError};
use domain::{
    EnvironmentId, ProjectId,
    authz::{Environments, Permit, Read, Write},
    environment::{Environment, EnvironmentSpec},
    list::{ListQuery, Paged},
};

impl Store {
    /// Those that the permit reaches.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] (order or filter), [`StoreError::Unavailable`].
    pub async fn environments(
        &self,
        _permit: &Permit<Read, Environments>,
        _query: &ListQuery,
    ) -> Result<Paged<Environment>, StoreError> {
        todo!()
    }
    /// One of them.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Unavailable`].
    pub async fn environment(
        &self,
        _permit: &Permit<Read, Environments>,
        _id: EnvironmentId,
    ) -> Result<Environment, StoreError> {
        todo!()
    }
    /// Makes one.
    ///
    /// # Errors
    /// [`StoreError::Denied`], [`StoreError::Invalid`] (an id that names nothing in reach), [`StoreError::Conflict`], [`StoreError::CredentialChanged`], [`StoreError::Unavailable`].
    pub async fn create_environment(
        &self,
        _permit: &Permit<Write, Environments>,
        _project: ProjectId,
        _spec: EnvironmentSpec,
    ) -> Result<Environment, StoreError> {
        todo!()
    }
    /// Changes it: `change` gets what it is and gives what it shall be, inside the transaction.
    ///
    /// # Errors
    /// As creating, [`StoreError::NotFound`], and whatever `change` gives.
    pub async fn update_environment<E: From<StoreError>>(
        &self,
        _permit: &Permit<Write, Environments>,
        _id: EnvironmentId,
        _change: impl FnOnce(EnvironmentSpec) -> Result<EnvironmentSpec, E> + Send,
    ) -> Result<Environment, E> {
        todo!()
    }
    /// Deletes it; its id is never given out again. Gives what it was.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Denied`], [`StoreError::Conflict`], [`StoreError::CredentialChanged`], [`StoreError::Unavailable`].
    pub async fn delete_environment(
        &self,
        _permit: &Permit<Write, Environments>,
        _id: EnvironmentId,
    ) -> Result<Environment, StoreError> {
        todo!()
    }
}
