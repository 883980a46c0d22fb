//! What artifacts fold into: held against the same files read as plain JSON.
#![expect(clippy::unwrap_used, reason = "a failure is a failed test")]

#[path = "discovery/applied.rs"]
mod applied;
#[path = "common/artifacts.rs"]
mod files;
#[path = "discovery/graph.rs"]
mod graph;
#[path = "discovery/selectors.rs"]
mod selectors;
#[path = "discovery/world.rs"]
mod world;
