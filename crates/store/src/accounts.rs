//! Accounts.

use crate::{
    Store, StoreError,
    entities::account::{Column, Entity, Model},
    tx::Tx,
};
use domain::{
    AccountId, AccountPlan, Name,
    account::Account,
    authz::{AccountSettings, Identity, Permit, Read, Write},
    event::Event,
};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, EntityTrait as _, QueryFilter as _, sea_query::Expr,
};
use serde_json::{Value, json};

/// What of an account can be changed; `None` keeps.
#[derive(Debug, Clone, Default)]
pub struct AccountChange {
    /// Its name.
    pub name: Option<Name>,
    /// Its plan: a permission set that it no longer offers becomes inert at once.
    pub plan: Option<AccountPlan>,
    /// How many runs it may have at once.
    pub run_slots: Option<u32>,
    /// Whether its service tokens may make service tokens.
    pub tokens_may_mint: Option<bool>,
}

impl Store {
    /// The permit's own account.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn own_account(
        &self,
        permit: &Permit<Read, Identity>,
    ) -> Result<Account, StoreError> {
        find(self.reader(), permit.account()).await
    }

    /// Changes the account.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] (no run slot at all), [`StoreError::CredentialChanged`],
    /// [`StoreError::Unavailable`].
    pub async fn update_account(
        &self,
        permit: &Permit<Write, AccountSettings>,
        change: AccountChange,
    ) -> Result<Account, StoreError> {
        let mut tx = self.begin(permit).await?;
        let before = find(tx.db(), tx.account()).await?;
        let after = change.apply(before.clone());
        let run_slots = i32::try_from(after.run_slots).ok().filter(|slots| *slots > 0);
        let run_slots = run_slots.ok_or_else(|| StoreError::Invalid {
            field: "run_slots",
            message: format!("must be from 1 to {}", i32::MAX),
        })?;
        let after = Account { updated_at: tx.now(), ..after };
        save(&tx, &after, run_slots).await?;
        let object = format!("account:{}", after.id);
        tx.record("account.updated", object, None, Some(said(&before)), Some(said(&after))).await?;
        tx.event(Event::AccountChanged { id: after.id }).await?;
        tx.commit().await?;
        Ok(after)
    }
}

impl AccountChange {
    fn apply(self, account: Account) -> Account {
        Account {
            name: self.name.unwrap_or(account.name),
            plan: self.plan.unwrap_or(account.plan),
            run_slots: self.run_slots.unwrap_or(account.run_slots),
            tokens_may_mint: self.tokens_may_mint.unwrap_or(account.tokens_may_mint),
            ..account
        }
    }
}

async fn save(tx: &Tx, account: &Account, run_slots: i32) -> Result<(), StoreError> {
    Entity::update_many()
        .col_expr(Column::Name, Expr::value(account.name.as_str()))
        .col_expr(Column::Plan, Expr::value(account.plan.as_str()))
        .col_expr(Column::RunSlots, Expr::value(run_slots))
        .col_expr(Column::TokensMayMint, Expr::value(account.tokens_may_mint))
        .col_expr(Column::UpdatedAt, Expr::value(account.updated_at.micros()))
        .filter(Column::Id.eq(account.id.get()))
        .exec(tx.db())
        .await
        .map_err(StoreError::db)?;
    Ok(())
}

async fn find(db: &impl ConnectionTrait, id: AccountId) -> Result<Account, StoreError> {
    let row: Option<Model> = Entity::find_by_id(id.get()).one(db).await.map_err(StoreError::db)?;
    row.ok_or(StoreError::NotFound)?.into_domain()
}

/// What an audit record says of an account.
pub(crate) fn said(account: &Account) -> Value {
    json!({
        "name": account.name,
        "plan": account.plan.as_str(),
        "run_slots": account.run_slots,
        "tokens_may_mint": account.tokens_may_mint,
    })
}
