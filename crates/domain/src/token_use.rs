//! What service tokens were used for, and by whom: counts by day, action and place.

use std::net::IpAddr;

use crate::{
    Timestamp,
    authz::{Action, Use},
};

/// The seconds of a day.
const DAY: i64 = 86_400;

/// How many days back something is asked: today and the days before, by UTC; 1 to 400.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Days(u16);

/// The number is none of days that can be asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a number of days from 1 to {}", Days::MOST)]
pub struct InvalidDays;

impl Days {
    /// The most that can be asked about, and the longest that counts are kept by default.
    pub const MOST: u16 = 400;
    /// As many as can be asked about.
    pub const ALL: Self = Self(Self::MOST);
    /// What is asked about unless something else is said; counts are kept at least as long.
    pub const USUAL: Self = Self(90);

    /// So many days.
    ///
    /// # Errors
    /// [`InvalidDays`] if they are none or more than [`Days::MOST`].
    pub fn new(days: u16) -> Result<Self, InvalidDays> {
        if (1..=Self::MOST).contains(&days) { Ok(Self(days)) } else { Err(InvalidDays) }
    }

    /// How many.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }

    /// The first of these days.
    #[must_use]
    pub fn since(self, now: Timestamp) -> Day {
        Day(Day::of(now).0 - i64::from(self.0) + 1)
    }

    /// The same time of the day, so many days ago.
    #[must_use]
    pub fn before(self, now: Timestamp) -> Timestamp {
        now.plus_seconds(-DAY * i64::from(self.0))
    }
}

impl std::str::FromStr for Days {
    type Err = InvalidDays;
    fn from_str(text: &str) -> Result<Self, InvalidDays> {
        text.parse().map_err(|_| InvalidDays).and_then(Self::new)
    }
}

/// A day, by UTC: its number since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(i64);

impl Day {
    /// The day of a time.
    #[must_use]
    pub const fn of(time: Timestamp) -> Self {
        Self(time.micros().div_euclid(DAY * 1_000_000))
    }

    /// Its number.
    #[must_use]
    pub const fn number(self) -> i64 {
        self.0
    }

    /// The day of a number; `None` if there is no such time.
    #[must_use]
    pub fn from_number(number: i64) -> Option<Self> {
        let day = Self(number);
        day.begins().map(|_| day)
    }

    /// When it begins; `None` beyond what a time can be.
    #[must_use]
    pub fn begins(self) -> Option<Timestamp> {
        Timestamp::from_micros(self.0.checked_mul(DAY * 1_000_000)?)
    }
}

/// How often something was decided about a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UseCount {
    /// What, and where.
    pub used: Use,
    /// How often it was allowed.
    pub allowed: u64,
    /// On how many days.
    pub days: u64,
    /// The first of them.
    pub first: Day,
    /// The last.
    pub last: Day,
}

/// How often an action was refused to a token, wherever it was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefusalCount {
    /// What was refused.
    pub action: Action,
    /// How often.
    pub refused: u64,
    /// The last day on which it was.
    pub last: Day,
}

/// Somebody who uses a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender {
    /// From where; `None` is not known.
    pub address: Option<IpAddr>,
    /// The `User-Agent`, at most 255 characters; empty if there was none.
    pub agent: String,
    /// When they were first seen with it.
    pub first_used: Timestamp,
    /// When they were last.
    pub last_used: Timestamp,
    /// How many requests they have sent since the first.
    pub requests: u64,
}

/// Who depends on a token, and for what.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TokenUses {
    /// What it was allowed, by action and place.
    pub allowed: Vec<UseCount>,
    /// What it was refused.
    pub refused: Vec<RefusalCount>,
    /// Who used it, the last first; at most a hundred.
    pub senders: Vec<Sender>,
}

impl TokenUses {
    /// Everything that it was allowed, once.
    #[must_use]
    pub fn uses(&self) -> Vec<Use> {
        self.allowed.iter().map(|count| count.used).collect()
    }
}
