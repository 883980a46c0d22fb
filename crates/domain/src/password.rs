//! Passwords of people, and what is kept in their place.

use argon2::{
    Argon2, PasswordHasher as _, PasswordVerifier as _, password_hash::phc::PasswordHash as Phc,
};
use zeroize::Zeroizing;

/// A password as a person types it, at most [`Password::MAX_BYTES`] bytes.
///
/// It is neither `Display` nor `Serialize`, its `Debug` shows nothing, and its memory is wiped on
/// drop.
#[derive(Clone)]
pub struct Password(Zeroizing<String>);

/// Why a text cannot become somebody's password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WeakPassword {
    /// Fewer than [`Password::MIN_CHARS`].
    #[error("must have 12 characters or more")]
    TooShort,
    /// More than [`Password::MAX_BYTES`].
    #[error("must have at most 256 bytes")]
    TooLong,
    /// The person's own address, or one character again and again.
    #[error("is too easy to guess: take a few words that do not belong together")]
    Guessable,
}

impl Password {
    /// The fewest characters that a new one may have.
    pub const MIN_CHARS: usize = 12;
    /// The most bytes that one may have: what is hashed stays bounded.
    pub const MAX_BYTES: usize = 256;

    /// Takes a new one, for the person with this address. What it is made of is theirs to choose.
    ///
    /// # Errors
    /// [`WeakPassword`] if it is too short, too long or can be guessed from the address.
    pub fn choose(text: &str, email: &str) -> Result<Self, WeakPassword> {
        let plain = text.to_lowercase();
        let own = plain == email || email.split('@').next().is_some_and(|name| plain == name);
        let first = text.chars().next();
        if text.chars().count() < Self::MIN_CHARS {
            Err(WeakPassword::TooShort)
        } else if text.len() > Self::MAX_BYTES {
            Err(WeakPassword::TooLong)
        } else if own || text.chars().all(|letter| Some(letter) == first) {
            Err(WeakPassword::Guessable)
        } else {
            Ok(Self(Zeroizing::new(text.to_owned())))
        }
    }

    /// One that is presented: `None` if it is longer than any can be.
    #[must_use]
    pub fn presented(text: &str) -> Option<Self> {
        (text.len() <= Self::MAX_BYTES).then(|| Self(Zeroizing::new(text.to_owned())))
    }
}

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password(hidden)")
    }
}

/// What the store keeps in a password's place: Argon2id, as a PHC string.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

/// The text is no hash of a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a password's hash")]
pub struct MalformedHash;

impl PasswordHash {
    /// Bytes of a salt.
    pub const SALT_LEN: usize = 16;

    /// Hashes a password with 19 MiB and 2 rounds (OWASP's Password Storage Cheat Sheet, the
    /// crate's default). It takes about 20 ms of a core: keep it from threads that answer.
    #[must_use]
    pub fn of(password: &Password, salt: &[u8; Self::SALT_LEN]) -> Self {
        let hash: Phc = Argon2::default()
            .hash_password_with_salt(password.0.as_bytes(), salt)
            .expect("passwords and salts of these lengths can be hashed");
        Self(hash.to_string())
    }

    /// Reads one that was kept.
    ///
    /// # Errors
    /// [`MalformedHash`].
    pub fn parse(text: &str) -> Result<Self, MalformedHash> {
        Phc::new(text).map(|_| Self(text.to_owned())).map_err(|_| MalformedHash)
    }

    /// The text, for the store.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is this password's. As slow as [`PasswordHash::of`], whatever it says.
    #[must_use]
    pub fn is_of(&self, password: &Password) -> bool {
        Phc::new(&self.0).is_ok_and(|hash| {
            Argon2::default().verify_password(password.0.as_bytes(), &hash).is_ok()
        })
    }
}

impl std::fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PasswordHash(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SALT: [u8; 16] = [7; 16];

    #[test]
    fn a_hash_knows_its_password_and_no_other() {
        let password = Password::choose("correct horse battery", "ada@example.com").unwrap();
        let hash = PasswordHash::parse(PasswordHash::of(&password, &SALT).as_str()).unwrap();
        assert!(hash.as_str().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", hash.as_str());
        assert!(hash.is_of(&password));
        assert!(!hash.is_of(&Password::presented("correct horse batterz").unwrap()));
        assert_ne!(PasswordHash::of(&password, &[8; 16]), hash);
    }

    #[test]
    fn neither_a_password_nor_its_hash_is_shown() {
        let password = Password::presented("correct horse battery").unwrap();
        assert_eq!(format!("{password:?}"), "Password(hidden)");
        let hash = PasswordHash::of(&password, &SALT);
        assert_eq!(format!("{hash:?}"), "PasswordHash(hidden)");
    }

    #[test]
    fn what_is_too_short_too_long_or_ones_own_address_is_no_password() {
        let chosen = |text: &str| Password::choose(text, "ada.lovelace@example.com").map(drop);
        assert_eq!(chosen("elevenchars"), Err(WeakPassword::TooShort));
        assert_eq!(chosen(&"ab".repeat(129)), Err(WeakPassword::TooLong));
        assert_eq!(chosen("Ada.Lovelace"), Err(WeakPassword::Guessable));
        assert_eq!(chosen("ada.lovelace@example.com"), Err(WeakPassword::Guessable));
        assert_eq!(chosen("aaaaaaaaaaaa"), Err(WeakPassword::Guessable));
        assert_eq!(chosen("zwölf Zeiche"), Ok(()));
        assert!(Password::presented(&"a".repeat(257)).is_none());
    }
}
