//! The table `memberships`: a user in an account. The row stays when the user leaves.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "memberships")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: i64,
    pub license: String,
    /// Counts up with every change of the user's licence, groups or their permissions.
    pub revision: i64,
    pub created_at: i64,
    /// What the documents call the permission's id. Counts up; never given out again.
    pub license_id: i64,
    /// 1, or 2 once the user has left.
    pub state: i64,
    pub first_name: String,
    pub last_name: String,
    pub updated_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {
    #[sea_orm(
        belongs_to = "super::user::Entity",
        from = "Column::UserId",
        to = "super::user::Column::Id"
    )]
    User,
}

impl Related<super::user::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::User.def()
    }
}

impl ActiveModelBehavior for ActiveModel {}
