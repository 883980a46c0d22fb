//! The table `token_rotations`: answers that are kept for ten minutes, for whoever asked.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "token_rotations")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub account_id: i64,
    /// Who asked: `user:1`.
    pub caller: String,
    /// The digest of the `Idempotency-Key`.
    pub replay_key: Vec<u8>,
    /// The digest of what was asked.
    pub asked: Vec<u8>,
    pub service_token_id: i64,
    pub credential_id: i64,
    /// Sealed.
    pub secret: Vec<u8>,
    pub made_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
