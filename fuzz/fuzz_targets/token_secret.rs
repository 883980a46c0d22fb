//! What parses as a token has the published shape and stays what it was; a token with one
//! character changed never parses (the CRC-32 sees every change within 32 bits).

#![no_main]

use std::sync::LazyLock;

use domain::secret::{PATTERN, TokenKind, TokenSecret};
use libfuzzer_sys::fuzz_target;
use rand::{SeedableRng as _, rngs::StdRng};
use regex::Regex;

static SHAPE: LazyLock<Regex> = LazyLock::new(|| Regex::new(PATTERN).unwrap());

fuzz_target!(|input: (&str, [u8; 32], bool, u8, char)| {
    let (text, seed, personal, at, put) = input;
    holds(text);

    let kind = if personal { TokenKind::Personal } else { TokenKind::Service };
    let minted = TokenSecret::mint(kind, &mut StdRng::from_seed(seed));
    assert!(holds(minted.reveal()), "a minted token parses");

    let at = usize::from(at) % TokenSecret::LEN;
    let mut edited = minted.reveal().to_owned();
    edited.replace_range(at..=at, put.encode_utf8(&mut [0; 4]));
    if edited != minted.reveal() {
        assert!(!holds(&edited), "a token with one character changed does not");
    }
});

/// Whether `text` parses; if it does, it has to match the pattern as a whole and parse back to itself.
fn holds(text: &str) -> bool {
    let Ok(secret) = TokenSecret::parse(text) else { return false };
    assert_eq!(SHAPE.find(text).map(|found| found.range()), Some(0..text.len()));
    assert_eq!(secret.reveal(), text);
    assert_eq!(TokenSecret::parse(secret.reveal()), Ok(secret.clone()));
    true
}
