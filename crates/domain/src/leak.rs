//! Reports of secrets that were found where everybody can read them.

use serde::{Deserialize, Serialize};

use crate::scan::Scan;

/// What a scanner says of a secret that it found; the secret itself is not in it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leak {
    /// What the scanner calls such secrets.
    pub kind: String,
    /// Where it was found.
    pub url: String,
    /// In what kind of place: `commit`, `gist_content`.
    pub source: String,
}

impl Leak {
    /// The most secrets that one report names.
    pub const MOST: usize = 1_000;
    /// The most characters that are kept of each of its texts.
    pub const MOST_CHARS: usize = 1_000;

    /// From a scanner's own words: each is cut to its first 1,000 characters, control characters
    /// are left out, and a text that holds a token of ours is left out as a whole.
    #[must_use]
    pub fn new(kind: &str, url: &str, source: &str) -> Self {
        Self { kind: said(kind), url: said(url), source: said(source) }
    }
}

fn said(text: &str) -> String {
    let text: String = text.chars().filter(|char| !char.is_control()).collect();
    let mut holds_a_token = false;
    Scan::default().feed(text.as_bytes(), true, |_| holds_a_token = true);
    if holds_a_token {
        return "(left out: it holds a token)".to_owned();
    }
    text.chars().take(Leak::MOST_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use rand::{SeedableRng as _, rngs::StdRng};

    use super::*;
    use crate::secret::{TokenKind, TokenSecret};

    #[test]
    fn what_a_scanner_says_is_cut_and_holds_neither_a_line_nor_a_token() {
        let secret = TokenSecret::mint(TokenKind::Service, &mut StdRng::seed_from_u64(1));
        let url = format!("https://example.com/?token={}", secret.reveal());
        let leak = Leak::new("a\r\nb", &url, &"x".repeat(5_000));
        assert_eq!(leak.kind, "ab");
        assert_eq!(leak.url, "(left out: it holds a token)");
        assert_eq!(leak.source.len(), Leak::MOST_CHARS);
        assert_eq!(Leak::new("", &secret.reveal().replace('_', "_\u{7}"), "").url, leak.url);
        // One that begins within what is kept and ends beyond.
        let url = format!("{}{}", "x".repeat(Leak::MOST_CHARS - 30), secret.reveal());
        assert_eq!(Leak::new("", &url, "").url, leak.url);
    }
}
