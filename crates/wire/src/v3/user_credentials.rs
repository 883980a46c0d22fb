//! Users' own credentials (documents: `UserCredentialsResponse`, `UserCredentialsRequest`).

use domain::{
    CredentialId, InvalidId, ProjectId, UserId, kept::Kept,
    user_credentials::UserCredentials as Spec,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Credential, Project};
use crate::{Invalid, Patch, field, invalid::Collector};

/// Which credential a user develops with in a project.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct UserCredentials {
    /// Their id.
    pub id: i64,
    /// The account that they belong to.
    pub account_id: i64,
    /// Whose they are.
    pub user_id: i64,
    /// The project that they are for.
    pub project_id: Option<i64>,
    /// The credential of the project.
    pub credentials_id: i64,
    /// 1 active, 2 deleted.
    pub state: u8,
    /// When they were made.
    pub created_at: String,
    /// When they last changed.
    pub updated_at: String,
    /// The credential, if it was asked for (`include_related=credentials`) and may be read.
    pub credentials: Option<Credential>,
    /// The project, if it was asked for (`include_related=project`) and may be read.
    pub project: Option<Project>,
}

impl From<&Kept<Spec>> for UserCredentials {
    fn from(kept: &Kept<Spec>) -> Self {
        Self {
            id: kept.id.get(),
            account_id: kept.account.get(),
            user_id: kept.spec.user_id.get(),
            project_id: kept.project.map(Into::into),
            credentials_id: kept.spec.credentials_id.get(),
            state: field::state_of(kept.deleted),
            created_at: kept.created_at.to_string(),
            updated_at: kept.updated_at.to_string(),
            credentials: None,
            project: None,
        }
    }
}

/// The body that makes or changes a user's own credentials. Keys that are absent keep their value;
/// other keys are ignored.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct UserCredentialsBody {
    /// The account, if given: the token's.
    #[schema(value_type = Option<i64>)]
    pub account_id: Patch<i64>,
    /// The user, if given: the path's.
    #[schema(value_type = Option<i64>)]
    pub user_id: Patch<i64>,
    /// A project that the user may develop in; required, and never changed.
    #[schema(value_type = Option<i64>)]
    pub project_id: Patch<i64>,
    /// A credential of the project; required.
    #[schema(value_type = Option<i64>)]
    pub credentials_id: Patch<i64>,
    /// 1; or 2, which deletes them. The credential itself stays.
    #[schema(value_type = Option<i64>)]
    pub state: Patch<i64>,
}

impl UserCredentialsBody {
    /// Whether the body deletes them.
    #[must_use]
    pub const fn deletes(&self) -> bool {
        field::deletes(&self.state)
    }

    /// The project and the credential that it names.
    ///
    /// # Errors
    /// [`Invalid`] names every wrong field.
    pub fn create(self, user: UserId) -> Result<(ProjectId, Spec), Invalid> {
        let mut bad = Invalid::collector();
        field::state(&mut bad, &self.state);
        let project = required(&mut bad, "project_id", self.project_id, ProjectId::new);
        let credential =
            required(&mut bad, "credentials_id", self.credentials_id, CredentialId::new);
        bad.finish()?;
        match (project, credential) {
            (Some(project), Some(credentials_id)) => {
                Ok((project, Spec { user_id: user, credentials_id }))
            }
            (None, _) => Err(Invalid::field("project_id", "is required")),
            (_, None) => Err(Invalid::field("credentials_id", "is required")),
        }
    }

    /// The credential that it names for those of a project, if any: absent keeps the old one.
    ///
    /// # Errors
    /// [`Invalid`] names every wrong field.
    pub fn change(self, of: Option<ProjectId>) -> Result<Option<CredentialId>, Invalid> {
        let mut bad = Invalid::collector();
        field::state(&mut bad, &self.state);
        let project = field::id(&mut bad, "project_id", self.project_id, ProjectId::new);
        if project.value().is_some_and(|project| Some(project) != of) {
            bad.note("project_id", "cannot be changed: make other credentials for it");
        }
        let credential =
            field::id(&mut bad, "credentials_id", self.credentials_id, CredentialId::new);
        bad.finish()?;
        Ok(credential.value())
    }
}

fn required<I>(
    bad: &mut Collector,
    field: &str,
    given: Patch<i64>,
    new: impl FnOnce(i64) -> Result<I, InvalidId>,
) -> Option<I> {
    let given = field::id(bad, field, given, new).value();
    if given.is_none() {
        bad.note(field, "is required");
    }
    given
}
