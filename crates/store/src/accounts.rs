//! Accounts.

use std::collections::BTreeMap;

use crate::{
    Store, StoreError,
    entities::account::{Column, Entity, Model},
    list::{Collection, Field, Kind, State},
    tx::Tx,
};
use domain::{
    AccountId, AccountPlan, Name,
    account::Account,
    authz::{AccountSettings, Identity, License, Permit, PrincipalId, Read, Write, catalogue},
    event::Event,
    list::{ListQuery, Paged, StateFilter},
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
    /// Whether its service tokens may make service tokens. No service token changes that.
    pub tokens_may_mint: Option<bool>,
    /// Whether it is locked: no run is queued, and none that is queued begins.
    pub locked: Option<bool>,
    /// Why it is.
    pub lock_reason: Option<String>,
    /// Seats of a licence; `None` is any number. Only where the plan leaves that open.
    pub seats: BTreeMap<License, Option<u32>>,
}

static COLLECTION: Collection<Column> = Collection {
    id: Column::Id,
    fields: &[
        Field { name: "name", column: Column::Name, kind: Kind::Text },
        Field { name: "created_at", column: Column::CreatedAt, kind: Kind::Time },
        Field { name: "updated_at", column: Column::UpdatedAt, kind: Kind::Time },
    ],
    // Accounts are not deleted.
    state: State { active: || Expr::value(true), default: StateFilter::Active },
};

impl Store {
    /// The accounts that the permit is for: one.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] (order or filter), [`StoreError::Unavailable`].
    pub async fn own_accounts(
        &self,
        permit: &Permit<Read, Identity>,
        query: &ListQuery,
    ) -> Result<Paged<Account>, StoreError> {
        let rows = Entity::find().filter(Column::Id.eq(permit.account().get()));
        let page = self.page(rows, &COLLECTION, query).await?;
        let rows = page.rows.into_iter().map(Model::into_domain).collect::<Result<_, _>>()?;
        Ok(Paged { rows, total: page.total })
    }

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
    /// [`StoreError::Invalid`] (no run slot at all, or the plan fixes the seats),
    /// [`StoreError::UserOnly`] (a service token changes `tokens_may_mint`),
    /// [`StoreError::CredentialChanged`], [`StoreError::Unavailable`].
    pub async fn update_account(
        &self,
        permit: &Permit<Write, AccountSettings>,
        change: AccountChange,
    ) -> Result<Account, StoreError> {
        let mut tx = self.begin(permit).await?;
        let before = find(tx.db(), tx.account()).await?;
        let after = change.apply(before.clone())?;
        let by_user = matches!(permit.author(), PrincipalId::User(_));
        if after.tokens_may_mint != before.tokens_may_mint && !by_user {
            return Err(StoreError::UserOnly { field: "tokens_may_mint" });
        }
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
    fn apply(self, account: Account) -> Result<Account, StoreError> {
        let mut after = Account {
            name: self.name.unwrap_or(account.name),
            plan: self.plan.unwrap_or(account.plan),
            run_slots: self.run_slots.unwrap_or(account.run_slots),
            tokens_may_mint: self.tokens_may_mint.unwrap_or(account.tokens_may_mint),
            locked: self.locked.unwrap_or(account.locked),
            lock_reason: self.lock_reason.unwrap_or(account.lock_reason),
            ..account
        };
        for (license, seats) in self.seats {
            let (field, place) = match license {
                License::Developer => ("developer_seats", &mut after.seats.developer),
                License::Analyst => ("analyst_seats", &mut after.seats.analyst),
                License::ReadOnly => ("read_only_seats", &mut after.seats.read_only),
                License::It => ("it_seats", &mut after.seats.it),
            };
            let open = after.plan.tier().is_some_and(|plan| catalogue().seats(plan).is_none());
            if open {
                *place = seats;
            } else if after.seats_of(license) != seats {
                // An echo of what the plan has is no change.
                let message = format!("is fixed by the plan `{}`", after.plan.as_str());
                return Err(StoreError::Invalid { field, message });
            }
        }
        if !after.locked {
            after.lock_reason = String::new();
        }
        Ok(after)
    }
}

async fn save(tx: &Tx, account: &Account, run_slots: i32) -> Result<(), StoreError> {
    Entity::update_many()
        .col_expr(Column::Name, Expr::value(account.name.as_str()))
        .col_expr(Column::Plan, Expr::value(account.plan.as_str()))
        .col_expr(Column::RunSlots, Expr::value(run_slots))
        .col_expr(Column::TokensMayMint, Expr::value(account.tokens_may_mint))
        .col_expr(Column::Locked, Expr::value(account.locked))
        .col_expr(Column::LockReason, Expr::value(account.lock_reason.as_str()))
        .col_expr(Column::DeveloperSeats, Expr::value(account.seats.developer.map(i64::from)))
        .col_expr(Column::AnalystSeats, Expr::value(account.seats.analyst.map(i64::from)))
        .col_expr(Column::ReadOnlySeats, Expr::value(account.seats.read_only.map(i64::from)))
        .col_expr(Column::ItSeats, Expr::value(account.seats.it.map(i64::from)))
        .col_expr(Column::UpdatedAt, Expr::value(account.updated_at.micros()))
        .filter(Column::Id.eq(account.id.get()))
        .exec(tx.db())
        .await
        .map_err(StoreError::db)?;
    Ok(())
}

/// That the account is not locked.
pub(crate) async fn check_unlocked(tx: &Tx) -> Result<(), StoreError> {
    if find(tx.db(), tx.account()).await?.locked {
        return Err(StoreError::Conflict("the account is locked: it queues no runs".to_owned()));
    }
    Ok(())
}

/// An account as it is now.
pub(crate) async fn find(db: &impl ConnectionTrait, id: AccountId) -> Result<Account, StoreError> {
    let row: Option<Model> = Entity::find_by_id(id.get()).one(db).await.map_err(StoreError::db)?;
    row.ok_or(StoreError::NotFound)?.into_domain()
}

/// What an audit record says of an account.
pub(crate) fn said(account: &Account) -> Value {
    let seats = License::ALL.map(|license| (license.key(), account.seats.of(license)));
    let seats = BTreeMap::from(seats);
    json!({
        "name": account.name,
        "plan": account.plan.as_str(),
        "run_slots": account.run_slots,
        "tokens_may_mint": account.tokens_may_mint,
        "locked": account.locked,
        "lock_reason": account.lock_reason,
        "seats": seats,
    })
}
