//! The table `run_leases`.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "run_leases")]
pub struct Model {
    /// The fencing number.
    #[sea_orm(primary_key)]
    pub id: i64,
    pub account_id: i64,
    pub run_id: i64,
    pub worker: String,
    pub taken_at: i64,
    pub renewed_at: i64,
    pub leased_until: i64,
    /// The DuckDB file that the run has for itself.
    pub duckdb: Option<String>,
    pub ended_at: Option<i64>,
    /// `finished`, `returned` or `expired`.
    pub ending: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {
    #[sea_orm(
        belongs_to = "super::run::Entity",
        from = "Column::RunId",
        to = "super::run::Column::Id"
    )]
    Run,
}

impl ActiveModelBehavior for ActiveModel {}
