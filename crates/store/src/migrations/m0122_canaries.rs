//! Which service tokens are canaries.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut canary = ColumnDef::new(Alias::new("is_canary"));
        canary.boolean().not_null().default(false);
        let mut alter = Table::alter();
        alter.table(Alias::new("service_tokens")).add_column(&mut canary);
        manager.alter_table(alter).await
    }
}
