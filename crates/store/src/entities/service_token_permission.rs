//! The table `service_token_permissions`: one permission set and project a row.

use domain::{
    GrantId, ProjectId,
    authz::{Categories, Grant, Projects},
    service_token::GrantRow,
};
use sea_orm::entity::prelude::*;

use super::{service_token, time};
use crate::StoreError;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "service_token_permissions")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub service_token_id: i64,
    pub permission_set: String,
    /// `None` is all projects.
    pub project_id: Option<i64>,
    /// The wire's words, with commas between them.
    pub categories: String,
    pub created_at: i64,
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
    pub(crate) fn into_domain(self) -> Result<GrantRow, StoreError> {
        Ok(GrantRow {
            id: GrantId::new(self.id).map_err(StoreError::corrupt)?,
            grant: grant(&self.permission_set, self.project_id, &self.categories)?,
            created_at: time(self.created_at)?,
        })
    }
}

/// A grant from its columns.
pub(crate) fn grant(
    set: &str,
    project: Option<i64>,
    categories: &str,
) -> Result<Grant, StoreError> {
    let set = set.parse().map_err(StoreError::corrupt)?;
    let projects = match project {
        None => Projects::All,
        Some(id) => Projects::only([ProjectId::new(id).map_err(StoreError::corrupt)?])
            .map_err(StoreError::corrupt)?,
    };
    let words: Vec<&str> = categories.split(',').filter(|word| !word.is_empty()).collect();
    let raised = Categories::parse(&words).map_err(StoreError::corrupt)?;
    Ok(Grant::new(set, projects).map_err(StoreError::corrupt)?.raising(raised))
}
