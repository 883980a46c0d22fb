//! How many runs there are of each job in each state: lists tell it without counting a million
//! rows, also where they name a project, an environment, jobs or states. A job's runs are listed by
//! the time when they ended.

use sea_orm_migration::prelude::*;

use crate::dialect;

use super::{index, int, references};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for statement in dialect::COUNT_NO_RUNS {
            manager.get_connection().execute_unprepared(statement).await?;
        }
        manager.drop_table(Table::drop().table(Alias::new("run_counts")).take()).await?;
        manager.create_table(run_counts()).await?;
        for statement in dialect::COUNT_RUNS_BY_STATE {
            manager.get_connection().execute_unprepared(statement).await?;
        }
        manager.create_index(index("runs", &["job_id", "finished_at", "id"])).await
    }
}

fn run_counts() -> TableCreateStatement {
    let mut key = Index::create();
    let mut table = Table::create();
    table.table(Alias::new("run_counts"));
    for name in ["account_id", "project_id", "environment_id", "job_id", "status"] {
        key.col(Alias::new(name));
        table.col(int(name));
    }
    table
        .col(int("runs"))
        .primary_key(&mut key)
        .foreign_key(&mut references("account_id", "accounts"))
        .foreign_key(&mut references("project_id", "projects"))
        .foreign_key(&mut references("environment_id", "environments"))
        .foreign_key(&mut references("job_id", "jobs"));
    table
}
