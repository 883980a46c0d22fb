//! What an account asks of its service tokens: a documented addition.

use std::collections::BTreeMap;

use domain::{authz::PermissionSet, token_policy::TokenPolicy as Policy};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Invalid, Patch, field};

/// The policy of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TokenPolicy {
    /// The account.
    pub account_id: i64,
    /// How many days a new secret works unless `expires_at` says otherwise; null is without an end.
    pub default_life_days: Option<u32>,
    /// How many days a secret may work at most, by permission set that its token holds.
    pub longest_life_days: BTreeMap<String, u32>,
    /// Permission sets that no service token may be granted.
    pub not_granted: Vec<String>,
    /// How many minutes an old secret may work beside its successor; 0 is not at all.
    pub longest_overlap_minutes: u32,
    /// Whether what lets a token do more is only proposed, and done once a second person accepts it.
    pub widening_is_proposed: bool,
}

impl TokenPolicy {
    /// The policy of an account.
    #[must_use]
    pub fn new(account: domain::AccountId, policy: &Policy) -> Self {
        let longest = policy.longest_life_days.iter();
        Self {
            account_id: account.get(),
            default_life_days: policy.default_life_days,
            longest_life_days: longest.map(|(set, days)| (set.key().to_owned(), *days)).collect(),
            not_granted: policy.not_granted.iter().map(|set| set.key().to_owned()).collect(),
            longest_overlap_minutes: policy.longest_overlap_minutes,
            widening_is_proposed: policy.widening_is_proposed,
        }
    }
}

/// The body that changes it; what is absent stays. Other keys are ignored.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct TokenPolicyBody {
    /// The account, if given: the path's.
    #[schema(value_type = Option<i64>)]
    pub account_id: Patch<i64>,
    /// 1 to 3650; null is without an end.
    #[schema(value_type = Option<u32>)]
    pub default_life_days: Patch<u32>,
    /// All of them: a permission set and 1 to 3650.
    #[schema(value_type = Option<BTreeMap<String, u32>>)]
    pub longest_life_days: Patch<BTreeMap<String, u32>>,
    /// All of them.
    #[schema(value_type = Option<Vec<String>>)]
    pub not_granted: Patch<Vec<String>>,
    /// 0 to 43200.
    #[schema(value_type = Option<u32>)]
    pub longest_overlap_minutes: Patch<u32>,
    /// Whether a second person has to accept what lets a token do more.
    #[schema(value_type = Option<bool>)]
    pub widening_is_proposed: Patch<bool>,
}

impl TokenPolicyBody {
    /// The policy with what the body changes.
    ///
    /// # Errors
    /// [`Invalid`] names each wrong field.
    pub fn over(self, old: Policy) -> Result<Policy, Invalid> {
        let mut bad = Invalid::collector();
        let default_life_days =
            field::read(&mut bad, "default_life_days", self.default_life_days, days);
        let longest = self.longest_life_days;
        let longest_life_days = field::read(&mut bad, "longest_life_days", longest, |longest| {
            longest
                .into_iter()
                .map(|(set, given)| Ok((read_set(&set)?, days(given)?)))
                .collect::<Result<_, String>>()
        });
        let not_granted = field::read(&mut bad, "not_granted", self.not_granted, |sets| {
            sets.iter().map(|set| read_set(set)).collect::<Result<_, String>>()
        });
        let minutes = self.longest_overlap_minutes;
        let overlap = field::read(&mut bad, "longest_overlap_minutes", minutes, |minutes| {
            let most = Policy::MOST_OVERLAP;
            if minutes <= most { Ok(minutes) } else { Err(format!("must be from 0 to {most}")) }
        });
        bad.finish()?;
        Ok(Policy {
            default_life_days: default_life_days.over(old.default_life_days),
            longest_life_days: longest_life_days.or_keep(old.longest_life_days),
            not_granted: not_granted.or_keep(old.not_granted),
            longest_overlap_minutes: overlap.or_keep(old.longest_overlap_minutes),
            widening_is_proposed: self.widening_is_proposed.or_keep(old.widening_is_proposed),
        })
    }
}

fn days(given: u32) -> Result<u32, String> {
    let most = Policy::MOST_DAYS;
    if (1..=most).contains(&given) {
        Ok(given)
    } else {
        Err(format!("must be from 1 to {most} days"))
    }
}

fn read_set(key: &str) -> Result<PermissionSet, String> {
    key.parse().map_err(|unknown: domain::authz::UnknownPermissionSet| unknown.to_string())
}
