//! When scheduled jobs are due.

use sea_orm_migration::prelude::*;

use super::{int, maybe_int, references};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table(Alias::new("job_schedules"))
            .col(int("job_id").primary_key())
            .col(int("planned_for"))
            .col(maybe_int("due_at"))
            .foreign_key(&mut references("job_id", "jobs"))
            .take();
        manager.create_table(table).await
    }
}
