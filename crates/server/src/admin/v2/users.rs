//! Users, as v2 has them.

use axum::extract::State;
use domain::{
    UserId,
    authz::{Identity, Members, Permit, PrincipalId, Read, Write},
};
use store::NamesChange;
use wire::v2::{User, UserBody};

use crate::{
    answer::{Object, Page},
    app::App,
    error::ApiError,
    extract::{At, Body, Query},
};

/// `GET /api/v2/accounts/{account_id}/users/`
pub(crate) async fn list(
    permit: Permit<Read, Members>,
    State(app): State<App>,
    Query(params): Query,
) -> Result<Page<User>, ApiError> {
    let page = app.store.users(&permit, &params.query).await?;
    Ok(Page(params, page.map(|user| User::new(permit.account(), &user))))
}

/// `GET /api/v2/accounts/{account_id}/users/{user_id}/`
pub(crate) async fn show_of_account(
    permit: Permit<Read, Members>,
    State(app): State<App>,
    At(id): At<UserId>,
) -> Result<Object<User>, ApiError> {
    let user = app.store.user(&permit, id).await?;
    Ok(Object(User::new(permit.account(), &user)))
}

/// `GET /api/v2/users/{user_id}/`: anybody themselves; others, as far as the account is shown.
pub(crate) async fn show(
    permit: Permit<Read, Identity>,
    State(app): State<App>,
    At(id): At<UserId>,
) -> Result<Object<User>, ApiError> {
    let user = if permit.author() == PrincipalId::User(id) {
        app.store.me(&permit).await?.ok_or(ApiError::NotFound)?
    } else {
        app.store.user(&permit.also::<Read, Members>()?, id).await?
    };
    Ok(Object(User::new(permit.account(), &user)))
}

/// `POST /api/v2/users/{user_id}/`: anybody their own names; those of others, as far as their
/// account knows them by it, who may write members.
pub(crate) async fn update(
    permit: Permit<Read, Identity>,
    State(app): State<App>,
    At(id): At<UserId>,
    Body(body): Body<UserBody>,
) -> Result<Object<User>, ApiError> {
    let user = if permit.author() == PrincipalId::User(id) {
        app.store.rename_me(&permit.also()?, names(body)?).await?
    } else {
        let permit = permit.also::<Write, Members>()?;
        app.store.rename_user(&permit, id, names(body)?).await?
    };
    Ok(Object(User::new(permit.account(), &user)))
}

fn names(body: UserBody) -> Result<NamesChange, ApiError> {
    let (first_name, last_name) = body.names()?;
    Ok(NamesChange { first_name, last_name })
}
