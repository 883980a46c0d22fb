//! The table `groups`: groups of users.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "groups")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub account_id: i64,
    pub name: String,
    pub created_at: i64,
    /// New users are put into it.
    pub assign_by_default: bool,
    /// A JSON list of names.
    pub sso_mapping_groups: String,
    /// 1, or 2 once deleted.
    pub state: i64,
    pub updated_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
