//! A second factor: codes of an authenticator app (TOTP), and the codes for when it is lost.

use rand::{CryptoRng, RngExt as _};
use totp_rs::{Builder, Totp};
use zeroize::Zeroizing;

use crate::{
    Timestamp,
    secret::{DigestKey, TokenDigest},
};

/// What an app and the server share: 160 bits (RFC 4226, section 4), from which both make a code
/// of six digits every 30 s (RFC 6238, HMAC-SHA-1, which every app can).
///
/// Its `Debug` shows nothing, and its memory is wiped on drop.
#[derive(Clone, PartialEq, Eq)]
pub struct TotpSecret(Zeroizing<[u8; TotpSecret::LEN]>);

impl TotpSecret {
    /// Its bytes.
    pub const LEN: usize = 20;

    /// Makes a new one out of `rng`, which has to be the operating system's or seeded from it.
    pub fn mint(rng: &mut impl CryptoRng) -> Self {
        let mut bytes = Zeroizing::new([0; Self::LEN]);
        rng.fill_bytes(bytes.as_mut());
        Self(bytes)
    }

    /// Takes one that was kept; `None` if it has another length.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(|bytes| Self(Zeroizing::new(bytes)))
    }

    /// Its bytes, for the store to seal.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.0.as_ref()
    }

    /// The text that a person types into an app: 32 characters of base32.
    #[must_use]
    pub fn text(&self) -> String {
        totp_rs::Secret::from(*self.0).to_base32()
    }

    /// What an app reads from a picture: an `otpauth:` URL for this person.
    #[must_use]
    pub fn url(&self, email: &str) -> String {
        // A colon would end the name.
        let name = email.replace(':', " ");
        let totp = self.builder().with_account_name(name).with_issuer(Some("Narrowgate")).build();
        totp.and_then(|totp| totp.to_url()).expect("a name and 160 bits make a URL")
    }

    /// The step that a code is of, if it is one of now, or of 30 s before or after, and later than
    /// `after`: a code is good once (RFC 6238, section 5.2).
    #[must_use]
    pub fn step(&self, code: &str, after: i64, now: Timestamp) -> Option<i64> {
        let seconds = u64::try_from(now.micros() / 1_000_000).ok()?;
        let step = self.totp().check(code, seconds)?;
        i64::try_from(step).ok().filter(|step| *step > after)
    }

    /// The code at a time, as an app shows it.
    #[must_use]
    pub fn code(&self, now: Timestamp) -> String {
        let seconds = u64::try_from(now.micros() / 1_000_000).unwrap_or_default();
        self.totp().generate(seconds).to_string()
    }

    fn builder(&self) -> Builder {
        Builder::new().with_secret(*self.0)
    }

    fn totp(&self) -> Totp {
        self.builder().build().expect("160 bits and six digits are what RFC 4226 asks for")
    }
}

impl std::fmt::Debug for TotpSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TotpSecret(hidden)")
    }
}

/// A code for when the app is lost, good once: `xxxxx-xxxxx-xxxxx-xxxxx`, 98 bits.
///
/// Its `Debug` shows nothing, and its memory is wiped on drop.
#[derive(Clone, PartialEq, Eq)]
pub struct RecoveryCode(Zeroizing<String>);

impl RecoveryCode {
    /// How many a person gets.
    pub const COUNT: usize = 10;
    /// Characters, without those that look alike.
    const ALPHABET: &[u8] = b"23456789abcdefghjkmnpqrstuvwxyz";
    const LEN: usize = 20;
    const GROUP: usize = 5;

    /// Makes a new one out of `rng`, which has to be the operating system's or seeded from it.
    pub fn mint(rng: &mut impl CryptoRng) -> Self {
        let mut text = Zeroizing::new(String::with_capacity(Self::LEN));
        for _ in 0..Self::LEN {
            let place = rng.random_range(0..Self::ALPHABET.len());
            text.extend(Self::ALPHABET.get(place).map(|letter| char::from(*letter)));
        }
        Self(text)
    }

    /// Reads one as a person types it: capitals, spaces and hyphens do not matter.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut read = Zeroizing::new(String::with_capacity(Self::LEN));
        let typed = text.chars().filter(|letter| !letter.is_whitespace() && *letter != '-');
        read.extend(typed.take(Self::LEN + 1).map(|letter| letter.to_ascii_lowercase()));
        let fits = read.len() == Self::LEN && read.bytes().all(|b| Self::ALPHABET.contains(&b));
        fits.then_some(Self(read))
    }

    /// The text, in groups: for the one page that shows it.
    #[must_use]
    pub fn reveal(&self) -> String {
        let letters: Vec<char> = self.0.chars().collect();
        let groups: Vec<String> =
            letters.chunks(Self::GROUP).map(|group| group.iter().collect()).collect();
        groups.join("-")
    }

    /// What the store keeps in its place.
    #[must_use]
    pub fn digest(&self, key: &DigestKey) -> TokenDigest {
        key.digest(self.0.as_bytes())
    }
}

impl std::fmt::Debug for RecoveryCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RecoveryCode(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use rand::{SeedableRng as _, rngs::StdRng};

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000).unwrap()
    }

    /// RFC 6238, appendix B (SHA-1), the last six digits.
    #[test]
    fn codes_are_those_of_the_rfc() {
        let secret = TotpSecret::from_bytes(b"12345678901234567890").unwrap();
        for (seconds, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
        ] {
            assert_eq!(secret.code(at(seconds)), code);
            assert_eq!(secret.step(code, 0, at(seconds)), Some(seconds / 30));
        }
        assert_eq!(secret.text(), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
    }

    #[test]
    fn a_code_is_good_near_its_time_and_once() {
        let secret = TotpSecret::mint(&mut StdRng::seed_from_u64(1));
        let now = at(1_700_000_010);
        let code = secret.code(now);
        let step = secret.step(&code, 0, now).unwrap();
        assert_eq!(secret.step(&code, step, now), None, "it was used");
        assert_eq!(secret.step(&code, 0, now.plus_seconds(30)), Some(step));
        assert_eq!(secret.step(&code, 0, now.plus_seconds(-30)), Some(step));
        assert_eq!(secret.step(&code, 0, now.plus_seconds(60)), None);
        assert_eq!(secret.step("", 0, now), None);
        assert_eq!(secret.step("12345a", 0, now), None);
    }

    #[test]
    fn an_app_is_told_who_it_is_for() {
        let secret = TotpSecret::from_bytes(b"12345678901234567890").unwrap();
        let url = secret.url("ada@example.com");
        assert!(url.starts_with("otpauth://totp/"), "{url}");
        assert!(url.contains("secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"), "{url}");
        assert!(url.contains("issuer=Narrowgate"), "{url}");
        assert_eq!(format!("{secret:?}"), "TotpSecret(hidden)");
    }

    #[test]
    fn a_recovery_code_reads_back_however_it_is_typed() {
        let code = RecoveryCode::mint(&mut StdRng::seed_from_u64(1));
        let text = code.reveal();
        assert_eq!(text.len(), 23);
        assert_eq!(RecoveryCode::parse(&text), Some(code.clone()));
        assert_eq!(RecoveryCode::parse(&text.to_uppercase().replace('-', " ")), Some(code.clone()));
        assert_eq!(RecoveryCode::parse(&text[1..]), None);
        assert_eq!(RecoveryCode::parse("123456"), None);
        assert_eq!(format!("{code:?}"), "RecoveryCode(hidden)");
        assert_ne!(RecoveryCode::mint(&mut StdRng::seed_from_u64(2)), code);
    }
}
