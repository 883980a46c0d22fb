//! Nobody hands out more than they hold.

use std::collections::HashMap;

use super::{Action, Decision, Grant, Principal, Scope, decide};

/// A grant that goes beyond what its maker holds (SECURITY.md, line 18).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` would hand out {action} beyond what you hold", grant.permission_set())]
pub struct Exceeds {
    /// The grant that goes too far.
    pub grant: Grant,
    /// The first action in which it does.
    pub action: Action,
}

/// Whether everything that `grants` allow is within what `maker` is allowed now: every action, on
/// every project, in every category of environment.
///
/// # Errors
/// [`Exceeds`] with the first grant and action that are not.
pub fn contained(grants: &[Grant], maker: &Principal) -> Result<(), Exceeds> {
    // Each action is decided once, however many grants hold it.
    let mut decided = HashMap::new();
    for grant in grants {
        for action in grant.rights().actions() {
            let held = decided.entry(action).or_insert_with(|| match decide(maker, action) {
                Decision::Allow(scope) => scope,
                Decision::Deny => Scope::nowhere(),
            });
            if !held.contains(&grant.scope_of(action)) {
                return Err(Exceeds { grant: grant.clone(), action });
            }
        }
    }
    Ok(())
}

/// Whether everything that `after` holds and `before` does not is within what `maker` is allowed
/// now: nobody lets another gain more than they hold.
///
/// # Errors
/// [`Exceeds`] with the first grant that is not.
pub fn gained(
    before: Option<&Principal>,
    after: &Principal,
    maker: &Principal,
) -> Result<(), Exceeds> {
    for grant in after.live_grants() {
        let grant = std::slice::from_ref(grant);
        if before.is_none_or(|before| contained(grant, before).is_err()) {
            contained(grant, maker)?;
        }
    }
    Ok(())
}
