//! The table `applied_nodes`: of each node of an environment, its newest execution.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "applied_nodes")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub environment_id: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub unique_id: String,
    pub execution_id: i64,
    pub run_id: i64,
    pub step: i64,
    /// Of the newest execution that went well.
    pub success_run_id: Option<i64>,
    pub success_job_id: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
