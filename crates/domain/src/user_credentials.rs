//! Users' own credentials: which credential of a project a user develops with. A run of a job never
//! asks for them.

use serde::{Deserialize, Serialize};

use crate::{
    CredentialId, UserId,
    authz::OwnTokens,
    kept::{FieldKind, Level, Noun, Reference},
};

/// Which credential a user develops with in a project. The project is that of the kept row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserCredentials {
    /// Whose it is: nobody else reads or writes it.
    pub user_id: UserId,
    /// A credential of the project.
    pub credentials_id: CredentialId,
}

impl Noun for UserCredentials {
    const WORD: &str = "user_credentials";
    const PARAMETER: &str = "user_credential_id";
    const LEVEL: Level = Level::Account;
    const FIELDS: &[(&str, FieldKind)] =
        &[("user_id", FieldKind::Int), ("credentials_id", FieldKind::Int)];
    type Resource = OwnTokens;

    fn references(&self) -> Vec<(&'static str, Reference)> {
        vec![
            ("user_id", Reference::User(self.user_id)),
            ("credentials_id", Reference::Credential(self.credentials_id)),
        ]
    }

    /// One a user and project.
    fn unique(&self) -> Option<(&'static str, String)> {
        Some(("project_id", self.user_id.to_string()))
    }

    /// Without its user or its credential it is nothing.
    fn goes_with(&self, gone: Reference) -> bool {
        [Reference::User(self.user_id), Reference::Credential(self.credentials_id)].contains(&gone)
    }
}
