//! What guards an account and accounts for it: whether its IP restrictions count, exports of its
//! audit chain, where bills go, and what its runs built.
//!
//! `ip_rules_revision` counts up with every change of the rules, so that whoever reads an account
//! knows whether the rules that it has in mind are still those. An export covers the records up to
//! `through`; it is under way until it has `finished_at`.

use sea_orm_migration::prelude::*;

use super::{flag, id, index, int, maybe_int, maybe_text, references, text};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for column in [
            flag("ip_rules_enabled").default(false).take(),
            int("ip_rules_revision").default(0).take(),
            maybe_text("billing_email"),
        ] {
            let mut table = Table::alter();
            table.table(Alias::new("accounts")).add_column(column);
            manager.alter_table(table).await?;
        }
        manager.create_table(audit_exports()).await?;
        manager.create_table(run_usage()).await?;
        for (table, columns) in [
            ("audit_exports", &["account_id", "id"][..]),
            ("audit_records", &["account_id", "at"]),
            ("run_usage", &["account_id", "project_id"]),
            ("runs", &["account_id", "finished_at"]),
        ] {
            manager.create_index(index(table, columns).if_not_exists().take()).await?;
        }
        Ok(())
    }
}

fn audit_exports() -> TableCreateStatement {
    let mut table = Table::create();
    table
        .table(Alias::new("audit_exports"))
        .col(id("id"))
        .col(text("uid").unique_key())
        .col(int("account_id"))
        .col(int("through"))
        .col(text("requested_by"))
        .col(int("created_at"))
        .col(maybe_int("finished_at"))
        .foreign_key(&mut references("account_id", "accounts"));
    table
}

fn run_usage() -> TableCreateStatement {
    let mut table = Table::create();
    let mut step = Index::create();
    table
        .table(Alias::new("run_usage"))
        .col(int("run_id"))
        .col(int("step"))
        .col(int("account_id"))
        .col(int("project_id"))
        .col(int("models_built"))
        .primary_key(step.col(Alias::new("run_id")).col(Alias::new("step")))
        .foreign_key(&mut references("run_id", "runs"))
        .foreign_key(&mut references("account_id", "accounts"))
        .foreign_key(&mut references("project_id", "projects"));
    table
}
