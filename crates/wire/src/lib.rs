//! The JSON of the Admin API, v2 and v3, as dbt's published documents and the real clients have it.
//!
//! This crate knows field names, the envelope, how lists are asked for and how bodies are read;
//! `TryFrom` and `From` lead to and from [`domain`]. It must never know how anything is stored or
//! decided. Reading is the second parse of a request: what comes out is a domain value or an
//! [`Invalid`] that names every field that is wrong.
//!
//! ```
//! use wire::{Invalid, ListParams};
//!
//! let asked = ListParams::parse("limit=10&order_by=-created_at&include_related=['job']")?;
//! assert_eq!(asked.query.limit, 10);
//! assert!(asked.include.has("job"));
//! assert!(ListParams::parse("limit=101").is_err());
//! # Ok::<(), Invalid>(())
//! ```

mod body;
pub mod client;
mod envelope;
mod field;
mod git_host;
mod include;
mod invalid;
mod kept;
mod page;
mod patch;
pub mod v2;
pub mod v3;

pub use body::from_json;
pub use envelope::{Envelope, Extra, Pagination, Reasons, RequiredPermission, Status};
pub use git_host::git_event;
pub use include::Include;
pub use invalid::Invalid;
pub use kept::{KeptBody, KeptFace};
pub use page::ListParams;
pub use patch::Patch;
