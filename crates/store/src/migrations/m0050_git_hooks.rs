//! Hooks of repositories, and what git hosts have sent to them: a row for each name of a delivery
//! that started something, so that nothing is started twice.

use sea_orm_migration::prelude::*;

use super::{blob, id, index, int, references, text};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let hooks = Table::create()
            .table(Alias::new("git_hooks"))
            .col(id("id"))
            .col(int("account_id"))
            .col(int("project_id"))
            .col(int("repository_id"))
            .col(text("key"))
            .col(blob("secret"))
            .col(int("created_at"))
            .col(int("rotated_at"))
            .foreign_key(&mut references("account_id", "accounts"))
            .foreign_key(&mut references("project_id", "projects"))
            .foreign_key(&mut references("repository_id", "repositories"))
            .take();
        manager.create_table(hooks).await?;
        for column in ["key", "repository_id"] {
            manager.create_index(index("git_hooks", &[column]).unique().take()).await?;
        }
        let mut key = Index::create();
        let deliveries = Table::create()
            .table(Alias::new("git_deliveries"))
            .col(int("hook_id"))
            .col(text("name"))
            .col(int("at"))
            .primary_key(key.col(Alias::new("hook_id")).col(Alias::new("name")))
            .foreign_key(&mut references("hook_id", "git_hooks"))
            .take();
        manager.create_table(deliveries).await?;
        manager.create_index(index("git_deliveries", &["hook_id", "at"])).await
    }
}
