//! The words that the API uses.

use domain::authz::{Identity, Permit, Read};

use crate::{answer::Object, error::ApiError};

/// `GET /api/v2/constants/`
pub(crate) async fn show(
    _permit: Permit<Read, Identity>,
) -> Result<Object<wire::v2::Constants>, ApiError> {
    Ok(Object(wire::v2::Constants::of_catalogue()))
}
