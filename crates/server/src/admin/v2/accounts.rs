//! Accounts: a token sees its own, and no other.

use axum::extract::State;
use domain::{
    authz::{AccountRecord, AccountSettings, Identity, Permit, Read},
    list::Paged,
};

use crate::{
    answer::{Object, Page},
    app::App,
    error::ApiError,
    extract::Query,
};

/// `GET /api/v2/accounts/`: any valid token, also one without grants, lists its own account.
pub(crate) async fn list(
    permit: Permit<Read, Identity>,
    State(app): State<App>,
    Query(params): Query,
) -> Result<Page<wire::v2::Account>, ApiError> {
    let account = app.store.own_account(&permit).await?;
    let settings = permit.also::<Read, AccountSettings>().is_ok();
    let wanted = params.query.offset == 0;
    let rows = wanted.then(|| wire::v2::Account::new(&account, settings)).into_iter().collect();
    Ok(Page(params, Paged { rows, total: 1 }))
}

/// `GET /api/v2/accounts/{account_id}/`: the plain record; settings need `account_settings`.
pub(crate) async fn show(
    permit: Permit<Read, AccountRecord>,
    State(app): State<App>,
) -> Result<Object<wire::v2::Account>, ApiError> {
    let account = app.store.own_account(&permit.also()?).await?;
    let settings = permit.also::<Read, AccountSettings>().is_ok();
    Ok(Object(wire::v2::Account::new(&account, settings)))
}
