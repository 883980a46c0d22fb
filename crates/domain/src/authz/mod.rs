//! Who may do what: the permission catalogue and the one function that decides.
//!
//! The words, from the outside in: a [`Caller`] is a [`Principal`] and where its request came
//! from; a principal holds [`Grant`]s; a grant is a [`PermissionSet`] on some [`Projects`]; a set
//! is a row of the [`Catalogue`]. [`Restrictions`] take away from what a service token's grants
//! give. [`decide`] turns a principal and an [`Action`] into a [`Decision`]; [`authorize`] turns a
//! caller into a [`Permit`], which the store asks for; its [`Extent`] is where it holds.

mod action;
mod catalogue;
mod containment;
mod decide;
mod denied;
mod difference;
mod extent;
mod grant;
mod judge;
mod least_privilege;
mod license;
mod permission_set;
mod permit;
mod principal;
mod restrictions;
mod scope;
mod uses;

pub use action::{
    Access, AccessMarker, Action, KindMarker, Read, ResourceKind, Rights, UnknownResource, Write,
    kinds,
};
pub use catalogue::{
    BuiltInGroup, Catalogue, CatalogueError, Level, ResourceRow, SetRow, catalogue,
};
pub use containment::{Exceeds, contained, contained_under, gained};
pub use decide::{Decision, decide};
pub use denied::{Denied, Explanation, Rule, explain};
pub use difference::{Difference, difference};
pub use extent::{Extent, Place};
pub use grant::{Grant, InvalidGrant, NotOffered, Projects};
pub use judge::{Judge, Refusal, Whereabouts};
pub use kinds::*;
pub use least_privilege::{Proposal, grants_alone, propose};
pub use license::{License, UnknownLicense};
pub use permission_set::{PermissionSet, UnknownPermissionSet};
pub use permit::{Caller, Origin, Permit, authorize, authorize_action};
pub use principal::{AccountTerms, Credential, Principal, PrincipalId, SystemTask};
pub use restrictions::{Restriction, Restrictions};
pub use scope::{Categories, Category, Scope, UnknownCategory};
pub use uses::{Decisions, Lost, Use, UsedAt, lost, replay};
