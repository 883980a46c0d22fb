//! Finds tokens where they should not be: in files, logs, histories.
//!
//! What is found has the published form ([`PATTERN`](crate::secret::PATTERN), byte by byte) and the
//! right checksum: of texts that only look like a token, four in a thousand million do. What is
//! told of one never is the whole.

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, MatchKind};
use memchr::{memchr_iter, memrchr};
use serde::Serialize;

use crate::secret::{TokenKind, TokenSecret};

/// A token that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Hit {
    /// The line that it begins in, from 1.
    pub line: u64,
    /// The byte of that line that it begins with, from 1.
    pub column: u64,
    /// `ngst_`, `ngpt_` or `ngit_`.
    pub prefix: &'static str,
    /// Its prefix and the four characters that follow: 24 of its 214 bits.
    pub redacted: String,
}

/// How much of the random part is told.
const TOLD: usize = 4;

/// Looks through a text that comes in pieces.
#[derive(Debug, Clone)]
pub struct Scan {
    line: u64,
    column: u64,
}

impl Default for Scan {
    fn default() -> Self {
        Self { line: 1, column: 1 }
    }
}

impl Scan {
    /// The least that a piece has to have room for.
    pub const LEAST: usize = TokenSecret::LEN + 1;

    /// Looks through a piece, and gives how many of its bytes are done with: the next piece has to
    /// begin with the rest, which is shorter than [`Scan::LEAST`] and may be the beginning of a
    /// token. After the last piece, all are.
    pub fn feed(&mut self, piece: &[u8], is_last: bool, mut found: impl FnMut(Hit)) -> usize {
        let rest = if is_last { 0 } else { Self::LEAST - 1 };
        let done = piece.len().saturating_sub(rest);
        let mut told = 0;
        for start in PREFIXES.find_iter(piece).map(|prefix| prefix.start()) {
            if start >= done {
                break;
            }
            let Some(kind) = token(piece.get(start..).unwrap_or_default()) else { continue };
            self.pass(piece.get(told..start).unwrap_or_default());
            told = start;
            let text = piece.get(start..start + kind.prefix().len() + TOLD).unwrap_or_default();
            found(Hit {
                line: self.line,
                column: self.column,
                prefix: kind.prefix(),
                redacted: format!("{}…", String::from_utf8_lossy(text)),
            });
        }
        self.pass(piece.get(told..done).unwrap_or_default());
        done
    }

    /// Counts lines and columns.
    fn pass(&mut self, bytes: &[u8]) {
        let lines = memchr_iter(b'\n', bytes).count() as u64;
        let last = memrchr(b'\n', bytes).map_or(bytes.len(), |at| bytes.len() - at - 1) as u64;
        self.column = if lines == 0 { self.column + last } else { last + 1 };
        self.line += lines;
    }
}

static PREFIXES: LazyLock<AhoCorasick> = LazyLock::new(|| {
    let prefixes = TokenKind::ALL.map(TokenKind::prefix);
    let built = AhoCorasick::builder().match_kind(MatchKind::LeftmostFirst).build(prefixes);
    built.expect("three short prefixes are no large automaton")
});

/// The kind of the token that a text begins with.
fn token(text: &[u8]) -> Option<TokenKind> {
    let ends = text.get(TokenSecret::LEN).is_none_or(|next| !is_word(*next));
    let text = text.get(..TokenSecret::LEN).filter(|_| ends)?;
    Some(TokenSecret::parse(std::str::from_utf8(text).ok()?).ok()?.kind())
}

const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*, sample::select};
    use rand::{SeedableRng as _, rngs::StdRng};

    use super::*;
    use crate::secret::PATTERN;

    fn secret(seed: u64) -> TokenSecret {
        let kind = TokenKind::ALL[usize::try_from(seed % 3).unwrap()];
        TokenSecret::mint(kind, &mut StdRng::seed_from_u64(seed))
    }

    /// Reads as a file is read: pieces of some size, each beginning with the rest of the last.
    fn scan(text: &[u8], size: usize) -> Vec<Hit> {
        let (mut scan, mut hits, mut piece, mut rest) = (Scan::default(), vec![], vec![], text);
        loop {
            let room = (size.max(Scan::LEAST) - piece.len()).min(rest.len());
            let (next, later) = rest.split_at(room);
            piece.extend_from_slice(next);
            rest = later;
            let done = scan.feed(&piece, rest.is_empty(), |hit| hits.push(hit));
            if rest.is_empty() {
                return hits;
            }
            piece.drain(..done);
        }
    }

    /// The same by the published expression, line by line.
    fn naive(text: &[u8]) -> Vec<(u64, u64, String)> {
        let pattern = regex::bytes::Regex::new(&format!("(?-u){PATTERN}")).unwrap();
        let mut found = Vec::new();
        for (line, bytes) in (1..).zip(text.split(|byte| *byte == b'\n')) {
            for hit in pattern.find_iter(bytes) {
                let token = std::str::from_utf8(hit.as_bytes()).unwrap();
                if TokenSecret::parse(token).is_ok() {
                    let column = u64::try_from(hit.start()).unwrap() + 1;
                    found.push((line, column, format!("{}…", &token[..9])));
                }
            }
        }
        found
    }

    /// Tokens, what looks like one, and what is around them.
    fn text() -> impl Strategy<Value = Vec<u8>> {
        const AROUND: [&str; 12] =
            ["\n", "\r\n", " ", "_", "A", "=", "%3D", "\\n", "\u{e9}", "ngst_", "ng", ""];
        let token = |seed: u64| secret(seed).reveal().as_bytes().to_vec();
        let damaged = move |(seed, at): (u64, usize)| {
            let mut bytes = token(seed);
            bytes[at] = b'_';
            bytes
        };
        let part = prop_oneof![
            3 => (0..30_u64).prop_map(token),
            1 => (0..30_u64, 0..TokenSecret::LEN).prop_map(damaged),
            4 => select(&AROUND[..]).prop_map(|text| text.as_bytes().to_vec()),
            1 => vec(any::<u8>(), 0..60),
        ];
        vec(part, 0..30).prop_map(|parts| parts.concat())
    }

    proptest! {
        #[test]
        fn what_is_found_is_what_the_published_expression_and_the_checksum_find(
            text in text(), size in 1..300_usize,
        ) {
            let found: Vec<_> =
                scan(&text, size).into_iter().map(|hit| (hit.line, hit.column, hit.redacted)).collect();
            prop_assert_eq!(found, naive(&text));
        }
    }

    #[test]
    fn no_more_than_nine_characters_of_a_token_are_told() {
        let secret = secret(0);
        let hits = scan(format!("a: 1\ntoken: {}\n", secret.reveal()).as_bytes(), 64);
        assert_eq!(hits.len(), 1);
        assert_eq!((hits[0].line, hits[0].column, hits[0].prefix), (2, 8, "ngst_"));
        assert_eq!(hits[0].redacted, format!("{}…", &secret.reveal()[..9]));
    }
}
