//! What an account used, and who is billed for it.

use std::collections::BTreeMap;

use crate::{AccountPlan, ProjectId, authz::License, user::Email};

/// A month of the calendar, in UTC: `2026-11`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month(String);

/// The text is no month.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a month such as `2026-11`")]
pub struct InvalidMonth;

impl Month {
    /// The one way in.
    ///
    /// # Errors
    /// [`InvalidMonth`].
    pub fn parse(text: &str) -> Result<Self, InvalidMonth> {
        let (year, month) = text.split_once('-').ok_or(InvalidMonth)?;
        let digits = |part: &str, count| {
            part.len() == count && part.bytes().all(|byte| byte.is_ascii_digit())
        };
        let month: u8 =
            if digits(month, 2) { month.parse().map_err(|_| InvalidMonth)? } else { 0 };
        if digits(year, 4) && (1..=12).contains(&month) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidMonth)
        }
    }

    /// `2026-11`
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Which months are meant: both ends included, `None` is open.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Months {
    /// Not before.
    pub from: Option<Month>,
    /// Not after.
    pub to: Option<Month>,
}

/// What the runs of a project that ended in a month used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Usage {
    /// The month.
    pub month: Month,
    /// The project, which may be deleted by now.
    pub project: ProjectId,
    /// What it is called.
    pub project_name: String,
    /// How many runs ended.
    pub runs: u64,
    /// How long they ran together, in seconds.
    pub seconds: u64,
    /// How many models dbt built in them.
    pub models_built: u64,
}

/// How many users have which licence.
pub type Seats = BTreeMap<License, u64>;

/// Who is billed, and for what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Billing {
    /// The account's plan.
    pub plan: AccountPlan,
    /// Where bills go.
    pub email: Option<Email>,
    /// How many users have which licence, now.
    pub seats: Seats,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_is_four_digits_a_hyphen_and_one_of_twelve() {
        for fine in ["2026-01", "1970-12"] {
            assert!(Month::parse(fine).is_ok(), "{fine}");
        }
        for wrong in ["2026-13", "2026-00", "2026-1", "26-01", "2026", "", "2026-01-01", "2026-0x"]
        {
            assert_eq!(Month::parse(wrong), Err(InvalidMonth), "{wrong}");
        }
    }
}
