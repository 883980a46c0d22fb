//! The newest run of a project that generated docs, or looked at sources, is found at once.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for flag in ["has_docs", "has_sources"] {
            let mut index = Index::create();
            index
                .name(format!("runs_project_id_{flag}_id"))
                .table(Alias::new("runs"))
                .col(Alias::new("project_id"))
                .col(Alias::new(flag))
                .col(Alias::new("id"));
            manager.create_index(index).await?;
        }
        Ok(())
    }
}
