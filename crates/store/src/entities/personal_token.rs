//! The table `personal_tokens`.

use domain::{AccountId, Name, PersonalTokenId, UserId, personal_token::PersonalToken};
use sea_orm::entity::prelude::*;

use super::{maybe_time, time};
use crate::StoreError;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "personal_tokens")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub uid: String,
    pub account_id: i64,
    pub user_id: i64,
    pub name: String,
    /// The key of the keyring that `digest` was made with; both are gone once it is revoked.
    pub digest_key_id: Option<i64>,
    pub digest: Option<Vec<u8>>,
    pub expires_at: Option<i64>,
    pub revoked_at: Option<i64>,
    pub created_at: i64,
    pub updated_at: i64,
    pub last_used: Option<i64>,
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
        belongs_to = "super::group_member::Entity",
        from = "Column::UserId",
        to = "super::group_member::Column::UserId"
    )]
    InGroups,
}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    /// What it means.
    pub(crate) fn into_domain(self) -> Result<PersonalToken, StoreError> {
        Ok(PersonalToken {
            id: PersonalTokenId::new(self.id).map_err(StoreError::corrupt)?,
            uid: self.uid,
            account: AccountId::new(self.account_id).map_err(StoreError::corrupt)?,
            user: UserId::new(self.user_id).map_err(StoreError::corrupt)?,
            name: Name::parse(self.name).map_err(StoreError::corrupt)?,
            expires_at: maybe_time(self.expires_at)?,
            revoked_at: maybe_time(self.revoked_at)?,
            created_at: time(self.created_at)?,
            updated_at: time(self.updated_at)?,
            last_used: maybe_time(self.last_used)?,
        })
    }
}
