//! The secret text of a token, and what is kept in its place.
//!
//! `ngst_` (service), `ngpt_` (personal) or `ngit_` (invitation), 36 characters of base62 from the operating system's
//! generator (214 bits), then 6 characters of base62 that are the CRC-32 of what stands before
//! them: 47 bytes, one SHA-256 block.

use hmac::{Hmac, KeyInit as _, Mac as _};
use rand::{CryptoRng, RngExt as _, distr::Alphanumeric};
use sha2::Sha256;
use zeroize::Zeroizing;

/// The one regular expression that finds every token, and nothing of another shape.
///
/// It says nothing of the checksum, which [`TokenSecret::parse`] checks besides. Nothing has to
/// stand before a token: in `%3Dngst_…` or `\nngst_…` of an escaped text, a letter does. What
/// follows must be no letter, digit or underscore: otherwise a longer word would be cut to a token.
pub const PATTERN: &str = include_str!("token-pattern.txt");

/// Whose token it is; the prefix tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TokenKind {
    /// A service token: `ngst_`.
    Service,
    /// A user's personal token: `ngpt_`.
    Personal,
    /// What opens an invitation, once: `ngit_`. It authorises no request.
    Invitation,
}

impl TokenKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Service, Self::Personal, Self::Invitation];

    /// What its text begins with.
    #[must_use]
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Service => "ngst_",
            Self::Personal => "ngpt_",
            Self::Invitation => "ngit_",
        }
    }
}

/// The text that a caller presents.
///
/// Well formed by construction: [`TokenSecret::parse`] is the only way in for text. It is neither
/// `Display` nor `Serialize`, its `Debug` shows nothing, and its memory is wiped on drop.
///
/// Printing it does not compile:
///
/// ```compile_fail
/// fn leak(secret: &domain::secret::TokenSecret) -> String {
///     format!("{secret}")
/// }
/// ```
///
/// nor does putting it into an answer as a whole:
///
/// ```compile_fail
/// fn leak(secret: &domain::secret::TokenSecret) -> Option<String> {
///     serde_json::to_string(secret).ok()
/// }
/// ```
///
/// and saying it on purpose, in the one answer that carries it, does:
///
/// ```
/// fn once(secret: &domain::secret::TokenSecret) -> String {
///     secret.reveal().to_owned()
/// }
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct TokenSecret {
    text: Zeroizing<String>,
    kind: TokenKind,
}

/// The text is not a token: prefix, length, alphabet or checksum is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a token")]
pub struct MalformedSecret;

impl TokenSecret {
    /// Characters of the random part: 36 of 62, 214 bits.
    pub const RANDOM_LEN: usize = 36;
    /// Characters of the checksum.
    pub const CHECKSUM_LEN: usize = 6;
    /// Characters of the whole text.
    pub const LEN: usize = 5 + Self::RANDOM_LEN + Self::CHECKSUM_LEN;

    /// Makes a new one out of `rng`, which has to be the operating system's or seeded from it.
    pub fn mint(kind: TokenKind, rng: &mut impl CryptoRng) -> Self {
        let mut text = Zeroizing::new(String::with_capacity(Self::LEN));
        text.push_str(kind.prefix());
        text.extend(rng.sample_iter(Alphanumeric).take(Self::RANDOM_LEN).map(char::from));
        let checksum = checksum(text.as_bytes());
        text.extend(checksum.into_iter().map(char::from));
        Self { text, kind }
    }

    /// Checks the shape and the checksum; no store is asked. The checksum proves nothing.
    ///
    /// # Errors
    /// [`MalformedSecret`] if prefix, length, alphabet or checksum is wrong.
    pub fn parse(text: &str) -> Result<Self, MalformedSecret> {
        let kind = TokenKind::ALL
            .into_iter()
            .find(|kind| text.starts_with(kind.prefix()))
            .ok_or(MalformedSecret)?;
        let (body, given) =
            text.split_at_checked(Self::LEN - Self::CHECKSUM_LEN).ok_or(MalformedSecret)?;
        let random = body.strip_prefix(kind.prefix()).ok_or(MalformedSecret)?;
        let well_formed = random.bytes().all(|byte| byte.is_ascii_alphanumeric())
            && given.as_bytes() == checksum(body.as_bytes());
        well_formed
            .then(|| Self { text: Zeroizing::new(text.to_owned()), kind })
            .ok_or(MalformedSecret)
    }

    /// Whose token it is.
    #[must_use]
    pub const fn kind(&self) -> TokenKind {
        self.kind
    }

    /// The text: for the one answer that shows it, and for the client that sends it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.text
    }

    /// What the store keeps in the secret's place.
    #[must_use]
    pub fn digest(&self, key: &DigestKey) -> TokenDigest {
        key.digest(self.text.as_bytes())
    }
}

impl std::fmt::Debug for TokenSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TokenSecret(hidden)")
    }
}

/// The CRC-32 of `body` in six digits of base62, most significant first.
fn checksum(body: &[u8]) -> [u8; TokenSecret::CHECKSUM_LEN] {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut rest = crc32fast::hash(body);
    let mut text = [b'0'; TokenSecret::CHECKSUM_LEN];
    for place in text.iter_mut().rev() {
        *place = DIGITS.get((rest % 62) as usize).copied().unwrap_or(b'0');
        rest /= 62;
    }
    text
}

/// HMAC-SHA-256 of a token's text under a [`DigestKey`]: 32 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenDigest([u8; 32]);

impl TokenDigest {
    /// The bytes, for the store.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl std::fmt::Debug for TokenDigest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TokenDigest(hidden)")
    }
}

/// The key that token digests are made with; it lives outside the database.
///
/// Keyed once, so that a digest costs two SHA-256 blocks and no more.
#[derive(Clone)]
pub struct DigestKey {
    id: u32,
    keyed: Hmac<Sha256>,
}

impl DigestKey {
    /// A key and its id; the id is kept beside each digest, so that keys can be changed.
    #[must_use]
    pub fn new(id: u32, key: &[u8; 32]) -> Self {
        let keyed = Hmac::new_from_slice(key).expect("HMAC takes a key of any length");
        Self { id, keyed }
    }

    /// The key's id.
    #[must_use]
    pub const fn id(&self) -> u32 {
        self.id
    }

    pub(crate) fn digest(&self, text: &[u8]) -> TokenDigest {
        let mut mac = self.keyed.clone();
        mac.update(text);
        TokenDigest(mac.finalize().into_bytes().into())
    }
}

impl std::fmt::Debug for DigestKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "DigestKey({}, hidden)", self.id)
    }
}
