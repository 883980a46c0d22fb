//! Secrets that were found where everybody can read them: what they open is found, and ended.

use std::collections::HashMap;

use domain::{
    AccountId, PersonalTokenId, ServiceTokenId, TokenCredentialId, UserId,
    authz::{Permit, PrincipalId, ServiceTokens, Write},
    leak::Leak,
    secret::{DigestKey, TokenSecret},
    token_report::TokenNews,
};
use sea_orm::{
    ColumnTrait, Condition, EntityTrait as _, JoinType, QueryFilter as _, QuerySelect as _,
    RelationTrait as _, sea_query::ExprTrait as _,
};
use serde_json::json;

use crate::{
    Keyring, Store, StoreError,
    entities::{personal_token, service_token, service_token_credential as credential},
    personal_tokens, service_tokens, token_news,
    tx::Tx,
};

/// What a secret opens, or would if it were not disabled or over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Found {
    /// The account.
    pub account: AccountId,
    /// The token.
    pub what: FoundToken,
}

/// A token that a secret was found of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FoundToken {
    /// A service token, and which of its secrets.
    Service { token: ServiceTokenId, credential: TokenCredentialId, is_canary: bool },
    /// A user's personal token.
    Personal { user: UserId, token: PersonalTokenId },
}

/// By the key that a digest was made with, and the digest.
type Digest = (i64, Vec<u8>);
/// A credential, its token, its account, its digest, and whether the token is a canary.
type ServiceRow = (i64, i64, i64, i64, Vec<u8>, bool);
/// A personal token, its user, its account and its digest.
type PersonalRow = (i64, i64, i64, i64, Vec<u8>);

/// What these secrets open, in two statements, however many there are and whatever is known of
/// them. No use is noted.
pub(crate) async fn find(
    store: &Store,
    secrets: &[Option<&TokenSecret>],
) -> Result<Vec<Option<Found>>, StoreError> {
    let of_secret = |secret: &TokenSecret| digests(store.keyring(), secret);
    let digests: Vec<Vec<Digest>> =
        secrets.iter().map(|secret| secret.map(of_secret).unwrap_or_default()).collect();
    let mut found = service_tokens_of(store, &digests).await?;
    found.extend(personal_tokens_of(store, &digests).await?);
    let known = |of_one: &Vec<Digest>| of_one.iter().find_map(|digest| found.get(digest)).copied();
    Ok(digests.iter().map(known).collect())
}

fn digests(keyring: &Keyring, secret: &TokenSecret) -> Vec<Digest> {
    let digest = |key: &DigestKey| (i64::from(key.id()), secret.digest(key).as_bytes().to_vec());
    keyring.digest_keys().map(digest).collect()
}

/// The condition that a row holds one of the digests, each under its own key.
fn any_of<C: ColumnTrait>(key: C, digest: C, digests: &[Vec<Digest>]) -> Condition {
    let mut by_key: HashMap<i64, Vec<Vec<u8>>> = HashMap::new();
    for (key, digest) in digests.iter().flatten() {
        by_key.entry(*key).or_default().push(digest.clone());
    }
    // None at all is asked for like any other, so that it costs the same.
    let none = Condition::any().add(digest.is_in(Vec::<Vec<u8>>::new()));
    by_key.into_iter().fold(none, |any, (id, digests): (i64, Vec<Vec<u8>>)| {
        any.add(key.eq(id).and(digest.is_in(digests)))
    })
}

async fn service_tokens_of(
    store: &Store,
    digests: &[Vec<Digest>],
) -> Result<HashMap<Digest, Found>, StoreError> {
    use credential::{Column, Entity, Relation};
    let rows: Vec<ServiceRow> = Entity::find()
        .select_only()
        .columns([Column::Id, Column::ServiceTokenId, Column::AccountId])
        .columns([Column::DigestKeyId, Column::Digest])
        .column(service_token::Column::IsCanary)
        .join(JoinType::InnerJoin, Relation::Token.def())
        .filter(any_of(Column::DigestKeyId, Column::Digest, digests))
        .into_tuple()
        .all(store.reader())
        .await
        .map_err(StoreError::db)?;
    let one = |(id, token, account, key, digest, is_canary): ServiceRow| {
        let what = FoundToken::Service {
            token: ServiceTokenId::new(token).map_err(StoreError::corrupt)?,
            credential: TokenCredentialId::new(id).map_err(StoreError::corrupt)?,
            is_canary,
        };
        let account = AccountId::new(account).map_err(StoreError::corrupt)?;
        Ok::<_, StoreError>(((key, digest), Found { account, what }))
    };
    rows.into_iter().map(one).collect()
}

async fn personal_tokens_of(
    store: &Store,
    digests: &[Vec<Digest>],
) -> Result<HashMap<Digest, Found>, StoreError> {
    use personal_token::{Column, Entity};
    let rows: Vec<PersonalRow> = Entity::find()
        .select_only()
        .columns([Column::Id, Column::UserId, Column::AccountId])
        .columns([Column::DigestKeyId, Column::Digest])
        .filter(any_of(Column::DigestKeyId, Column::Digest, digests))
        .filter(Column::RevokedAt.is_null())
        .into_tuple()
        .all(store.reader())
        .await
        .map_err(StoreError::db)?;
    let one = |(id, user, account, key, digest): PersonalRow| {
        let what = FoundToken::Personal {
            user: UserId::new(user).map_err(StoreError::corrupt)?,
            token: PersonalTokenId::new(id).map_err(StoreError::corrupt)?,
        };
        let account = AccountId::new(account).map_err(StoreError::corrupt)?;
        Ok::<_, StoreError>(((key, digest), Found { account, what }))
    };
    rows.into_iter().map(one).collect()
}

impl Store {
    /// Ends a secret that leaked, without an overlap: a service token with the last of its secrets
    /// that work, a personal token as a whole. Nothing is done where somebody else ended it
    /// meanwhile.
    pub(crate) async fn end_leaked_token(
        &self,
        permit: &Permit<Write, ServiceTokens>,
        what: FoundToken,
        leak: &Leak,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin(permit).await?;
        let ended = match what {
            FoundToken::Service { token, credential, .. } => {
                end_secret(&mut tx, (token, credential), permit.author(), leak).await
            }
            FoundToken::Personal { user, token } => {
                personal_tokens::end_leaked(&mut tx, user, token, leak).await
            }
        };
        match ended {
            Err(StoreError::NotFound) => Ok(()),
            Err(error) => Err(error),
            Ok(()) => tx.commit().await,
        }
    }
}

/// Ends a secret of a service token, and tells of the leak.
async fn end_secret(
    tx: &mut Tx,
    (id, secret): (ServiceTokenId, TokenCredentialId),
    author: PrincipalId,
    leak: &Leak,
) -> Result<(), StoreError> {
    let before = service_tokens::find(tx.db(), tx.account(), id).await?;
    if before.credentials.iter().all(|one| one.id != secret) {
        return Err(StoreError::NotFound);
    }
    let said = json!({ "credential": secret.get(), "leak": leak });
    let object = format!("service_token:{id}");
    tx.record("service_token.leaked", object, None, None, Some(said)).await?;
    token_news::tell(tx, &before, TokenNews::Leaked(leak.clone())).await?;
    service_tokens::end_secret(tx, before, secret, author).await
}
