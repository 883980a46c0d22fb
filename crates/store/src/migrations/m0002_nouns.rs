//! Projects and what belongs to them.
//!
//! Grants name projects in `service_token_permissions` and `group_permissions`: whoever deletes a
//! project calls `grant_rows::forget_project` in the same transaction.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, _manager: &SchemaManager) -> Result<(), DbErr> {
        Ok(())
    }
}
