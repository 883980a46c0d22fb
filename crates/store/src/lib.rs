//! SQL, files and secrets: where Narrowgate keeps what it knows.
//!
//! This crate knows the database, its migrations, the audit chain, the event log, the artifact
//! store and the keyring. It must never know HTTP, the API's JSON, or who may do what: it is
//! *shown* a [`Permit`](domain::authz::Permit), and confines its queries with it. Each public
//! function is one transaction that leaves the world whole: the row, the audit record and the
//! event together.
//!
//! Calling it without a permit does not compile:
//!
//! ```compile_fail
//! async fn peek(store: &store::Store) {
//!     let _ = store.service_tokens(&domain::list::ListQuery::first_page()).await;
//! }
//! ```
//!
//! and with one it does:
//!
//! ```
//! use domain::authz::{Permit, Read, ServiceTokens};
//! async fn list(store: &store::Store, permit: &Permit<Read, ServiceTokens>) {
//!     let _ = store.service_tokens(permit, &domain::list::ListQuery::first_page()).await;
//! }
//! ```
//!
//! Five files have functions without a permit: [`credential`](Store::authenticate) (secret →
//! principal), `sessions` (the same for people), `events` (the log), `bootstrap` (an account's
//! first admin: before, there is nobody who could hold a permit) and `acceptance` (of an
//! invitation, by its secret).

mod acceptance;
mod accounts;
mod artifact_store;
mod artifacts;
mod audit;
mod audit_exports;
mod audit_log;
mod bootstrap;
mod canary_uses;
mod check;
mod clock;
mod clones;
mod connections;
mod credential;
mod db;
mod dialect;
mod discovery;
mod entities;
mod environment_variables;
mod environments;
mod error;
mod events;
mod generated;
mod git_hooks;
mod grant_rows;
mod groups;
mod invites;
mod ip_restrictions;
mod jobs;
mod kept;
mod keyring;
mod last_used;
mod leaks;
mod list;
mod makers;
mod managed_repositories;
mod many_tokens;
mod memberships;
mod migrations;
mod model_notifications;
mod names;
mod notifications;
mod old_secret_uses;
mod outbox;
mod own_sessions;
mod personal_tokens;
mod principals;
mod profiles;
mod project_adapters;
mod project_reach;
mod projects;
mod repositories;
mod responsible;
mod retention;
mod rows;
mod runs;
mod s3;
mod schedules;
mod seal;
mod seats;
mod second_factors;
mod service_tokens;
mod sessions;
mod sign_in_links;
mod ssh_key;
mod ssh_tunnels;
mod token_credentials;
mod token_narrowings;
mod token_news;
mod token_policies;
mod token_proposals;
mod token_reminders;
mod token_restrictions;
mod token_rotations;
mod token_uses;
mod tx;
mod uid;
mod usage;
mod user_credentials;
mod users;
mod warehouse_credentials;
mod webhooks;

pub use accounts::AccountChange;
pub use artifact_store::{ArtifactContent, ArtifactPlace};
pub use artifacts::{Artifact, ArtifactOfStep};
pub use audit::AuditError;
pub use bootstrap::{Bootstrapped, NewAccount};
pub use check::Places;
pub use clock::Clock;
pub use db::{DataDir, Store};
pub use environment_variables::{EditedVariables, VariableChange, VariableEdit};
pub use error::StoreError;
pub use invites::NewInvites;
pub use ip_restrictions::RuleOfSet;
pub use keyring::{Keyring, KeyringError};
pub use makers::Maker;
pub use many_tokens::PlannedToken;
pub use names::{Choice, Named, Names};
pub use outbox::Ticket;
pub use runs::{
    ClaimedRun, DebugLog, GitDeliveryOutcome, LatestRuns, LogEnd, LogMark, LogPiece, StepWithLogs,
};
pub use s3::{S3, S3Keys};
pub use second_factors::SecondFactor;
pub use service_tokens::{ImportedToken, NewServiceToken, TokenChange};
pub use sessions::{Candidate, LiveSession, Proven};
pub use token_narrowings::Narrowing;
pub use token_rotations::{CredentialOfToken, RotatedToken};
pub use users::NamesChange;
