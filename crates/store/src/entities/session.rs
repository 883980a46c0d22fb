//! The table `sessions`.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "sessions")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub account_id: i64,
    pub user_id: i64,
    pub digest_key_id: i64,
    pub digest: Vec<u8>,
    pub created_at: i64,
    /// When it was last noted that it is used: at most once a minute.
    pub seen_at: i64,
    pub expires_at: i64,
    pub ended_at: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {
    #[sea_orm(
        belongs_to = "super::membership::Entity",
        from = "(Column::AccountId, Column::UserId)",
        to = "(super::membership::Column::AccountId, super::membership::Column::UserId)"
    )]
    Membership,
    #[sea_orm(
        belongs_to = "super::account::Entity",
        from = "Column::AccountId",
        to = "super::account::Column::Id"
    )]
    Account,
    #[sea_orm(
        belongs_to = "super::user::Entity",
        from = "Column::UserId",
        to = "super::user::Column::Id"
    )]
    User,
    #[sea_orm(
        belongs_to = "super::group_member::Entity",
        from = "Column::UserId",
        to = "super::group_member::Column::UserId"
    )]
    InGroups,
}

impl ActiveModelBehavior for ActiveModel {}
