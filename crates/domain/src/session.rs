//! Sessions: what a browser holds once a person has signed in.

use rand::{CryptoRng, RngExt as _, distr::Alphanumeric};
use zeroize::Zeroizing;

use crate::{
    Timestamp,
    secret::{DigestKey, TokenDigest},
};

/// What a session's cookie holds: 43 characters of base62 (256 bits).
///
/// It is no token: it opens no API, and no token opens the console. Its `Debug` shows nothing, and
/// its memory is wiped on drop.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionSecret(Zeroizing<String>);

impl SessionSecret {
    /// Characters of the text.
    pub const LEN: usize = 43;

    /// Makes a new one out of `rng`, which has to be the operating system's or seeded from it.
    pub fn mint(rng: &mut impl CryptoRng) -> Self {
        let mut text = Zeroizing::new(String::with_capacity(Self::LEN));
        text.extend(rng.sample_iter(Alphanumeric).take(Self::LEN).map(char::from));
        Self(text)
    }

    /// Checks the shape; `None` if it cannot be one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let fits = text.len() == Self::LEN && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        fits.then(|| Self(Zeroizing::new(text.to_owned())))
    }

    /// The text: for the one answer that sets the cookie.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What the store keeps in its place.
    #[must_use]
    pub fn digest(&self, key: &DigestKey) -> TokenDigest {
        key.digest(self.0.as_bytes())
    }
}

impl std::fmt::Debug for SessionSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SessionSecret(hidden)")
    }
}

/// How long a session without a request lasts: 4 hours.
pub const IDLE_SECONDS: i64 = 4 * 3_600;
/// How long a session lasts at most: a day.
pub const LIFETIME_SECONDS: i64 = 86_400;
/// How long a sign-in link is good: 7 days.
pub const LINK_SECONDS: i64 = 7 * 86_400;

/// How long a link is good by which somebody who lost their password sets another: an hour.
pub const RESET_SECONDS: i64 = 3_600;

/// Whether a session goes on at `now`.
#[must_use]
pub fn goes_on(now: Timestamp, seen_at: Timestamp, expires_at: Timestamp) -> bool {
    now < expires_at && now < seen_at.plus_seconds(IDLE_SECONDS)
}

#[cfg(test)]
mod tests {
    use rand::{SeedableRng as _, rngs::StdRng};

    use super::*;

    #[test]
    fn a_secret_reads_back_and_shows_nothing() {
        let secret = SessionSecret::mint(&mut StdRng::seed_from_u64(1));
        assert_eq!(SessionSecret::parse(secret.reveal()), Some(secret.clone()));
        assert_eq!(format!("{secret:?}"), "SessionSecret(hidden)");
        assert_eq!(SessionSecret::parse(&secret.reveal()[1..]), None);
        assert_eq!(SessionSecret::parse(&secret.reveal().replace(|_: char| true, "_")), None);
        assert_ne!(SessionSecret::mint(&mut StdRng::seed_from_u64(2)), secret);
    }

    #[test]
    fn a_session_ends_when_it_idles_and_at_the_latest_after_a_day() {
        let start = Timestamp::parse("2026-11-24T12:00:00Z").unwrap();
        let end = start.plus_seconds(LIFETIME_SECONDS);
        assert!(goes_on(start.plus_seconds(IDLE_SECONDS - 1), start, end));
        assert!(!goes_on(start.plus_seconds(IDLE_SECONDS), start, end));
        let late = start.plus_seconds(LIFETIME_SECONDS - 1);
        assert!(goes_on(late, late, end));
        assert!(!goes_on(end, late, end));
    }
}
