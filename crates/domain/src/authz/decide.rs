//! The one function that decides.

use super::{Action, Principal, Scope};

/// The answer to "may this principal do that, and where?".
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// On this scope, which is never empty.
    Allow(Scope),
    /// Nowhere.
    Deny,
}

/// Decides whether a principal may take an action, and on which projects.
///
/// The union of the scopes of all grants whose permission set allows the action, unless the
/// principal's ceiling (plan, licence, account setting) or its restrictions take it away. Pure: no
/// clock, no store. The table is `catalogue.toml`. Which environments and jobs are left of the
/// scope, where the principal is held to some, an [`Extent`](super::Extent) says.
#[must_use]
pub fn decide(principal: &Principal, action: Action) -> Decision {
    if !principal.ceiling().admits(action) || principal.restrictions().take(action).is_some() {
        return Decision::Deny;
    }
    if principal.implied().allow(action) {
        return Decision::Allow(Scope::all_projects(super::Categories::ALL));
    }
    let scope = principal
        .live_grants()
        .map(|grant| grant.scope_of(action))
        .fold(Scope::nowhere(), Scope::union);
    if scope.is_nowhere() { Decision::Deny } else { Decision::Allow(scope) }
}
