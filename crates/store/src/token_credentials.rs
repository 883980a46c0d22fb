//! Credentials of service tokens.

use std::collections::BTreeMap;

use domain::{
    ServiceTokenId, Timestamp, TokenCredentialId,
    authz::{Permit, Read, ServiceTokens},
    secret::TokenSecret,
    service_token::ServiceToken,
};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, ConnectionTrait, EntityTrait as _, QueryFilter as _,
    sea_query::Expr,
};

use crate::{
    Store, StoreError,
    credential::digest_of,
    entities::{
        old_secret_use,
        service_token_credential::{ActiveModel, Column, Entity, Model},
        token_rotation,
    },
    tx::Tx,
};

/// How many secrets of a token are known again after they were replaced.
const MOST_KNOWN: usize = 9;

impl Store {
    /// The service token of the account that a secret opens, or did once, and whether it opens it now,
    /// in one statement. It is no use of the token.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn token_of_secret(
        &self,
        permit: &Permit<Read, ServiceTokens>,
        secret: &TokenSecret,
    ) -> Result<Option<(ServiceTokenId, bool)>, StoreError> {
        let found = Entity::find()
            .filter(Column::AccountId.eq(permit.account().get()))
            .filter(digest_of(self.keyring(), secret, Column::DigestKeyId, Column::Digest))
            .one(self.reader())
            .await
            .map_err(StoreError::db)?;
        let now = self.clock().now();
        found
            .map(|row| {
                let id = ServiceTokenId::new(row.service_token_id).map_err(StoreError::corrupt)?;
                Ok((id, row.into_domain()?.life.is_open(now)))
            })
            .transpose()
    }
}

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
pub(crate) async fn take_back_all(tx: &Tx, token: &ServiceToken) -> Result<(), StoreError> {
    for credential in &token.credentials {
        take_back(tx, credential.id).await?;
    }
    Ok(())
}

/// Takes one back, with the answer that showed its secret and with who sent it.
pub(crate) async fn take_back(tx: &Tx, id: TokenCredentialId) -> Result<(), StoreError> {
    let db = tx.db();
    let id = id.get();
    let answers =
        token_rotation::Entity::delete_many().filter(token_rotation::Column::CredentialId.eq(id));
    answers.exec(db).await.map_err(StoreError::db)?;
    let senders =
        old_secret_use::Entity::delete_many().filter(old_secret_use::Column::CredentialId.eq(id));
    senders.exec(db).await.map_err(StoreError::db)?;
    Entity::delete_by_id(id).exec(db).await.map(drop).map_err(StoreError::db)
}

/// Has a credential end then, or so many seconds after its successor's first use if that comes
/// first; with neither, as if it had none.
pub(crate) async fn retire(
    tx: &Tx,
    id: TokenCredentialId,
    at: Option<Timestamp>,
    after: Option<i64>,
) -> Result<(), StoreError> {
    Entity::update_many()
        .col_expr(Column::RetiresAt, Expr::value(at.map(Timestamp::micros)))
        .col_expr(Column::RetiresAfter, Expr::value(after))
        .filter(Column::Id.eq(id.get()))
        .exec(tx.db())
        .await
        .map(drop)
        .map_err(StoreError::db)
}

/// Forgets secrets that were replaced long ago, so that a token has a bounded number of them.
pub(crate) async fn forget_oldest(tx: &Tx, token: &ServiceToken) -> Result<(), StoreError> {
    for credential in token.credentials.iter().rev().skip(MOST_KNOWN) {
        take_back(tx, credential.id).await?;
    }
    Ok(())
}

/// Has a token end then: its newest credential does, and an older one not later.
pub(crate) async fn set_end(
    tx: &Tx,
    token: &ServiceToken,
    end: Option<Timestamp>,
) -> Result<(), StoreError> {
    for credential in &token.credentials {
        let newest = token.newest().is_some_and(|newest| newest.id == credential.id);
        let ends = if newest {
            end
        } else {
            [credential.life.expires_at, end].into_iter().flatten().min()
        };
        Entity::update_many()
            .col_expr(Column::ExpiresAt, Expr::value(ends.map(Timestamp::micros)))
            .filter(Column::Id.eq(credential.id.get()))
            .exec(tx.db())
            .await
            .map_err(StoreError::db)?;
    }
    Ok(())
}
