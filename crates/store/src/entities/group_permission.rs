//! The table `group_permissions`: what a group gives its members, one permission set and project a row.

use domain::{GrantId, service_token::GrantRow};
use sea_orm::entity::prelude::*;

use super::{service_token_permission::grant, time};
use crate::StoreError;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "group_permissions")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub account_id: i64,
    pub group_id: i64,
    pub permission_set: String,
    /// `None` is all projects.
    pub project_id: Option<i64>,
    /// The wire's words, with commas between them.
    pub categories: String,
    pub created_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    /// What it means.
    pub(crate) fn into_domain(self) -> Result<GrantRow, StoreError> {
        Ok(GrantRow {
            id: GrantId::new(self.id).map_err(StoreError::corrupt)?,
            grant: grant(&self.permission_set, self.project_id, &self.categories)?,
            created_at: time(self.created_at)?,
        })
    }
}
