//! Which service tokens are meant, where something is done to many at once.

use std::collections::BTreeSet;

use crate::{ServiceTokenId, Timestamp, UserId, service_token::ServiceToken};

/// The conditions that a token has to meet, all of them. Without any it means every token: whoever
/// does something to those that meet it refuses [`TokenFilter::is_empty`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TokenFilter {
    /// One of these.
    pub ids: Option<BTreeSet<ServiceTokenId>>,
    /// Its name begins so; case counts.
    pub name_prefix: Option<String>,
    /// It authorised nothing in the last so many days; one that never did was made before them.
    pub unused_for_days: Option<u32>,
    /// It was made before this.
    pub created_before: Option<Timestamp>,
    /// Whether an advisory is about it.
    pub advised: Option<bool>,
    /// Whether it is disabled.
    pub disabled: Option<bool>,
    /// Who answers for it.
    pub responsible: Option<UserId>,
}

/// The seconds of a day.
const DAY: i64 = 86_400;

impl TokenFilter {
    /// The most ids that it may name.
    pub const MAX_IDS: usize = 5_000;
    /// The most days without a use that can be asked for: ten years.
    pub const MAX_DAYS: u32 = 3_650;

    /// Whether it asks for nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether it means the token.
    #[must_use]
    pub fn means(&self, token: &ServiceToken, now: Timestamp) -> bool {
        let last_sign = token.last_used.unwrap_or(token.created_at);
        self.ids.as_ref().is_none_or(|ids| ids.contains(&token.id))
            && self
                .name_prefix
                .as_ref()
                .is_none_or(|prefix| token.name.as_str().starts_with(prefix.as_str()))
            && self
                .unused_for_days
                .is_none_or(|days| last_sign <= now.plus_seconds(-i64::from(days) * DAY))
            && self.created_before.is_none_or(|time| token.created_at < time)
            && self.advised.is_none_or(|advised| token.advisory().is_some() == advised)
            && self.disabled.is_none_or(|disabled| token.is_disabled() == disabled)
            && self.responsible.is_none_or(|user| token.responsible == Some(user))
    }
}
