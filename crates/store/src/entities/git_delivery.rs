//! The table `git_deliveries`: names of deliveries that started something.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "git_deliveries")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub hook_id: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub name: String,
    pub at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
