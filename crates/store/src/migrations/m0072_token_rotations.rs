//! Answers to rotations that are kept for a while, and who still sends secrets that were replaced.

use sea_orm_migration::prelude::*;

use super::{blob, flag, id, index, int, references, text};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(rotations()).await?;
        let mut key = index("token_rotations", &["account_id", "caller", "replay_key"]);
        manager.create_index(key.unique().take()).await?;
        manager.create_index(index("token_rotations", &["made_at"])).await?;
        manager.create_table(old_secret_uses()).await?;
        let mut sender = index("old_secret_uses", &["credential_id", "address", "agent"]);
        manager.create_index(sender.unique().take()).await
    }
}

fn rotations() -> TableCreateStatement {
    Table::create()
        .table(Alias::new("token_rotations"))
        .col(id("id"))
        .col(int("account_id"))
        .col(text("caller"))
        .col(blob("replay_key"))
        .col(blob("asked"))
        .col(int("service_token_id"))
        .col(int("credential_id"))
        .col(blob("secret"))
        .col(int("made_at"))
        .foreign_key(&mut references("account_id", "accounts"))
        .foreign_key(&mut references("service_token_id", "service_tokens"))
        .take()
}

fn old_secret_uses() -> TableCreateStatement {
    Table::create()
        .table(Alias::new("old_secret_uses"))
        .col(id("id"))
        .col(int("service_token_id"))
        .col(int("credential_id"))
        .col(text("address"))
        .col(text("agent"))
        .col(int("first_used"))
        .col(int("last_used"))
        .col(flag("refused"))
        .foreign_key(&mut references("service_token_id", "service_tokens"))
        .take()
}
