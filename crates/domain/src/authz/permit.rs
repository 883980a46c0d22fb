//! Permits: proof that the decision was yes.

use std::{marker::PhantomData, net::IpAddr, sync::Arc};

use super::{
    AccessMarker, Action, Categories, Category, Decisions, Denied, Extent, Judge, KindMarker,
    Place, Principal, PrincipalId, Rule, Scope, uses::Noted,
};
use crate::{AccountId, ProjectId};

/// Where a request came from: what an audit record says besides who and what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The caller's address; `None` for the server's own process.
    pub address: Option<IpAddr>,
    /// The `User-Agent`, at most 255 characters; empty if there was none.
    pub agent: String,
    /// The request's id, as in the response's `X-Request-Id`.
    pub request_id: String,
}

impl Origin {
    /// The server's own process.
    #[must_use]
    pub fn local() -> Self {
        Self { address: None, agent: "narrowgate".to_owned(), request_id: String::new() }
    }
}

/// A principal, and where its request came from; and what was decided about it since.
#[derive(Debug)]
pub struct Caller {
    principal: Arc<Principal>,
    origin: Origin,
    noted: Noted,
}

impl Caller {
    /// A caller from its parts.
    #[must_use]
    pub fn new(principal: Arc<Principal>, origin: Origin) -> Self {
        Self { principal, origin, noted: Noted::default() }
    }

    /// Who acts.
    #[must_use]
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// Where the request came from.
    #[must_use]
    pub const fn origin(&self) -> &Origin {
        &self.origin
    }

    /// What was decided about it so far; `answered` is whether its request got what it asked for.
    #[must_use]
    pub fn decisions(&self, answered: bool) -> Decisions {
        self.noted.decisions(&self.principal, answered)
    }
}

/// Proof that a caller may take the action somewhere in its account; what it is shown confines
/// its queries with it.
///
/// Made by [`authorize`] alone. This does not compile, since the fields are private:
///
/// ```compile_fail
/// use domain::authz::{Caller, Jobs, Permit, Write};
/// fn forge(caller: std::sync::Arc<Caller>) -> Permit<Write, Jobs> {
///     Permit { caller, action: std::marker::PhantomData }
/// }
/// ```
///
/// nor does this, since the proof of one action is not that of another:
///
/// ```compile_fail
/// use domain::authz::{Jobs, Permit, Read, Write};
/// fn raise(permit: Permit<Read, Jobs>) -> Permit<Write, Jobs> {
///     permit
/// }
/// ```
///
/// ```compile_fail
/// use domain::authz::{Jobs, Permit, Runs, Write};
/// fn turn(permit: Permit<Write, Jobs>) -> Permit<Write, Runs> {
///     permit
/// }
/// ```
///
/// and this, which asks the decision instead, does:
///
/// ```
/// use domain::authz::{Caller, Denied, Jobs, Permit, Write, authorize};
/// fn ask(caller: std::sync::Arc<Caller>) -> Result<Permit<Write, Jobs>, Denied> {
///     authorize(&caller, caller.principal().account())
/// }
/// ```
pub struct Permit<A, K> {
    caller: Arc<Caller>,
    action: PhantomData<fn() -> (A, K)>,
}

impl<A, K> Clone for Permit<A, K> {
    fn clone(&self) -> Self {
        Self { caller: Arc::clone(&self.caller), action: PhantomData }
    }
}

/// Decides, and gives the proof.
///
/// # Errors
/// [`Denied::OtherAccount`] if `account` is not the principal's own, [`Denied::NoGrant`] if no
/// grant holds the action anywhere.
pub fn authorize<A: AccessMarker, K: KindMarker>(
    caller: &Arc<Caller>,
    account: AccountId,
) -> Result<Permit<A, K>, Denied> {
    let action = Action::of::<A, K>();
    let decided = authorize_action(caller.principal(), account, action);
    caller.noted.decided(action, decided.is_ok());
    decided?;
    Ok(Permit { caller: Arc::clone(caller), action: PhantomData })
}

/// [`authorize`] for an action that is known at run time only; it gives no permit.
///
/// # Errors
/// As [`authorize`].
pub fn authorize_action(
    principal: &Principal,
    account: AccountId,
    action: Action,
) -> Result<(), Denied> {
    if principal.account() != account {
        Err(Denied::OtherAccount)
    } else if principal.holds(action) {
        Ok(())
    } else {
        let rule = principal.refuses(action).unwrap_or(Rule::NoGrant);
        Err(Denied::NoGrant { action, plan: principal.terms().plan, rule })
    }
}

impl<A: AccessMarker, K: KindMarker> Permit<A, K> {
    /// The account it holds for.
    #[must_use]
    pub fn account(&self) -> AccountId {
        self.principal().account()
    }

    /// Who acts.
    #[must_use]
    pub fn principal(&self) -> &Principal {
        self.caller.principal()
    }

    /// Who acts, as an audit record names it.
    #[must_use]
    pub fn author(&self) -> PrincipalId {
        self.principal().id()
    }

    /// Where the request came from.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        self.caller.origin()
    }

    /// Where it holds.
    #[must_use]
    pub fn scope(&self) -> Extent<'_> {
        Extent::of(self.principal(), Action::of::<A, K>())
    }

    /// The projects that the grants behind it name. Where the resource is the account's own, the
    /// permit holds whatever they name; what such an object tells of projects need not.
    #[must_use]
    pub fn granted_projects(&self) -> Scope {
        let (principal, action) = (self.principal(), Action::of::<A, K>());
        if principal.implied().allow(action) {
            return Scope::all_projects(Categories::ALL);
        }
        let holding = principal.live_grants().filter(|grant| grant.rights().allow(action));
        let named = holding.map(|grant| grant.projects().scope(Categories::ALL));
        named.fold(Scope::nowhere(), Scope::union)
    }

    /// Holds it to one project, for what has no environment: what is made there, too.
    ///
    /// # Errors
    /// As [`Permit::at`].
    pub fn within(&self, project: ProjectId) -> Result<(), Denied> {
        self.at(Place::project(project))
    }

    /// Holds it to where an object is.
    ///
    /// # Errors
    /// [`Denied::OutsideScope`] if the caller may not even read this kind of resource in the
    /// project, or is held to other environments or jobs; [`Denied::NoGrantHere`] if it may read,
    /// but not do this, or would make something while it is held to what there is.
    pub fn at(&self, place: Place) -> Result<(), Denied> {
        let (mut judge, action) = (Judge::of(self.principal()), Action::of::<A, K>());
        let decided = judge.at(action, place);
        let category = place.environment.map(|(_, category)| category);
        self.note(decided, place.project, category)
    }

    /// Holds it to where a list of objects is, whichever of them are left to the caller.
    ///
    /// # Errors
    /// As [`Permit::at`], of the project alone.
    pub fn among(&self, project: ProjectId) -> Result<(), Denied> {
        let (mut judge, action) = (Judge::of(self.principal()), Action::of::<A, K>());
        let decided = judge.among(action, project, &Category::ALL);
        self.note(decided, project, None)
    }

    fn note(
        &self,
        decided: Result<(), Denied>,
        project: ProjectId,
        category: Option<Category>,
    ) -> Result<(), Denied> {
        let (noted, action) = (&self.caller.noted, Action::of::<A, K>());
        if decided.is_ok() {
            noted.reached(action, (project, category));
        } else {
            noted.decided(action, false);
        }
        decided
    }

    /// Notes that what was found by it lies in a project: the caller used it there.
    pub fn note_project(&self, project: ProjectId) {
        self.caller.noted.reached(Action::of::<A, K>(), (project, None));
    }

    /// Notes that it was used and nothing was found.
    pub fn note_nothing(&self) {
        self.caller.noted.reached_nothing(Action::of::<A, K>());
    }

    /// Notes that it was used for all that it reaches, whatever there was.
    pub fn note_everywhere(&self) {
        self.caller.noted.reached_all(Action::of::<A, K>());
    }

    /// The same caller's permit for something else, such as a related object.
    ///
    /// # Errors
    /// As [`authorize`].
    pub fn also<B: AccessMarker, L: KindMarker>(&self) -> Result<Permit<B, L>, Denied> {
        authorize(&self.caller, self.account())
    }
}

impl<A: AccessMarker, K: KindMarker> std::fmt::Debug for Permit<A, K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Permit({} by {})", Action::of::<A, K>(), self.author())
    }
}
