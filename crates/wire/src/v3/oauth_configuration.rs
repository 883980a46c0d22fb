//! OAuth configurations (documents: `OAuthConfigurationResponse`, `OAuthConfigurationRequest`).

use domain::{
    Name,
    kept::{Hidden, Kept},
    oauth_configuration::OauthConfiguration as Spec,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Invalid, KeptBody, KeptFace, Patch, field, invalid::Collector, kept::of_account};

/// An OAuth configuration, without its secret, which no answer ever carries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OauthConfiguration {
    /// Its id.
    pub id: i64,
    /// The account that it belongs to.
    pub account_id: i64,
    /// Which provider: `entra`, `okta`, …
    pub r#type: String,
    /// What people call it.
    pub name: Option<String>,
    /// The client's id at the provider.
    pub client_id: Option<String>,
    /// Where users are sent.
    pub authorize_url: Option<String>,
    /// Where tokens are asked for.
    pub token_url: Option<String>,
    /// Where users come back to.
    pub redirect_uri: Option<String>,
    /// What the provider wants besides.
    pub extra_data: Option<OauthExtraData>,
    /// 1 active, 2 deleted.
    pub state: u8,
    /// When it was made.
    pub created_at: String,
    /// When it last changed.
    pub updated_at: String,
}

/// What Entra wants besides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OauthExtraData {
    /// The application's URI.
    pub application_id_uri: String,
}

impl From<&Kept<Spec>> for OauthConfiguration {
    fn from(kept: &Kept<Spec>) -> Self {
        let spec = kept.spec.clone();
        let extra = |application_id_uri| OauthExtraData { application_id_uri };
        Self {
            id: kept.id.get(),
            account_id: kept.account.get(),
            r#type: spec.r#type,
            name: spec.name.map(Into::into),
            client_id: spec.client_id,
            authorize_url: spec.authorize_url,
            token_url: spec.token_url,
            redirect_uri: spec.redirect_uri,
            extra_data: spec.application_id_uri.map(extra),
            state: field::state_of(kept.deleted),
            created_at: kept.created_at.to_string(),
            updated_at: kept.updated_at.to_string(),
        }
    }
}

/// The body that makes or changes an OAuth configuration. Keys that are absent keep their value;
/// other keys are ignored.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct OauthConfigurationBody {
    /// The account, if given: the path's.
    #[schema(value_type = Option<i64>)]
    pub account_id: Patch<i64>,
    /// Which provider: `entra`, `okta`, …; required.
    #[schema(value_type = Option<String>)]
    pub r#type: Patch<String>,
    /// 1 to 255 characters.
    #[schema(value_type = Option<String>)]
    pub name: Patch<String>,
    /// At most 1,024 characters.
    #[schema(value_type = Option<String>)]
    pub client_id: Patch<String>,
    /// At most 4,096 characters; kept sealed, and never told.
    #[schema(value_type = Option<String>, write_only)]
    pub client_secret: Patch<String>,
    /// An http or https URL.
    #[schema(value_type = Option<String>)]
    pub authorize_url: Patch<String>,
    /// An http or https URL.
    #[schema(value_type = Option<String>)]
    pub token_url: Patch<String>,
    /// An http or https URL.
    #[schema(value_type = Option<String>)]
    pub redirect_uri: Patch<String>,
    /// What Entra wants besides.
    #[schema(value_type = Option<OauthExtraData>)]
    pub extra_data: Patch<OauthExtraData>,
    /// 1; or 2, which deletes it.
    #[schema(value_type = Option<i64>)]
    pub state: Patch<i64>,
}

impl KeptFace for Spec {
    type Told = OauthConfiguration;
    type Body = OauthConfigurationBody;
}

impl KeptBody for OauthConfigurationBody {
    type Noun = Spec;

    of_account! {}

    fn secret(&self) -> Option<Hidden> {
        self.client_secret.clone().value().filter(|secret| !secret.is_empty()).map(Hidden::new)
    }

    fn over(self, old: Option<Spec>) -> Result<Spec, Invalid> {
        let mut bad = Invalid::collector();
        field::state(&mut bad, &self.state);
        let kind = field::read(&mut bad, "type", self.r#type, |text| field::line(text, 64));
        let kind = kind.value().or_else(|| old.as_ref().map(|old| old.r#type.clone()));
        let name = field::or_null(self.name);
        let name = field::read(&mut bad, "name", name, Name::parse);
        let client = field::or_null(self.client_id);
        let client = field::read(&mut bad, "client_id", client, |text| field::line(text, 1_024));
        if let Patch::Value(secret) = &self.client_secret
            && secret.chars().count() > 4_096
        {
            bad.note("client_secret", "must have at most 4096 characters");
        }
        let authorize = url(&mut bad, "authorize_url", self.authorize_url);
        let token = url(&mut bad, "token_url", self.token_url);
        let redirect = url(&mut bad, "redirect_uri", self.redirect_uri);
        let extra =
            field::read(&mut bad, "extra_data.application_id_uri", self.extra_data, |data| {
                field::line(data.application_id_uri, 1_024)
            });
        if kind.is_none() {
            bad.note("type", "is required");
        }
        bad.finish()?;
        let of =
            |part: fn(&Spec) -> &Option<String>| old.as_ref().and_then(|old| part(old).clone());
        Ok(Spec {
            r#type: kind.ok_or_else(|| Invalid::field("type", "is required"))?,
            name: name.over(old.as_ref().and_then(|old| old.name.clone())),
            client_id: client.over(of(|old| &old.client_id)),
            authorize_url: authorize.over(of(|old| &old.authorize_url)),
            token_url: token.over(of(|old| &old.token_url)),
            redirect_uri: redirect.over(of(|old| &old.redirect_uri)),
            application_id_uri: extra.over(of(|old| &old.application_id_uri)),
        })
    }
}

/// An http or https URL without a password in it.
fn url(bad: &mut Collector, name: &str, given: Patch<String>) -> Patch<String> {
    field::read(bad, name, field::or_null(given), |text| {
        let fits = |url: &url::Url| {
            matches!(url.scheme(), "http" | "https")
                && url.username().is_empty()
                && url.password().is_none()
        };
        let short = text.len() <= 2_048 && !text.chars().any(char::is_control);
        let url = url::Url::parse(&text).ok().filter(|url| short && fits(url));
        url.map(|_| text).ok_or("must be an http or https URL of at most 2048 characters")
    })
}
