//! Where and by what something is allowed, point by point.

use std::sync::Arc;

use domain::{
    ProjectId,
    authz::{Action, Caller, Category, Decision, Origin, Principal, Scope, decide},
};

use super::{
    rows::TABLE,
    world::{NAMED, TOMORROW, project},
};

/// Every project of the world, with every category of environment.
pub(crate) fn places() -> impl Iterator<Item = (ProjectId, Category)> {
    let projects = NAMED.into_iter().chain([TOMORROW]).map(project);
    projects.flat_map(|project| Category::ALL.map(|category| (project, category)))
}

pub(crate) fn caller(principal: Principal) -> Arc<Caller> {
    Arc::new(Caller::new(Arc::new(principal), Origin::local()))
}

/// What is decided, as a scope.
pub(crate) fn scope(principal: &Principal, action: Action) -> Scope {
    match decide(principal, action) {
        Decision::Allow(scope) => scope,
        Decision::Deny => Scope::nowhere(),
    }
}

/// Whether a principal holds the action by what it is, not by a grant.
pub(crate) fn implied(action: Action, is_user: bool, opens_admin: bool) -> bool {
    let kind = &TABLE.kinds[action.on.key()];
    let holder = match kind.implied.as_deref() {
        Some("every_principal") => true,
        Some("admin_api") => opens_admin,
        Some("user") => is_user,
        Some(other) => panic!("`{other}` is no holder"),
        None => false,
    };
    holder && action.access <= kind.max
}
