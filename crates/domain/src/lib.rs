//! What is true without disk, socket, clock or thread.
//!
//! This crate knows ids, principals, grants, the permission catalogue and the decisions made
//! from it, and the nouns that Narrowgate keeps (service tokens, projects, jobs, runs) as values.
//! It must never know I/O, an async runtime, the time of day, SQL, HTTP or the JSON of an API:
//! time, randomness and ids arrive as arguments, and every function is deterministic.
//!
//! The heart is [`authz`]. A service token's grants decide what it may do, and where:
//!
//! ```
//! use domain::authz::{AccountTerms, Caller, Grant, Origin, Principal, Projects};
//! use domain::authz::{Jobs, Permit, Read, Write, authorize};
//! use domain::{AccountId, Plan, ProjectId, ServiceTokenId};
//! use std::sync::Arc;
//!
//! let account = AccountId::new(1)?;
//! let (sales, hr) = (ProjectId::new(7)?, ProjectId::new(8)?);
//! let viewer = Grant::new("job_viewer".parse()?, Projects::only([sales])?)?;
//! let terms =
//!     AccountTerms { id: account, plan: Some(Plan::Enterprise), tokens_may_mint: true };
//! let token = Principal::service_token(ServiceTokenId::new(3)?, 1, terms, vec![viewer]);
//! let caller = Arc::new(Caller::new(Arc::new(token), Origin::local()));
//!
//! let permit: Permit<Read, Jobs> = authorize(&caller, account)?;
//! assert!(permit.within(sales).is_ok());
//! assert!(permit.within(hr).is_err());
//! assert!(authorize::<Write, Jobs>(&caller, account).is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod account;
pub mod adapter;
pub mod artifact;
pub mod audit;
pub mod authz;
pub mod connection;
pub mod discovery;
pub mod environment;
pub mod environment_variable;
pub mod event;
pub mod extended_attributes;
pub mod git_event;
pub mod git_hook;
pub mod group;
mod id;
pub mod invite;
pub mod ip_restriction;
pub mod job;
pub mod kept;
pub mod leak;
pub mod lease;
pub mod license_map;
pub mod list;
pub mod model_notification;
mod name;
pub mod networks;
mod node_counts;
pub mod notification;
pub mod oauth_configuration;
pub mod outbox;
pub mod password;
pub mod personal_token;
mod plan;
pub mod profile;
pub mod project;
pub mod project_adapter;
pub mod rate;
pub mod reach;
pub mod repository;
pub mod run;
pub mod run_report;
pub mod run_results;
pub mod scan;
pub mod seats;
pub mod second_factor;
pub mod secret;
pub mod semantic_layer;
pub mod service_token;
pub mod session;
pub mod source_freshness;
pub mod ssh_tunnel;
mod time;
pub mod token_credential;
pub mod token_filter;
pub mod token_policy;
pub mod token_proposal;
pub mod token_reminder;
pub mod token_report;
pub mod token_rotation;
pub mod token_use;
pub mod usage;
pub mod user;
pub mod user_credentials;
pub mod warehouse_credential;
pub mod webhook;

pub use id::{
    AccountId, ConnectionId, CredentialId, EnvironmentId, GrantId, GroupId, InvalidId, InviteId,
    JobId, LeaseId, LicenseId, PersonalTokenId, ProjectId, RepositoryId, RunId, ServiceTokenId,
    SessionId, StepId, TokenCredentialId, TokenProposalId, UserId,
};
pub use name::{InvalidName, Name};
pub use node_counts::{NodeCounts, NodeEnds};
pub use plan::{AccountPlan, Plan, UnknownPlan};
pub use time::{InvalidTimestamp, Timestamp};
