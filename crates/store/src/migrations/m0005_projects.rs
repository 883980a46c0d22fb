//! Secrets of connections; deploy keys of repositories.

use sea_orm_migration::prelude::*;

use super::{maybe_blob, maybe_text};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (name, column) in [
            ("connections", maybe_blob("secret")),
            ("repositories", maybe_text("public_key")),
            ("repositories", maybe_blob("secret")),
        ] {
            let mut table = Table::alter();
            table.table(Alias::new(name)).add_column(column);
            manager.alter_table(table).await?;
        }
        Ok(())
    }
}
