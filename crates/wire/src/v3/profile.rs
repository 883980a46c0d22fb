//! Profiles (documents: `ProfileDetail`, `ProfileCreateBodyRequest`, `ProfileUpdateBodyRequest`).

use domain::{
    ConnectionId, CredentialId,
    environment::Environment,
    kept::{Id, Kept},
    profile::{Profile as Spec, ProfileKey},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::environment::words;
use crate::{Invalid, KeptBody, KeptFace, Patch, field, kept::of_project};

/// A profile, as v3 has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Profile {
    /// Its id.
    pub id: i64,
    /// The account that it belongs to.
    pub account_id: i64,
    /// The project that it belongs to.
    pub project_id: Option<i64>,
    /// What people call it.
    pub key: String,
    /// A connection of the account.
    pub connection_id: i64,
    /// A credential of the project.
    pub credentials_id: i64,
    /// Extended attributes of the project.
    pub extended_attributes_id: Option<i64>,
    /// The environments that connect by it.
    pub primary_bindings: Vec<ProfileBinding>,
    /// Always empty.
    pub catalog_bindings: Vec<ProfileBinding>,
    /// 1 active, 2 deleted.
    pub state: u8,
    /// When it was made.
    pub created_at: String,
    /// When it last changed.
    pub updated_at: String,
}

/// An environment that connects by a profile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProfileBinding {
    /// The environment.
    pub id: i64,
    /// What people call it.
    pub name: String,
    /// `development` or `deployment`.
    pub r#type: String,
    /// `production`, `staging` or null.
    pub deployment_type: Option<String>,
}

impl From<&Environment> for ProfileBinding {
    fn from(environment: &Environment) -> Self {
        let (word, deployment_type) = words(environment.spec.category);
        Self {
            id: environment.id.get(),
            name: environment.spec.name.to_string(),
            r#type: word.to_owned(),
            deployment_type: deployment_type.map(str::to_owned),
        }
    }
}

impl From<&Kept<Spec>> for Profile {
    fn from(kept: &Kept<Spec>) -> Self {
        Self {
            id: kept.id.get(),
            account_id: kept.account.get(),
            project_id: kept.project.map(Into::into),
            key: kept.spec.key.as_str().to_owned(),
            connection_id: kept.spec.connection_id.get(),
            credentials_id: kept.spec.credentials_id.get(),
            extended_attributes_id: kept.spec.extended_attributes_id.map(Id::get),
            primary_bindings: Vec::new(),
            catalog_bindings: Vec::new(),
            state: field::state_of(kept.deleted),
            created_at: kept.created_at.to_string(),
            updated_at: kept.updated_at.to_string(),
        }
    }
}

impl Profile {
    /// The same, with those of these environments that connect by it.
    #[must_use]
    pub fn bound(kept: &Kept<Spec>, environments: &[Environment]) -> Self {
        let ours = environments
            .iter()
            .filter(|environment| environment.spec.profile == Some(kept.id))
            .map(ProfileBinding::from);
        Self { primary_bindings: ours.collect(), ..Self::from(kept) }
    }
}

/// The body that makes or changes a profile. Keys that are absent keep their value; other keys are
/// ignored.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct ProfileBody {
    /// The account, if given: the path's.
    #[schema(value_type = Option<i64>)]
    pub account_id: Patch<i64>,
    /// The project, if given: the path's.
    #[schema(value_type = Option<i64>)]
    pub project_id: Patch<i64>,
    /// Letters, digits, `-` and `_`; once a project; required.
    #[schema(value_type = Option<String>)]
    pub key: Patch<String>,
    /// A connection of the account; required.
    #[schema(value_type = Option<i64>)]
    pub connection_id: Patch<i64>,
    /// A credential of the project; required.
    #[schema(value_type = Option<i64>)]
    pub credentials_id: Patch<i64>,
    /// Extended attributes of the project.
    #[schema(value_type = Option<i64>)]
    pub extended_attributes_id: Patch<i64>,
    /// 1; or 2, which deletes it.
    #[schema(value_type = Option<i64>)]
    pub state: Patch<i64>,
}

impl KeptFace for Spec {
    type Told = Profile;
    type Body = ProfileBody;
}

impl KeptBody for ProfileBody {
    type Noun = Spec;

    of_project! {}

    fn over(self, old: Option<Spec>) -> Result<Spec, Invalid> {
        let mut bad = Invalid::collector();
        let bad = &mut bad;
        field::state(bad, &self.state);
        let key = field::read(bad, "key", self.key, |text| ProfileKey::parse(&text)).value();
        let connection =
            field::id(bad, "connection_id", self.connection_id, ConnectionId::new).value();
        let credential =
            field::id(bad, "credentials_id", self.credentials_id, CredentialId::new).value();
        let attributes =
            field::id(bad, "extended_attributes_id", self.extended_attributes_id, Id::new);
        let key = key.or_else(|| old.as_ref().map(|old| old.key.clone()));
        let connection = connection.or_else(|| old.as_ref().map(|old| old.connection_id));
        let credential = credential.or_else(|| old.as_ref().map(|old| old.credentials_id));
        for (field, missing) in [
            ("key", key.is_none()),
            ("connection_id", connection.is_none()),
            ("credentials_id", credential.is_none()),
        ] {
            if missing {
                bad.note(field, "is required");
            }
        }
        std::mem::take(bad).finish()?;
        match (key, connection, credential) {
            (Some(key), Some(connection_id), Some(credentials_id)) => Ok(Spec {
                key,
                connection_id,
                credentials_id,
                extended_attributes_id: attributes
                    .over(old.and_then(|old| old.extended_attributes_id)),
            }),
            _ => Err(Invalid::field("key", "is required")),
        }
    }
}
