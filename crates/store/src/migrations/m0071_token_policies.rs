//! What accounts ask of their service tokens.

use sea_orm_migration::prelude::*;

use super::{int, references, text};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table(Alias::new("token_policies"))
            .col(int("account_id").primary_key())
            .col(text("spec"))
            .foreign_key(&mut references("account_id", "accounts"))
            .take();
        manager.create_table(table).await
    }
}
