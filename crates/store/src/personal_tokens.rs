//! Personal tokens: a user sees and makes their own only.

use crate::{
    Keyring, Store, StoreError,
    entities::{
        membership,
        personal_token::{ActiveModel, Column, Entity},
    },
    list::{Collection, Field, Kind, State},
    token_news,
    tx::Tx,
    uid::new_uid,
};
use domain::{
    AccountId, Name, PersonalTokenId, Timestamp, UserId,
    authz::{AccessMarker, OwnTokens, Permit, PrincipalId, Read, Write},
    leak::Leak,
    list::{ListQuery, Paged, StateFilter},
    personal_token::PersonalToken,
    secret::TokenSecret,
    token_report::{TokenNews, TokenReport},
};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait as _, ConnectionTrait, EntityTrait as _, PaginatorTrait as _, QueryFilter as _,
    QueryOrder as _, Select, UpdateMany,
    sea_query::{Expr, ExprTrait as _},
};
use serde_json::{Value, json};

static COLLECTION: Collection<Column> = Collection {
    id: Column::Id,
    fields: &[
        Field { name: "uid", column: Column::Uid, kind: Kind::Text },
        Field { name: "name", column: Column::Name, kind: Kind::Text },
        Field { name: "created_at", column: Column::CreatedAt, kind: Kind::Time },
        Field { name: "updated_at", column: Column::UpdatedAt, kind: Kind::Time },
        Field { name: "last_used", column: Column::LastUsed, kind: Kind::Time },
    ],
    state: State { active: || Column::RevokedAt.is_null(), default: StateFilter::Active },
};

/// The most personal tokens that a user may have in an account, revoked ones not counted.
const MAX_PER_USER: u64 = 500;

impl Store {
    /// The principal's own personal tokens. `user` is the path's: any other than the principal is not found.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Unavailable`].
    pub async fn personal_tokens(
        &self,
        permit: &Permit<Read, OwnTokens>,
        user: UserId,
        query: &ListQuery,
    ) -> Result<Paged<PersonalToken>, StoreError> {
        own(permit, user)?;
        let page = self.page(of(permit.account(), user), &COLLECTION, query).await?;
        let total = page.total;
        let rows = page.rows.into_iter().map(super::entities::personal_token::Model::into_domain);
        Ok(Paged { rows: rows.collect::<Result<_, _>>()?, total })
    }

    /// One of them.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Unavailable`].
    pub async fn personal_token(
        &self,
        permit: &Permit<Read, OwnTokens>,
        user: UserId,
        id: PersonalTokenId,
    ) -> Result<PersonalToken, StoreError> {
        own(permit, user)?;
        find(self.reader(), permit.account(), user, id).await
    }

    /// Makes one.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Conflict`] (too many), [`StoreError::CredentialChanged`], [`StoreError::Unavailable`].
    pub async fn create_personal_token(
        &self,
        permit: &Permit<Write, OwnTokens>,
        user: UserId,
        name: Name,
        secret: &TokenSecret,
    ) -> Result<PersonalToken, StoreError> {
        own(permit, user)?;
        let mut tx = self.begin(permit).await?;
        let active = of(tx.account(), user).filter(Column::RevokedAt.is_null());
        if active.count(tx.db()).await.map_err(StoreError::db)? >= MAX_PER_USER {
            let reason = format!("a user has at most {MAX_PER_USER} personal tokens");
            return Err(StoreError::Conflict(reason));
        }
        let token = insert(&mut tx, self.keyring(), user, name, None, secret).await?;
        tx.commit().await?;
        Ok(token)
    }

    /// Gives it another name.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::CredentialChanged`], [`StoreError::Unavailable`].
    pub async fn rename_personal_token(
        &self,
        permit: &Permit<Write, OwnTokens>,
        user: UserId,
        id: PersonalTokenId,
        name: Name,
    ) -> Result<PersonalToken, StoreError> {
        own(permit, user)?;
        let mut tx = self.begin(permit).await?;
        let before = find(tx.db(), tx.account(), user, id).await?;
        let after = PersonalToken { name, updated_at: tx.now(), ..before.clone() };
        let change = update(&after).col_expr(Column::Name, Expr::value(after.name.as_str()));
        change.exec(tx.db()).await.map_err(StoreError::db)?;
        record(&mut tx, "personal_token.renamed", Some(&before), &after).await?;
        tx.commit().await?;
        Ok(after)
    }

    /// Gives it a new secret; the old one stops at once. Name and end stay.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::CredentialChanged`], [`StoreError::Unavailable`].
    pub async fn rotate_personal_token(
        &self,
        permit: &Permit<Write, OwnTokens>,
        user: UserId,
        id: PersonalTokenId,
        secret: &TokenSecret,
    ) -> Result<PersonalToken, StoreError> {
        own(permit, user)?;
        let mut tx = self.begin(permit).await?;
        let before = find(tx.db(), tx.account(), user, id).await?;
        let after = PersonalToken { updated_at: tx.now(), ..before.clone() };
        let key = self.keyring().digest_key();
        update(&after)
            .col_expr(Column::DigestKeyId, Expr::value(i64::from(key.id())))
            .col_expr(Column::Digest, Expr::value(secret.digest(key).as_bytes().to_vec()))
            .exec(tx.db())
            .await
            .map_err(StoreError::db)?;
        // What is under way with the old secret is not committed (SECURITY.md, line 22).
        membership::Entity::update_many()
            .col_expr(membership::Column::Revision, Expr::col(membership::Column::Revision).add(1))
            .filter(membership::Column::AccountId.eq(tx.account().get()))
            .filter(membership::Column::UserId.eq(user.get()))
            .exec(tx.db())
            .await
            .map_err(StoreError::db)?;
        record(&mut tx, "personal_token.rotated", Some(&before), &after).await?;
        tx.event(domain::event::Event::UserChanged { id: user }).await?;
        tx.commit().await?;
        Ok(after)
    }

    /// Ends it.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::CredentialChanged`], [`StoreError::Unavailable`].
    pub async fn revoke_personal_token(
        &self,
        permit: &Permit<Write, OwnTokens>,
        user: UserId,
        id: PersonalTokenId,
    ) -> Result<PersonalToken, StoreError> {
        own(permit, user)?;
        let mut tx = self.begin(permit).await?;
        let before = find(tx.db(), tx.account(), user, id).await?;
        let after = revoke(&mut tx, before).await?;
        tx.commit().await?;
        Ok(after)
    }
}

/// Ends one.
async fn revoke(tx: &mut Tx, before: PersonalToken) -> Result<PersonalToken, StoreError> {
    let now = tx.now();
    let after = PersonalToken { revoked_at: Some(now), updated_at: now, ..before.clone() };
    update(&after)
        .col_expr(Column::RevokedAt, Expr::value(now.micros()))
        .col_expr(Column::DigestKeyId, Expr::value(None::<i64>))
        .col_expr(Column::Digest, Expr::value(None::<Vec<u8>>))
        .exec(tx.db())
        .await
        .map_err(StoreError::db)?;
    record(tx, "personal_token.revoked", Some(&before), &after).await?;
    tx.event(domain::event::Event::UserChanged { id: before.user }).await?;
    Ok(after)
}

/// Ends one that leaked, and tells of it.
pub(crate) async fn end_leaked(
    tx: &mut Tx,
    user: UserId,
    id: PersonalTokenId,
    leak: &Leak,
) -> Result<(), StoreError> {
    let before = find(tx.db(), tx.account(), user, id).await?;
    let (object, leak_said) = (format!("personal_token:{id}"), json!({ "leak": leak }));
    tx.record("personal_token.leaked", object, None, None, Some(leak_said)).await?;
    let report = TokenReport {
        account: tx.account(),
        user: Some(user),
        id: id.get(),
        uid: before.uid.clone(),
        name: before.name.to_string(),
        news: TokenNews::Leaked(leak.clone()),
        actor: tx.actor().to_owned(),
        at: tx.now(),
    };
    token_news::send(tx, &report).await?;
    revoke(tx, before).await.map(drop)
}

/// Ends every personal token of a user who leaves the account; gives their ids.
pub(crate) async fn revoke_all(tx: &Tx, user: UserId) -> Result<Vec<i64>, StoreError> {
    let active = of(tx.account(), user).filter(Column::RevokedAt.is_null());
    let rows = active.order_by_asc(Column::Id).all(tx.db()).await.map_err(StoreError::db)?;
    let ids: Vec<i64> = rows.into_iter().map(|row| row.id).collect();
    Entity::update_many()
        .col_expr(Column::UpdatedAt, Expr::value(tx.now().micros()))
        .col_expr(Column::RevokedAt, Expr::value(tx.now().micros()))
        .col_expr(Column::DigestKeyId, Expr::value(None::<i64>))
        .col_expr(Column::Digest, Expr::value(None::<Vec<u8>>))
        .filter(Column::Id.is_in(ids.iter().copied()))
        .exec(tx.db())
        .await
        .map_err(StoreError::db)?;
    Ok(ids)
}

/// That the path's user is who asks.
fn own<A: AccessMarker>(permit: &Permit<A, OwnTokens>, user: UserId) -> Result<(), StoreError> {
    if permit.author() == PrincipalId::User(user) { Ok(()) } else { Err(StoreError::NotFound) }
}

fn of(account: AccountId, user: UserId) -> Select<Entity> {
    Entity::find().filter(Column::AccountId.eq(account.get())).filter(Column::UserId.eq(user.get()))
}

async fn find(
    db: &impl ConnectionTrait,
    account: AccountId,
    user: UserId,
    id: PersonalTokenId,
) -> Result<PersonalToken, StoreError> {
    let row = of(account, user)
        .filter(Column::Id.eq(id.get()))
        .filter(Column::RevokedAt.is_null())
        .one(db)
        .await
        .map_err(StoreError::db)?;
    row.ok_or(StoreError::NotFound)?.into_domain()
}

fn update(token: &PersonalToken) -> UpdateMany<Entity> {
    Entity::update_many()
        .col_expr(Column::UpdatedAt, Expr::value(token.updated_at.micros()))
        .filter(Column::Id.eq(token.id.get()))
}

/// Makes a token and its audit record and event.
pub(crate) async fn insert(
    tx: &mut Tx,
    keyring: &Keyring,
    user: UserId,
    name: Name,
    expires_at: Option<Timestamp>,
    secret: &TokenSecret,
) -> Result<PersonalToken, StoreError> {
    let key = keyring.digest_key();
    let now = tx.now().micros();
    let row = ActiveModel {
        uid: Set(new_uid(tx.now())),
        account_id: Set(tx.account().get()),
        user_id: Set(user.get()),
        name: Set(name.as_str().to_owned()),
        digest_key_id: Set(Some(key.id().into())),
        digest: Set(Some(secret.digest(key).as_bytes().to_vec())),
        expires_at: Set(expires_at.map(Timestamp::micros)),
        created_at: Set(now),
        updated_at: Set(now),
        ..Default::default()
    };
    let row = Entity::insert(row).exec_with_returning(tx.db()).await.map_err(StoreError::db)?;
    let token = row.into_domain()?;
    record(tx, "personal_token.created", None, &token).await?;
    Ok(token)
}

async fn record(
    tx: &mut Tx,
    event: &str,
    before: Option<&PersonalToken>,
    after: &PersonalToken,
) -> Result<(), StoreError> {
    let object = format!("personal_token:{}", after.id);
    tx.record(event, object, None, before.map(said), Some(said(after))).await
}

/// What an audit record says of a personal token.
fn said(token: &PersonalToken) -> Value {
    json!({
        "name": token.name,
        "user_id": token.user,
        "expires_at": token.expires_at,
        "revoked_at": token.revoked_at,
    })
}
