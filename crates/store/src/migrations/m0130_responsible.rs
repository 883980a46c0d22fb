//! Who answers for a service token: whoever made those that are there, if they are in the account.

use sea_orm_migration::prelude::*;

use super::maybe_int;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

const WHO_MADE_IT: &str = "
UPDATE service_tokens SET responsible_user_id = (
    SELECT memberships.user_id FROM audit_records
    JOIN memberships ON memberships.account_id = audit_records.account_id
        AND audit_records.actor = 'user:' || memberships.user_id
    WHERE audit_records.account_id = service_tokens.account_id
        AND audit_records.object = 'service_token:' || service_tokens.id
        AND audit_records.event = 'service_token.created'
        AND memberships.state = 1
) WHERE state <> 'revoked'";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut alter = Table::alter();
        alter.table(Alias::new("service_tokens")).add_column(maybe_int("responsible_user_id"));
        manager.alter_table(alter).await?;
        manager.get_connection().execute_unprepared(WHO_MADE_IT).await.map(drop)
    }
}
