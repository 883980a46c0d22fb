//! The table `service_token_restrictions`.

use sea_orm::entity::prelude::*;

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
