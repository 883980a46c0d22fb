//! Users of the account, as v3 has them.

use axum::extract::State;
use domain::{
    UserId,
    authz::{Members, Permit, Read},
};
use wire::v3::AccountUser;

use crate::{
    answer::{Object, Page},
    app::App,
    error::ApiError,
    extract::{At, Query},
};

/// `GET /api/v3/accounts/{account_id}/users/`
pub(crate) async fn list(
    permit: Permit<Read, Members>,
    State(app): State<App>,
    Query(params): Query,
) -> Result<Page<AccountUser>, ApiError> {
    let page = app.store.users(&permit, &params.query).await?;
    Ok(Page(params, page.map(|user| AccountUser::new(permit.account(), &user))))
}

/// `GET /api/v3/accounts/{account_id}/users/{user_id}/`
pub(crate) async fn show(
    permit: Permit<Read, Members>,
    State(app): State<App>,
    At(id): At<UserId>,
) -> Result<Object<AccountUser>, ApiError> {
    let user = app.store.user(&permit, id).await?;
    Ok(Object(AccountUser::new(permit.account(), &user)))
}
