//! Nouns whose rows are alike: one table, and one for what they name.
//!
//! `state` is 1, or 2 once deleted. `unique` is what no two active rows of one place (an account,
//! or a project of it) may share; it is null where nothing is.

use sea_orm_migration::prelude::*;

use super::{id, index, int, maybe_blob, maybe_int, maybe_text, references, text};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(kept()).await?;
        manager.create_table(kept_references()).await?;
        for (table, columns) in [
            ("kept", &["account_id", "word", "state", "id"][..]),
            ("kept", &["project_id", "word", "state", "id"]),
            ("kept_references", &["kept_id"]),
            ("kept_references", &["word", "named_id"]),
        ] {
            manager.create_index(index(table, columns)).await?;
        }
        Ok(())
    }
}

fn kept() -> TableCreateStatement {
    let mut table = Table::create();
    table
        .table(Alias::new("kept"))
        .col(id("id"))
        .col(int("account_id"))
        .col(maybe_int("project_id"))
        .col(text("word"))
        .col(maybe_text("unique"))
        .col(text("spec"))
        .col(maybe_blob("secret"))
        .col(int("state"))
        .col(int("created_at"))
        .col(int("updated_at"))
        .foreign_key(&mut references("account_id", "accounts"))
        .foreign_key(&mut references("project_id", "projects"));
    table
}

fn kept_references() -> TableCreateStatement {
    let mut table = Table::create();
    table
        .table(Alias::new("kept_references"))
        .col(id("id"))
        .col(int("kept_id"))
        .col(text("word"))
        .col(int("named_id"))
        .foreign_key(&mut references("kept_id", "kept"));
    table
}
