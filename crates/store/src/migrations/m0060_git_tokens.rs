//! The token that git gets in with where a repository is reached by HTTPS, sealed.

use sea_orm_migration::prelude::*;

use super::maybe_blob;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut alter = Table::alter();
        alter.table(Alias::new("repositories")).add_column(maybe_blob("git_token"));
        manager.alter_table(alter).await
    }
}
