//! The newest run of a project that generated docs, or looked at sources, is found at once.

use sea_orm_migration::prelude::*;

use super::index;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for flag in ["has_docs", "has_sources"] {
            manager.create_index(index("runs", &["project_id", flag, "id"])).await?;
        }
        Ok(())
    }
}
