//! What is asked for, where, and which sets there are to hold it.

use std::collections::BTreeMap;

use super::{
    super::{
        Categories, Category, Grant, Level, PermissionSet, Projects, Rights, SetRow, Use, UsedAt,
        catalogue,
    },
    cells::{Cells, Masks},
};
use crate::{Plan, ProjectId};

/// A set that a grant could name, with the categories that it would raise.
#[derive(Debug, Clone, Copy)]
pub(super) struct Candidate {
    pub(super) set: PermissionSet,
    pub(super) raised: Categories,
    /// What it holds on the account, however its grant is scoped.
    pub(super) account: u128,
    /// What it holds where it is granted.
    pub(super) cells: Cells,
    /// Every action that it holds, and whether it opens the Admin API.
    pub(super) offers: u128,
    /// Whether it can be granted on all projects only.
    pub(super) is_whole: bool,
}

/// Projects in which the same was used and the same is held now.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// None are all projects, those to come among them.
    pub(super) projects: Vec<ProjectId>,
    /// What has to be held there.
    pub(super) asked: Cells,
    /// What the token holds there now.
    pub(super) held: Cells,
}

/// What is asked for.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) masks: Masks,
    /// By the names of their sets.
    pub(super) candidates: Vec<Candidate>,
    /// All projects.
    pub(super) everywhere: Place,
    /// Those that uses or the present grants name.
    pub(super) places: Vec<Place>,
    /// What has to be held somewhere: on the account, or in whichever project.
    pub(super) wanted: u128,
}

/// What the present grants hold.
struct Held {
    account: u128,
    everywhere: Cells,
    projects: BTreeMap<ProjectId, Cells>,
}

impl Problem {
    /// What the uses ask for, without those that the grants do not hold; these are given back.
    pub(super) fn new(
        plan: Option<Plan>,
        grants: &[&Grant],
        uses: &[Use],
        may: &impl Fn(PermissionSet) -> bool,
    ) -> (Self, Vec<Use>) {
        let masks = Masks::read();
        let mut held = Held::of(grants, &masks);
        let mut asked = Asked::default();
        let not_held = uses.iter().filter(|used| !asked.take(**used, &mut held, &masks));
        let not_held = not_held.copied().collect();
        let raisable = raisable(&asked, grants);
        let candidates: Vec<Candidate> = candidates(plan, &masks, raisable, may)
            .into_iter()
            .filter(|candidate| candidate.account & !held.account == 0)
            .collect();
        let wanted = asked.wanted(&masks, &candidates);
        let everywhere = Place { projects: vec![], asked: asked.everywhere, held: held.everywhere };
        let mut alike: BTreeMap<(Cells, Cells), Vec<ProjectId>> = BTreeMap::new();
        for (project, cells) in held.projects {
            let asked = asked.projects.get(&project).copied().unwrap_or_default();
            let of = (asked.minus(everywhere.asked), cells.union(everywhere.held));
            alike.entry(of).or_default().push(project);
        }
        let place = |((asked, held), projects)| Place { projects, asked, held };
        let places = alike.into_iter().map(place).collect();
        (Self { masks, candidates, everywhere, places, wanted }, not_held)
    }
}

impl Held {
    fn of(grants: &[&Grant], masks: &Masks) -> Self {
        let mut held = Self { account: 0, everywhere: Cells::NONE, projects: BTreeMap::new() };
        for grant in grants {
            let row = grant.permission_set().row();
            let (account, cells) = holds(row, grant.raised(), masks);
            held.account |= account;
            match grant.projects() {
                Projects::All => held.everywhere = held.everywhere.union(cells),
                Projects::Only(projects) => {
                    for project in projects {
                        let there = held.projects.entry(*project).or_default();
                        *there = there.union(cells);
                    }
                }
            }
        }
        held
    }

    fn there(&self, project: ProjectId) -> Cells {
        self.projects.get(&project).copied().unwrap_or_default().union(self.everywhere)
    }
}

/// What a set holds on the account, and where it is granted.
fn holds(row: &SetRow, raised: Categories, masks: &Masks) -> (u128, Cells) {
    let plain = Cells::of(row.rights.bits() & masks.of_projects, Categories::ALL);
    let raised = Cells::of(row.raised.bits() & masks.of_projects, raised);
    (masks.of_account(row.rights), plain.union(raised))
}

/// What uses ask for.
#[derive(Default)]
struct Asked {
    everywhere: Cells,
    projects: BTreeMap<ProjectId, Cells>,
    somewhere: u128,
}

impl Asked {
    /// Asks for what was used, if it is held.
    fn take(&mut self, used: Use, held: &mut Held, masks: &Masks) -> bool {
        let bit = 1_u128 << used.action.index();
        let of_project = bit & masks.of_projects != 0;
        if !catalogue().resource(used.action.on).is_granted() {
            return self.take_implied(used, bit, held);
        }
        if !of_project {
            self.somewhere |= bit;
            return held.account & bit != 0 || self.forget(bit);
        }
        match used.at {
            UsedAt::Project(project, category) => {
                let categories = category.map_or(Categories::ALL, |it| Categories::NONE.with(it));
                let cells = Cells::of(bit, categories);
                if !held.there(project).contain(cells) {
                    return false;
                }
                let there = self.projects.entry(project).or_default();
                *there = there.union(cells);
                held.projects.entry(project).or_default();
                true
            }
            UsedAt::Wherever => {
                let all = Cells::of(bit, Categories::ALL);
                let everywhere = held.everywhere.meet(all);
                self.everywhere = self.everywhere.union(everywhere);
                let mut any = everywhere != Cells::NONE;
                for (project, cells) in &held.projects {
                    let cells = cells.meet(all);
                    any |= cells != Cells::NONE;
                    let there = self.projects.entry(*project).or_default();
                    *there = there.union(cells);
                }
                any
            }
            UsedAt::Somewhere => {
                self.somewhere |= bit;
                let mut cells = held.projects.values().chain([&held.everywhere]);
                cells.any(|cells| cells.bits() & bit != 0) || self.forget(bit)
            }
        }
    }

    /// What comes by what a token is; of it, only the account's own record asks for a grant.
    fn take_implied(&mut self, used: Use, bit: u128, held: &Held) -> bool {
        let every = catalogue().implied(false, Rights::NONE).bits();
        if every & bit != 0 {
            return true;
        }
        let cells = held.projects.values().fold(held.everywhere, |all, it| all.union(*it));
        let rights = Rights::from_bits(held.account | cells.bits());
        let opens = catalogue().implied(false, rights).allow(used.action);
        if opens {
            self.somewhere |= Masks::ADMIN;
        }
        opens
    }

    fn forget(&mut self, bit: u128) -> bool {
        self.somewhere &= !bit;
        false
    }

    /// What has to be held somewhere and is not held with something else that is asked for anyway.
    fn wanted(&self, masks: &Masks, candidates: &[Candidate]) -> u128 {
        let located = self.projects.values().fold(self.everywhere, |all, it| all.union(*it));
        let located = located.bits() & masks.of_projects;
        // What every set offers that holds this.
        let along = |bit: u128, holds: fn(&Candidate) -> u128| {
            let holding = candidates.iter().filter(|candidate| holds(candidate) & bit != 0);
            holding.fold(u128::MAX, |all, candidate| all & candidate.offers)
        };
        let mut wanted = self.somewhere & !located;
        for bit in bits(located) {
            wanted &= !along(bit, |candidate| candidate.cells.bits());
        }
        for bit in bits(wanted) {
            if wanted & bit != 0 {
                wanted &= !along(bit, |candidate| candidate.offers) | bit;
            }
        }
        wanted
    }
}

/// Each bit alone.
fn bits(of: u128) -> impl Iterator<Item = u128> {
    (0..u128::BITS).map(|place| 1 << place).filter(move |bit| of & bit != 0)
}

/// The categories in which something is asked for that sets can be raised to; if it is asked for
/// anywhere, all those that the present grants raise.
fn raisable(asked: &Asked, grants: &[&Grant]) -> Categories {
    let all = asked.projects.values().fold(asked.everywhere, |all, cells| all.union(*cells));
    let raised: u128 = catalogue().sets().fold(0, |all, row| all | row.raised.bits());
    let in_category = |category: &Category| {
        all.meet(Cells::of(raised, Categories::NONE.with(*category))) != Cells::NONE
    };
    let there = Category::ALL.into_iter().filter(in_category);
    let there = there.fold(Categories::NONE, Categories::with);
    if asked.somewhere & raised == 0 {
        return there;
    }
    grants.iter().map(|grant| grant.raised()).fold(there, Categories::union)
}

/// The sets that the plan offers and that may be granted, each with every choice of categories that
/// can help; by name.
fn candidates(
    plan: Option<Plan>,
    masks: &Masks,
    raisable: Categories,
    may: &impl Fn(PermissionSet) -> bool,
) -> Vec<Candidate> {
    let offered = |row: &&SetRow| plan.is_some_and(|plan| row.plans.contains(&plan));
    let mut rows: Vec<_> = catalogue().sets().filter(offered).filter(|row| may(row.set)).collect();
    rows.sort_by(|a, b| a.key.cmp(&b.key));
    let mut candidates = Vec::new();
    for row in rows {
        let choices =
            if row.raised.is_empty() { vec![Categories::NONE] } else { subsets(raisable) };
        for raised in choices {
            let (account, cells) = holds(row, raised, masks);
            let rights = Rights::from_bits(account | cells.bits());
            let admin = if catalogue().opens_admin(rights) { Masks::ADMIN } else { 0 };
            candidates.push(Candidate {
                set: row.set,
                raised,
                account,
                cells,
                offers: account | cells.bits() | admin,
                is_whole: row.level == Level::Account && !row.also_project_level,
            });
        }
    }
    candidates
}

/// Every choice of some categories, the smaller first.
fn subsets(of: Categories) -> Vec<Categories> {
    let mut subsets = vec![Categories::NONE];
    for category in Category::ALL.into_iter().filter(|category| of.has(*category)) {
        let more: Vec<_> = subsets.iter().map(|set| set.with(category)).collect();
        subsets.extend(more);
    }
    subsets
}
