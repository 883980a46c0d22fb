//! How nodes of dbt were executed, and what the newest artifacts of environments are.

use sea_orm_migration::prelude::*;

use super::{id, index, int, maybe_int, maybe_text, references, text};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(node_executions()).await?;
        manager.create_index(index("node_executions", &["run_id", "step"])).await?;
        let by_node = index("node_executions", &["environment_id", "unique_id", "run_id", "step"]);
        manager.create_index(by_node).await?;
        manager.create_index(index("node_executions", &["account_id", "created_at"])).await?;
        manager.create_table(folded_steps()).await?;
        manager.create_table(applied_nodes()).await?;
        manager.create_index(index("applied_nodes", &["execution_id"])).await?;
        manager.create_table(environment_states()).await
    }
}

fn node_executions() -> TableCreateStatement {
    let mut table = Table::create();
    table.table(Alias::new("node_executions")).col(id("id"));
    for name in ["account_id", "environment_id", "job_id", "run_id", "step", "created_at"] {
        table.col(int(name));
    }
    table.col(text("unique_id")).col(text("status"));
    table.col(maybe_text("message")).col(maybe_text("thread_id"));
    for name in [
        "failures",
        "execution_micros",
        "compile_started_at",
        "compile_completed_at",
        "execute_started_at",
        "execute_completed_at",
    ] {
        table.col(maybe_int(name));
    }
    table.foreign_key(&mut references("run_id", "runs"));
    table.foreign_key(&mut references("environment_id", "environments")).take()
}

/// What a step's results say of the call of dbt.
fn folded_steps() -> TableCreateStatement {
    Table::create()
        .table(Alias::new("folded_steps"))
        .col(int("run_id"))
        .col(int("step"))
        .col(maybe_int("generated_at"))
        .col(maybe_int("elapsed_micros"))
        .col(maybe_text("invocation_id"))
        .primary_key(Index::create().col(Alias::new("run_id")).col(Alias::new("step")))
        .foreign_key(&mut references("run_id", "runs"))
        .take()
}

/// Of each node the newest execution, and the newest that went well.
fn applied_nodes() -> TableCreateStatement {
    Table::create()
        .table(Alias::new("applied_nodes"))
        .col(int("environment_id"))
        .col(text("unique_id"))
        .col(int("execution_id"))
        .col(int("run_id"))
        .col(int("step"))
        .col(maybe_int("success_run_id"))
        .col(maybe_int("success_job_id"))
        .primary_key(Index::create().col(Alias::new("environment_id")).col(Alias::new("unique_id")))
        .foreign_key(&mut references("environment_id", "environments"))
        .take()
}

/// Which steps left the newest manifest, catalog and look at sources.
fn environment_states() -> TableCreateStatement {
    let mut table = Table::create();
    table.table(Alias::new("environment_states"));
    table.col(int("environment_id").primary_key()).col(int("version"));
    table.col(maybe_text("dbt_project"));
    for name in [
        "manifest_run",
        "manifest_step",
        "catalog_run",
        "catalog_step",
        "sources_run",
        "sources_step",
    ] {
        table.col(maybe_int(name));
    }
    table.foreign_key(&mut references("environment_id", "environments")).take()
}
