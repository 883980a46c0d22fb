//! The table `token_senders`: who uses a token.

use domain::token_use::Sender;
use sea_orm::entity::prelude::*;

use super::time;
use crate::StoreError;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "token_senders")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub service_token_id: i64,
    /// Empty is not known.
    pub address: String,
    pub agent: String,
    pub first_used: i64,
    pub last_used: i64,
    pub requests: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    /// What it means.
    pub(crate) fn into_domain(self) -> Result<Sender, StoreError> {
        let address = (!self.address.is_empty()).then(|| self.address.parse()).transpose();
        Ok(Sender {
            address: address.map_err(StoreError::corrupt)?,
            agent: self.agent,
            first_used: time(self.first_used)?,
            last_used: time(self.last_used)?,
            requests: u64::try_from(self.requests).map_err(StoreError::corrupt)?,
        })
    }
}
