//! The table `git_hooks`.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "git_hooks")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub account_id: i64,
    pub project_id: i64,
    pub repository_id: i64,
    /// What its address ends with.
    pub key: String,
    /// What the host signs with, sealed.
    pub secret: Vec<u8>,
    pub created_at: i64,
    /// When it got that secret.
    pub rotated_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
