//! Projects: a dbt project and what belongs to it.

use serde::{Deserialize, Serialize};

use crate::{AccountId, ConnectionId, JobId, Name, ProjectId, RepositoryId, Timestamp};

/// A project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    /// Its id; never given out again once the project is deleted.
    pub id: ProjectId,
    /// The account that it belongs to.
    pub account: AccountId,
    /// What can be edited.
    pub spec: ProjectSpec,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// What of a project can be edited.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProjectSpec {
    /// What people call it.
    pub name: Name,
    /// What it is for; may be empty.
    pub description: String,
    /// Where `dbt_project.yml` stands in the repository; `None` is its root.
    pub subdirectory: Option<Subdirectory>,
    /// The connection that its environments use unless they name another.
    pub connection: Option<ConnectionId>,
    /// Where its code is.
    pub repository: Option<RepositoryId>,
    /// The wire's `type`: 0 default, 1 hybrid.
    pub kind: u8,
    /// The job whose docs are shown.
    pub docs_job: Option<JobId>,
    /// The job whose source freshness is shown.
    pub freshness_job: Option<JobId>,
}

impl ProjectSpec {
    /// A project that has a name and defaults.
    #[must_use]
    pub const fn named(name: Name) -> Self {
        Self {
            name,
            description: String::new(),
            subdirectory: None,
            connection: None,
            repository: None,
            kind: 0,
            docs_job: None,
            freshness_job: None,
        }
    }
}

/// A folder inside a repository: relative, without `..`, at most 255 characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Subdirectory(String);

/// The text is no folder inside a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a folder inside the repository: relative, without `..`, at most 255 characters")]
pub struct InvalidSubdirectory;

impl Subdirectory {
    /// Checks a path; slashes at its ends are dropped.
    ///
    /// # Errors
    /// [`InvalidSubdirectory`] if it leads out of the repository.
    pub fn parse(text: &str) -> Result<Self, InvalidSubdirectory> {
        let path = text.trim_matches('/');
        let inside = !text.starts_with('/')
            && !path.is_empty()
            && path.chars().count() <= 255
            && path.split('/').all(|part| !part.is_empty() && part != "." && part != "..")
            && !path.chars().any(|c| c.is_control() || c == '\\');
        inside.then(|| Self(path.to_owned())).ok_or(InvalidSubdirectory)
    }

    /// The path as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Subdirectory {
    type Error = InvalidSubdirectory;
    fn try_from(text: String) -> Result<Self, InvalidSubdirectory> {
        Self::parse(&text)
    }
}

impl From<Subdirectory> for String {
    fn from(path: Subdirectory) -> Self {
        path.0
    }
}
