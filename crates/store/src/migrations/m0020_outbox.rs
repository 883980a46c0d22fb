//! What waits to be sent of runs: a row for each message, until it has arrived or is given up.

use sea_orm_migration::prelude::*;

use super::{id, index, int, maybe_text, references, text};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table(Alias::new("outbox"))
            .col(id("id"))
            .col(int("account_id"))
            .col(text("word"))
            .col(int("kept_id"))
            .col(maybe_text("event_key"))
            .col(maybe_text("event_type"))
            .col(text("report"))
            .col(int("tries"))
            .col(int("due_at"))
            .col(int("created_at"))
            .foreign_key(&mut references("account_id", "accounts"))
            .foreign_key(&mut references("kept_id", "kept"))
            .take();
        manager.create_table(table).await?;
        let due = index("outbox", &["due_at", "account_id"]).name("outbox_due_at").take();
        manager.create_index(due).await?;
        manager.create_index(index("outbox", &["kept_id"])).await
    }
}
