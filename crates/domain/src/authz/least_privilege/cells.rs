//! Rights in one place as bits, and what they cost.

use super::super::{Access, Action, Categories, Category, Level, Rights, catalogue};

/// Rights on what projects have, in one place: one bit an action, for each category.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Cells([u128; 4]);

impl Cells {
    pub(super) const NONE: Self = Self([0; 4]);

    /// These actions in these categories.
    pub(super) fn of(bits: u128, categories: Categories) -> Self {
        Self(Category::ALL.map(|category| if categories.has(category) { bits } else { 0 }))
    }

    pub(super) fn union(self, other: Self) -> Self {
        self.both(other, |a, b| a | b)
    }

    pub(super) fn meet(self, other: Self) -> Self {
        self.both(other, |a, b| a & b)
    }

    pub(super) fn minus(self, other: Self) -> Self {
        self.both(other, |a, b| a & !b)
    }

    pub(super) fn contain(self, other: Self) -> bool {
        other.minus(self) == Self::NONE
    }

    /// The actions, in whatever category.
    pub(super) fn bits(self) -> u128 {
        self.0.iter().fold(0, |any, bits| any | bits)
    }

    /// One of them alone: the first action, in its first category.
    pub(super) fn first(self) -> Option<Self> {
        let category = Category::ALL.into_iter().zip(self.0).find(|(_, bits)| *bits != 0);
        let (category, bits) = category?;
        let lowest = bits & bits.wrapping_neg();
        Some(Self::of(lowest, Categories::NONE.with(category)))
    }

    pub(super) fn cost(self, masks: &Masks) -> Cost {
        let count =
            |mask: u128| self.0.iter().map(move |bits| u64::from((bits & mask).count_ones()));
        Cost { writes: count(masks.writes).sum(), rights: count(u128::MAX).sum(), rows: 0 }
    }

    fn both(self, other: Self, join: impl Fn(u128, u128) -> u128) -> Self {
        let mut both = self.0;
        for (one, other) in both.iter_mut().zip(other.0) {
            *one = join(*one, other);
        }
        Self(both)
    }
}

/// What grants are compared by, the first first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Cost {
    pub(super) writes: u64,
    pub(super) rights: u64,
    pub(super) rows: u64,
}

impl Cost {
    pub(super) const fn plus(self, other: Self) -> Self {
        Self {
            writes: self.writes + other.writes,
            rights: self.rights + other.rights,
            rows: self.rows + other.rows,
        }
    }

    pub(super) const fn times(self, times: u64) -> Self {
        Self { writes: self.writes * times, rights: self.rights * times, rows: self.rows * times }
    }

    /// So many rows more.
    pub(super) const fn with_rows(self, rows: usize) -> Self {
        Self { rows: self.rows + rows as u64, ..self }
    }
}

/// Which bits are what.
#[derive(Debug, Clone, Copy)]
pub(super) struct Masks {
    /// Actions on what projects have.
    pub(super) of_projects: u128,
    /// Writes.
    writes: u128,
}

impl Masks {
    /// That opening the Admin API is asked for; no action has this bit.
    pub(super) const ADMIN: u128 = 1 << 127;

    pub(super) fn read() -> Self {
        let all = |is: fn(&Action) -> bool| {
            Action::all().filter(is).fold(0, |mask, action| mask | 1_u128 << action.index())
        };
        Self {
            of_projects: all(|action| catalogue().level(action.on) == Level::Project),
            writes: all(|action| action.access == Access::Write),
        }
    }

    /// The part of some rights that is held on the account.
    pub(super) const fn of_account(&self, rights: Rights) -> u128 {
        rights.bits() & !self.of_projects
    }

    /// What rights on the account cost: they hold for it all.
    pub(super) fn account_cost(&self, bits: u128) -> Cost {
        let bits = bits & !Self::ADMIN;
        let (writes, rights) = ((bits & self.writes).count_ones(), bits.count_ones());
        Cost { writes: u64::from(writes), rights: u64::from(rights), rows: 0 }.times(4)
    }
}
