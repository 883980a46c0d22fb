//! Seats: how many users of an account may have each licence.

use crate::authz::License;

/// How many users may have each licence; `None` is any number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Seats {
    /// Developer.
    pub developer: Option<u32>,
    /// Analyst: no longer sold, and counted where it is still had.
    pub analyst: Option<u32>,
    /// Read-only.
    pub read_only: Option<u32>,
    /// IT.
    pub it: Option<u32>,
}

impl Seats {
    /// Of one licence.
    #[must_use]
    pub const fn of(&self, license: License) -> Option<u32> {
        match license {
            License::Developer => self.developer,
            License::Analyst => self.analyst,
            License::ReadOnly => self.read_only,
            License::It => self.it,
        }
    }
}

/// How the seats of one licence are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allocation {
    /// How many there are; `None` is any number.
    pub total: Option<u32>,
    /// How many users have the licence.
    pub in_use: u64,
    /// How many open invitations promise it.
    pub invited: u64,
}

impl Allocation {
    /// How many are taken or promised.
    #[must_use]
    pub const fn assigned(&self) -> u64 {
        self.in_use.saturating_add(self.invited)
    }

    /// How many more can be promised; `None` is any number.
    #[must_use]
    pub fn available(&self) -> Option<u64> {
        self.total.map(|total| u64::from(total).saturating_sub(self.assigned()))
    }

    /// Whether more users have it than there are seats: after a change of plan, for which nobody
    /// loses a licence.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.total.is_some_and(|total| self.in_use > u64::from(total))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn promised_seats_are_taken_and_an_overfull_plan_has_none_left() {
        let promised = Allocation { total: Some(8), in_use: 5, invited: 3 };
        assert_eq!((promised.available(), promised.is_over()), (Some(0), false));
        let overfull = Allocation { total: Some(5), in_use: 7, invited: 0 };
        assert_eq!((overfull.available(), overfull.is_over()), (Some(0), true));
        let unlimited = Allocation { total: None, in_use: 900, invited: 9 };
        assert_eq!((unlimited.available(), unlimited.is_over()), (None, false));
    }
}
