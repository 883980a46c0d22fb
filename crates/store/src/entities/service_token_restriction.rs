//! The table `service_token_restrictions`.

use domain::authz::Restrictions;
use sea_orm::entity::prelude::*;

use crate::{StoreError, rows::from_text};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "service_token_restrictions")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub service_token_id: i64,
    /// All of them, as JSON.
    pub restrictions: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    /// What it means.
    pub(crate) fn read(&self) -> Result<Restrictions, StoreError> {
        from_text(&self.restrictions)
    }
}
