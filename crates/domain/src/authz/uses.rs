//! Uses: what was decided about a token's requests, as its counts and the least that it needs are
//! made of it.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicU32, AtomicU64, Ordering},
};

use super::{Action, Category, Judge, Level, Principal, Scope, catalogue};
use crate::ProjectId;

/// An action that a token was allowed, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Use {
    /// What was allowed.
    pub action: Action,
    /// Where.
    pub at: UsedAt,
}

/// Where an action was used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UsedAt {
    /// On the account's own, which has no project, or without reaching anything: it has to be held
    /// somewhere.
    Somewhere,
    /// Wherever the token reaches, such as by a list that names no project: all of it is needed.
    Wherever,
    /// In a project, in environments of a category; `None` is what has no environment, or is not
    /// known to be in one, for which every category is needed.
    Project(ProjectId, Option<Category>),
}

/// What was decided about the caller of one request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Decisions {
    /// What was allowed; of an action nothing twice.
    pub allowed: Vec<Use>,
    /// What was refused.
    pub refused: Vec<Action>,
}

impl Use {
    /// Whether `after` may do this where `before` may: each is asked through [`decide`](super::decide),
    /// once for each action.
    #[must_use]
    pub fn is_kept(&self, before: &mut Judge<'_>, after: &mut Judge<'_>) -> bool {
        match self.at {
            UsedAt::Wherever => after.scope(self.action).contains(before.scope(self.action)),
            UsedAt::Somewhere | UsedAt::Project(..) => self.is_held(after),
        }
    }

    /// Whether a principal may do this there; of what was used wherever it reached, whether it may
    /// do it at all.
    #[must_use]
    pub fn is_held(&self, judge: &mut Judge<'_>) -> bool {
        let scope = judge.scope(self.action);
        match self.at {
            UsedAt::Somewhere | UsedAt::Wherever => !scope.is_nowhere(),
            UsedAt::Project(project, category) => {
                let held = scope.categories_in(project);
                match category {
                    Some(category) => held.has(category),
                    None => Category::ALL.into_iter().all(|category| held.has(category)),
                }
            }
        }
    }
}

/// The uses that a principal is allowed and another is not: what changing the one into the other
/// would have refused.
#[must_use]
pub fn replay(uses: &[Use], before: &Principal, after: &Principal) -> Vec<Use> {
    let (mut before, mut after) = (Judge::of(before), Judge::of(after));
    let fails = |used: &&Use| used.is_held(&mut before) && !used.is_kept(&mut before, &mut after);
    uses.iter().filter(fails).copied().collect()
}

/// An action of which a change takes something away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost {
    /// The action.
    pub action: Action,
    /// Where it was allowed.
    pub before: Scope,
    /// Where it is still.
    pub after: Scope,
}

/// What a principal may do and another may not, action by action.
#[must_use]
pub fn lost(before: &Principal, after: &Principal) -> Vec<Lost> {
    let (mut before, mut after) = (Judge::of(before), Judge::of(after));
    let lost = |action: Action| {
        let (before, after) = (before.scope(action), after.scope(action));
        let less = !after.contains(before);
        less.then(|| Lost { action, before: before.clone(), after: after.clone() })
    };
    Action::all().filter_map(lost).collect()
}

/// The most places that are noted of one request; beyond, it counts as used wherever it reaches.
const MOST_PLACES: usize = 200;

/// What is decided about one caller, noted as it is decided: a bit for each action, which costs a
/// request a nanosecond or two, and the places.
#[derive(Debug, Default)]
pub(super) struct Noted {
    /// One more than the place of the first action that was asked for: what the request is about.
    first: AtomicU32,
    allowed: Bits,
    refused: Bits,
    wherever: Bits,
    /// Of these it is known where they were used, also if that was nowhere.
    placed: Bits,
    places: Mutex<Vec<Placed>>,
}

/// A place where an action was used.
type Placed = (Action, ProjectId, Option<Category>);

impl Noted {
    pub(super) fn decided(&self, action: Action, allowed: bool) {
        if self.first.load(Ordering::Relaxed) == 0 {
            self.first.store(action.index() + 1, Ordering::Relaxed);
        }
        if allowed { self.allowed.set(action) } else { self.refused.set(action) }
    }

    pub(super) fn reached(&self, action: Action, at: (ProjectId, Option<Category>)) {
        self.placed.set(action);
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let place = (action, at.0, at.1);
        if places.contains(&place) {
            return;
        }
        if places.len() < MOST_PLACES {
            places.push(place);
        } else {
            self.wherever.set(action);
        }
    }

    pub(super) fn reached_all(&self, action: Action) {
        self.wherever.set(action);
    }

    pub(super) fn reached_nothing(&self, action: Action) {
        self.placed.set(action);
    }

    /// What was decided about the principal.
    ///
    /// Of an answer that tells of projects and notes none of them, it is not known where it came
    /// from: it counts as used wherever the token reaches. What is related to what was asked for
    /// counts as used where that is. A request that was answered was refused nothing, even if more
    /// was asked on the way.
    pub(super) fn decisions(&self, principal: &Principal, answered: bool) -> Decisions {
        let places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let first = self.first.load(Ordering::Relaxed).checked_sub(1).and_then(Action::at);
        let first = first.filter(|action| self.allowed.has(*action));
        let asked = first.map(|action| self.used_at(action, &places, answered));
        let mut decisions = Decisions::default();
        for action in self.allowed.actions() {
            let at = match &asked {
                Some(asked) if Some(action) != first && self.is_unplaced(action) && answered => {
                    related(action, asked, principal)
                }
                _ => self.used_at(action, &places, answered),
            };
            decisions.allowed.extend(at.into_iter().map(|at| Use { action, at }));
        }
        if !answered {
            decisions.refused = self.refused.actions().collect();
        }
        decisions
    }

    /// Whether it is not known where something of projects was used.
    fn is_unplaced(&self, action: Action) -> bool {
        of_project(action) && !self.wherever.has(action) && !self.placed.has(action)
    }

    fn used_at(&self, action: Action, places: &[Placed], answered: bool) -> Vec<UsedAt> {
        if !of_project(action) {
            return vec![UsedAt::Somewhere];
        }
        if self.wherever.has(action) || self.is_unplaced(action) && answered {
            return vec![UsedAt::Wherever];
        }
        let there = places.iter().filter(|(of, ..)| *of == action);
        let there = there.map(|(_, project, category)| UsedAt::Project(*project, *category));
        let there: Vec<_> = there.collect();
        if there.is_empty() { vec![UsedAt::Somewhere] } else { there }
    }
}

fn of_project(action: Action) -> bool {
    catalogue().level(action.on) == Level::Project
}

/// Where something was used that is related to what was asked for: in the same projects, where it
/// is held at all.
fn related(action: Action, asked: &[UsedAt], principal: &Principal) -> Vec<UsedAt> {
    let mut judge = Judge::of(principal);
    let mut there: Vec<_> = asked
        .iter()
        .map(|at| match *at {
            UsedAt::Project(project, _) => UsedAt::Project(project, None),
            UsedAt::Somewhere | UsedAt::Wherever => *at,
        })
        .filter(|at| Use { action, at: *at }.is_held(&mut judge))
        .collect();
    there.dedup();
    there
}

/// Some actions, which can be added to by many.
#[derive(Debug, Default)]
struct Bits([AtomicU64; 2]);

impl Bits {
    fn place(&self, action: Action) -> (&AtomicU64, u64) {
        let [low, high] = &self.0;
        let index = action.index();
        if index < u64::BITS { (low, 1 << index) } else { (high, 1 << (index - u64::BITS)) }
    }

    fn set(&self, action: Action) {
        let (word, bit) = self.place(action);
        // Looking is cheaper than adding what is there.
        if word.load(Ordering::Relaxed) & bit == 0 {
            word.fetch_or(bit, Ordering::Relaxed);
        }
    }

    fn has(&self, action: Action) -> bool {
        let (word, bit) = self.place(action);
        word.load(Ordering::Relaxed) & bit != 0
    }

    /// Those that there are: no more is looked at.
    fn actions(&self) -> impl Iterator<Item = Action> {
        let [low, high] = &self.0;
        let words = [(low, 0), (high, u64::BITS)];
        let of_word = |(word, from): (&AtomicU64, u32)| {
            let mut left = word.load(Ordering::Relaxed);
            std::iter::from_fn(move || {
                let index = (left != 0).then(|| left.trailing_zeros())?;
                left &= left - 1;
                Action::at(from + index)
            })
        };
        words.into_iter().flat_map(of_word)
    }
}
