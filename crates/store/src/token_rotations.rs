//! Rotation: a second secret for a service token, with the same grants; and its end.

use domain::{
    ServiceTokenId, Timestamp, TokenCredentialId,
    authz::{Grant, Permit, Read, ServiceTokens, Write},
    event::Event,
    list::{ListQuery, Paged, StateFilter},
    secret::TokenSecret,
    service_token::{ServiceToken, TokenState},
    token_credential::{OldUse, TokenCredential},
    token_rotation::{ReplayKey, Rotation},
};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait as _, ConnectionTrait, EntityTrait as _, QueryFilter as _,
    sea_query::{Expr, ExprTrait as _},
};

use crate::{
    Store, StoreError,
    entities::{
        service_token_credential::{Column, Entity},
        token_rotation,
    },
    list::{Collection, Field, Kind, State},
    old_secret_uses,
    seal::{self, Place},
    service_tokens::{self, check_held},
    token_credentials, token_policies,
    tx::Tx,
};

/// A token that was given another secret.
#[derive(Debug, Clone)]
pub struct RotatedToken {
    /// The token; its newest credential is that of the secret.
    pub token: ServiceToken,
    /// The secret: a new one, or the one that an earlier answer to the same request showed.
    pub secret: TokenSecret,
}

/// A credential, of which token it is, and who sent it since it was replaced.
pub type CredentialOfToken = (ServiceTokenId, TokenCredential, Vec<OldUse>);

static COLLECTION: Collection<Column> = Collection {
    id: Column::Id,
    fields: &[
        Field { name: "service_token_id", column: Column::ServiceTokenId, kind: Kind::Int },
        Field { name: "created_at", column: Column::CreatedAt, kind: Kind::Time },
        Field { name: "expires_at", column: Column::ExpiresAt, kind: Kind::Time },
        Field { name: "retires_at", column: Column::RetiresAt, kind: Kind::Time },
        Field { name: "last_used", column: Column::LastUsed, kind: Kind::Time },
    ],
    // One that was taken back is gone.
    state: State { active: || Expr::value(true), default: StateFilter::Active },
};

impl Store {
    /// Credentials of the account's service tokens, those that are over included.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] (order or filter), [`StoreError::Unavailable`].
    pub async fn token_credentials(
        &self,
        permit: &Permit<Read, ServiceTokens>,
        query: &ListQuery,
    ) -> Result<Paged<CredentialOfToken>, StoreError> {
        let rows = Entity::find().filter(Column::AccountId.eq(permit.account().get()));
        let page = self.page(rows, &COLLECTION, query).await?;
        let replaced = page.rows.iter().filter(|row| row.retires_at.is_some()).map(|row| row.id);
        let mut senders = old_secret_uses::of(self.reader(), replaced).await?;
        let rows = page.rows.into_iter().map(|row| {
            let token = ServiceTokenId::new(row.service_token_id).map_err(StoreError::corrupt)?;
            let senders = senders.remove(&row.id).unwrap_or_default();
            let senders =
                senders.into_iter().map(old_secret_uses::told).collect::<Result<_, _>>()?;
            Ok((token, row.into_domain()?, senders))
        });
        Ok(Paged { rows: rows.collect::<Result<_, StoreError>>()?, total: page.total })
    }

    /// Who sent a token's old secret since it was replaced, the last first, at most 100.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] for a token of another account, [`StoreError::Unavailable`].
    pub async fn senders_of_old_secret(
        &self,
        permit: &Permit<Read, ServiceTokens>,
        token: &ServiceToken,
    ) -> Result<Vec<OldUse>, StoreError> {
        if token.account != permit.account() {
            return Err(StoreError::NotFound);
        }
        let Some(old) = token.replaced() else { return Ok(Vec::new()) };
        let mut senders = old_secret_uses::of(self.reader(), [old.id.get()]).await?;
        let senders = senders.remove(&old.id.get()).unwrap_or_default();
        senders.into_iter().map(old_secret_uses::told).collect()
    }

    /// Gives a token another secret, with the same grants. The old one ends as `how` says, and never
    /// later than it would have; the new one ends when the old one would have, or earlier where the
    /// account's policy asks for it. With a key that the same caller used for the same question in
    /// the last ten minutes it gives that answer again.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Conflict`] (it is being rotated, is disabled or has
    /// expired), [`StoreError::Exceeds`] (it holds more than the caller), [`StoreError::Invalid`]
    /// (the overlap is longer than the account allows), [`StoreError::KeyReused`],
    /// [`StoreError::CredentialChanged`], [`StoreError::Unavailable`].
    pub async fn rotate_service_token(
        &self,
        permit: &Permit<Write, ServiceTokens>,
        id: ServiceTokenId,
        how: Rotation,
        secret: TokenSecret,
        replay: Option<ReplayKey>,
    ) -> Result<RotatedToken, StoreError> {
        let mut tx = self.begin(permit).await?;
        let asked = ReplayKey::asked(id, &how);
        if let Some(secret) = answered(&tx, replay, &asked).await? {
            let token = service_tokens::find(tx.db(), tx.account(), id).await?;
            return Ok(RotatedToken { token, secret });
        }
        let before = service_tokens::find(tx.db(), tx.account(), id).await?;
        check_rotates(permit, &before, tx.now())?;
        let rotated = rotate(&mut tx, &before, how, secret, replay.map(|key| (key, asked))).await?;
        tx.commit().await?;
        Ok(rotated)
    }

    /// Takes a rotation back while the old secret still works: that one lives on as if there had
    /// been none, and the new one opens nothing any more.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Conflict`] (it is not being rotated),
    /// [`StoreError::Exceeds`], [`StoreError::CredentialChanged`], [`StoreError::Unavailable`].
    pub async fn cancel_rotation(
        &self,
        permit: &Permit<Write, ServiceTokens>,
        id: ServiceTokenId,
    ) -> Result<ServiceToken, StoreError> {
        let mut tx = self.begin(permit).await?;
        let before = service_tokens::find(tx.db(), tx.account(), id).await?;
        let (Some(newest), Some(old)) = (before.newest(), before.retiring(tx.now())) else {
            let message = format!("service token `{id}` has no old secret that still works");
            return Err(StoreError::Conflict(message));
        };
        check_held(permit, &before)?;
        token_credentials::take_back(&tx, newest.id).await?;
        token_credentials::retire(&tx, old.id, None, None).await?;
        let after = service_tokens::find(tx.db(), tx.account(), id).await?;
        let event = "service_token.rotation_cancelled";
        service_tokens::record(&mut tx, event, Some(&before), &after).await?;
        tx.event(Event::ServiceTokenRotated { id }).await?;
        tx.commit().await?;
        Ok(after)
    }
}

/// Gives a token another secret; with a key, and what was asked with it, it can be told again.
pub(crate) async fn rotate(
    tx: &mut Tx,
    before: &ServiceToken,
    how: Rotation,
    secret: TokenSecret,
    replay: Option<(ReplayKey, [u8; 32])>,
) -> Result<RotatedToken, StoreError> {
    let id = before.id;
    let made = replace(tx, before, &before.granted(), how, &secret).await?;
    if let Some((key, asked)) = replay {
        keep_answer(tx, key, &asked, (id, made), &secret).await?;
    }
    let token = service_tokens::find(tx.db(), tx.account(), id).await?;
    service_tokens::record(tx, "service_token.rotated", Some(before), &token).await?;
    tx.event(Event::ServiceTokenRotated { id }).await?;
    Ok(RotatedToken { token, secret })
}

/// Whether a token can be given another secret now, by the caller.
pub(crate) fn check_rotates(
    permit: &Permit<Write, ServiceTokens>,
    token: &ServiceToken,
    now: Timestamp,
) -> Result<(), StoreError> {
    let conflict = |what| Err(StoreError::Conflict(format!("service token `{}` {what}", token.id)));
    if token.is_disabled() {
        return conflict("is disabled: enable it first".to_owned());
    }
    if token.newest().is_some_and(|newest| newest.life.is_over(now)) {
        return conflict("has expired, and nothing revives it: make another".to_owned());
    }
    match token.retiring(now).and_then(|old| old.life.ends_at()) {
        Some(end) => conflict(format!(
            "is being rotated already: cancel that, or wait until its old secret ends at {end}"
        )),
        None => check_held(permit, token),
    }
}

/// Makes the new credential and has the old one end.
async fn replace(
    tx: &Tx,
    token: &ServiceToken,
    grants: &[Grant],
    how: Rotation,
    secret: &TokenSecret,
) -> Result<TokenCredentialId, StoreError> {
    let policy = token_policies::of(tx.db(), tx.account()).await?;
    let overlap = how.overlap_seconds(&policy).map_err(|too_long| StoreError::Invalid {
        field: "overlap_minutes",
        message: too_long.to_string(),
    })?;
    let end = if let Some(old) = token.newest() {
        let (at, after) = (tx.now().plus_seconds(overlap), how.seconds_after_first_use());
        token_credentials::retire(tx, old.id, Some(at), after).await?;
        policy.capped(old.life.expires_at, grants, tx.now())
    } else {
        // It was imported: this is its first secret here.
        policy.check_granted(grants)?;
        policy.first_end(None, grants, tx.now())?
    };
    let made = token_credentials::insert(tx, token.id, secret, end).await?;
    if token.state == TokenState::Imported {
        service_tokens::activate(tx, token).await?;
    }
    service_tokens::touch(tx, token).await?;
    token_credentials::forget_oldest(tx, token).await?;
    Ok(made)
}

/// The secret that an answer to the same question showed this caller a moment ago.
pub(crate) async fn answered(
    tx: &Tx,
    key: Option<ReplayKey>,
    asked: &[u8; 32],
) -> Result<Option<TokenSecret>, StoreError> {
    use token_rotation::Column;
    let Some(ReplayKey { key }) = key else { return Ok(None) };
    forget_answers(tx.db(), tx.now()).await?;
    let row = token_rotation::Entity::find()
        .filter(Column::AccountId.eq(tx.account().get()))
        .filter(Column::Caller.eq(tx.actor()))
        .filter(Column::ReplayKey.eq(key.to_vec()))
        .one(tx.db())
        .await
        .map_err(StoreError::db)?;
    let Some(row) = row else { return Ok(None) };
    if row.asked != asked {
        return Err(StoreError::KeyReused);
    }
    let secret = seal::open(tx.keyring(), place(row.credential_id), &row.secret)?;
    let text = std::str::from_utf8(&secret).map_err(StoreError::corrupt)?;
    TokenSecret::parse(text).map(Some).map_err(StoreError::corrupt)
}

/// Keeps an answer for ten minutes, sealed.
async fn keep_answer(
    tx: &Tx,
    ReplayKey { key }: ReplayKey,
    asked: &[u8; 32],
    (token, credential): (ServiceTokenId, TokenCredentialId),
    secret: &TokenSecret,
) -> Result<(), StoreError> {
    let sealed = seal::seal(tx.keyring(), place(credential.get()), secret.reveal().as_bytes())?;
    let row = token_rotation::ActiveModel {
        account_id: Set(tx.account().get()),
        caller: Set(tx.actor().to_owned()),
        replay_key: Set(key.to_vec()),
        asked: Set(asked.to_vec()),
        service_token_id: Set(token.get()),
        credential_id: Set(credential.get()),
        secret: Set(sealed),
        made_at: Set(tx.now().micros()),
        ..Default::default()
    };
    token_rotation::Entity::insert(row).exec(tx.db()).await.map(drop).map_err(StoreError::db)
}

fn place(credential: i64) -> Place {
    Place { table: "token_rotations", id: credential, field: "secret" }
}

/// Wipes the answers that are no longer given, those of a clock that stepped back included.
pub(crate) async fn forget_answers(
    db: &impl ConnectionTrait,
    now: Timestamp,
) -> Result<(), StoreError> {
    use token_rotation::Column;
    let kept = now.plus_seconds(-ReplayKey::KEPT).micros();
    token_rotation::Entity::delete_many()
        .filter(Column::MadeAt.lte(kept).or(Column::MadeAt.gt(now.micros())))
        .exec(db)
        .await
        .map(drop)
        .map_err(StoreError::db)
}
