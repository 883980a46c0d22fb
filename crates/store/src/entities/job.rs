//! The table `jobs`.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "jobs")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub account_id: i64,
    pub project_id: i64,
    pub name: String,
    pub environment_id: i64,
    pub dbt_version: Option<String>,
    pub on_schedule: bool,
    /// The job whose end starts it.
    pub after_job_id: Option<i64>,
    /// How many runs failed since the last that did not.
    pub failures: i64,
    /// Whether a good run has left a manifest.
    pub deferrable: bool,
    pub spec: String,
    pub state: i64,
    pub created_at: i64,
    pub updated_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
