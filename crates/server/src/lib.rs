//! The faces: what Narrowgate answers over HTTP.
//!
//! This crate knows routes, headers, status codes and how an error is told. It must never know
//! SQL or processes. Every request takes the same stairs: [`extract`] parses the secret and asks
//! the store who it is, `domain::authz` decides and gives a permit, the handler shows the permit
//! to the store, and [`answer`] renders what comes back. A handler's first argument *is* its
//! permit: [`endpoint`] makes the route's documentation from the handler's own types, and a
//! handler without one does not fit the list in [`routes`].

mod admin;
mod answer;
mod app;
mod audit_table;
mod checks;
mod client_address;
mod console;
mod csv;
mod docs;
mod endpoint;
mod error;
mod exports;
mod extract;
mod failures;
mod following;
mod git_hooks;
mod leak_keys;
mod leaks;
mod mail;
mod oauth;
mod openapi;
mod operations;
mod outbox;
mod public;
mod rates;
mod reminders;
mod request_id;
mod retention;
mod routes;
mod serve;
mod streams;
mod tls;
mod token_mail;
mod unread;
mod uses;
mod webhooks;

pub use client_address::TrustedProxies;
pub use console::{ConsolePage, console_pages};
pub use failures::FailureLimits;
pub use leak_keys::{InvalidLeakKey, LeakKeys};
pub use mail::{MailConfig, MailError, Mailer};
pub use openapi::openapi;
pub use operations::{Operation, documented_operations};
pub use routes::{ServedRoute, public_routes, served_routes};
pub use serve::{Limits, Server, ServerConfig, ServerError};
pub use tls::{TlsError, TlsFiles};
pub use webhooks::WebhookTargets;
