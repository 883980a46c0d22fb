//! What is known of runs and jobs, and was not told: whether a checkout came out of the kept clone, what
//! became of models and tests, and whether a job has left what others can defer to.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

/// The jobs of which a good run has left a manifest.
const DEFERRABLE: &str = "UPDATE jobs SET \"deferrable\" = TRUE WHERE id IN (\
    SELECT runs.job_id FROM runs JOIN artifacts ON artifacts.run_id = runs.id \
    WHERE runs.status = 10 AND artifacts.path = 'manifest.json')";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut used = ColumnDef::new(Alias::new("used_clone"));
        let mut deferrable = super::flag("deferrable");
        for (table, column) in [
            ("runs", used.boolean().null().take()),
            ("runs", super::maybe_text("counts")),
            ("run_usage", super::maybe_text("counts")),
            ("jobs", deferrable.default(false).take()),
        ] {
            let mut alter = Table::alter();
            manager.alter_table(alter.table(Alias::new(table)).add_column(column).take()).await?;
        }
        manager.get_connection().execute_unprepared(DEFERRABLE).await?;
        Ok(())
    }
}
