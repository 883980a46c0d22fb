//! The nouns of `/api/v2`.

mod account;
mod whoami;

pub use account::Account;
pub use whoami::{Constants, WhoAmI, WhoAmIUser};
