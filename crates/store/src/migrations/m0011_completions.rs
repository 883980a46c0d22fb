//! Which job starts when another ends, as a column that can be looked up.

use sea_orm_migration::prelude::*;

use super::{index, maybe_int};
use crate::dialect;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let jobs = || Alias::new("jobs");
        let after = Table::alter().table(jobs()).add_column(maybe_int("after_job_id")).take();
        manager.alter_table(after).await?;
        manager.get_connection().execute_unprepared(dialect::AFTER_JOBS).await?;
        manager.create_index(index("jobs", &["after_job_id"])).await
    }
}
