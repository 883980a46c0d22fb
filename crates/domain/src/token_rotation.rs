//! How a secret of a service token is replaced by another.

use std::collections::BTreeSet;

use sha2::{Digest as _, Sha256};

use crate::{ServiceTokenId, token_policy::TokenPolicy};

/// How the old secret ends: at a deadline, or some time after the new one's first use if that comes
/// first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rotation {
    /// How many minutes it works beside the new one at most; 0 is not at all. `None` is a day, or
    /// what the policy allows if that is less.
    pub overlap_minutes: Option<u32>,
    /// How many minutes it works after the new one's first use; at least 1.
    pub minutes_after_first_use: Option<u32>,
}

/// The overlap is longer than the account allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be at most {0} minutes in this account")]
pub struct OverlapTooLong(pub u32);

impl Rotation {
    /// The overlap that nobody asked for: a day.
    const DEFAULT_OVERLAP: u32 = 24 * 60;

    /// How many seconds the old secret works beside the new one.
    ///
    /// # Errors
    /// [`OverlapTooLong`].
    pub fn overlap_seconds(&self, policy: &TokenPolicy) -> Result<i64, OverlapTooLong> {
        let most = policy.longest_overlap_minutes;
        let minutes = self.overlap_minutes.unwrap_or(Self::DEFAULT_OVERLAP.min(most));
        if minutes <= most { Ok(i64::from(minutes) * 60) } else { Err(OverlapTooLong(most)) }
    }

    /// How many seconds it works after the new one's first use.
    #[must_use]
    pub fn seconds_after_first_use(&self) -> Option<i64> {
        self.minutes_after_first_use.map(|minutes| i64::from(minutes) * 60)
    }
}

/// What names a request, so that it can be sent again: the same key with the same question gets the
/// same answer. Only digests of both are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplayKey {
    /// The digest of the key.
    pub key: [u8; 32],
}

/// The text is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to 255 visible ASCII characters")]
pub struct InvalidReplayKey;

impl ReplayKey {
    /// How long an answer is kept for whoever asked for it: 10 minutes, in seconds.
    pub const KEPT: i64 = 600;

    /// The one way in.
    ///
    /// # Errors
    /// [`InvalidReplayKey`].
    pub fn parse(text: &str) -> Result<Self, InvalidReplayKey> {
        let fits =
            (1..=255).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        fits.then(|| Self { key: Sha256::digest(text).into() }).ok_or(InvalidReplayKey)
    }

    /// The key of one answer of many: the first one's is this, another token's is made of both.
    #[must_use]
    pub fn of_token(self, place: usize, token: ServiceTokenId) -> Self {
        if place == 0 {
            return self;
        }
        let digest = Sha256::new().chain_update(self.key).chain_update(token.get().to_be_bytes());
        Self { key: digest.finalize().into() }
    }

    /// The digest of a question about many tokens.
    #[must_use]
    pub fn asked_of_many(tokens: &BTreeSet<ServiceTokenId>, how: &Rotation) -> [u8; 32] {
        Sha256::digest(format!("many {tokens:?} {how:?}")).into()
    }

    /// The digest of a question.
    #[must_use]
    pub fn asked(token: ServiceTokenId, how: &Rotation) -> [u8; 32] {
        Sha256::digest(format!("{token} {how:?}")).into()
    }
}
