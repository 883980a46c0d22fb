//! The table `audit_heads`: where each account's chain ends, so that dropping its last records shows.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "audit_heads")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: i64,
    pub seq: i64,
    pub hash: Vec<u8>,
    /// The key of the keyring that `mac` was made with.
    pub key_id: i64,
    /// HMAC-SHA-256 over account, seq and hash.
    pub mac: Vec<u8>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
