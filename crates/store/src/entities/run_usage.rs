//! The table `run_usage`: what a run's step built, and what it warned of.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "run_usage")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub run_id: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub step: i64,
    pub account_id: i64,
    pub project_id: i64,
    pub models_built: i64,
    /// Data tests and sources that it warned of.
    pub warnings: i64,
    /// What became of its models and tests; none of what an earlier version stored.
    pub counts: Option<String>,
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

impl Relation {
    /// From a run to what it built.
    pub(crate) fn def_rev(self) -> RelationDef {
        self.def().rev()
    }
}

impl ActiveModelBehavior for ActiveModel {}
