//! Reminders that a service token ends soon: each is sent once.

use std::collections::HashMap;

use domain::{
    AccountId, Timestamp,
    authz::{Permit, ServiceTokens, Write},
    service_token::ServiceToken,
    token_reminder::{Reminder, due, farthest},
    token_report::TokenNews,
};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, ConnectionTrait, EntityTrait as _, QueryFilter as _,
    QueryOrder as _, QuerySelect as _, QueryTrait as _, sea_query::OnConflict,
};

use crate::{
    Store, StoreError,
    entities::{
        service_token::{self, ACTIVE},
        service_token_credential as credential, time,
        token_reminder::{ActiveModel, Column, Entity, Model},
    },
    rows::of_account,
    token_credentials, token_news,
    tx::Tx,
};

/// The most tokens that are reminded of in one transaction.
const AT_ONCE: usize = 100;

impl Store {
    /// Reminds of tokens of the account that end soon, at most 100 of them; gives how many. Of each,
    /// only the nearest reminder that is due is sent, and none twice, whoever sends it.
    ///
    /// # Errors
    /// [`StoreError::CredentialChanged`], [`StoreError::Unavailable`].
    pub async fn remind(&self, permit: &Permit<Write, ServiceTokens>) -> Result<usize, StoreError> {
        let now = self.clock().now();
        if due_among(self.reader(), permit.account(), now).await?.is_empty() {
            return Ok(0);
        }
        let mut tx = self.begin(permit).await?;
        // Asked again where nobody else writes.
        let due = due_among(tx.db(), tx.account(), tx.now()).await?;
        for (token, reminder) in &due {
            note(&tx, token, *reminder).await?;
            let Reminder { expires_at, days } = *reminder;
            token_news::tell(&mut tx, token, TokenNews::Expiring { expires_at, days }).await?;
        }
        tx.commit_unrecorded().await?;
        Ok(due.len())
    }
}

/// The tokens of which a reminder is due, without their grants.
async fn due_among(
    db: &impl ConnectionTrait,
    account: AccountId,
    now: Timestamp,
) -> Result<Vec<(ServiceToken, Reminder)>, StoreError> {
    let soon = now.plus_seconds(farthest()).micros();
    let ending = of_account::<credential::Entity>(credential::Column::AccountId, account)
        .filter(credential::Column::ExpiresAt.between(now.micros() + 1, soon))
        .select_only()
        .column(credential::Column::ServiceTokenId)
        .into_query();
    let tokens = of_account::<service_token::Entity>(service_token::Column::AccountId, account)
        .filter(service_token::Column::Id.in_subquery(ending))
        .filter(service_token::Column::State.eq(ACTIVE))
        .order_by_asc(service_token::Column::Id)
        .all(db)
        .await
        .map_err(StoreError::db)?;
    if tokens.is_empty() {
        return Ok(Vec::new());
    }
    let ids = || tokens.iter().map(|token| token.id);
    let mut credentials = token_credentials::of(db, ids()).await?;
    let sent = Entity::find().filter(Column::ServiceTokenId.is_in(ids())).all(db).await;
    let sent: HashMap<i64, Model> =
        sent.map_err(StoreError::db)?.into_iter().map(|row| (row.service_token_id, row)).collect();
    let mut found = Vec::new();
    for token in tokens {
        let sent = sent.get(&token.id).map(Model::reminder).transpose()?;
        let credentials = credentials.remove(&token.id).unwrap_or_default();
        let token = token.into_domain(Vec::new(), credentials, None)?;
        let Some(newest) = token.newest().map(|newest| newest.life) else { continue };
        let Some(end) = newest.expires_at else { continue };
        if let Some(reminder) = due(newest.created_at, end, now, sent) {
            found.push((token, reminder));
        }
        if found.len() == AT_ONCE {
            break;
        }
    }
    Ok(found)
}

async fn note(tx: &Tx, token: &ServiceToken, reminder: Reminder) -> Result<(), StoreError> {
    let row = ActiveModel {
        service_token_id: Set(token.id.get()),
        expires_at: Set(reminder.expires_at.micros()),
        days: Set(reminder.days.into()),
        sent_at: Set(tx.now().micros()),
    };
    let again = OnConflict::column(Column::ServiceTokenId)
        .update_columns([Column::ExpiresAt, Column::Days, Column::SentAt])
        .to_owned();
    let written = Entity::insert(row).on_conflict(again).exec_without_returning(tx.db());
    written.await.map(drop).map_err(StoreError::db)
}

impl Model {
    fn reminder(&self) -> Result<Reminder, StoreError> {
        let days = u32::try_from(self.days).map_err(StoreError::corrupt)?;
        Ok(Reminder { expires_at: time(self.expires_at)?, days })
    }
}
