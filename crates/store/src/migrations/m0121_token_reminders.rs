//! The last reminder of each service token that ends by itself.

use sea_orm_migration::prelude::*;

use super::{index, int, references};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table(Alias::new("token_reminders"))
            .col(int("service_token_id").primary_key())
            .col(int("expires_at"))
            .col(int("days"))
            .col(int("sent_at"))
            .foreign_key(&mut references("service_token_id", "service_tokens"))
            .take();
        manager.create_table(table).await?;
        manager
            .create_index(index("service_token_credentials", &["account_id", "expires_at"]))
            .await
    }
}
