//! OAuth configurations: how users of an identity provider reach a warehouse.

use serde::{Deserialize, Serialize};

use crate::{
    Name,
    authz::kinds::OauthConfigurations,
    kept::{FieldKind, Level, Noun},
};

/// A client of an identity provider. Its secret is kept beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OauthConfiguration {
    /// Which provider: `entra`, `okta`, `ping`, …
    pub r#type: String,
    /// What people call it.
    pub name: Option<Name>,
    /// The client's id at the provider.
    pub client_id: Option<String>,
    /// Where users are sent.
    pub authorize_url: Option<String>,
    /// Where tokens are asked for.
    pub token_url: Option<String>,
    /// Where users come back to.
    pub redirect_uri: Option<String>,
    /// The application's URI, for Entra.
    pub application_id_uri: Option<String>,
}

impl Noun for OauthConfiguration {
    const WORD: &str = "oauth_configuration";
    const PARAMETER: &str = "oauth_configuration_id";
    const LEVEL: Level = Level::Account;
    const FIELDS: &[(&str, FieldKind)] =
        &[("name", FieldKind::Text), ("type", FieldKind::Text), ("client_id", FieldKind::Text)];
    type Resource = OauthConfigurations;
}
