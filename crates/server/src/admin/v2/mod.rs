//! `/api/v2`.

pub(crate) mod accounts;
pub(crate) mod constants;
pub(crate) mod whoami;
