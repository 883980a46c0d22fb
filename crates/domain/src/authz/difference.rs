//! What a change of a token's grants and restrictions gives it, and what it takes.

use super::{AccountTerms, Action, Decision, Grant, Principal, Restrictions, Scope, decide};
use crate::ServiceTokenId;

/// The actions of which a token would have more, and of which less: on more or fewer projects, in
/// more or fewer categories of environment. One may stand in both.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Difference {
    /// Of these it would have more.
    pub gained: Vec<Action>,
    /// Of these it would have less.
    pub lost: Vec<Action>,
}

/// Compares what two lists of grants hold under their restrictions. Lists of addresses, environments
/// and jobs, and a rate, take away besides what no action tells: compare them by
/// [`Restrictions::within`].
#[must_use]
pub fn difference(
    token: ServiceTokenId,
    terms: AccountTerms,
    before: (&[Grant], &Restrictions),
    after: (&[Grant], &Restrictions),
) -> Difference {
    let holder = |(grants, restrictions): (&[Grant], &Restrictions)| {
        Principal::service_token(token, 0, terms, grants.to_vec()).restricted(restrictions.clone())
    };
    let (before, after) = (holder(before), holder(after));
    let scope = |holder: &Principal, action| match decide(holder, action) {
        Decision::Allow(scope) => scope,
        Decision::Deny => Scope::nowhere(),
    };
    let mut difference = Difference::default();
    for action in Action::all() {
        let (had, has) = (scope(&before, action), scope(&after, action));
        if !had.contains(&has) {
            difference.gained.push(action);
        }
        if !has.contains(&had) {
            difference.lost.push(action);
        }
    }
    difference
}
