//! Licences: how many there are, and who has which.

use axum::extract::State;
use domain::{
    LicenseId,
    authz::{Licenses, Permit, Read, Write},
};
use wire::v2::{LicenseAllocation, UserLicense, UserLicenseBody};

use crate::{
    admin::v3::paged,
    answer::{Object, Page},
    app::App,
    error::ApiError,
    extract::{At, Body, Query},
};

/// `GET /api/v2/accounts/{account_id}/licenses/`: a list of one.
pub(crate) async fn list(
    permit: Permit<Read, Licenses>,
    State(app): State<App>,
    Query(params): Query,
) -> Result<Page<LicenseAllocation>, ApiError> {
    let all = app.store.allocations(&permit).await?;
    let plan = permit.principal().terms().plan;
    Ok(paged(params, vec![LicenseAllocation::new(plan, &all)]))
}

/// `POST /api/v2/accounts/{account_id}/permissions/{permission_id}/`: another licence for a user;
/// or, by state 2, none: the user is in the account no longer.
pub(crate) async fn update(
    permit: Permit<Write, Licenses>,
    State(app): State<App>,
    At(id): At<LicenseId>,
    Body(body): Body<UserLicenseBody>,
) -> Result<Object<UserLicense>, ApiError> {
    let heir = body.heir()?;
    let user = match body.license()? {
        Some(license) => app.store.change_license(&permit, id, license).await?,
        None => app.store.remove_user(&permit, id, heir).await?,
    };
    Ok(Object(UserLicense::new(permit.account(), &user)))
}
