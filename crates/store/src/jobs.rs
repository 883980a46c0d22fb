//! Jobs. What they may be written in depends on the category of their environment; a move needs both.

use crate::{Store, StoreError};
use domain::{
    JobId,
    authz::{Jobs, Permit, Read, Write},
    job::{Job, JobSpec},
    list::{ListQuery, Paged},
};

impl Store {
    /// Those that the permit reaches.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] (order or filter), [`StoreError::Unavailable`].
    pub async fn jobs(
        &self,
        _permit: &Permit<Read, Jobs>,
        _query: &ListQuery,
    ) -> Result<Paged<Job>, StoreError> {
        todo!()
    }
    /// One of them.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Unavailable`].
    pub async fn job(&self, _permit: &Permit<Read, Jobs>, _id: JobId) -> Result<Job, StoreError> {
        todo!()
    }
    /// Makes one.
    ///
    /// # Errors
    /// [`StoreError::Denied`], [`StoreError::Invalid`] (an id that names nothing in reach), [`StoreError::Conflict`], [`StoreError::CredentialChanged`], [`StoreError::Unavailable`].
    pub async fn create_job(
        &self,
        _permit: &Permit<Write, Jobs>,
        _spec: JobSpec,
    ) -> Result<Job, StoreError> {
        todo!()
    }
    /// Changes it: `change` gets what it is and gives what it shall be, inside the transaction.
    ///
    /// # Errors
    /// As creating, [`StoreError::NotFound`], and whatever `change` gives.
    pub async fn update_job<E: From<StoreError>>(
        &self,
        _permit: &Permit<Write, Jobs>,
        _id: JobId,
        _change: impl FnOnce(JobSpec) -> Result<JobSpec, E> + Send,
    ) -> Result<Job, E> {
        todo!()
    }
    /// Deletes it; its id is never given out again. Gives what it was.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Denied`], [`StoreError::Conflict`], [`StoreError::CredentialChanged`], [`StoreError::Unavailable`].
    pub async fn delete_job(
        &self,
        _permit: &Permit<Write, Jobs>,
        _id: JobId,
    ) -> Result<Job, StoreError> {
        todo!()
    }
}
