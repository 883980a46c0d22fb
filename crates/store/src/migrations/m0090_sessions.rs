//! How people come in: passwords, links that are good once, and sessions.

use sea_orm_migration::prelude::*;

use super::{blob, id, index, int, maybe_int, references, text};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [passwords(), sign_in_links(), sessions()] {
            manager.create_table(table).await?;
        }
        for index in [
            index("sign_in_links", &["digest", "digest_key_id"]).unique().take(),
            index("sessions", &["digest", "digest_key_id"]).unique().take(),
            index("sessions", &["account_id", "user_id"]),
            // Who made a thing.
            index("audit_records", &["account_id", "object"]),
        ] {
            manager.create_index(index).await?;
        }
        Ok(())
    }
}

/// A password opens one account: an invitation into another sets none here.
fn passwords() -> TableCreateStatement {
    Table::create()
        .table(Alias::new("passwords"))
        .col(int("account_id"))
        .col(int("user_id"))
        .col(text("hash"))
        .col(int("changed_at"))
        .primary_key(Index::create().col(Alias::new("account_id")).col(Alias::new("user_id")))
        .foreign_key(&mut references("account_id", "accounts"))
        .foreign_key(&mut references("user_id", "users"))
        .take()
}

fn sign_in_links() -> TableCreateStatement {
    Table::create()
        .table(Alias::new("sign_in_links"))
        .col(id("id"))
        .col(int("account_id"))
        .col(int("user_id"))
        .col(int("digest_key_id"))
        .col(blob("digest"))
        .col(int("created_at"))
        .col(int("expires_at"))
        .col(maybe_int("used_at"))
        .foreign_key(&mut references("account_id", "accounts"))
        .foreign_key(&mut references("user_id", "users"))
        .take()
}

fn sessions() -> TableCreateStatement {
    Table::create()
        .table(Alias::new("sessions"))
        .col(id("id"))
        .col(int("account_id"))
        .col(int("user_id"))
        .col(int("digest_key_id"))
        .col(blob("digest"))
        .col(int("created_at"))
        .col(int("seen_at"))
        .col(int("expires_at"))
        .col(maybe_int("ended_at"))
        .foreign_key(&mut references("account_id", "accounts"))
        .foreign_key(&mut references("user_id", "users"))
        .take()
}
