//! The table `service_tokens`.

use domain::{
    AccountId, Name, ServiceTokenId, UserId,
    service_token::{GrantRow, ServiceToken, TokenState},
    token_credential::TokenCredential,
};
use sea_orm::entity::prelude::*;

use super::{
    maybe_time, service_token_credential, service_token_permission, service_token_restriction, time,
};
use crate::StoreError;

/// The text of [`TokenState::Active`].
pub(crate) const ACTIVE: &str = "active";
/// The text of [`TokenState::Disabled`].
pub(crate) const DISABLED: &str = "disabled";
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
    pub revoked_at: Option<i64>,
    pub revoked_by: Option<String>,
    /// Counts up with every change of its grants or state.
    pub revision: i64,
    pub created_at: i64,
    pub updated_at: i64,
    pub last_used: Option<i64>,
    /// Whether it grants nothing and any use of it is told.
    pub is_canary: bool,
    pub responsible_user_id: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {
    #[sea_orm(has_many = "super::service_token_permission::Entity")]
    Permission,
    #[sea_orm(
        belongs_to = "service_token_restriction::Entity",
        from = "Column::Id",
        to = "service_token_restriction::Column::ServiceTokenId"
    )]
    Restriction,
    #[sea_orm(
        belongs_to = "super::account::Entity",
        from = "Column::AccountId",
        to = "super::account::Column::Id"
    )]
    Account,
    #[sea_orm(has_many = "super::service_token_credential::Entity")]
    Credential,
}

impl Related<service_token_permission::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::Permission.def()
    }
}

impl Related<service_token_credential::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::Credential.def()
    }
}

impl Related<service_token_restriction::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::Restriction.def()
    }
}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    /// Where it is in its life.
    pub(crate) fn state(&self) -> Result<TokenState, StoreError> {
        let state = match (self.state.as_str(), self.revoked_at, &self.revoked_by) {
            (ACTIVE, None, None) => TokenState::Active,
            (DISABLED, None, None) => TokenState::Disabled,
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

    /// What it means, with its permission rows, its credentials and what it is held to.
    pub(crate) fn into_domain(
        self,
        permissions: Vec<service_token_permission::Model>,
        credentials: Vec<service_token_credential::Model>,
        restrictions: Option<&service_token_restriction::Model>,
    ) -> Result<ServiceToken, StoreError> {
        let state = self.state()?;
        let mut grants: Vec<GrantRow> = permissions
            .into_iter()
            .map(service_token_permission::Model::into_domain)
            .collect::<Result<_, _>>()?;
        grants.sort_by_key(|row| row.id);
        let mut credentials: Vec<TokenCredential> = credentials
            .into_iter()
            .map(service_token_credential::Model::into_domain)
            .collect::<Result<_, _>>()?;
        credentials.sort_by_key(|credential| credential.id);
        Ok(ServiceToken {
            id: ServiceTokenId::new(self.id).map_err(StoreError::corrupt)?,
            uid: self.uid,
            account: AccountId::new(self.account_id).map_err(StoreError::corrupt)?,
            name: Name::parse(self.name).map_err(StoreError::corrupt)?,
            grants,
            restrictions: restrictions
                .map(service_token_restriction::Model::read)
                .transpose()?
                .unwrap_or_default(),
            responsible: self
                .responsible_user_id
                .map(UserId::new)
                .transpose()
                .map_err(StoreError::corrupt)?,
            state,
            credentials,
            created_at: time(self.created_at)?,
            updated_at: time(self.updated_at)?,
            last_used: maybe_time(self.last_used)?,
            is_canary: self.is_canary,
        })
    }
}
