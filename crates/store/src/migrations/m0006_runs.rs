//! What runs and jobs tell beyond their states, and webhooks.
//!
//! `runs.retry_step` is the index of the step that a failed run can be retried from; where there is
//! none, `runs.no_retry` says why. `jobs.failures` counts the runs of a job that failed since the
//! last one that did not. `run_counts` says how many runs a project has. A webhook itself is a row of `kept`; here stands what was sent of it.

use sea_orm_migration::prelude::*;

use crate::dialect;

use super::{id, index, int, maybe_int, maybe_text, references, text};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let no = |name: &str| {
            ColumnDef::new(Alias::new(name)).boolean().not_null().default(false).take()
        };
        let none = |name: &str| {
            ColumnDef::new(Alias::new(name)).big_integer().not_null().default(0).take()
        };
        for (table, column) in [
            ("runs", no("has_docs")),
            ("runs", no("has_sources")),
            ("runs", maybe_int("deferring_run_id")),
            ("runs", maybe_int("retrying_run_id")),
            ("runs", maybe_int("retry_step")),
            ("runs", maybe_text("no_retry")),
            ("runs", maybe_text("cancelled_by")),
            ("jobs", none("failures")),
        ] {
            let mut alter = Table::alter();
            manager.alter_table(alter.table(Alias::new(table)).add_column(column).take()).await?;
        }
        manager.create_table(run_counts()).await?;
        for statement in dialect::COUNT_RUNS {
            manager.get_connection().execute_unprepared(statement).await?;
        }
        manager.create_table(webhook_events()).await?;
        manager.create_table(webhook_receipts()).await?;
        for (table, columns) in [
            // Lists: by id, and which project is a run's, without its row; by time.
            ("runs", &["account_id", "id", "project_id"][..]),
            ("runs", &["account_id", "created_at", "id"]),
            ("runs", &["retrying_run_id"]),
            ("webhook_events", &["webhook_id", "id"]),
            ("webhook_receipts", &["event_id", "id"]),
            ("webhook_receipts", &["webhook_id", "id"]),
        ] {
            manager.create_index(index(table, columns)).await?;
        }
        for table in ["webhook_events", "webhook_receipts"] {
            manager.create_index(index(table, &["key"]).unique().take()).await?;
        }
        Ok(())
    }
}

/// How many runs there are, so that nobody counts a million of them.
fn run_counts() -> TableCreateStatement {
    let mut key = Index::create();
    key.col(Alias::new("account_id")).col(Alias::new("project_id"));
    let mut table = Table::create();
    table
        .table(Alias::new("run_counts"))
        .col(int("account_id"))
        .col(int("project_id"))
        .col(int("runs"))
        .primary_key(&mut key)
        .foreign_key(&mut references("account_id", "accounts"))
        .foreign_key(&mut references("project_id", "projects"));
    table
}

fn webhook_events() -> TableCreateStatement {
    table(
        "webhook_events",
        [
            id("id"),
            text("key"),
            int("account_id"),
            int("webhook_id"),
            maybe_int("job_id"),
            maybe_int("run_id"),
            text("event_type"),
            text("payload"),
            int("created_at"),
        ],
    )
}

fn webhook_receipts() -> TableCreateStatement {
    table(
        "webhook_receipts",
        [
            id("id"),
            text("key"),
            int("account_id"),
            int("webhook_id"),
            int("event_id"),
            int("dispatched_at"),
            maybe_int("http_status_code"),
            text("error_info"),
            text("request_body"),
            text("request_headers"),
            text("response_body"),
        ],
    )
    .foreign_key(&mut references("event_id", "webhook_events"))
    .take()
}

/// A table of what was sent of webhooks.
fn table(name: &str, columns: impl IntoIterator<Item = ColumnDef>) -> TableCreateStatement {
    let mut table = Table::create();
    table.table(Alias::new(name));
    for mut column in columns {
        table.col(&mut column);
    }
    table
        .foreign_key(&mut references("account_id", "accounts"))
        .foreign_key(&mut references("webhook_id", "kept"))
        .take()
}
