//! What tokens were used for, and by whom; and what they held before they were narrowed to it.

use sea_orm_migration::prelude::*;

use super::{id, index, int, references, text};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(actions()).await?;
        manager.create_index(index("token_use_actions", &["name"]).unique().take()).await?;
        manager.create_table(uses()).await?;
        manager.create_table(senders()).await?;
        let mut sender = index("token_senders", &["service_token_id", "address", "agent"]);
        manager.create_index(sender.unique().take()).await?;
        manager.create_table(narrowings()).await
    }
}

fn actions() -> TableCreateStatement {
    Table::create().table(Alias::new("token_use_actions")).col(id("id")).col(text("name")).take()
}

fn uses() -> TableCreateStatement {
    let key = ["service_token_id", "day", "action_id", "project_id", "place"];
    let mut primary = Index::create();
    let mut uses = Table::create();
    uses.table(Alias::new("token_uses"));
    for column in key {
        primary.col(Alias::new(column));
        uses.col(int(column));
    }
    uses.col(int("allowed"))
        .col(int("refused"))
        .primary_key(&mut primary)
        .foreign_key(&mut references("service_token_id", "service_tokens"))
        .foreign_key(&mut references("action_id", "token_use_actions"))
        // The key is the row: nothing stands twice.
        .extra("WITHOUT ROWID")
        .take()
}

fn senders() -> TableCreateStatement {
    Table::create()
        .table(Alias::new("token_senders"))
        .col(id("id"))
        .col(int("service_token_id"))
        .col(text("address"))
        .col(text("agent"))
        .col(int("first_used"))
        .col(int("last_used"))
        .col(int("requests"))
        .foreign_key(&mut references("service_token_id", "service_tokens"))
        .take()
}

fn narrowings() -> TableCreateStatement {
    Table::create()
        .table(Alias::new("token_narrowings"))
        .col(int("service_token_id").primary_key().take())
        .col(text("former"))
        .col(int("revision"))
        .col(int("narrowed_at"))
        .foreign_key(&mut references("service_token_id", "service_tokens"))
        .take()
}
