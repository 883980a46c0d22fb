//! Who executes a run and when they were last heard of, and whether its end was told by mail: kept with
//! the run, since leases are not kept for ever.

use sea_orm_migration::prelude::*;

use super::{maybe_int, maybe_text};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut sent = ColumnDef::new(Alias::new("notifications_sent"));
        sent.boolean().not_null().default(false);
        for column in [maybe_text("worker"), maybe_int("heartbeat_at"), sent] {
            let mut alter = Table::alter();
            alter.table(Alias::new("runs")).add_column(column);
            manager.alter_table(alter).await?;
        }
        let newest = "FROM run_leases WHERE run_id = runs.id ORDER BY id DESC LIMIT 1";
        let known = format!(
            "UPDATE runs SET worker = (SELECT worker {newest}), \
             heartbeat_at = (SELECT renewed_at {newest}) WHERE status <> 1"
        );
        manager.get_connection().execute_unprepared(&known).await?;
        Ok(())
    }
}
