//! The table `token_proposals`.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "token_proposals")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub account_id: i64,
    pub service_token_id: i64,
    /// The token's revision when it was proposed.
    pub revision: i64,
    /// What the token would have, as JSON.
    pub asked: String,
    /// A user.
    pub proposed_by: i64,
    pub expires_at: i64,
    pub created_at: i64,
    /// `accepted`, `rejected` or `withdrawn`; null until it is settled.
    pub outcome: Option<String>,
    pub settled_at: Option<i64>,
    /// `user:1`
    pub settled_by: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
