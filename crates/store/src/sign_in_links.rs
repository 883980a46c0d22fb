//! Links by which a person comes in without a password, once.

use domain::{AccountId, Timestamp, UserId, secret::TokenSecret};
use sea_orm::{ActiveValue::Set, EntityTrait as _};

use crate::{
    Keyring, StoreError,
    entities::sign_in_link::{ActiveModel, Entity},
    tx::Tx,
};

/// Keeps one for so many seconds; gives when it ends.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub(crate) async fn insert(
    tx: &Tx,
    keyring: &Keyring,
    (account, user): (AccountId, UserId),
    secret: &TokenSecret,
    seconds: i64,
) -> Result<Timestamp, StoreError> {
    let (key, end) = (keyring.digest_key(), tx.now().plus_seconds(seconds));
    let link = ActiveModel {
        account_id: Set(account.get()),
        user_id: Set(user.get()),
        digest_key_id: Set(key.id().into()),
        digest: Set(secret.digest(key).as_bytes().to_vec()),
        created_at: Set(tx.now().micros()),
        expires_at: Set(end.micros()),
        ..Default::default()
    };
    Entity::insert(link).exec(tx.db()).await.map_err(StoreError::db)?;
    Ok(end)
}
