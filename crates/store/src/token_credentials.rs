//! Credentials of service tokens.

use std::collections::BTreeMap;

use domain::{ServiceTokenId, Timestamp, TokenCredentialId, secret::TokenSecret};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, ConnectionTrait, EntityTrait as _, QueryFilter as _,
};

use crate::{
    StoreError,
    entities::service_token_credential::{ActiveModel, Column, Entity, Model},
    tx::Tx,
};

/// The credentials of these tokens, by token.
pub(crate) async fn of(
    db: &impl ConnectionTrait,
    tokens: impl IntoIterator<Item = i64>,
) -> Result<BTreeMap<i64, Vec<Model>>, StoreError> {
    let rows = Entity::find()
        .filter(Column::ServiceTokenId.is_in(tokens))
        .all(db)
        .await
        .map_err(StoreError::db)?;
    let mut of: BTreeMap<i64, Vec<Model>> = BTreeMap::new();
    for row in rows {
        of.entry(row.service_token_id).or_default().push(row);
    }
    Ok(of)
}

/// Has the secret open the token from now on.
pub(crate) async fn insert(
    tx: &Tx,
    token: ServiceTokenId,
    secret: &TokenSecret,
    expires_at: Option<Timestamp>,
) -> Result<TokenCredentialId, StoreError> {
    let key = tx.keyring().digest_key();
    let row = ActiveModel {
        account_id: Set(tx.account().get()),
        service_token_id: Set(token.get()),
        digest_key_id: Set(key.id().into()),
        digest: Set(secret.digest(key).as_bytes().to_vec()),
        created_at: Set(tx.now().micros()),
        expires_at: Set(expires_at.map(Timestamp::micros)),
        ..Default::default()
    };
    let made = Entity::insert(row).exec(tx.db()).await.map_err(StoreError::db)?;
    TokenCredentialId::new(made.last_insert_id).map_err(StoreError::corrupt)
}

/// Takes all credentials of a token back: nothing is known by their secrets any more.
pub(crate) async fn take_back_all(tx: &Tx, token: ServiceTokenId) -> Result<(), StoreError> {
    Entity::delete_many()
        .filter(Column::ServiceTokenId.eq(token.get()))
        .exec(tx.db())
        .await
        .map_err(StoreError::db)?;
    Ok(())
}
