//! The table `old_secret_uses`: who still sends a secret that was replaced.

use domain::token_credential::OldUse;
use sea_orm::entity::prelude::*;

use super::time;
use crate::StoreError;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "old_secret_uses")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub service_token_id: i64,
    pub credential_id: i64,
    /// Empty is this machine's own process.
    pub address: String,
    pub agent: String,
    pub first_used: i64,
    pub last_used: i64,
    /// Whether it was sent after its end, too.
    pub refused: bool,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    /// What it means.
    pub(crate) fn into_domain(self) -> Result<OldUse, StoreError> {
        let address = (!self.address.is_empty()).then(|| self.address.parse()).transpose();
        Ok(OldUse {
            address: address.map_err(StoreError::corrupt)?,
            agent: self.agent,
            first_used: time(self.first_used)?,
            last_used: time(self.last_used)?,
            refused: self.refused,
        })
    }
}
