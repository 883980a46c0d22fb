//! dbt's own log of a step, beside its console text.

use sea_orm_migration::prelude::*;

use super::{id, index, int, references, text};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table(Alias::new("step_debug_chunks"))
            .col(id("id"))
            .col(int("step_id"))
            .col(text("text"))
            .foreign_key(&mut references("step_id", "run_steps"))
            .take();
        manager.create_table(table).await?;
        manager.create_index(index("step_debug_chunks", &["step_id", "id"])).await
    }
}
