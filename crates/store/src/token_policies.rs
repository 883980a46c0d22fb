//! What accounts ask of their service tokens.

use domain::{
    AccountId,
    authz::{AccountSettings, Permit, PrincipalId, Read, ServiceTokens, Write},
    token_policy::{OutsidePolicy, TokenPolicy},
};
use sea_orm::{ActiveValue::Set, ConnectionTrait, EntityTrait as _, sea_query::OnConflict};

use crate::{
    Store, StoreError,
    entities::token_policy::{ActiveModel, Column, Entity},
    rows::{from_text, said, to_text},
};

impl Store {
    /// What the account asks of its service tokens.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn token_policy(
        &self,
        permit: &Permit<Read, ServiceTokens>,
    ) -> Result<TokenPolicy, StoreError> {
        of(self.reader(), permit.account()).await
    }

    /// Changes it. Tokens that there are stay as they are until they are granted more, prolonged or
    /// rotated.
    ///
    /// # Errors
    /// [`StoreError::UserOnly`] (a service token calls), [`StoreError::CredentialChanged`],
    /// [`StoreError::Unavailable`], and whatever `change` gives.
    pub async fn update_token_policy<E: From<StoreError>>(
        &self,
        permit: &Permit<Write, AccountSettings>,
        change: impl FnOnce(TokenPolicy) -> Result<TokenPolicy, E> + Send,
    ) -> Result<TokenPolicy, E> {
        let mut tx = self.begin(permit).await?;
        let before = of(tx.db(), tx.account()).await?;
        let after = change(before.clone())?;
        if after != before && !matches!(permit.author(), PrincipalId::User(_)) {
            return Err(StoreError::UserOnly { field: "service_token_policy" }.into());
        }
        let row = ActiveModel { account_id: Set(tx.account().get()), spec: Set(to_text(&after)?) };
        let replace = OnConflict::column(Column::AccountId).update_column(Column::Spec).to_owned();
        let written = Entity::insert(row).on_conflict(replace).exec(tx.db()).await;
        written.map_err(StoreError::db)?;
        let object = format!("account:{}", tx.account());
        let event = "service_token_policy.updated";
        tx.record(event, object, None, Some(said(&before)), Some(said(&after))).await?;
        tx.commit().await?;
        Ok(after)
    }
}

/// What an account asks, now.
pub(crate) async fn of(
    db: &impl ConnectionTrait,
    account: AccountId,
) -> Result<TokenPolicy, StoreError> {
    let row = Entity::find_by_id(account.get()).one(db).await.map_err(StoreError::db)?;
    row.map_or_else(|| Ok(TokenPolicy::default()), |row| from_text(&row.spec))
}

impl From<OutsidePolicy> for StoreError {
    fn from(outside: OutsidePolicy) -> Self {
        let field = match outside {
            OutsidePolicy::NotGranted(_) => "permission_grants",
            OutsidePolicy::Past | OutsidePolicy::TooLate { .. } => "expires_at",
        };
        Self::Invalid { field, message: outside.to_string() }
    }
}
