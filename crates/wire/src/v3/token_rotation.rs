//! Another secret for a service token, and who still sends the old one: documented additions.

use domain::{
    ServiceTokenId, Timestamp,
    secret::TokenSecret,
    token_credential::{OldUse, TokenCredential as Credential},
    token_rotation::Rotation,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::ServiceToken;
use crate::{Invalid, Patch, field};

/// The body that rotates a token; an empty one is enough. Other keys are ignored.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct RotationBody {
    /// How many minutes the old secret works beside the new one at most; 0 after a leak. A day unless
    /// it is said, or what the account's policy allows if that is less.
    #[schema(value_type = Option<u32>)]
    pub overlap_minutes: Patch<u32>,
    /// How many minutes the old secret works after the new one's first use, if that ends it earlier:
    /// 1 to 43200.
    #[schema(value_type = Option<u32>)]
    pub minutes_after_first_use: Patch<u32>,
}

impl RotationBody {
    /// How the secret is replaced.
    ///
    /// # Errors
    /// [`Invalid`] names `minutes_after_first_use`.
    pub fn read(self) -> Result<Rotation, Invalid> {
        const MOST: u32 = domain::token_policy::TokenPolicy::MOST_OVERLAP;
        let mut bad = Invalid::collector();
        let after = self.minutes_after_first_use;
        let after = field::read(&mut bad, "minutes_after_first_use", after, |minutes| {
            let fits = (1..=MOST).contains(&minutes);
            if fits { Ok(minutes) } else { Err(format!("must be from 1 to {MOST}")) }
        });
        bad.finish()?;
        Ok(Rotation {
            overlap_minutes: self.overlap_minutes.value(),
            minutes_after_first_use: after.value(),
        })
    }
}

/// A service token with another secret: the only answer that carries it.
#[derive(Serialize, ToSchema)]
pub struct RotatedToken {
    /// The token.
    #[serde(flatten)]
    pub token: ServiceToken,
    /// The new secret. It is shown here, once.
    pub token_string: String,
    /// When the old secret ends; null if there is none.
    pub old_secret_ends_at: Option<String>,
}

impl RotatedToken {
    /// The one answer that carries the new secret.
    #[must_use]
    pub fn new(token: &domain::service_token::ServiceToken, secret: &TokenSecret) -> Self {
        let old = token.credentials.iter().rev().nth(1);
        let ends_at = old.and_then(|old| old.life.ends_at());
        Self {
            token: ServiceToken::new(token, true),
            token_string: secret.reveal().to_owned(),
            old_secret_ends_at: ends_at.map(|time| time.to_string()),
        }
    }
}

/// What is known of a secret of a service token; not the secret.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct TokenCredential {
    /// Its id.
    pub id: i64,
    /// Its token.
    pub service_token_id: i64,
    /// `open`; `retiring` while another takes its place; `over`.
    pub state: String,
    /// When it was made.
    pub created_at: String,
    /// When it ends by itself; null is never.
    pub expires_at: Option<String>,
    /// When it ends because another takes its place.
    pub retires_at: Option<String>,
    /// How many minutes after the other's first use it ends, if that is earlier.
    pub minutes_after_first_use: Option<i64>,
    /// The first of its ends; null is never.
    pub ends_at: Option<String>,
    /// Its last use that was not refused, to within ten seconds.
    pub last_used: Option<String>,
    /// From where.
    pub last_used_address: Option<String>,
    /// The `User-Agent`.
    pub last_used_agent: Option<String>,
    /// Who sent it since another takes its place, at most 100, the last first.
    pub senders: Vec<OldSecretSender>,
}

/// Somebody who still sends an old secret.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct OldSecretSender {
    /// From where; null is the server's own process.
    pub address: Option<String>,
    /// The `User-Agent`.
    pub agent: String,
    /// When they were first seen with it.
    pub first_used: String,
    /// When they were last.
    pub last_used: String,
    /// Whether they sent it after its end, too, and were refused.
    pub refused: bool,
}

impl TokenCredential {
    /// A credential of a token, as it is now.
    #[must_use]
    pub fn new(
        token: ServiceTokenId,
        credential: &Credential,
        senders: Vec<OldUse>,
        now: Timestamp,
    ) -> Self {
        let Credential { id, life, retires_after, last_use } = credential;
        let text = |time: Timestamp| time.to_string();
        let state = match life.retires_at {
            _ if life.is_over(now) => "over",
            Some(_) => "retiring",
            None => "open",
        };
        let address = last_use.as_ref().and_then(|last| last.address);
        Self {
            id: id.get(),
            service_token_id: token.get(),
            state: state.to_owned(),
            created_at: life.created_at.to_string(),
            expires_at: life.expires_at.map(text),
            retires_at: life.retires_at.map(text),
            minutes_after_first_use: retires_after.map(|seconds| seconds / 60),
            ends_at: life.ends_at().map(text),
            last_used: last_use.as_ref().map(|last| last.at.to_string()),
            last_used_address: address.map(|address| address.to_string()),
            last_used_agent: last_use.as_ref().map(|last| last.agent.clone()),
            senders: senders.into_iter().map(OldSecretSender::from).collect(),
        }
    }
}

impl From<OldUse> for OldSecretSender {
    fn from(sent: OldUse) -> Self {
        Self {
            address: sent.address.map(|address| address.to_string()),
            agent: sent.agent,
            first_used: sent.first_used.to_string(),
            last_used: sent.last_used.to_string(),
            refused: sent.refused,
        }
    }
}
