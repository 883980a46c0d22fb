//! Accounts: a token sees its own, and no other.

use axum::extract::State;
use domain::{
    account::Account,
    authz::{AccountRecord, AccountSettings, Groups, Identity, Permit, Read, Write},
    list::ListQuery,
    user::UserGroup,
};
use store::AccountChange;
use wire::{Include, v2::AccountBody, v3::GroupShown};

use crate::{
    answer::{Object, Page},
    app::App,
    error::ApiError,
    extract::{Body, Query},
};

/// `GET /api/v2/accounts/`: any valid token, also one without grants, lists its own account.
pub(crate) async fn list(
    permit: Permit<Read, Identity>,
    State(app): State<App>,
    Query(params): Query,
) -> Result<Page<wire::v2::Account>, ApiError> {
    let page = app.store.own_accounts(&permit, &params.query).await?;
    let settings = permit.also::<Read, AccountSettings>().is_ok();
    Ok(Page(params, page.map(|account| wire::v2::Account::new(&account, settings))))
}

/// `GET /api/v2/accounts/{account_id}/`: the plain record; settings need `account_settings`.
pub(crate) async fn show(
    permit: Permit<Read, AccountRecord>,
    State(app): State<App>,
    Query(params): Query,
) -> Result<Object<wire::v2::Account>, ApiError> {
    let account = app.store.own_account(&permit.also()?).await?;
    let settings = permit.also::<Read, AccountSettings>().is_ok();
    let told = wire::v2::Account::new(&account, settings);
    let groups = match permit.also::<Read, Groups>() {
        Ok(permit) => groups(&app, &permit, &params.include).await?,
        Err(_) => Vec::new(),
    };
    Ok(Object(wire::v2::Account { groups, ..told }))
}

/// `POST` or `PATCH /api/v2/accounts/{account_id}/`: what the body names.
pub(crate) async fn update(
    permit: Permit<Write, AccountSettings>,
    State(app): State<App>,
    Body(body): Body<AccountBody>,
) -> Result<Object<wire::v2::Account>, ApiError> {
    let edit = body.read()?;
    let change = AccountChange {
        name: edit.name,
        plan: edit.plan,
        run_slots: edit.run_slots,
        tokens_may_mint: edit.tokens_may_mint,
        locked: edit.locked,
        lock_reason: edit.lock_reason,
        seats: edit.seats,
    };
    let account: Account = app.store.update_account(&permit, change).await?;
    Ok(Object(wire::v2::Account::new(&account, true)))
}

async fn groups(
    app: &App,
    permit: &Permit<Read, Groups>,
    include: &Include,
) -> Result<Vec<GroupShown>, ApiError> {
    if !include.has("groups") {
        return Ok(Vec::new());
    }
    // All of them: an account may have more than a page.
    let query = ListQuery { limit: u16::MAX, ..ListQuery::first_page() };
    let groups = app.store.groups(permit, &query).await?.rows;
    Ok(groups.iter().map(|group| GroupShown::from(&UserGroup::from(group))).collect())
}
