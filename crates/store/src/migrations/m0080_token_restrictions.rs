//! What service tokens are held to, beside their grants: a row a token that is held to anything.

use sea_orm_migration::prelude::*;

use super::{int, references, text};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table(Alias::new("service_token_restrictions"))
            .col(int("service_token_id").primary_key())
            .col(text("restrictions"))
            .foreign_key(&mut references("service_token_id", "service_tokens"))
            .take();
        manager.create_table(table).await
    }
}
