//! Mails about tokens wait in the outbox, too, and are asked for by no row of `kept`.

use sea_orm_migration::prelude::*;

use super::{id, index, int, maybe_int, maybe_text, references, text};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

const COLUMNS: [&str; 10] = [
    "id",
    "account_id",
    "word",
    "kept_id",
    "event_key",
    "event_type",
    "report",
    "tries",
    "due_at",
    "created_at",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(outbox("outbox_anew")).await?;
        let columns = || COLUMNS.map(Alias::new);
        let waiting = Query::select().columns(columns()).from(Alias::new("outbox")).take();
        let moved = Query::insert()
            .into_table(Alias::new("outbox_anew"))
            .columns(columns())
            .select_from(waiting)
            .map_err(|error| DbErr::Migration(error.to_string()))?
            .take();
        manager.execute(moved).await?;
        manager.drop_table(Table::drop().table(Alias::new("outbox")).take()).await?;
        let mut anew = Table::rename();
        manager
            .rename_table(anew.table(Alias::new("outbox_anew"), Alias::new("outbox")).take())
            .await?;
        let due = index("outbox", &["due_at", "account_id"]).name("outbox_due_at").take();
        manager.create_index(due).await?;
        manager.create_index(index("outbox", &["kept_id"])).await
    }
}

fn outbox(name: &str) -> TableCreateStatement {
    Table::create()
        .table(Alias::new(name))
        .col(id("id"))
        .col(int("account_id"))
        .col(text("word"))
        .col(maybe_int("kept_id"))
        .col(maybe_text("event_key"))
        .col(maybe_text("event_type"))
        .col(text("report"))
        .col(int("tries"))
        .col(int("due_at"))
        .col(int("created_at"))
        .foreign_key(&mut references("account_id", "accounts"))
        .foreign_key(&mut references("kept_id", "kept"))
        .take()
}
