//! What connections and credentials of a data platform say.

use axum::extract::State;
use domain::{
    adapter::AdapterVersion,
    authz::{Identity, Permit, Read},
};
use wire::v3::AdapterSchema;

use super::named;
use crate::{answer::Object, app::App, error::ApiError, extract::Query};

/// `GET /api/v3/adapter-schema/?adapter_version=postgres_v0`
pub(crate) async fn show(
    _permit: Permit<Read, Identity>,
    State(_app): State<App>,
    Query(params): Query,
) -> Result<Object<AdapterSchema>, ApiError> {
    let adapter = named::<AdapterVersion>(&params, "adapter_version")?;
    let adapter = adapter.ok_or_else(|| ApiError::field("adapter_version", "is required"))?;
    Ok(Object(AdapterSchema::from(adapter)))
}
