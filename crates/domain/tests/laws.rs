//! The laws of decisions, tokens and values, as property tests.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failure is a failed test")]

#[path = "laws/audit.rs"]
mod audit;
#[path = "laws/ceiling.rs"]
mod ceiling;
#[path = "laws/containment.rs"]
mod containment;
#[path = "laws/decision.rs"]
mod decision;
#[path = "laws/least_privilege.rs"]
mod least_privilege;
#[path = "laws/place.rs"]
mod place;
#[path = "laws/restrictions.rs"]
mod restrictions;
#[path = "laws/rows.rs"]
mod rows;
#[path = "laws/scope.rs"]
mod scope;
#[path = "laws/secret.rs"]
mod secret;
#[path = "common/table.rs"]
mod table;
#[path = "laws/values.rs"]
mod values;
#[path = "common/world.rs"]
mod world;
