//! `/api/v3`.

use domain::authz::{AccessMarker, KindMarker, Permit};
use wire::Patch;

use crate::error::ApiError;

pub(crate) mod check;
pub(crate) mod personal_tokens;
pub(crate) mod service_tokens;

/// A body that names an account has to name the path's: an id of another reads as not found.
pub(crate) fn same_account<A: AccessMarker, K: KindMarker>(
    permit: &Permit<A, K>,
    named: &Patch<i64>,
) -> Result<(), ApiError> {
    match named {
        Patch::Value(id) if *id != permit.account().get() => Err(ApiError::NotFound),
        Patch::Absent | Patch::Null | Patch::Value(_) => Ok(()),
    }
}
