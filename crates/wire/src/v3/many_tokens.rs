//! What is done to many service tokens at once: a documented addition.

use std::collections::BTreeSet;

use domain::{
    InvalidId, ServiceTokenId, Timestamp, UserId, secret::TokenSecret, token_filter::TokenFilter,
    token_rotation::Rotation,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::RotationBody;
use crate::{Invalid, Patch, invalid::Collector};

/// The tokens that are meant: those that meet every condition. At least one is required; other keys
/// are refused, so that none is overlooked.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TokenFilterBody {
    /// Ids of tokens: 1 to 5,000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ids: Option<Vec<i64>>,
    /// What the name begins with; case counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name_prefix: Option<String>,
    /// No use in the last so many days, 1 to 3,650; of one that was never used, it was made before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unused_for_days: Option<u32>,
    /// Made before this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_before: Option<String>,
    /// Whether an advisory is about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advised: Option<bool>,
    /// Whether it is disabled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disabled: Option<bool>,
    /// The user who answers for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub responsible_user_id: Option<i64>,
}

impl TokenFilterBody {
    fn read(self, bad: &mut Collector) -> TokenFilter {
        let ids = self.ids.map(|ids| read_ids(bad, "filter.ids", &ids, TokenFilter::MAX_IDS));
        let most = TokenFilter::MAX_DAYS;
        let days = self.unused_for_days.filter(|days| {
            let fits = (1..=most).contains(days);
            if !fits {
                bad.note("filter.unused_for_days", format!("must be from 1 to {most}"));
            }
            fits
        });
        let prefix = self.name_prefix.filter(|prefix| {
            if prefix.is_empty() {
                bad.note("filter.name_prefix", "must not be empty: that is any name");
            }
            !prefix.is_empty()
        });
        let before = self.created_before.and_then(|text| {
            let time = Timestamp::parse(&text).map_err(|error| error.to_string());
            bad.take("filter.created_before", time)
        });
        let user = self
            .responsible_user_id
            .and_then(|id| bad.take("filter.responsible_user_id", UserId::new(id)));
        TokenFilter {
            ids,
            name_prefix: prefix,
            unused_for_days: days,
            created_before: before,
            advised: self.advised,
            disabled: self.disabled,
            responsible: user,
        }
    }
}

fn read_ids(
    bad: &mut Collector,
    name: &str,
    given: &[i64],
    most: usize,
) -> BTreeSet<ServiceTokenId> {
    if given.len() > most {
        bad.note(name, format!("has at most {most} entries"));
        return BTreeSet::new();
    }
    let read = |id: i64| -> Result<ServiceTokenId, InvalidId> { ServiceTokenId::new(id) };
    let one = |(place, id): (usize, &i64)| bad.take(&format!("{name}[{place}]"), read(*id));
    given.iter().enumerate().filter_map(one).collect()
}

/// The body that revokes many tokens.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct RevokeManyBody {
    /// Which; required.
    pub filter: Option<TokenFilterBody>,
    /// Only tells which.
    pub dry_run: bool,
    /// The ids of all that the filter means, at most 500; required unless it is a dry run. If the
    /// filter means others by now, nothing is done.
    pub expected_ids: Option<Vec<i64>>,
}

/// The body that gives many tokens another secret.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct RotateManyBody {
    /// Which; required.
    pub filter: Option<TokenFilterBody>,
    /// Only tells which.
    pub dry_run: bool,
    /// The ids of all that the filter means and that can be rotated, at most 100; required unless it
    /// is a dry run. If those are others by now, nothing is done.
    pub expected_ids: Option<Vec<i64>>,
    /// As for one token.
    #[schema(value_type = Option<u32>)]
    pub overlap_minutes: Patch<u32>,
    /// As for one token.
    #[schema(value_type = Option<u32>)]
    pub minutes_after_first_use: Patch<u32>,
}

/// What is to be done to many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Many {
    /// Only tell which.
    Plan(TokenFilter),
    /// Do it, to these.
    Do(TokenFilter, BTreeSet<ServiceTokenId>),
}

impl Many {
    fn read(
        filter: Option<TokenFilterBody>,
        dry_run: bool,
        expected: Option<Vec<i64>>,
        most: usize,
    ) -> Result<Self, Invalid> {
        let mut bad = Invalid::collector();
        let filter = filter.unwrap_or_default().read(&mut bad);
        let expected = expected.map(|ids| read_ids(&mut bad, "expected_ids", &ids, most));
        bad.finish()?;
        if filter.is_empty() {
            return Err(Invalid::field("filter", "is required, with at least one condition"));
        }
        match expected {
            _ if dry_run => Ok(Self::Plan(filter)),
            Some(expected) => Ok(Self::Do(filter, expected)),
            None => {
                let message = "is required: the ids that a dry run told";
                Err(Invalid::field("expected_ids", message))
            }
        }
    }
}

impl RevokeManyBody {
    /// What is to be done; to at most `most` tokens.
    ///
    /// # Errors
    /// [`Invalid`] names each wrong field: `filter.ids[2]`.
    pub fn read(self, most: usize) -> Result<Many, Invalid> {
        Many::read(self.filter, self.dry_run, self.expected_ids, most)
    }
}

impl RotateManyBody {
    /// What is to be done, to at most `most` tokens, and how.
    ///
    /// # Errors
    /// [`Invalid`] names each wrong field: `filter.ids[2]`.
    pub fn read(self, most: usize) -> Result<(Many, Rotation), Invalid> {
        let how = RotationBody {
            overlap_minutes: self.overlap_minutes,
            minutes_after_first_use: self.minutes_after_first_use,
        };
        let how = how.read()?;
        Ok((Many::read(self.filter, self.dry_run, self.expected_ids, most)?, how))
    }
}

/// What was done to tokens, or would be.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct ManyTokens {
    /// Whether nothing was done.
    pub dry_run: bool,
    /// The tokens, oldest first.
    pub tokens: Vec<OneOfMany>,
}

/// One of the tokens.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct OneOfMany {
    /// Its id.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// When it was made.
    pub created_at: String,
    /// When it last authorised a request, to within ten seconds.
    pub last_used: Option<String>,
    /// Who answers for it.
    pub responsible_user_id: Option<i64>,
    /// Why it would be left as it is; null if it would not.
    pub skipped: Option<String>,
    /// Of a rotation: the new secret. It is shown here, once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_string: Option<String>,
    /// Of a rotation: when the old secret ends; null if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old_secret_ends_at: Option<String>,
}

impl OneOfMany {
    /// A token to which it is done, or is not for this reason.
    #[must_use]
    pub fn new(token: &domain::service_token::ServiceToken, skipped: Option<String>) -> Self {
        Self {
            id: token.id.get(),
            name: token.name.to_string(),
            created_at: token.created_at.to_string(),
            last_used: token.last_used.map(|time| time.to_string()),
            responsible_user_id: token.responsible.map(UserId::get),
            skipped,
            token_string: None,
            old_secret_ends_at: None,
        }
    }

    /// A token with its new secret.
    #[must_use]
    pub fn rotated(token: &domain::service_token::ServiceToken, secret: &TokenSecret) -> Self {
        let old = token.credentials.iter().rev().nth(1);
        let ends_at = old.and_then(|old| old.life.ends_at());
        Self {
            token_string: Some(secret.reveal().to_owned()),
            old_secret_ends_at: ends_at.map(|time| time.to_string()),
            ..Self::new(token, None)
        }
    }
}
