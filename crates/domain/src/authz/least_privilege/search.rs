//! The smallest choice over all places together.
//!
//! Place by place, what can be held on the account so far is carried along with what it costs, and
//! of two ways of which one does as well and costs no more whatever follows, the other is let go.

use super::{
    cells::{Cells, Cost},
    cover::{Budget, Cover, Covers},
    problem::Problem,
};
use crate::ProjectId;

/// How many comparisons are made at most before what will do is taken.
const STEPS: usize = 4_000_000;

/// A row that is chosen: the index of a candidate, on a project or on all.
pub(super) type Chosen = (usize, Option<ProjectId>);

/// The smallest rows.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) rows: Vec<Chosen>,
    pub(super) is_smallest: bool,
}

/// One way to hold what is asked for in the places so far.
#[derive(Debug, Clone, Copy)]
struct Way {
    account: u128,
    covered: u128,
    cost: Cost,
    /// The way that it goes on from, and the cover that it took.
    from: usize,
    took: usize,
}

/// Some of the projects of a place, which all get the same.
struct Part<'a> {
    projects: &'a [ProjectId],
    covers: Vec<Cover>,
}

/// Finds the smallest rows that hold what is asked for; `None` if there are none.
pub(super) fn search(problem: &Problem) -> Option<Found> {
    let mut budget = Budget(STEPS);
    let mut best: Option<(Cost, Vec<Chosen>)> = None;
    let mut whole = Covers::of(problem, &problem.everywhere, Cells::NONE, true, &mut budget);
    whole.sort_by_key(|cover| least(problem, cover));
    for cover in &whole {
        let bound = least(problem, cover);
        if best.as_ref().is_some_and(|(cost, _)| bound > *cost) {
            break;
        }
        let parts = parts(problem, cover.cells, &mut budget);
        let Some(ways) = ways(problem, cover, &parts, &mut budget) else { continue };
        if let Some((cost, rows)) = smallest(problem, cover, &parts, &ways)
            && best.as_ref().is_none_or(|(best, _)| cost < *best)
        {
            best = Some((cost, rows));
            if budget.is_spent() {
                break;
            }
        }
    }
    let is_smallest = !budget.is_spent();
    best.map(|(_, rows)| Found { rows, is_smallest })
}

/// What it costs at least to go on from a cover of all projects.
fn least(problem: &Problem, cover: &Cover) -> Cost {
    let places = problem.places.iter().map(|place| {
        let cells = cover.cells.union(place.asked).cost(&problem.masks);
        cells.times(place.projects.len() as u64)
    });
    let account = problem.masks.account_cost(cover.account);
    places.fold(cover.cost(problem).plus(account), Cost::plus)
}

/// The covers of each place where `base` is held already.
///
/// Projects that are alike get the same, but for as many as there are things wanted somewhere: of
/// these each can be the one that holds one of them.
fn parts<'a>(problem: &'a Problem, base: Cells, budget: &mut Budget) -> Vec<Part<'a>> {
    let wanted = problem.wanted.count_ones() as usize;
    let mut parts = Vec::new();
    for place in &problem.places {
        let alone = place.projects.len().min(wanted);
        let (alone, rest) = place.projects.split_at(alone);
        if !rest.is_empty() {
            let covers = Covers::of(problem, place, base, false, budget);
            parts.push(Part { projects: rest, covers });
        }
        if !alone.is_empty() {
            let covers = Covers::of(problem, place, base, true, budget);
            let part = |project| Part { projects: project, covers: covers.clone() };
            parts.extend(alone.chunks(1).map(part));
        }
    }
    parts
}

/// The ways through all parts, part by part; `None` if one of them has no cover.
fn ways(
    problem: &Problem,
    whole: &Cover,
    parts: &[Part<'_>],
    budget: &mut Budget,
) -> Option<Vec<Vec<Way>>> {
    let cost = whole.cost(problem);
    let first = Way { account: whole.account, covered: whole.covered, cost, from: 0, took: 0 };
    let mut all = vec![vec![first]];
    for part in parts {
        let costs = part.covers.iter().map(|cover| {
            let cost = cover.cost(problem).times(part.projects.len() as u64);
            (cover, cost)
        });
        let costs: Vec<_> = costs.collect();
        let mut next: Vec<Way> = Vec::new();
        for (from, way) in all.last()?.iter().enumerate() {
            for (took, (cover, cost)) in costs.iter().enumerate() {
                budget.spend(1 + next.len());
                let account = way.account | cover.account;
                let covered = way.covered | cover.covered;
                let cost = way.cost.plus(*cost);
                add(problem, &mut next, Way { account, covered, cost, from, took });
            }
        }
        if budget.is_spent() {
            let missing = |way: &Way| (problem.wanted & !way.covered).count_ones();
            let first = next.iter().copied().min_by_key(|way| (missing(way), way.cost));
            next = first.into_iter().collect();
        }
        if next.is_empty() {
            return None;
        }
        all.push(next);
    }
    Some(all)
}

/// Adds a way, unless another does as well and costs no more, even with what it holds more on the
/// account; lets go of those of which it is so.
fn add(problem: &Problem, ways: &mut Vec<Way>, new: Way) {
    let beats = |one: &Way, other: &Way| {
        let more = problem.masks.account_cost(one.account & !other.account);
        other.covered & !one.covered == 0 && one.cost.plus(more) <= other.cost
    };
    if ways.iter().any(|way| beats(way, &new)) {
        return;
    }
    ways.retain(|way| !beats(&new, way));
    ways.push(new);
}

/// The cheapest way that holds everything, as rows.
fn smallest(
    problem: &Problem,
    whole: &Cover,
    parts: &[Part<'_>],
    ways: &[Vec<Way>],
) -> Option<(Cost, Vec<Chosen>)> {
    let cost = |way: &Way| way.cost.plus(problem.masks.account_cost(way.account));
    let done = ways.last()?.iter().filter(|way| problem.wanted & !way.covered == 0);
    let last = done.min_by_key(|way| cost(way))?;
    let mut rows: Vec<_> = whole.sets.iter().map(|set| (*set, None)).collect();
    let mut way = last;
    for (part, before) in parts.iter().zip(ways).rev() {
        let cover = part.covers.get(way.took)?;
        for project in part.projects {
            rows.extend(cover.sets.iter().map(|set| (*set, Some(*project))));
        }
        way = before.get(way.from)?;
    }
    Some((cost(last), rows))
}
