//! Projects. Deleting one deletes what belongs to it, and the grants on it.

use crate::{Store, StoreError};
use domain::{
    ProjectId,
    authz::{Permit, ProjectCreate, Projects, Read, Write},
    list::{ListQuery, Paged},
    project::{Project, ProjectSpec},
};

impl Store {
    /// Those that the permit reaches.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] (order or filter), [`StoreError::Unavailable`].
    pub async fn projects(
        &self,
        _permit: &Permit<Read, Projects>,
        _query: &ListQuery,
    ) -> Result<Paged<Project>, StoreError> {
        todo!()
    }
    /// One of them.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Unavailable`].
    pub async fn project(
        &self,
        _permit: &Permit<Read, Projects>,
        _id: ProjectId,
    ) -> Result<Project, StoreError> {
        todo!()
    }
    /// Makes one.
    ///
    /// # Errors
    /// [`StoreError::Denied`], [`StoreError::Invalid`] (an id that names nothing in reach), [`StoreError::Conflict`], [`StoreError::CredentialChanged`], [`StoreError::Unavailable`].
    pub async fn create_project(
        &self,
        _permit: &Permit<Write, ProjectCreate>,
        _spec: ProjectSpec,
    ) -> Result<Project, StoreError> {
        todo!()
    }
    /// Changes it: `change` gets what it is and gives what it shall be, inside the transaction.
    ///
    /// # Errors
    /// As creating, [`StoreError::NotFound`], and whatever `change` gives.
    pub async fn update_project<E: From<StoreError>>(
        &self,
        _permit: &Permit<Write, Projects>,
        _id: ProjectId,
        _change: impl FnOnce(ProjectSpec) -> Result<ProjectSpec, E> + Send,
    ) -> Result<Project, E> {
        todo!()
    }
    /// Deletes it; its id is never given out again. Gives what it was.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Denied`], [`StoreError::Conflict`], [`StoreError::CredentialChanged`], [`StoreError::Unavailable`].
    pub async fn delete_project(
        &self,
        _permit: &Permit<Write, Projects>,
        _id: ProjectId,
    ) -> Result<Project, StoreError> {
        todo!()
    }
}
