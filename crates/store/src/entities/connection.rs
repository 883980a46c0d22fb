//! The table `connections`.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "connections")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub account_id: i64,
    /// The project that it belongs to alone.
    pub project_id: Option<i64>,
    pub name: String,
    pub adapter_version: String,
    pub spec: String,
    /// Its secrets, sealed together.
    pub secret: Option<Vec<u8>>,
    pub state: i64,
    pub created_at: i64,
    pub updated_at: i64,
    /// Who made it: `user:1`.
    pub created_by: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
