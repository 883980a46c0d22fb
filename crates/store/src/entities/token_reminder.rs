//! The table `token_reminders`: the last reminder that was sent of a service token's end.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "token_reminders")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub service_token_id: i64,
    /// Of which end.
    pub expires_at: i64,
    /// How many days before.
    pub days: i64,
    pub sent_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
