//! The table `accounts`.

use domain::{AccountId, AccountPlan, Name, account::Account, seats::Seats};
use sea_orm::entity::prelude::*;

use super::time;
use crate::StoreError;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "accounts")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub name: String,
    pub plan: String,
    #[sea_orm(unique)]
    pub identifier: String,
    pub run_slots: i32,
    pub tokens_may_mint: bool,
    /// Whether the IP restrictions are enforced.
    pub ip_rules_enabled: bool,
    /// Counts up with every change of the IP restrictions.
    pub ip_rules_revision: i64,
    /// Where bills go.
    pub billing_email: Option<String>,
    pub created_at: i64,
    pub updated_at: i64,
    pub locked: bool,
    /// Empty if nobody said.
    pub lock_reason: String,
    pub developer_seats: Option<i64>,
    pub analyst_seats: Option<i64>,
    pub read_only_seats: Option<i64>,
    pub it_seats: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    /// What it means.
    pub(crate) fn into_domain(self) -> Result<Account, StoreError> {
        let seats = |number: Option<i64>| {
            number.map(u32::try_from).transpose().map_err(StoreError::corrupt)
        };
        Ok(Account {
            id: AccountId::new(self.id).map_err(StoreError::corrupt)?,
            name: Name::parse(self.name).map_err(StoreError::corrupt)?,
            plan: AccountPlan::new(self.plan),
            identifier: self.identifier,
            run_slots: u32::try_from(self.run_slots).map_err(StoreError::corrupt)?,
            tokens_may_mint: self.tokens_may_mint,
            locked: self.locked,
            lock_reason: self.lock_reason,
            seats: Seats {
                developer: seats(self.developer_seats)?,
                analyst: seats(self.analyst_seats)?,
                read_only: seats(self.read_only_seats)?,
                it: seats(self.it_seats)?,
            },
            created_at: time(self.created_at)?,
            updated_at: time(self.updated_at)?,
        })
    }
}
