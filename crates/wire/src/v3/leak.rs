//! Secrets that were found where everybody can read them, as GitHub's secret scanning tells of them
//! (source: docs.github.com, secret scanning partner program: payload and feedback).

use domain::{git_hook::digest, leak::Leak, secret::TokenSecret};
use serde::{Deserialize, Serialize};

use crate::{Invalid, from_json};

/// A secret that a scanner found. Other keys are ignored.
#[derive(Deserialize)]
struct FoundSecretBody {
    token: String,
    #[serde(default)]
    r#type: Option<String>,
    #[serde(default)]
    url: Option<String>,
    #[serde(default)]
    source: Option<String>,
}

/// A secret that a scanner found, and what it says of it.
pub struct FoundSecret {
    /// The secret, if it has the form of a token.
    pub secret: Option<TokenSecret>,
    /// What is said of it.
    pub leak: Leak,
    /// The SHA-256 of the text, in hex.
    hash: String,
}

/// Whether a secret was one of ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeakFeedback {
    /// The SHA-256 of the secret, in hex.
    pub token_hash: String,
    /// What the scanner called it.
    pub token_type: String,
    /// `true_positive` or `false_positive`.
    pub label: String,
}

impl FoundSecret {
    /// Reads a report: a list of at most 1,000.
    ///
    /// # Errors
    /// [`Invalid`] names what does not fit: `[2].token`, or `body`.
    pub fn report(bytes: &[u8]) -> Result<Vec<Self>, Invalid> {
        let found: Vec<FoundSecretBody> = from_json(bytes)?;
        if found.len() > Leak::MOST {
            let message = format!("takes at most {} secrets at once", Leak::MOST);
            return Err(Invalid::field("body", message));
        }
        Ok(found.iter().map(Self::from).collect())
    }

    /// What is answered of it.
    #[must_use]
    pub fn feedback(&self, is_ours: bool) -> LeakFeedback {
        let label = if is_ours { "true_positive" } else { "false_positive" };
        LeakFeedback {
            token_hash: self.hash.clone(),
            token_type: self.leak.kind.clone(),
            label: label.to_owned(),
        }
    }
}

impl From<&FoundSecretBody> for FoundSecret {
    fn from(body: &FoundSecretBody) -> Self {
        let said = |text: &Option<String>| text.clone().unwrap_or_default();
        Self {
            secret: TokenSecret::parse(body.token.trim()).ok(),
            leak: Leak::new(&said(&body.r#type), &said(&body.url), &said(&body.source)),
            hash: digest(body.token.as_bytes()),
        }
    }
}
