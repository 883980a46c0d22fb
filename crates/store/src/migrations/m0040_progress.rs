//! How far dbt has come in a step.

use sea_orm_migration::prelude::*;

use super::maybe_int;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for name in ["nodes_done", "nodes_total"] {
            let mut alter = Table::alter();
            alter.table(Alias::new("run_steps")).add_column(maybe_int(name));
            manager.alter_table(alter).await?;
        }
        Ok(())
    }
}
