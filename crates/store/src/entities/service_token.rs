//! The table `service_tokens`.

use domain::{
    AccountId, Name, ServiceTokenId,
    service_token::{GrantRow, ServiceToken, TokenState},
};
use sea_orm::entity::prelude::*;

use super::{maybe_time, service_token_permission, time};
use crate::StoreError;

/// The text of [`TokenState::Active`].
pub(crate) const ACTIVE: &str = "active";
/// The text of [`TokenState::Imported`].
pub(crate) const IMPORTED: &str = "imported";
/// The text of [`TokenState::Revoked`].
pub(crate) const REVOKED: &str = "revoked";

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "service_tokens")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub uid: String,
    pub account_id: i64,
    pub name: String,
    pub state: String,
    pub expires_at: Option<i64>,
    pub revoked_at: Option<i64>,
    pub revoked_by: Option<String>,
    /// The key of the keyring that `digest` was made with; both are gone once it is revoked.
    pub digest_key_id: Option<i64>,
    pub digest: Option<Vec<u8>>,
    /// Counts up with every change of its grants or state.
    pub revision: i64,
    pub created_at: i64,
    pub updated_at: i64,
    pub last_used: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {
    #[sea_orm(has_many = "super::service_token_permission::Entity")]
    Permission,
    #[sea_orm(
        belongs_to = "super::account::Entity",
        from = "Column::AccountId",
        to = "super::account::Column::Id"
    )]
    Account,
}

impl Related<service_token_permission::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::Permission.def()
    }
}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    /// Where it is in its life.
    pub(crate) fn state(&self) -> Result<TokenState, StoreError> {
        let state = match (self.state.as_str(), self.revoked_at, &self.revoked_by) {
            (ACTIVE, None, None) => TokenState::Active { expires_at: maybe_time(self.expires_at)? },
            (IMPORTED, None, None) => TokenState::Imported,
            (REVOKED, Some(at), Some(by)) => {
                TokenState::Revoked { at: time(at)?, by: by.parse().map_err(StoreError::corrupt)? }
            }
            (other, ..) => {
                let reason = format!("service token {} cannot be `{other}`", self.id);
                return Err(StoreError::Corrupt(reason));
            }
        };
        Ok(state)
    }

    /// What it means, with its permission rows.
    pub(crate) fn into_domain(
        self,
        permissions: Vec<service_token_permission::Model>,
    ) -> Result<ServiceToken, StoreError> {
        let state = self.state()?;
        let mut grants: Vec<GrantRow> = permissions
            .into_iter()
            .map(service_token_permission::Model::into_domain)
            .collect::<Result<_, _>>()?;
        grants.sort_by_key(|row| row.id);
        Ok(ServiceToken {
            id: ServiceTokenId::new(self.id).map_err(StoreError::corrupt)?,
            uid: self.uid,
            account: AccountId::new(self.account_id).map_err(StoreError::corrupt)?,
            name: Name::parse(self.name).map_err(StoreError::corrupt)?,
            grants,
            state,
            created_at: time(self.created_at)?,
            updated_at: time(self.updated_at)?,
            last_used: maybe_time(self.last_used)?,
        })
    }
}
