//! The Admin API, v2 and v3: one file a noun. Inside a file the order is always list, show,
//! create, update, delete, then private helpers.

pub(crate) mod kept;
pub(crate) mod v2;
pub(crate) mod v3;
