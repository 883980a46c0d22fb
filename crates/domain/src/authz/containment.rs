//! Nobody hands out more than they hold.

use std::collections::HashMap;

use super::{Action, Decision, Grant, Principal, Restriction, Restrictions, Scope, decide};

/// What goes beyond what its maker holds (SECURITY.md, line 18).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Exceeds {
    /// A grant does.
    #[error("`{}` would hand out {action} beyond what you hold", grant.permission_set())]
    Grant {
        /// The grant that goes too far.
        grant: Grant,
        /// The first action in which it does.
        action: Action,
    },
    /// The maker is restricted, and what it makes would be less so.
    #[error("you are held to `{}`, and so is what you make: give it the same or less", .0.key())]
    Restriction(Restriction),
}

/// [`contained_under`] without restrictions.
///
/// # Errors
/// As [`contained_under`].
pub fn contained(grants: &[Grant], maker: &Principal) -> Result<(), Exceeds> {
    contained_under(&Restrictions::default(), grants, maker)
}

/// Whether everything that `grants` allow is within what `maker` is allowed now: every action, on
/// every project, in every category of environment; and whether `restrictions` leave no more than
/// the maker's own: no other address, environment or job, no higher rate.
///
/// # Errors
/// [`Exceeds`] with the first grant and action that are not, or the restriction that is missing.
pub fn contained_under(
    restrictions: &Restrictions,
    grants: &[Grant],
    maker: &Principal,
) -> Result<(), Exceeds> {
    if let Some(missing) = restrictions.looser_than(maker.restrictions()) {
        return Err(Exceeds::Restriction(missing));
    }
    // Each action is decided once, however many grants hold it.
    let mut decided = HashMap::new();
    for grant in grants {
        for action in grant.rights().actions() {
            let held = decided.entry(action).or_insert_with(|| match decide(maker, action) {
                Decision::Allow(scope) => scope,
                Decision::Deny => Scope::nowhere(),
            });
            if !held.contains(&grant.scope_of(action)) {
                return Err(Exceeds::Grant { grant: grant.clone(), action });
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
