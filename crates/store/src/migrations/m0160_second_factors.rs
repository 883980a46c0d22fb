//! A second factor of people, and the codes for when it is lost.

use sea_orm_migration::prelude::*;

use super::{blob, id, index, int, maybe_int, references};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(second_factors()).await?;
        let mut of = index("second_factors", &["account_id", "user_id"]);
        manager.create_index(of.unique().take()).await?;
        manager.create_table(recovery_codes()).await?;
        manager.create_index(index("recovery_codes", &["account_id", "user_id"])).await
    }
}

fn second_factors() -> TableCreateStatement {
    Table::create()
        .table(Alias::new("second_factors"))
        .col(id("id"))
        .col(int("account_id"))
        .col(int("user_id"))
        .col(blob("secret"))
        .col(int("created_at"))
        .col(maybe_int("confirmed_at"))
        .col(int("last_step"))
        .foreign_key(&mut references("account_id", "accounts"))
        .foreign_key(&mut references("user_id", "users"))
        .take()
}

fn recovery_codes() -> TableCreateStatement {
    Table::create()
        .table(Alias::new("recovery_codes"))
        .col(id("id"))
        .col(int("account_id"))
        .col(int("user_id"))
        .col(int("digest_key_id"))
        .col(blob("digest"))
        .foreign_key(&mut references("account_id", "accounts"))
        .foreign_key(&mut references("user_id", "users"))
        .take()
}
