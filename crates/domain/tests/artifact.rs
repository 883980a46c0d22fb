//! Artifacts of dbt, read: held against the same files read as plain JSON.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failure is a failed test")]

#[path = "artifact/fields.rs"]
mod fields;
#[path = "common/artifacts.rs"]
mod files;
#[path = "artifact/mistakes.rs"]
mod mistakes;
#[path = "artifact/results.rs"]
mod results;
#[path = "artifact/versions.rs"]
mod versions;
