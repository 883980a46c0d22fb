//! Environments: where a project's jobs run.

use serde::{Deserialize, Serialize};

use crate::{
    AccountId, ConnectionId, CredentialId, EnvironmentId, Name, ProjectId, Timestamp,
    authz::{Category, Place},
    extended_attributes::ExtendedAttributes,
    kept::Id,
    profile::Profile,
};

/// An environment of a project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// Its id.
    pub id: EnvironmentId,
    /// The account that it belongs to.
    pub account: AccountId,
    /// The project that it belongs to.
    pub project: ProjectId,
    /// What can be edited.
    pub spec: EnvironmentSpec,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// What of an environment can be edited.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnvironmentSpec {
    /// What people call it.
    pub name: Name,
    /// What it is for: decides which writable environment categories reach its jobs and runs.
    pub category: Category,
    /// The dbt version, as asked for; `latest` unless given.
    pub dbt_version: String,
    /// The connection that its jobs use; `None` takes the project's.
    pub connection: Option<ConnectionId>,
    /// The credential that its jobs use.
    pub credential: Option<CredentialId>,
    /// Keys that go into `profiles.yml` over connection and credential.
    #[serde(default)]
    pub extended_attributes: Option<Id<ExtendedAttributes>>,
    /// The profile that its jobs connect by; it takes the place of connection, credential and
    /// extended attributes.
    #[serde(default)]
    pub profile: Option<Id<Profile>>,
    /// Whether [`EnvironmentSpec::custom_branch`] counts.
    pub use_custom_branch: bool,
    /// The branch to check out in place of the repository's default.
    pub custom_branch: Option<BranchName>,
    /// Kept and echoed.
    pub supports_docs: bool,
    /// Kept and echoed.
    pub enable_model_query_history: bool,
}

impl Environment {
    /// Where it is.
    #[must_use]
    pub const fn place(&self) -> Place {
        Place::environment(self.project, self.id, self.spec.category)
    }
}

impl EnvironmentSpec {
    /// A general deployment environment that has a name and defaults.
    #[must_use]
    pub fn named(name: Name) -> Self {
        Self {
            name,
            category: Category::Other,
            dbt_version: "latest".to_owned(),
            connection: None,
            credential: None,
            extended_attributes: None,
            profile: None,
            use_custom_branch: false,
            custom_branch: None,
            supports_docs: false,
            enable_model_query_history: false,
        }
    }

    /// The branch to check out; `None` is the repository's default.
    #[must_use]
    pub fn branch(&self) -> Option<&BranchName> {
        self.custom_branch.as_ref().filter(|_| self.use_custom_branch)
    }
}

/// The name of a git branch, or a commit: 1 to 255 characters that git cannot take for an option.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BranchName(String);

/// The text is no branch or commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be the name of a branch or a commit")]
pub struct InvalidBranchName;

impl BranchName {
    /// Checks a name by the rules of `git check-ref-format` that matter to us.
    ///
    /// # Errors
    /// [`InvalidBranchName`] if git would not take it, or take it for something else.
    pub fn parse(text: &str) -> Result<Self, InvalidBranchName> {
        let fine = !text.is_empty()
            && text.len() <= 255
            && !text.starts_with(['-', '/', '.'])
            && !text.ends_with(['/', '.'])
            && !text.contains("..")
            && !text.contains("//")
            && !text.contains("@{")
            && !text.chars().any(|c| c.is_control() || " ~^:?*[\\".contains(c));
        fine.then(|| Self(text.to_owned())).ok_or(InvalidBranchName)
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for BranchName {
    type Error = InvalidBranchName;
    fn try_from(text: String) -> Result<Self, InvalidBranchName> {
        Self::parse(&text)
    }
}

impl From<BranchName> for String {
    fn from(name: BranchName) -> Self {
        name.0
    }
}
