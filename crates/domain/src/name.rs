//! Names that people give to things.

use serde::{Deserialize, Serialize};

use crate::secret::{TokenKind, TokenSecret};

/// A name as a person gives it: 1 to 255 characters, none of them a control character, and not
/// only white space.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(String);

/// Why a text is no [`Name`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    /// Empty, or white space only.
    #[error("must not be empty")]
    Empty,
    /// More than [`Name::MAX_CHARS`].
    #[error("must have at most 255 characters")]
    TooLong,
    /// A newline, a tab, an escape or another control character.
    #[error("must not contain control characters")]
    ControlCharacter,
    /// Somebody pasted a token: it would be shown to everyone who reads the name.
    #[error("must not contain a token: rotate the one that was pasted")]
    Token,
}

impl Name {
    /// The most characters (not bytes) that a name may have.
    pub const MAX_CHARS: usize = 255;

    /// Checks a text; it is kept as it is, white space at its ends included.
    ///
    /// # Errors
    /// [`InvalidName`] if it is empty, too long or has control characters.
    pub fn parse(text: impl Into<String>) -> Result<Self, InvalidName> {
        let text = text.into();
        if text.trim().is_empty() {
            Err(InvalidName::Empty)
        } else if text.chars().count() > Self::MAX_CHARS {
            Err(InvalidName::TooLong)
        } else if text.chars().any(char::is_control) {
            Err(InvalidName::ControlCharacter)
        } else if holds_token(&text) {
            Err(InvalidName::Token)
        } else {
            Ok(Self(text))
        }
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn holds_token(text: &str) -> bool {
    TokenKind::ALL.into_iter().flat_map(|kind| text.match_indices(kind.prefix())).any(|(at, _)| {
        text.get(at..at + TokenSecret::LEN).is_some_and(|part| TokenSecret::parse(part).is_ok())
    })
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Name {
    type Error = InvalidName;
    fn try_from(text: String) -> Result<Self, InvalidName> {
        Self::parse(text)
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0
    }
}
