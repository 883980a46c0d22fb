//! Runs that are really carried out: a real store, real git, real processes, and where it matters
//! the real dbt on a real warehouse.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails where it stands, in its helpers too"
)]

mod cancel;
mod checkout;
mod clones;
mod deferral;
mod ends;
mod generated;
mod house;
mod isolation;
mod leases;
mod postgres;
mod progress;
mod retry;
mod sandbox;
mod schedule;
mod shop;
mod side_by_side;
mod surroundings;
mod tokens;
mod triggers;
mod tunnels;
mod versions;
