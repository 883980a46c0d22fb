//! Proposals to let service tokens do more.

use sea_orm_migration::prelude::*;

use super::{id, index, int, maybe_int, maybe_text, references, text};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table(Alias::new("token_proposals"))
            .col(id("id"))
            .col(int("account_id"))
            .col(int("service_token_id"))
            .col(int("revision"))
            .col(text("asked"))
            .col(int("proposed_by"))
            .col(int("expires_at"))
            .col(int("created_at"))
            .col(maybe_text("outcome"))
            .col(maybe_int("settled_at"))
            .col(maybe_text("settled_by"))
            .foreign_key(&mut references("account_id", "accounts"))
            .foreign_key(&mut references("service_token_id", "service_tokens"))
            .foreign_key(&mut references("proposed_by", "users"))
            .take();
        manager.create_table(table).await?;
        manager.create_index(index("token_proposals", &["account_id", "service_token_id"])).await
    }
}
