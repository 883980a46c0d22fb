//! What artifacts were when they were stored, and of which runs they were removed.

use sea_orm_migration::prelude::*;

use super::{flag, index, int, maybe_blob, references};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut alter = Table::alter();
        alter.table(Alias::new("artifacts")).add_column(maybe_blob("sha256"));
        manager.alter_table(alter).await?;
        let table = Table::create()
            .table(Alias::new("artifact_prunings"))
            .col(int("run_id").primary_key())
            .col(int("account_id"))
            .col(int("pruned_at"))
            .col(flag("swept"))
            .foreign_key(&mut references("run_id", "runs"))
            .foreign_key(&mut references("account_id", "accounts"))
            .take();
        manager.create_table(table).await?;
        manager.create_index(index("artifact_prunings", &["account_id", "swept"])).await
    }
}
