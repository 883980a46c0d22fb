//! The table `repositories`.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "repositories")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub account_id: i64,
    pub project_id: i64,
    pub remote_url: String,
    pub spec: String,
    /// The public half of its deploy key.
    pub public_key: Option<String>,
    /// The private half, sealed.
    pub secret: Option<Vec<u8>>,
    /// The token that git gets in with by HTTPS, sealed.
    pub git_token: Option<Vec<u8>>,
    pub state: i64,
    pub created_at: i64,
    pub updated_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
