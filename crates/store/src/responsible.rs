//! Who answers for service tokens: a user of the account, always one who is in it.

use domain::{
    ServiceTokenId, UserId,
    authz::{Licenses, Members, Permit, PrincipalId, Read, ServiceTokens, Write},
    service_token::ServiceToken,
};
use sea_orm::{
    ColumnTrait as _, EntityTrait as _, PaginatorTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _, sea_query::Expr,
};

use crate::{
    StoreError,
    entities::{
        membership,
        service_token::{Column, Entity, REVOKED},
    },
    memberships,
    service_tokens::{find, record},
    tx::Tx,
};

/// Who answers for a new token: who was named; else its maker, or of a token that makes another who
/// answers for that one.
pub(crate) async fn of_new(
    tx: &Tx,
    permit: &Permit<Write, ServiceTokens>,
    named: Option<UserId>,
) -> Result<Option<UserId>, StoreError> {
    match named {
        Some(user) => check(tx, permit, user).await.map(|()| Some(user)),
        None => of_author(tx, permit.author()).await,
    }
}

/// The person behind an author, as far as there is one.
async fn of_author(tx: &Tx, author: PrincipalId) -> Result<Option<UserId>, StoreError> {
    match author {
        PrincipalId::User(user) => Ok(Some(user)),
        PrincipalId::ServiceToken(id) => Ok(find(tx.db(), tx.account(), id).await?.responsible),
        PrincipalId::System(_) => Ok(None),
    }
}

/// Whether the user can be named: oneself, or, by who may read members, any user of the account.
pub(crate) async fn check(
    tx: &Tx,
    permit: &Permit<Write, ServiceTokens>,
    user: UserId,
) -> Result<(), StoreError> {
    let sees = permit.author() == PrincipalId::User(user) || permit.also::<Read, Members>().is_ok();
    if sees && is_member(tx, user).await? {
        Ok(())
    } else {
        Err(names_no_user("responsible_user_id"))
    }
}

async fn is_member(tx: &Tx, user: UserId) -> Result<bool, StoreError> {
    let there = memberships::of(tx.account()).filter(membership::Column::UserId.eq(user.get()));
    Ok(there.count(tx.db()).await.map_err(StoreError::db)? > 0)
}

fn names_no_user(field: &'static str) -> StoreError {
    StoreError::Invalid { field, message: "does not name a user within reach".to_owned() }
}

/// Names who answers for a token.
pub(crate) async fn set(tx: &Tx, id: ServiceTokenId, user: UserId) -> Result<(), StoreError> {
    Entity::update_many()
        .col_expr(Column::ResponsibleUserId, Expr::value(user.get()))
        .filter(Column::Id.eq(id.get()))
        .exec(tx.db())
        .await
        .map(drop)
        .map_err(StoreError::db)
}

/// Hands on what a user who has left answers for: to whom was named; else to who removed them, or
/// answers for the token that did; else to who has run the account for longest.
pub(crate) async fn hand_on(
    tx: &mut Tx,
    permit: &Permit<Write, Licenses>,
    left: UserId,
    named: Option<UserId>,
) -> Result<(), StoreError> {
    let heir = match named {
        Some(heir) if heir != left && is_member(tx, heir).await? => Some(heir),
        Some(_) => return Err(names_no_user("service_tokens_to")),
        None => of_author(tx, permit.author()).await?.filter(|user| *user != left),
    };
    let tokens = answered_for_by(tx, left).await?;
    if tokens.is_empty() {
        return Ok(());
    }
    let heir = match heir {
        Some(heir) => heir,
        None => memberships::oldest_administrator(tx).await?,
    };
    for before in tokens {
        set(tx, before.id, heir).await?;
        let after = ServiceToken { responsible: Some(heir), ..before.clone() };
        record(tx, "service_token.responsible_changed", Some(&before), &after).await?;
    }
    Ok(())
}

/// The tokens that a user answers for.
async fn answered_for_by(tx: &Tx, user: UserId) -> Result<Vec<ServiceToken>, StoreError> {
    let ids: Vec<i64> = Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(Column::AccountId.eq(tx.account().get()))
        .filter(Column::State.ne(REVOKED))
        .filter(Column::ResponsibleUserId.eq(user.get()))
        .order_by_asc(Column::Id)
        .into_tuple()
        .all(tx.db())
        .await
        .map_err(StoreError::db)?;
    let mut tokens = Vec::with_capacity(ids.len());
    for id in ids {
        let id = ServiceTokenId::new(id).map_err(StoreError::corrupt)?;
        tokens.push(find(tx.db(), tx.account(), id).await?);
    }
    Ok(tokens)
}
