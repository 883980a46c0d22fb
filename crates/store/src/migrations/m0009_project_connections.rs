//! Connections that belong to one project, and who made a connection.
//!
//! `project_id` is null where a connection is the account's, `created_by` where it was made before.

use sea_orm_migration::prelude::*;

use super::{index, maybe_int, maybe_text};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for column in [maybe_int("project_id"), maybe_text("created_by")] {
            let mut table = Table::alter();
            table.table(Alias::new("connections")).add_column(column);
            manager.alter_table(table.take()).await?;
        }
        manager.create_index(index("connections", &["project_id", "state", "id"])).await
    }
}
