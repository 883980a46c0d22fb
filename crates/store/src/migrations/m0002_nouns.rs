//! Projects and what belongs to them, runs and what they leave.
//!
//! What is filtered, ordered or joined by has a column; the rest of a noun is its `spec`, as JSON.
//! `state` is 1, or 2 once deleted. Grants name projects in `service_token_permissions` and
//! `group_permissions`: whoever deletes a project calls `grant_rows::forget_project` in the same
//! transaction.

use sea_orm_migration::prelude::*;

use super::{flag, id, index, int, maybe_blob, maybe_int, maybe_text, references, text};

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

fn tables() -> Vec<TableCreateStatement> {
    vec![
        noun("projects", [text("name"), maybe_int("connection_id"), maybe_int("repository_id")]),
        of_project("repositories", [text("remote_url")]),
        noun("connections", [text("name"), text("adapter_version")]),
        of_project("warehouse_credentials", [maybe_blob("secret")]),
        of_project(
            "environments",
            [
                text("name"),
                text("category"),
                text("dbt_version"),
                maybe_int("connection_id"),
                maybe_int("credential_id"),
            ],
        ),
        of_project(
            "jobs",
            [text("name"), int("environment_id"), maybe_text("dbt_version"), flag("on_schedule")],
        ),
        runs(),
        run_steps(),
        table("step_log_chunks", [id("id"), int("step_id"), text("text")])
            .foreign_key(&mut references("step_id", "run_steps"))
            .take(),
        table("artifacts", [id("id"), int("run_id"), int("step"), text("path"), int("size")])
            .foreign_key(&mut references("run_id", "runs"))
            .take(),
    ]
}

fn runs() -> TableCreateStatement {
    table(
        "runs",
        [
            id("id"),
            int("account_id"),
            int("project_id"),
            int("environment_id"),
            int("job_id"),
            int("status"),
            text("dbt_version"),
            flag("for_pull_request"),
            flag("cancel_requested"),
            text("trigger"),
            text("message"),
            maybe_text("git_sha"),
            maybe_text("git_branch"),
            int("created_at"),
            int("updated_at"),
            maybe_int("dequeued_at"),
            maybe_int("started_at"),
            maybe_int("finished_at"),
        ],
    )
    .foreign_key(&mut references("account_id", "accounts"))
    .foreign_key(&mut references("project_id", "projects"))
    .foreign_key(&mut references("environment_id", "environments"))
    .foreign_key(&mut references("job_id", "jobs"))
    .take()
}

fn run_steps() -> TableCreateStatement {
    table(
        "run_steps",
        [
            id("id"),
            int("account_id"),
            int("project_id"),
            int("run_id"),
            int("index"),
            text("name"),
            int("status"),
            int("created_at"),
            maybe_int("started_at"),
            maybe_int("finished_at"),
        ],
    )
    .foreign_key(&mut references("run_id", "runs"))
    .take()
}

/// A noun of the account.
fn noun(name: &str, own: impl IntoIterator<Item = ColumnDef>) -> TableCreateStatement {
    let mut columns = vec![id("id"), int("account_id")];
    columns.extend(own);
    columns.extend([text("spec"), int("state"), int("created_at"), int("updated_at")]);
    table(name, columns).foreign_key(&mut references("account_id", "accounts")).take()
}

/// A noun of a project.
fn of_project(name: &str, own: impl IntoIterator<Item = ColumnDef>) -> TableCreateStatement {
    noun(name, [int("project_id")].into_iter().chain(own))
        .foreign_key(&mut references("project_id", "projects"))
        .take()
}

fn table(name: &str, columns: impl IntoIterator<Item = ColumnDef>) -> TableCreateStatement {
    let mut table = Table::create();
    table.table(Alias::new(name));
    for mut column in columns {
        table.col(&mut column);
    }
    table
}

fn indexes() -> Vec<IndexCreateStatement> {
    let mut indexes: Vec<_> = ["projects", "connections"]
        .into_iter()
        .map(|table| index(table, &["account_id", "state", "id"]))
        .collect();
    for table in ["repositories", "warehouse_credentials", "environments", "jobs"] {
        indexes.push(index(table, &["account_id", "project_id", "state", "id"]));
    }
    indexes.extend([
        index("runs", &["account_id", "project_id", "id"]),
        index("runs", &["job_id", "id"]),
        index("runs", &["environment_id", "id"]),
        index("runs", &["account_id", "status", "id"]),
        index("run_steps", &["run_id", "index"]).unique().take(),
        index("step_log_chunks", &["step_id", "id"]),
        index("artifacts", &["run_id", "step", "path"]).unique().take(),
    ]);
    indexes
}
