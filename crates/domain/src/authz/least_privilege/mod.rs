//! Least privilege: the smallest grants that still hold everything that a token was used for.
//!
//! A right is an action, in one project and one category of environment; one on what belongs to
//! the account counts as four. What holds for all projects counts for each project that is named
//! and once more, for those to come. The smallest grants have the fewest rights to write; of
//! these, the fewest rights; then the fewest rows. What is left of ties goes by the names of sets.
//!
//! How it is found: places that ask for the same are one ([`problem`]); of each place, which sets
//! hold what was used there ([`cover`]); and over all places together, since what a set holds on
//! the account it holds however its grant is scoped ([`search`]).

mod cells;
mod cover;
mod problem;
mod search;

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use self::{
    problem::{Candidate, Problem},
    search::{Chosen, Found, search},
};
use super::{AccountTerms, Categories, Grant, PermissionSet, Principal, Projects, Use, UsedAt};
use crate::{Plan, ProjectId, ServiceTokenId, service_token::ServiceToken};

/// What a token could be narrowed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// The grants, by the names of their sets; none beyond what the token holds now.
    pub grants: Vec<Grant>,
    /// Whether it is known that there are no smaller ones. If the smallest had more rows than a
    /// token may carry, actions are kept in all projects where they are held in all.
    pub is_smallest: bool,
    /// Uses that the token's grants hold no longer: nothing is kept for them.
    pub not_held: Vec<Use>,
}

impl Proposal {
    /// Names it, and the state of the token that it was made for: a digest, 32 hexadecimal digits.
    #[must_use]
    pub fn name(&self, token: ServiceTokenId, revision: i64) -> String {
        let mut digest = Sha256::new();
        digest.update(format!("{token} {revision}"));
        for grant in &self.grants {
            digest.update(format!("\n{} {:?}", grant.permission_set(), grant.raised().words()));
            if let Projects::Only(projects) = grant.projects() {
                for project in projects {
                    digest.update(format!(" {project}"));
                }
            }
        }
        digest
            .finalize()
            .iter()
            .take(16)
            .fold(String::new(), |name, byte| name + &format!("{byte:02x}"))
    }
}

/// A token's grants by themselves: as the plan leaves them, whatever its restrictions and the
/// account's settings take away for now.
#[must_use]
pub fn grants_alone(id: ServiceTokenId, terms: AccountTerms, grants: Vec<Grant>) -> Principal {
    let terms = AccountTerms { tokens_may_mint: true, ..terms };
    Principal::service_token(id, 0, terms, grants)
}

/// The smallest grants that hold all `uses` which the present ones hold, of sets that the plan
/// offers and that either the token holds already or `may_gain` allows.
///
/// Deterministic; bounded in time, whatever the uses are: [`Proposal::is_smallest`] tells.
#[must_use]
pub fn propose(
    plan: Option<Plan>,
    grants: &[Grant],
    uses: &[Use],
    may_gain: impl Fn(PermissionSet) -> bool,
) -> Proposal {
    let live: Vec<&Grant> = grants.iter().filter(|grant| grant.offered_by(plan).is_ok()).collect();
    let held = |set| live.iter().any(|grant| grant.permission_set() == set);
    let may = |set| held(set) || may_gain(set);
    let (problem, not_held) = Problem::new(plan, &live, uses, &may);
    let fits = |grants: &Vec<Grant>| rows(grants) <= ServiceToken::MAX_GRANTS;
    if let Some(Found { rows, is_smallest }) = search(&problem) {
        let found = grants_of(&problem, &rows);
        if fits(&found) {
            return Proposal { grants: found, is_smallest, not_held };
        }
    }
    let wide: Vec<Use> = uses.iter().map(|used| Use { at: UsedAt::Wherever, ..*used }).collect();
    let (problem, _) = Problem::new(plan, &live, &wide, &may);
    let found = search(&problem).map(|found| grants_of(&problem, &found.rows)).filter(fits);
    let grants = found.unwrap_or_else(|| live.into_iter().cloned().collect());
    Proposal { grants, is_smallest: false, not_held }
}

/// How many permission rows they are.
fn rows(grants: &[Grant]) -> usize {
    let rows = |grant: &Grant| match grant.projects() {
        Projects::All => 1,
        Projects::Only(projects) => projects.len(),
    };
    grants.iter().map(rows).sum()
}

/// Grants of the rows that were chosen: a set, its categories, and a project or all.
fn grants_of(problem: &Problem, rows: &[Chosen]) -> Vec<Grant> {
    let mut by_set: BTreeMap<(&str, Categories, bool), (&Candidate, Vec<ProjectId>)> =
        BTreeMap::new();
    for (candidate, project) in rows {
        let Some(candidate) = problem.candidates.get(*candidate) else { continue };
        let key = (candidate.set.key(), candidate.raised, project.is_some());
        by_set.entry(key).or_insert_with(|| (candidate, Vec::new())).1.extend(*project);
    }
    let grant = |(candidate, projects): (&Candidate, Vec<ProjectId>)| {
        let projects =
            if projects.is_empty() { Projects::All } else { Projects::only(projects).ok()? };
        Some(Grant::new(candidate.set, projects).ok()?.raising(candidate.raised))
    };
    by_set.into_values().filter_map(grant).collect()
}
