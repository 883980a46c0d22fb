//! The table `node_executions`.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "node_executions")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub account_id: i64,
    pub environment_id: i64,
    pub job_id: i64,
    pub run_id: i64,
    pub step: i64,
    pub unique_id: String,
    /// dbt's word.
    pub status: String,
    pub message: Option<String>,
    pub failures: Option<i64>,
    pub execution_micros: Option<i64>,
    pub thread_id: Option<String>,
    pub compile_started_at: Option<i64>,
    pub compile_completed_at: Option<i64>,
    pub execute_started_at: Option<i64>,
    pub execute_completed_at: Option<i64>,
    /// When the step was folded.
    pub created_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
