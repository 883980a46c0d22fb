//! Which sets hold what is asked for in one place.

use super::{
    cells::{Cells, Cost},
    problem::{Candidate, Place, Problem},
};

/// Sets that together hold what is asked for in a place.
#[derive(Debug, Clone, Default)]
pub(super) struct Cover {
    /// Indexes of candidates.
    pub(super) sets: Vec<usize>,
    /// What is held there then.
    pub(super) cells: Cells,
    /// What is held on the account by it.
    pub(super) account: u128,
    /// Which of what is wanted somewhere it holds.
    pub(super) covered: u128,
}

/// How much looking is left. Once it is spent, the first that will do is taken.
#[derive(Debug)]
pub(super) struct Budget(pub(super) usize);

impl Budget {
    pub(super) const fn spend(&mut self, steps: usize) {
        self.0 = self.0.saturating_sub(steps);
    }

    pub(super) const fn is_spent(&self) -> bool {
        self.0 == 0
    }
}

/// All covers of one place that can be part of the smallest grants.
pub(super) struct Covers<'a> {
    problem: &'a Problem,
    asked: Cells,
    /// What sets can be good for: what is asked here, and elsewhere too where it is held everywhere.
    good: Cells,
    /// What is wanted somewhere and sets are added for.
    wanted: u128,
    /// Candidates that may be granted here and are good for something.
    sets: Vec<(usize, &'a Candidate)>,
    /// What all of them hold for the whole, and offer.
    whole: Cells,
    offers: u128,
    found: Vec<Cover>,
    is_everywhere: bool,
}

impl<'a> Covers<'a> {
    /// The covers of a place where `base` is held without more. `adds` is whether sets are also
    /// taken for what is wanted somewhere, whichever place that is.
    pub(super) fn of(
        problem: &'a Problem,
        place: &Place,
        base: Cells,
        adds: bool,
        budget: &mut Budget,
    ) -> Vec<Cover> {
        let is_everywhere = place.projects.is_empty();
        let asked = place.asked.minus(base);
        let elsewhere = problem.places.iter().map(|place| place.asked);
        let good = if is_everywhere { elsewhere.fold(asked, Cells::union) } else { asked };
        let wanted = if adds { problem.wanted } else { 0 };
        let may = |candidate: &Candidate| {
            place.held.contain(candidate.cells) && (is_everywhere || !candidate.is_whole)
        };
        let helps = |candidate: &Candidate| {
            let here = candidate.cells.meet(asked) != Cells::NONE;
            let there = candidate.is_whole && candidate.cells.meet(good) != Cells::NONE;
            here || there || candidate.offers & wanted != 0
        };
        let sets = problem.candidates.iter().enumerate();
        let sets = sets.filter(|(_, candidate)| may(candidate) && helps(candidate)).collect();
        let mut covers = Self {
            problem,
            asked,
            good,
            wanted,
            sets,
            whole: Cells::NONE,
            offers: 0,
            found: Vec::new(),
            is_everywhere,
        };
        covers.drop_needless();
        for (_, set) in &covers.sets {
            covers.offers |= set.offers & problem.wanted;
            if set.is_whole {
                covers.whole = covers.whole.union(set.cells);
            }
        }
        covers.cover(Cover { cells: base, ..Cover::default() }, budget);
        covers.found
    }

    /// Drops every set in the place of which a smaller one does as well.
    fn drop_needless(&mut self) {
        let does = |it: &Candidate| (it.cells.meet(self.good), it.offers & self.wanted);
        let as_well = |it: &Candidate, other: &Candidate| {
            let ((cells, offers), (needed, wanted)) = (does(it), does(other));
            let account = it.account & !other.account == 0 && other.cells.contain(it.cells);
            account && cells.contain(needed) && wanted & !offers == 0
        };
        let needless = |at: usize, other: &Candidate| {
            self.sets.iter().enumerate().any(|(place, (_, it))| {
                place != at && as_well(it, other) && (place < at || !as_well(other, it))
            })
        };
        let kept = self.sets.iter().enumerate();
        let kept = kept.filter(|(at, (_, candidate))| !needless(*at, candidate));
        self.sets = kept.map(|(_, set)| *set).collect();
    }

    /// Takes one set after the other for the first of what is not held yet.
    fn cover(&mut self, so_far: Cover, budget: &mut Budget) {
        budget.spend(1 + self.found.len());
        if self.is_beaten(&so_far) {
            return;
        }
        let Some(missing) = self.asked.minus(so_far.cells).first() else {
            self.add(so_far, 0, budget);
            return;
        };
        let holding = self.sets.iter().filter(|(_, set)| set.cells.contain(missing));
        let holding = holding.filter(|(_, set)| self.is_new(&so_far, set));
        let mut longer: Vec<_> =
            holding.map(|(index, set)| self.with(&so_far, *index, set)).collect();
        // The cheapest first: it makes most of the others needless.
        longer.sort_by_cached_key(|cover| self.whole_cost(cover));
        for cover in longer {
            self.cover(cover, budget);
            if budget.is_spent() && !self.found.is_empty() {
                return;
            }
        }
    }

    /// Adds sets for what is not asked for here, or none.
    fn add(&mut self, cover: Cover, from: usize, budget: &mut Budget) {
        budget.spend(1 + self.found.len());
        if self.is_beaten(&cover) {
            return;
        }
        for at in from..self.sets.len() {
            let Some((index, set)) = self.sets.get(at).copied() else { break };
            let new = set.offers & self.wanted & !cover.covered != 0;
            let elsewhere = set.is_whole && !cover.cells.contain(set.cells.meet(self.good));
            if (new || elsewhere) && self.is_new(&cover, set) {
                self.add(self.with(&cover, index, set), at + 1, budget);
            }
            if budget.is_spent() && !self.found.is_empty() {
                return;
            }
        }
        if self.found.iter().any(|found| self.beats(found, &cover)) {
            return;
        }
        let found = std::mem::take(&mut self.found);
        self.found = found.into_iter().filter(|other| !self.beats(&cover, other)).collect();
        self.found.push(cover);
    }

    /// Whether a set is not among them yet: one with other categories does for both.
    fn is_new(&self, cover: &Cover, set: &Candidate) -> bool {
        let mut sets = cover.sets.iter().filter_map(|index| self.problem.candidates.get(*index));
        sets.all(|known| known.set != set.set)
    }

    fn whole_cost(&self, cover: &Cover) -> Cost {
        cover.cost(self.problem).plus(self.problem.masks.account_cost(cover.account))
    }

    fn with(&self, cover: &Cover, index: usize, set: &Candidate) -> Cover {
        let mut sets = cover.sets.clone();
        sets.push(index);
        Cover {
            sets,
            cells: cover.cells.union(set.cells),
            account: cover.account | set.account,
            covered: cover.covered | set.offers & self.problem.wanted,
        }
    }

    /// Whether one that was found is as good as anything that this could become.
    fn is_beaten(&self, cover: &Cover) -> bool {
        let best = (cover.cells.union(self.whole), cover.covered | self.offers);
        let beats = |found: &Cover| self.does_as_well(found, best) && self.is_smaller(found, cover);
        self.found.iter().any(beats)
    }

    /// Whether one makes another needless.
    fn beats(&self, one: &Cover, other: &Cover) -> bool {
        self.does_as_well(one, (other.cells, other.covered)) && self.is_smaller(one, other)
    }

    /// Whether one holds all that others are good for which hold this.
    fn does_as_well(&self, one: &Cover, (cells, covered): (Cells, u128)) -> bool {
        covered & !one.covered == 0
            && (!self.is_everywhere || one.cells.contain(cells.meet(self.good)))
    }

    /// Whether one costs no more than another, whatever is held beside them.
    fn is_smaller(&self, one: &Cover, other: &Cover) -> bool {
        let more = self.problem.masks.account_cost(one.account & !other.account);
        one.cost(self.problem).plus(more) <= other.cost(self.problem)
            && (!self.is_everywhere || other.cells.contain(one.cells))
    }
}

impl Cover {
    /// What is held in such a place, and the rows for it.
    pub(super) fn cost(&self, problem: &Problem) -> Cost {
        self.cells.cost(&problem.masks).with_rows(self.sets.len())
    }
}
