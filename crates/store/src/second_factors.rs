//! A person's own second factor: the codes of an app, and the codes for when it is lost.

use domain::{
    AccountId, Timestamp, UserId,
    authz::{OwnTokens, Permit, PrincipalId, Read, Write},
    second_factor::{RecoveryCode, TotpSecret},
};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait as _, Condition, ConnectionTrait, EntityTrait as _, PaginatorTrait as _,
    QueryFilter as _,
    sea_query::{Expr, ExprTrait as _},
};

use crate::{
    Store, StoreError,
    entities::{
        recovery_code,
        second_factor::{ActiveModel, Column, Entity, Model},
        time,
    },
    seal::{self, Place},
    tx::Tx,
};

/// Where somebody is with their second factor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecondFactor {
    /// They have none.
    Off,
    /// They have to show a code of their app before it counts.
    Begun(TotpSecret),
    /// It is asked for at each sign-in.
    On {
        /// Since when.
        since: Timestamp,
        /// How many recovery codes are left.
        codes_left: u64,
    },
}

impl Store {
    /// Where the permit's user is with their second factor.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] for a service token, [`StoreError::Unavailable`].
    pub async fn second_factor(
        &self,
        permit: &Permit<Read, OwnTokens>,
    ) -> Result<SecondFactor, StoreError> {
        let (db, account, user) = (self.reader(), permit.account(), own(permit.author())?);
        let Some(row) = find(db, account, user).await? else { return Ok(SecondFactor::Off) };
        let Some(since) = row.confirmed_at else {
            return Ok(SecondFactor::Begun(secret_of(self, &row)?));
        };
        let left = recovery_code::Entity::find().filter(codes_of(account, user)).count(db).await;
        let codes_left = left.map_err(StoreError::db)?;
        Ok(SecondFactor::On { since: time(since)?, codes_left })
    }

    /// Begins one for the permit's user; it counts once it is confirmed. One that was begun before
    /// is forgotten.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] for a service token, [`StoreError::Conflict`] if they have one,
    /// [`StoreError::CredentialChanged`], [`StoreError::Unavailable`].
    pub async fn begin_second_factor(
        &self,
        permit: &Permit<Write, OwnTokens>,
        secret: &TotpSecret,
    ) -> Result<(), StoreError> {
        let user = own(permit.author())?;
        let mut tx = self.begin(permit).await?;
        if find(tx.db(), tx.account(), user).await?.is_some_and(|row| row.confirmed_at.is_some()) {
            return Err(StoreError::Conflict("the second factor is on already".to_owned()));
        }
        forget(&tx, user).await?;
        let row = ActiveModel {
            account_id: Set(tx.account().get()),
            user_id: Set(user.get()),
            secret: Set(Vec::new()),
            created_at: Set(tx.now().micros()),
            last_step: Set(0),
            ..Default::default()
        };
        let id = Entity::insert(row).exec(tx.db()).await.map_err(StoreError::db)?.last_insert_id;
        let sealed = seal::seal(tx.keyring(), place(id), secret.bytes())?;
        Entity::update_many()
            .col_expr(Column::Secret, Expr::value(sealed))
            .filter(Column::Id.eq(id))
            .exec(tx.db())
            .await
            .map_err(StoreError::db)?;
        tx.record("second_factor.begun", format!("user:{user}"), None, None, None).await?;
        tx.commit().await
    }

    /// Has the second factor count from now on, if the code is right, with these codes for when it
    /// is lost; gives whether it was.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] for a service token, [`StoreError::Conflict`] if none was begun, or
    /// it is on already; [`StoreError::CredentialChanged`], [`StoreError::Unavailable`].
    pub async fn confirm_second_factor(
        &self,
        permit: &Permit<Write, OwnTokens>,
        code: &str,
        codes: &[RecoveryCode],
    ) -> Result<bool, StoreError> {
        let user = own(permit.author())?;
        let mut tx = self.begin(permit).await?;
        let row = find(tx.db(), tx.account(), user).await?;
        let Some(row) = row.filter(|row| row.confirmed_at.is_none()) else {
            return Err(StoreError::Conflict("no second factor is being set up".to_owned()));
        };
        let Some(step) = secret_of(self, &row)?.step(code, row.last_step, tx.now()) else {
            return Ok(false);
        };
        Entity::update_many()
            .col_expr(Column::ConfirmedAt, Expr::value(tx.now().micros()))
            .col_expr(Column::LastStep, Expr::value(step))
            .filter(Column::Id.eq(row.id))
            .exec(tx.db())
            .await
            .map_err(StoreError::db)?;
        put_codes(&tx, user, codes).await?;
        tx.record("second_factor.on", format!("user:{user}"), None, None, None).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Gives the permit's user other codes for when the second factor is lost; those before are
    /// good no more.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if they have no second factor, [`StoreError::CredentialChanged`],
    /// [`StoreError::Unavailable`].
    pub async fn renew_recovery_codes(
        &self,
        permit: &Permit<Write, OwnTokens>,
        codes: &[RecoveryCode],
    ) -> Result<(), StoreError> {
        let user = own(permit.author())?;
        let mut tx = self.begin(permit).await?;
        if !is_on(tx.db(), tx.account(), user).await? {
            return Err(StoreError::NotFound);
        }
        put_codes(&tx, user, codes).await?;
        tx.record("recovery_codes.renewed", format!("user:{user}"), None, None, None).await?;
        tx.commit().await
    }

    /// Takes the second factor of the permit's user away.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] for a service token, [`StoreError::CredentialChanged`],
    /// [`StoreError::Unavailable`].
    pub async fn remove_second_factor(
        &self,
        permit: &Permit<Write, OwnTokens>,
    ) -> Result<(), StoreError> {
        let user = own(permit.author())?;
        let mut tx = self.begin(permit).await?;
        forget(&tx, user).await?;
        tx.record("second_factor.off", format!("user:{user}"), None, None, None).await?;
        tx.commit().await
    }
}

fn own(author: PrincipalId) -> Result<UserId, StoreError> {
    match author {
        PrincipalId::User(user) => Ok(user),
        PrincipalId::ServiceToken(_) | PrincipalId::System(_) => Err(StoreError::NotFound),
    }
}

fn place(id: i64) -> Place {
    Place { table: "second_factors", id, field: "secret" }
}

fn secret_of(store: &Store, row: &Model) -> Result<TotpSecret, StoreError> {
    let bytes = seal::open(store.keyring(), place(row.id), &row.secret)?;
    TotpSecret::from_bytes(&bytes).ok_or_else(|| StoreError::corrupt("a second factor's length"))
}

async fn find(
    db: &impl ConnectionTrait,
    account: AccountId,
    user: UserId,
) -> Result<Option<Model>, StoreError> {
    let rows = Entity::find()
        .filter(Column::AccountId.eq(account.get()))
        .filter(Column::UserId.eq(user.get()));
    rows.one(db).await.map_err(StoreError::db)
}

/// Whether a user's second factor is asked for.
pub(crate) async fn is_on(
    db: &impl ConnectionTrait,
    account: AccountId,
    user: UserId,
) -> Result<bool, StoreError> {
    Ok(find(db, account, user).await?.is_some_and(|row| row.confirmed_at.is_some()))
}

/// Takes a code of the app, or one for when it is lost, once; gives whether it was right.
pub(crate) async fn take(
    store: &Store,
    tx: &mut Tx,
    user: UserId,
    code: &str,
) -> Result<bool, StoreError> {
    let row = find(tx.db(), tx.account(), user).await?;
    let Some(row) = row.filter(|row| row.confirmed_at.is_some()) else { return Ok(false) };
    let digits: String = code.chars().filter(|letter| !letter.is_whitespace()).collect();
    if let Some(step) = secret_of(store, &row)?.step(&digits, row.last_step, tx.now()) {
        Entity::update_many()
            .col_expr(Column::LastStep, Expr::value(step))
            .filter(Column::Id.eq(row.id))
            .exec(tx.db())
            .await
            .map_err(StoreError::db)?;
        return Ok(true);
    }
    let Some(code) = RecoveryCode::parse(code) else { return Ok(false) };
    let digest = tx.keyring().digest_keys().fold(Condition::any(), |any, key| {
        let digest = recovery_code::Column::Digest.eq(code.digest(key).as_bytes().to_vec());
        any.add(digest.and(recovery_code::Column::DigestKeyId.eq(i64::from(key.id()))))
    });
    let found = recovery_code::Entity::delete_many()
        .filter(codes_of(tx.account(), user))
        .filter(digest)
        .exec(tx.db())
        .await
        .map_err(StoreError::db)?;
    if found.rows_affected == 0 {
        return Ok(false);
    }
    tx.record("recovery_code.used", format!("user:{user}"), None, None, None).await?;
    Ok(true)
}

fn codes_of(account: AccountId, user: UserId) -> Condition {
    Condition::all()
        .add(recovery_code::Column::AccountId.eq(account.get()))
        .add(recovery_code::Column::UserId.eq(user.get()))
}

/// Keeps digests of these codes in place of those before.
async fn put_codes(tx: &Tx, user: UserId, codes: &[RecoveryCode]) -> Result<(), StoreError> {
    forget_codes(tx, user).await?;
    let key = tx.keyring().digest_key();
    let rows = codes.iter().map(|code| recovery_code::ActiveModel {
        account_id: Set(tx.account().get()),
        user_id: Set(user.get()),
        digest_key_id: Set(key.id().into()),
        digest: Set(code.digest(key).as_bytes().to_vec()),
        ..Default::default()
    });
    let inserted = recovery_code::Entity::insert_many(rows).exec_without_returning(tx.db());
    inserted.await.map(drop).map_err(StoreError::db)
}

async fn forget_codes(tx: &Tx, user: UserId) -> Result<(), StoreError> {
    let codes = recovery_code::Entity::delete_many().filter(codes_of(tx.account(), user));
    codes.exec(tx.db()).await.map(drop).map_err(StoreError::db)
}

/// The second factor of a user is gone, and its codes with it.
pub(crate) async fn forget(tx: &Tx, user: UserId) -> Result<(), StoreError> {
    forget_codes(tx, user).await?;
    Entity::delete_many()
        .filter(Column::AccountId.eq(tx.account().get()))
        .filter(Column::UserId.eq(user.get()))
        .exec(tx.db())
        .await
        .map(drop)
        .map_err(StoreError::db)
}
