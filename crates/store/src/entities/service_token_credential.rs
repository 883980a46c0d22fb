//! The table `service_token_credentials`: what opens a service token, or did and is known again.

use domain::{
    Timestamp, TokenCredentialId,
    token_credential::{Life, TokenCredential, TokenUse},
};
use sea_orm::{Condition, entity::prelude::*, sea_query::ExprTrait as _};

use super::{maybe_time, service_token, time};
use crate::StoreError;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "service_token_credentials")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub account_id: i64,
    pub service_token_id: i64,
    /// The key of the keyring that `digest` was made with.
    pub digest_key_id: i64,
    pub digest: Vec<u8>,
    pub created_at: i64,
    pub expires_at: Option<i64>,
    pub retires_at: Option<i64>,
    /// Seconds after its successor's first use.
    pub retires_after: Option<i64>,
    pub ended_at: Option<i64>,
    pub first_used: Option<i64>,
    pub last_used: Option<i64>,
    pub last_address: Option<String>,
    pub last_agent: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {
    #[sea_orm(
        belongs_to = "super::service_token::Entity",
        from = "Column::ServiceTokenId",
        to = "super::service_token::Column::Id"
    )]
    Token,
}

impl Related<service_token::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::Token.def()
    }
}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    /// What it means.
    pub(crate) fn into_domain(self) -> Result<TokenCredential, StoreError> {
        let address = self.last_address.map(|text| text.parse()).transpose();
        let (address, agent) = (address.map_err(StoreError::corrupt)?, self.last_agent);
        let last_use = maybe_time(self.last_used)?;
        Ok(TokenCredential {
            id: TokenCredentialId::new(self.id).map_err(StoreError::corrupt)?,
            life: Life {
                created_at: time(self.created_at)?,
                expires_at: maybe_time(self.expires_at)?,
                retires_at: maybe_time(self.retires_at)?,
                ended_at: maybe_time(self.ended_at)?,
            },
            retires_after: self.retires_after,
            last_use: last_use.map(|at| TokenUse { at, address, agent: agent.unwrap_or_default() }),
        })
    }
}

/// That a credential may be used at this time: [`Life::is_open`] of rows.
pub(crate) fn is_open(now: Timestamp) -> Condition {
    let now = now.micros();
    let beyond = |end: Column| end.is_null().or(end.gt(now));
    Condition::all()
        .add(Column::EndedAt.is_null())
        .add(Column::CreatedAt.lte(now))
        .add(beyond(Column::ExpiresAt))
        .add(beyond(Column::RetiresAt))
}
