//! Profiles: a connection, a credential and extended attributes under one key, for environments to
//! name together.

use serde::{Deserialize, Serialize};

use crate::{
    ConnectionId, CredentialId,
    authz::DataPlatformConfigs,
    extended_attributes::ExtendedAttributes,
    kept::{FieldKind, Id, Level, Noun, Reference},
};

/// A profile of a project. An environment that names it connects with what it names, whatever the
/// environment itself says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// What people call it; once a project.
    pub key: ProfileKey,
    /// A connection of the account.
    pub connection_id: ConnectionId,
    /// A credential of the project.
    pub credentials_id: CredentialId,
    /// Extended attributes of the project.
    pub extended_attributes_id: Option<Id<ExtendedAttributes>>,
}

impl Noun for Profile {
    const WORD: &str = "profile";
    const PARAMETER: &str = "profile_id";
    const LEVEL: Level = Level::Project;
    const FIELDS: &[(&str, FieldKind)] = &[
        ("key", FieldKind::Text),
        ("connection_id", FieldKind::Int),
        ("credentials_id", FieldKind::Int),
    ];
    type Resource = DataPlatformConfigs;

    fn references(&self) -> Vec<(&'static str, Reference)> {
        let attributes = self.extended_attributes_id.map(|id| {
            ("extended_attributes_id", Reference::Kept(ExtendedAttributes::WORD, id.get()))
        });
        [
            ("connection_id", Reference::Connection(self.connection_id)),
            ("credentials_id", Reference::Credential(self.credentials_id)),
        ]
        .into_iter()
        .chain(attributes)
        .collect()
    }

    fn unique(&self) -> Option<(&'static str, String)> {
        Some(("key", self.key.as_str().to_owned()))
    }
}

/// The key of a profile: 1 to 255 letters, digits, `-` and `_`; a letter first, a letter or digit
/// last, and no two dashes or underscores together (document: `ProfileDetail`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ProfileKey(String);

/// The text is no key of a profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "must have 1 to 255 letters, digits, `-` and `_`, a letter first, a letter or digit last, and no two dashes or underscores together"
)]
pub struct InvalidProfileKey;

impl ProfileKey {
    /// Checks a key.
    ///
    /// # Errors
    /// [`InvalidProfileKey`]
    pub fn parse(text: &str) -> Result<Self, InvalidProfileKey> {
        let fine = text.len() <= 255
            && text.starts_with(|c: char| c.is_ascii_alphabetic())
            && text.ends_with(|c: char| c.is_ascii_alphanumeric())
            && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
            && !["--", "__", "-_", "_-"].iter().any(|pair| text.contains(pair));
        if fine { Ok(Self(text.to_owned())) } else { Err(InvalidProfileKey) }
    }

    /// The key as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ProfileKey {
    type Error = InvalidProfileKey;
    fn try_from(text: String) -> Result<Self, InvalidProfileKey> {
        Self::parse(&text)
    }
}

impl From<ProfileKey> for String {
    fn from(key: ProfileKey) -> Self {
        key.0
    }
}
