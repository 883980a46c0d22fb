//! Personal tokens (documents: `AccountScopedPATResponse`, `CreateAccountScopedPAT`).

use domain::{Name, secret::TokenSecret};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Invalid;

/// A personal token, without its secret.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PersonalToken {
    /// Its id.
    pub id: i64,
    /// The account that it opens.
    pub account_id: i64,
    /// Whose it is.
    pub user_id: i64,
    /// Its id as text.
    pub uid: String,
    /// What its user calls it.
    pub name: String,
    /// 1 active, 2 deleted.
    pub state: u8,
    /// When it last authorised a request, to within ten seconds.
    pub last_used: Option<String>,
    /// When it ends by itself; null is never.
    pub expires_at: Option<String>,
    /// Always empty: its rights are its user's.
    pub service_token_permissions: Vec<String>,
    /// When it was made.
    pub created_at: String,
    /// When it last changed.
    pub updated_at: String,
}

/// A personal token with its secret: what making and rotating one answer, and nothing else.
#[derive(Serialize, ToSchema)]
pub struct PersonalTokenWithSecret {
    /// The token.
    #[serde(flatten)]
    pub token: PersonalToken,
    /// The secret. It is shown here, once.
    pub token_string: String,
}

impl From<&domain::personal_token::PersonalToken> for PersonalToken {
    fn from(token: &domain::personal_token::PersonalToken) -> Self {
        Self {
            id: token.id.get(),
            account_id: token.account.get(),
            user_id: token.user.get(),
            uid: token.uid.clone(),
            name: token.name.to_string(),
            state: if token.revoked_at.is_some() { 2 } else { 1 },
            last_used: token.last_used.map(|time| time.to_string()),
            expires_at: token.expires_at.map(|time| time.to_string()),
            service_token_permissions: Vec::new(),
            created_at: token.created_at.to_string(),
            updated_at: token.updated_at.to_string(),
        }
    }
}

impl PersonalTokenWithSecret {
    /// The one answer that carries the secret.
    #[must_use]
    pub fn new(token: &domain::personal_token::PersonalToken, secret: &TokenSecret) -> Self {
        Self { token: token.into(), token_string: secret.reveal().to_owned() }
    }
}

/// The body that makes a personal token. Other keys are ignored.
#[derive(Debug, Deserialize, ToSchema)]
pub struct NewPersonalToken {
    /// 1 to 255 characters.
    #[serde(default)]
    pub name: Option<String>,
}

impl NewPersonalToken {
    /// The name.
    ///
    /// # Errors
    /// [`Invalid`] names `name`.
    pub fn name(self) -> Result<Name, Invalid> {
        let name = self.name.ok_or_else(|| Invalid::field("name", "is required"))?;
        Name::parse(name).map_err(|error| Invalid::field("name", error))
    }
}
