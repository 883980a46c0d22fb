//! What a run warned of, step by step: notifications tell of it.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut warnings = ColumnDef::new(Alias::new("warnings"));
        warnings.big_integer().not_null().default(0);
        let mut alter = Table::alter();
        alter.table(Alias::new("run_usage")).add_column(&mut warnings);
        manager.alter_table(alter).await
    }
}
