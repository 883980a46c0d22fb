//! Accounts, users and their groups, tokens, the audit chain and the event log.

use sea_orm_migration::prelude::*;

use super::{blob, flag, id, int, maybe_blob, maybe_int, maybe_text, references, text};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in tables() {
            manager.create_table(table).await?;
        }
        for index in indexes() {
            manager.create_index(index).await?;
        }
        Ok(())
    }
}

fn table(name: &str, columns: impl IntoIterator<Item = ColumnDef>) -> TableCreateStatement {
    let mut table = Table::create();
    table.table(Alias::new(name));
    for column in columns {
        table.col(column);
    }
    table
}

fn tables() -> Vec<TableCreateStatement> {
    vec![
        accounts(),
        users(),
        memberships(),
        groups(),
        group_members(),
        group_permissions(),
        service_tokens(),
        service_token_permissions(),
        personal_tokens(),
        audit_records(),
        audit_heads(),
        events(),
    ]
}

fn accounts() -> TableCreateStatement {
    table(
        "accounts",
        [
            id("id"),
            text("name"),
            text("plan"),
            text("identifier").unique_key().take(),
            int("run_slots"),
            flag("tokens_may_mint"),
            int("created_at"),
            int("updated_at"),
        ],
    )
}

fn users() -> TableCreateStatement {
    table(
        "users",
        [
            id("id"),
            text("email").unique_key().take(),
            text("first_name"),
            text("last_name"),
            int("created_at"),
        ],
    )
}

fn memberships() -> TableCreateStatement {
    table(
        "memberships",
        [int("account_id"), int("user_id"), text("license"), int("revision"), int("created_at")],
    )
    .primary_key(&mut key(&["account_id", "user_id"]))
    .foreign_key(&mut references("account_id", "accounts"))
    .foreign_key(&mut references("user_id", "users"))
    .take()
}

fn groups() -> TableCreateStatement {
    table("groups", [id("id"), int("account_id"), text("name"), int("created_at")])
        .foreign_key(&mut references("account_id", "accounts"))
        .take()
}

fn group_members() -> TableCreateStatement {
    table("group_members", [int("group_id"), int("user_id")])
        .primary_key(&mut key(&["group_id", "user_id"]))
        .foreign_key(&mut references("group_id", "groups"))
        .foreign_key(&mut references("user_id", "users"))
        .take()
}

fn group_permissions() -> TableCreateStatement {
    table(
        "group_permissions",
        [
            id("id"),
            int("account_id"),
            int("group_id"),
            text("permission_set"),
            maybe_int("project_id"),
            text("categories"),
            int("created_at"),
        ],
    )
    .foreign_key(&mut references("account_id", "accounts"))
    .foreign_key(&mut references("group_id", "groups"))
    .take()
}

fn service_tokens() -> TableCreateStatement {
    table(
        "service_tokens",
        [
            id("id"),
            text("uid").unique_key().take(),
            int("account_id"),
            text("name"),
            text("state"),
            maybe_int("expires_at"),
            maybe_int("revoked_at"),
            maybe_text("revoked_by"),
            maybe_int("digest_key_id"),
            maybe_blob("digest"),
            int("revision"),
            int("created_at"),
            int("updated_at"),
            maybe_int("last_used"),
        ],
    )
    .foreign_key(&mut references("account_id", "accounts"))
    .take()
}

fn service_token_permissions() -> TableCreateStatement {
    table(
        "service_token_permissions",
        [
            id("id"),
            int("service_token_id"),
            text("permission_set"),
            maybe_int("project_id"),
            text("categories"),
            int("created_at"),
        ],
    )
    .foreign_key(&mut references("service_token_id", "service_tokens"))
    .take()
}

fn personal_tokens() -> TableCreateStatement {
    table(
        "personal_tokens",
        [
            id("id"),
            text("uid").unique_key().take(),
            int("account_id"),
            int("user_id"),
            text("name"),
            maybe_int("digest_key_id"),
            maybe_blob("digest"),
            maybe_int("expires_at"),
            maybe_int("revoked_at"),
            int("created_at"),
            int("updated_at"),
            maybe_int("last_used"),
        ],
    )
    .foreign_key(
        ForeignKey::create()
            .from_col(Alias::new("account_id"))
            .from_col(Alias::new("user_id"))
            .to_tbl(Alias::new("memberships"))
            .to_col(Alias::new("account_id"))
            .to_col(Alias::new("user_id")),
    )
    .take()
}

fn audit_records() -> TableCreateStatement {
    table(
        "audit_records",
        [
            int("account_id"),
            int("seq"),
            int("at"),
            text("actor"),
            text("event"),
            text("object"),
            maybe_int("project_id"),
            text("change"),
            maybe_text("address"),
            text("agent"),
            text("request_id"),
            blob("hash"),
        ],
    )
    .primary_key(&mut key(&["account_id", "seq"]))
    .foreign_key(&mut references("account_id", "accounts"))
    .take()
}

fn audit_heads() -> TableCreateStatement {
    table(
        "audit_heads",
        [
            int("account_id").primary_key().take(),
            int("seq"),
            blob("hash"),
            int("key_id"),
            blob("mac"),
        ],
    )
    .foreign_key(&mut references("account_id", "accounts"))
    .take()
}

fn events() -> TableCreateStatement {
    table("events", [id("seq"), int("at"), text("payload")])
}

fn key(columns: &[&str]) -> IndexCreateStatement {
    let mut key = Index::create();
    for column in columns {
        key.col(Alias::new(*column));
    }
    key
}

fn indexes() -> Vec<IndexCreateStatement> {
    vec![
        index("service_tokens_digest", "service_tokens", &["digest", "digest_key_id"])
            .unique()
            .take(),
        index("service_tokens_account", "service_tokens", &["account_id", "state", "id"]),
        index(
            "service_token_permissions_token",
            "service_token_permissions",
            &["service_token_id"],
        ),
        index("service_token_permissions_project", "service_token_permissions", &["project_id"]),
        index("personal_tokens_digest", "personal_tokens", &["digest", "digest_key_id"])
            .unique()
            .take(),
        index("personal_tokens_user", "personal_tokens", &["account_id", "user_id"]),
        index("groups_account", "groups", &["account_id"]),
        index("group_members_user", "group_members", &["user_id"]),
        index("group_permissions_group", "group_permissions", &["group_id"]),
        index("group_permissions_project", "group_permissions", &["project_id"]),
    ]
}

/// One of those that are named otherwise than after their columns.
fn index(name: &str, table: &str, columns: &[&str]) -> IndexCreateStatement {
    super::index(table, columns).name(name).take()
}
