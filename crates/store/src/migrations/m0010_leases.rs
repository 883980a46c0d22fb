//! Which worker holds which run: a row a claim, kept as the log of who executed what.
//!
//! A run has one lease at most that has not ended. Runs that were under way without one, in an
//! earlier version, get one that has run out.

use sea_orm_migration::prelude::*;

use super::{id, index, int, maybe_int, maybe_text, references, text};
use crate::dialect;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table(Alias::new("run_leases"))
            .col(id("id"))
            .col(int("account_id"))
            .col(int("run_id"))
            .col(text("worker"))
            .col(int("taken_at"))
            .col(int("renewed_at"))
            .col(int("leased_until"))
            .col(maybe_text("duckdb"))
            .col(maybe_int("ended_at"))
            .col(maybe_text("ending"))
            .foreign_key(&mut references("account_id", "accounts"))
            .foreign_key(&mut references("run_id", "runs"))
            .take();
        manager.create_table(table).await?;
        manager.create_index(index("run_leases", &["run_id"])).await?;
        for statement in dialect::LEASES {
            manager.get_connection().execute_unprepared(statement).await?;
        }
        Ok(())
    }
}
