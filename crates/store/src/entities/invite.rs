//! The table `invites`.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "invites")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub account_id: i64,
    pub email: String,
    pub license: String,
    /// A JSON list of ids.
    pub group_ids: String,
    /// `user:1` or `service_token:3`
    pub invited_by: String,
    pub digest_key_id: i64,
    pub digest: Vec<u8>,
    pub expires_at: i64,
    pub redeemed_at: Option<i64>,
    pub redeemed_by: Option<i64>,
    pub withdrawn_at: Option<i64>,
    pub withdrawn_why: Option<String>,
    pub created_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
