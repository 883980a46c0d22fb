//! Repositories of projects.

use crate::{Store, StoreError};
use domain::{
    ProjectId, RepositoryId,
    authz::{Permit, Read, Repositories, Write},
    list::{ListQuery, Paged},
    repository::{Repository, RepositorySpec},
};

impl Store {
    /// Those that the permit reaches.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] (order or filter), [`StoreError::Unavailable`].
    pub async fn repositories(
        &self,
        _permit: &Permit<Read, Repositories>,
        _query: &ListQuery,
    ) -> Result<Paged<Repository>, StoreError> {
        todo!()
    }
    /// One of them.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Unavailable`].
    pub async fn repository(
        &self,
        _permit: &Permit<Read, Repositories>,
        _id: RepositoryId,
    ) -> Result<Repository, StoreError> {
        todo!()
    }
    /// Makes one.
    ///
    /// # Errors
    /// [`StoreError::Denied`], [`StoreError::Invalid`] (an id that names nothing in reach), [`StoreError::Conflict`], [`StoreError::CredentialChanged`], [`StoreError::Unavailable`].
    pub async fn create_repository(
        &self,
        _permit: &Permit<Write, Repositories>,
        _project: ProjectId,
        _spec: RepositorySpec,
    ) -> Result<Repository, StoreError> {
        todo!()
    }
    /// Changes it: `change` gets what it is and gives what it shall be, inside the transaction.
    ///
    /// # Errors
    /// As creating, [`StoreError::NotFound`], and whatever `change` gives.
    pub async fn update_repository<E: From<StoreError>>(
        &self,
        _permit: &Permit<Write, Repositories>,
        _id: RepositoryId,
        _change: impl FnOnce(RepositorySpec) -> Result<RepositorySpec, E> + Send,
    ) -> Result<Repository, E> {
        todo!()
    }
    /// Deletes it; its id is never given out again. Gives what it was.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Denied`], [`StoreError::Conflict`], [`StoreError::CredentialChanged`], [`StoreError::Unavailable`].
    pub async fn delete_repository(
        &self,
        _permit: &Permit<Write, Repositories>,
        _id: RepositoryId,
    ) -> Result<Repository, StoreError> {
        todo!()
    }
}
