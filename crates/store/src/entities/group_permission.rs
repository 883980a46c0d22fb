//! The table `group_permissions`: what a group gives its members, one permission set and project a row.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "group_permissions")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub account_id: i64,
    pub group_id: i64,
    pub permission_set: String,
    /// `None` is all projects.
    pub project_id: Option<i64>,
    /// The wire's words, with commas between them.
    pub categories: String,
    pub created_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
