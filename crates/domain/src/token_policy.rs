//! What an account asks of its service tokens: how long a secret may live, and what no token may be
//! granted. It is asked when something is granted or prolonged; what was given before stays.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{
    Timestamp,
    authz::{Grant, PermissionSet},
    service_token::ServiceToken,
};

/// The seconds of a day.
const DAY: i64 = 86_400;

/// An account's policy on service tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenPolicy {
    /// How many days a new secret works unless it is said otherwise; `None` is without an end.
    pub default_life_days: Option<u32>,
    /// How many days the secret of a token may work at most, for each set that it holds.
    pub longest_life_days: BTreeMap<PermissionSet, u32>,
    /// Sets that no service token may be granted.
    pub not_granted: BTreeSet<PermissionSet>,
    /// How many minutes an old secret may work beside its successor; 0 is not at all.
    pub longest_overlap_minutes: u32,
    /// Whether what lets a token do more is only proposed, and done once a second person accepts it.
    #[serde(default)]
    pub widening_is_proposed: bool,
}

/// When a token is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Not by itself.
    Never,
    /// At this time.
    At(Timestamp),
}

/// The policy does not allow it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OutsidePolicy {
    /// The set may not be granted.
    #[error("grants `{0}`, which this account grants to no service token")]
    NotGranted(PermissionSet),
    /// The end lies in the past.
    #[error("must lie in the future")]
    Past,
    /// The end lies too far away.
    #[error("must be at most {latest}: a secret with `{set}` works {days} days in this account")]
    TooLate {
        /// The set that asks for an earlier end.
        set: PermissionSet,
        /// How long its secrets may work.
        days: u32,
        /// The latest end.
        latest: Timestamp,
    },
}

impl Default for TokenPolicy {
    /// Nothing is asked; an old secret works for seven days beside its successor at most.
    fn default() -> Self {
        Self {
            default_life_days: None,
            longest_life_days: BTreeMap::new(),
            not_granted: BTreeSet::new(),
            longest_overlap_minutes: 7 * 24 * 60,
            widening_is_proposed: false,
        }
    }
}

impl TokenPolicy {
    /// The most days that it can ask for: ten years.
    pub const MOST_DAYS: u32 = 3_650;
    /// The longest overlap that it can allow, in minutes: 30 days.
    pub const MOST_OVERLAP: u32 = 30 * 24 * 60;

    /// Whether these may be granted.
    ///
    /// # Errors
    /// [`OutsidePolicy::NotGranted`].
    pub fn check_granted<'a>(
        &self,
        grants: impl IntoIterator<Item = &'a Grant>,
    ) -> Result<(), OutsidePolicy> {
        let sets = grants.into_iter().map(Grant::permission_set);
        let refused = sets.into_iter().find(|set| self.not_granted.contains(set));
        refused.map_or(Ok(()), |set| Err(OutsidePolicy::NotGranted(set)))
    }

    /// When a secret that is made now ends, if that is what is asked; `None` asks for nothing.
    ///
    /// # Errors
    /// As [`TokenPolicy::end`].
    pub fn first_end(
        &self,
        asked: Option<End>,
        grants: &[Grant],
        now: Timestamp,
    ) -> Result<Option<Timestamp>, OutsidePolicy> {
        if let Some(end) = asked {
            return self.end(end, grants, now, now);
        }
        let default = self.default_life_days.map(|days| after(now, days));
        Ok(self.capped(default, grants, now))
    }

    /// When a secret that was made then ends, if this is asked now. Its life is counted from its
    /// making, so what is prolonged again and again ends all the same.
    ///
    /// # Errors
    /// [`OutsidePolicy::Past`], [`OutsidePolicy::TooLate`].
    pub fn end(
        &self,
        asked: End,
        grants: &[Grant],
        made: Timestamp,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, OutsidePolicy> {
        let end = match asked {
            End::Never => None,
            End::At(end) if end <= now => return Err(OutsidePolicy::Past),
            End::At(end) => Some(end),
        };
        match self.strictest(grants) {
            Some((days, set)) if end.is_none_or(|end| end > after(made, days)) => {
                Err(OutsidePolicy::TooLate { set, days, latest: after(made, days) })
            }
            Some(_) | None => Ok(end),
        }
    }

    /// Whether a token may be granted these, which it does not hold, with the end that it has.
    ///
    /// # Errors
    /// [`OutsidePolicy::NotGranted`], [`OutsidePolicy::TooLate`].
    pub fn check_gained(
        &self,
        token: &ServiceToken,
        gained: &[Grant],
        now: Timestamp,
    ) -> Result<(), OutsidePolicy> {
        self.check_granted(gained)?;
        match token.newest() {
            // One that is over is told so by its next use.
            Some(newest) if !newest.life.is_over(now) => {
                self.end(token.end(), gained, newest.life.created_at, now).map(drop)
            }
            Some(_) | None => Ok(()),
        }
    }

    /// The end, or an earlier one that the policy asks of a secret that was made then.
    #[must_use]
    pub fn capped(
        &self,
        end: Option<Timestamp>,
        grants: &[Grant],
        made: Timestamp,
    ) -> Option<Timestamp> {
        let latest = self.strictest(grants).map(|(days, _)| after(made, days));
        [end, latest].into_iter().flatten().min()
    }

    /// The fewest days that one of the sets asks for.
    fn strictest(&self, grants: &[Grant]) -> Option<(u32, PermissionSet)> {
        let sets = grants.iter().map(Grant::permission_set);
        let asked = sets.filter_map(|set| Some((*self.longest_life_days.get(&set)?, set)));
        asked.min()
    }
}

fn after(time: Timestamp, days: u32) -> Timestamp {
    time.plus_seconds(i64::from(days) * DAY)
}
