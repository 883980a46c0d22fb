//! The text of a token: its shape, its randomness, and what finds it.

use std::{
    collections::HashSet,
    fs::File,
    io::{Read as _, Seek as _, SeekFrom},
};

use domain::secret::{DigestKey, PATTERN, TokenKind, TokenSecret};
use proptest::{prelude::*, sample::select};
use rand::{
    SeedableRng as _,
    rand_core::UnwrapErr,
    rngs::{StdRng, SysRng},
};
use regex::Regex;

const BASE62: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

fn pattern() -> Regex {
    Regex::new(PATTERN).unwrap()
}

/// A generator that the operating system seeds, as the server's is.
fn generator() -> StdRng {
    StdRng::from_rng(&mut UnwrapErr(SysRng))
}

fn minted() -> impl Strategy<Value = TokenSecret> {
    (any::<u64>(), select(&TokenKind::ALL[..]))
        .prop_map(|(seed, kind)| TokenSecret::mint(kind, &mut StdRng::seed_from_u64(seed)))
}

/// A text of a token's shape, whose checksum is right by chance only.
fn of_its_shape() -> impl Strategy<Value = String> {
    let symbols = proptest::collection::vec(select(BASE62), 40..44);
    (select(&["ngst_", "ngpt_", "ngxt_", "NGST_", ""][..]), symbols)
        .prop_map(|(prefix, symbols)| prefix.to_owned() + std::str::from_utf8(&symbols).unwrap())
}

proptest! {
    #[test]
    fn a_minted_token_parses_and_reveals_what_was_minted(secret in minted()) {
        let parsed = TokenSecret::parse(secret.reveal()).unwrap();
        prop_assert_eq!(parsed.reveal(), secret.reveal());
        prop_assert_eq!(parsed.kind(), secret.kind());
        prop_assert_eq!(secret.reveal().len(), TokenSecret::LEN);
        prop_assert!(secret.reveal().starts_with(secret.kind().prefix()));
    }

    #[test]
    fn one_changed_character_is_no_token(secret in minted(), at in 0..TokenSecret::LEN, to in any::<char>()) {
        let mut text: Vec<char> = secret.reveal().chars().collect();
        prop_assume!(text[at] != to);
        text[at] = to;
        prop_assert!(TokenSecret::parse(&String::from_iter(text)).is_err());
    }

    #[test]
    fn one_character_more_or_less_is_no_token(secret in minted(), at in 0..TokenSecret::LEN, c in any::<char>()) {
        let (mut more, mut less) = (secret.reveal().to_owned(), secret.reveal().to_owned());
        more.insert(at, c);
        more.push(c);
        less.remove(at);
        prop_assert!(TokenSecret::parse(&more).is_err());
        prop_assert!(TokenSecret::parse(&more[..more.len() - c.len_utf8()]).is_err());
        prop_assert!(TokenSecret::parse(&less).is_err());
    }

    #[test]
    fn parsing_any_text_never_panics(text in any::<String>(), shaped in of_its_shape()) {
        for text in [text, shaped] {
            if TokenSecret::parse(&text).is_ok() {
                prop_assert!(pattern().is_match(&text));
            }
        }
    }

    #[test]
    fn the_pattern_matches_the_whole_of_a_token_and_nothing_else(secret in minted()) {
        let found: Vec<_> = pattern().find_iter(secret.reveal()).map(|it| it.as_str()).collect();
        prop_assert_eq!(found, [secret.reveal()]);
    }

    #[test]
    fn the_pattern_finds_nothing_of_another_shape(text in of_its_shape()) {
        let shape = text.len() == TokenSecret::LEN
            && TokenKind::ALL.iter().any(|kind| text.starts_with(kind.prefix()));
        prop_assert_eq!(pattern().is_match(&text), shape, "{}", text);
    }

    #[test]
    fn the_pattern_finds_each_token_in_the_text_around_it(one in minted(), other in minted()) {
        let (a, b) = (one.reveal(), other.reveal());
        let around = [
            format!(r#"{{"token_string":"{a}","old":["{b}"]}}"#),
            format!("https://host/api/v2/?token={a}&next=%3Ftoken%3D{b}%26x=1#t"),
            format!("2026-11-23T17:03:00Z WARN header=\"Authorization: Token {a}\" {b}"),
            format!(r#"{{"log":"first line\n{a}\nsecond\t{b}\n"}}"#),
            format!("DBT_TOKEN={a}\nexport B='{b}'\n"),
            format!("Bearer {a}, {b}."),
            format!("<td>{a}</td>\u{a0}{b}\u{2028}"),
            format!("{a}{b}|"),
        ];
        let pattern = pattern();
        for text in &around[..7] {
            let found: Vec<_> = pattern.find_iter(text).map(|it| it.as_str()).collect();
            prop_assert_eq!(found, [a, b], "{}", text);
        }
        // Glued together they are the shape of the second one only.
        prop_assert_eq!(pattern.find_iter(&around[7]).map(|it| it.as_str()).last(), Some(b));
    }

    #[test]
    fn another_key_or_another_token_has_another_digest(one in minted(), other in minted(), key in any::<[u8; 32]>()) {
        let mut turned = key;
        turned[0] ^= 1;
        let (key, turned) = (DigestKey::new(1, &key), DigestKey::new(1, &turned));
        prop_assert!(one.digest(&key) == one.digest(&key));
        prop_assert!(one.digest(&key) != one.digest(&turned));
        prop_assert_eq!(one == other, one.digest(&key) == other.digest(&key));
    }

    #[test]
    fn debug_output_shows_neither_secret_nor_digest(secret in minted()) {
        let key = DigestKey::new(7, &[42; 32]);
        let shown = format!("{secret:?} {:?} {key:?}", secret.digest(&key));
        prop_assert_eq!(shown, "TokenSecret(hidden) TokenDigest(hidden) DigestKey(7, hidden)");
    }
}

#[test]
fn a_digest_is_hmac_sha_256() {
    let secret = TokenSecret::mint(TokenKind::Service, &mut StdRng::seed_from_u64(1));
    let digest = secret.digest(&DigestKey::new(1, &[0x0b; 32]));
    assert_eq!(digest.as_bytes(), &by_hand(&[0x0b; 32], secret.reveal().as_bytes()));
}

/// HMAC as RFC 2104 writes it down.
fn by_hand(key: &[u8; 32], text: &[u8]) -> [u8; 32] {
    use sha2::{Digest as _, Sha256};
    let pad = |with: u8| {
        let mut block = [with; 64];
        block.iter_mut().zip(key).for_each(|(byte, key)| *byte ^= key);
        block
    };
    let inner = Sha256::new().chain_update(pad(0x36)).chain_update(text).finalize();
    Sha256::new().chain_update(pad(0x5c)).chain_update(inner).finalize().into()
}

#[test]
fn the_random_part_has_more_than_210_bits() {
    assert_eq!(TokenSecret::RANDOM_LEN, 36);
    let bits = 36.0 * f64::log2(62.0);
    assert!((214.0..215.0).contains(&bits), "{bits}");
}

/// 200,000 tokens; 10 million with `NARROWGATE_LONG=1`.
#[test]
fn many_tokens_are_minted_without_a_repeat() {
    let many = if std::env::var_os("NARROWGATE_LONG").is_some() { 10_000_000 } else { 200_000 };
    let (key, mut rng) = (DigestKey::new(1, &[1; 32]), generator());
    let mut seen = HashSet::with_capacity(many);
    for _ in 0..many {
        let digest = TokenSecret::mint(TokenKind::Service, &mut rng).digest(&key);
        let half: [u8; 16] = digest.as_bytes()[..16].try_into().unwrap();
        assert!(seen.insert(u128::from_ne_bytes(half)), "a repeat after {}", seen.len());
    }
    assert_eq!(seen.len(), many);
}

/// Pearson's chi-square over 62 symbols, in each of the 36 places and over all: 61 degrees of
/// freedom, of which 160 is reached by chance less than once in 10^10 times.
#[test]
fn every_symbol_is_as_likely_as_any_other() {
    const TOKENS: u32 = 62_000;
    let mut rng = generator();
    let mut counts = vec![[0_u32; 128]; TokenSecret::RANDOM_LEN];
    for _ in 0..TOKENS {
        let secret = TokenSecret::mint(TokenKind::Personal, &mut rng);
        let random = secret.reveal().bytes().skip(5).take(TokenSecret::RANDOM_LEN);
        counts.iter_mut().zip(random).for_each(|(place, symbol)| place[usize::from(symbol)] += 1);
    }
    let expected = f64::from(TOKENS) / 62.0;
    for (at, place) in counts.iter().enumerate() {
        let off = |symbol: &u8| f64::from(place[usize::from(*symbol)]) - expected;
        let chi_square: f64 = BASE62.iter().map(|symbol| off(symbol).powi(2) / expected).sum();
        assert!(chi_square < 160.0, "place {at}: {chi_square}");
        assert_eq!(BASE62.iter().map(|symbol| place[usize::from(*symbol)]).sum::<u32>(), TOKENS);
    }
}

/// SECURITY line 6, looked at from outside: the place in this process's memory where the text was.
#[test]
fn memory_where_a_secret_was_is_wiped_once_it_is_dropped() {
    let peek = |place: u64| {
        let mut memory = File::open("/proc/self/mem").unwrap();
        memory.seek(SeekFrom::Start(place)).unwrap();
        let mut bytes = [0; TokenSecret::LEN];
        memory.read_exact(&mut bytes).unwrap();
        bytes
    };
    for kind in TokenKind::ALL {
        let secret = TokenSecret::mint(kind, &mut generator());
        let place = secret.reveal().as_ptr() as u64;
        assert_eq!(&peek(place), secret.reveal().as_bytes());
        let random = secret.reveal()[5..].to_owned();
        drop(secret);
        // The allocator may have written into what it was given back; nothing of the text is there.
        let left = peek(place);
        let same = left[5..].iter().zip(random.as_bytes()).filter(|(left, was)| left == was);
        assert!(same.count() < 8, "{left:?}");
        assert!(left.windows(16).any(|window| window == [0; 16]), "{left:?}");
    }
}
