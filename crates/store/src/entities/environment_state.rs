//! The table `environment_states`: which steps left the newest artifacts of an environment.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "environment_states")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub environment_id: i64,
    /// Grows with each step that is folded.
    pub version: i64,
    /// The name in its `dbt_project.yml`.
    pub dbt_project: Option<String>,
    pub manifest_run: Option<i64>,
    pub manifest_step: Option<i64>,
    pub catalog_run: Option<i64>,
    pub catalog_step: Option<i64>,
    pub sources_run: Option<i64>,
    pub sources_step: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
