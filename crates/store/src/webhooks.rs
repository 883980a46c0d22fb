//! Webhooks: what is more of them than of other kept nouns. What was sent is kept beside them.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    JobId, ProjectId, RunId, Timestamp,
    authz::{Permit, Read, Webhooks, Write},
    kept::{Hidden, Id, Kept},
    list::{ListQuery, Paged, StateFilter},
    outbox::KEPT,
    webhook::{Dispatch, EventKey, ReceiptKey, Webhook, WebhookEvent, WebhookKey, WebhookReceipt},
};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
    QueryTrait as _,
    sea_query::{Expr, ExprTrait as _},
};

use crate::{
    Store, StoreError,
    entities::{
        job, kept as kept_row, time,
        webhook_event::{self, Column, Entity, Model},
        webhook_receipt,
    },
    kept,
    list::{Collection, Field, Kind, State},
    rows::{ACTIVE, of_account, only},
    tx::Tx,
};

/// The most events that are forgotten in one transaction.
const AT_ONCE: u64 = 1_000;

static EVENTS: Collection<Column> = Collection {
    id: Column::Id,
    fields: &[
        Field { name: "job_id", column: Column::JobId, kind: Kind::Int },
        Field { name: "run_id", column: Column::RunId, kind: Kind::Int },
        Field { name: "trigger_event_type", column: Column::EventType, kind: Kind::Text },
        Field { name: "created_at", column: Column::CreatedAt, kind: Kind::Time },
    ],
    // Events are not deleted.
    state: State { active: || Expr::value(true), default: StateFilter::All },
};

static RECEIPTS: Collection<webhook_receipt::Column> = Collection {
    id: webhook_receipt::Column::Id,
    fields: &[Field {
        name: "dispatched_at",
        column: webhook_receipt::Column::DispatchedAt,
        kind: Kind::Time,
    }],
    state: State { active: || Expr::value(true), default: StateFilter::All },
};

impl Store {
    /// The webhook with this key.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Unavailable`].
    pub async fn webhook(
        &self,
        permit: &Permit<Read, Webhooks>,
        key: &WebhookKey,
    ) -> Result<Kept<Webhook>, StoreError> {
        let rows = kept::of_account::<Webhook>(permit.account())
            .filter(kept_row::Column::State.eq(ACTIVE))
            .filter(kept_row::Column::Unique.eq(key.as_str()));
        only(rows, self.reader()).await?.into_domain()
    }

    /// Whether the permit covers all that a webhook would tell of. Webhooks themselves belong to
    /// the account, whatever projects a grant names; the runs that they tell of do not.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] names `job_ids`; [`StoreError::Unavailable`].
    pub async fn check_webhook_jobs(
        &self,
        permit: &Permit<Write, Webhooks>,
        jobs: &BTreeSet<JobId>,
    ) -> Result<(), StoreError> {
        let wrong =
            |message: &str| StoreError::Invalid { field: "job_ids", message: message.to_owned() };
        let granted = permit.granted_projects();
        if jobs.is_empty() {
            let everywhere = !granted.everywhere().is_empty();
            let message = "must name jobs: an empty list means those of every project";
            return if everywhere { Ok(()) } else { Err(wrong(message)) };
        }
        let projects: Vec<i64> =
            of_account::<job::Entity>(job::Column::AccountId, permit.account())
                .filter(job::Column::State.eq(ACTIVE))
                .filter(job::Column::Id.is_in(jobs.iter().map(|job| job.get())))
                .select_only()
                .column(job::Column::ProjectId)
                .into_tuple()
                .all(self.reader())
                .await
                .map_err(StoreError::db)?;
        let within = |project: i64| {
            ProjectId::new(project).is_ok_and(|id| !granted.categories_in(id).is_empty())
        };
        if projects.len() == jobs.len() && projects.into_iter().all(within) {
            Ok(())
        } else {
            Err(wrong("does not name a job within reach"))
        }
    }

    /// The secret that a webhook is signed with.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Unavailable`].
    pub async fn webhook_secret(
        &self,
        permit: &Permit<Write, Webhooks>,
        webhook: Id<Webhook>,
    ) -> Result<Hidden, StoreError> {
        kept::find(self.reader(), permit.account(), webhook).await?;
        kept::secret_of(self, self.reader(), webhook).await?.ok_or(StoreError::NotFound)
    }

    /// Keeps an event of a webhook, and the receipt of sending it.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] (the webhook), [`StoreError::CredentialChanged`],
    /// [`StoreError::Unavailable`].
    pub async fn note_webhook_sent(
        &self,
        permit: &Permit<Write, Webhooks>,
        event: &WebhookEvent,
        receipt: (&ReceiptKey, &Dispatch),
    ) -> Result<(), StoreError> {
        let mut tx = self.begin(permit).await?;
        kept::find(tx.db(), tx.account(), event.webhook).await?;
        note(&tx, event, receipt).await?;
        let sent = receipt.1;
        let after = serde_json::json!({
            "event_type": event.event_type,
            "http_status_code": sent.http_status_code,
        });
        let object = format!("webhook:{}", event.webhook);
        tx.record("webhook.sent", object, None, None, Some(after)).await?;
        tx.commit().await
    }

    /// Forgets what was sent of the account's webhooks more than 30 days ago, at most 1,000 events;
    /// gives how many.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn forget_webhook_events(
        &self,
        permit: &Permit<Write, Webhooks>,
    ) -> Result<usize, StoreError> {
        let before = self.clock().now().plus_seconds(-KEPT).micros();
        let old = of_account::<Entity>(Column::AccountId, permit.account())
            .filter(Column::CreatedAt.lt(before))
            .order_by_asc(Column::Id)
            .limit(AT_ONCE)
            .all(self.reader())
            .await
            .map_err(StoreError::db)?;
        if old.is_empty() {
            return Ok(0);
        }
        let ids: Vec<_> = old.iter().map(|row| row.id).collect();
        let tx = self.begin(permit).await?;
        webhook_receipt::Entity::delete_many()
            .filter(webhook_receipt::Column::EventId.is_in(ids.clone()))
            .exec(tx.db())
            .await
            .map_err(StoreError::db)?;
        Entity::delete_many()
            .filter(Column::Id.is_in(ids))
            .exec(tx.db())
            .await
            .map_err(StoreError::db)?;
        tx.commit_unrecorded().await?;
        Ok(old.len())
    }

    /// What was sent of a webhook.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] (order or filter), [`StoreError::Unavailable`].
    pub async fn webhook_events(
        &self,
        permit: &Permit<Read, Webhooks>,
        webhook: Id<Webhook>,
        query: &ListQuery,
    ) -> Result<Paged<WebhookEvent>, StoreError> {
        let rows = of_account::<Entity>(Column::AccountId, permit.account())
            .filter(Column::WebhookId.eq(webhook.get()));
        let page = self.page(rows, &EVENTS, query).await?;
        let rows = page.rows.into_iter().map(Model::into_domain).collect::<Result<_, _>>()?;
        Ok(Paged { rows, total: page.total })
    }

    /// One event, with the webhook that it is of.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Unavailable`].
    pub async fn webhook_event(
        &self,
        permit: &Permit<Read, Webhooks>,
        key: &EventKey,
    ) -> Result<(WebhookEvent, Kept<Webhook>), StoreError> {
        let rows = of_account::<Entity>(Column::AccountId, permit.account())
            .filter(Column::Key.eq(key.as_str()));
        let event = only(rows, self.reader()).await?.into_domain()?;
        let webhook = kept::find(self.reader(), permit.account(), event.webhook).await?;
        Ok((event, webhook))
    }

    /// The receipts of an event.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] (order or filter), [`StoreError::Unavailable`].
    pub async fn receipts_of_webhook_event(
        &self,
        permit: &Permit<Read, Webhooks>,
        event: &EventKey,
        query: &ListQuery,
    ) -> Result<Paged<WebhookReceipt>, StoreError> {
        let ids = Entity::find().select_only().column(Column::Id);
        let ids = ids.filter(Column::Key.eq(event.as_str()));
        let rows = of_account::<webhook_receipt::Entity>(
            webhook_receipt::Column::AccountId,
            permit.account(),
        )
        .filter(webhook_receipt::Column::EventId.in_subquery(ids.into_query()));
        let page = self.page(rows, &RECEIPTS, query).await?;
        let told = |row| receipt(row, event.clone());
        let rows = page.rows.into_iter().map(told).collect::<Result<_, _>>()?;
        Ok(Paged { rows, total: page.total })
    }

    /// The receipts of these events, oldest first, in one statement.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn webhook_receipts(
        &self,
        permit: &Permit<Read, Webhooks>,
        events: &[EventKey],
    ) -> Result<Vec<WebhookReceipt>, StoreError> {
        let keys = events.iter().map(EventKey::as_str);
        let rows = of_account::<webhook_receipt::Entity>(
            webhook_receipt::Column::AccountId,
            permit.account(),
        )
        .find_also_related(webhook_event::Entity)
        .filter(Column::Key.is_in(keys))
        .order_by_asc(webhook_receipt::Column::Id);
        let rows = rows.all(self.reader()).await.map_err(StoreError::db)?;
        rows.into_iter().map(receipt_with_event).collect()
    }

    /// One receipt, with the webhook that it is of.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Unavailable`].
    pub async fn webhook_receipt(
        &self,
        permit: &Permit<Read, Webhooks>,
        key: &ReceiptKey,
    ) -> Result<(WebhookReceipt, Kept<Webhook>), StoreError> {
        let rows = of_account::<webhook_receipt::Entity>(
            webhook_receipt::Column::AccountId,
            permit.account(),
        )
        .find_also_related(webhook_event::Entity)
        .filter(webhook_receipt::Column::Key.eq(key.as_str()));
        let row = rows.one(self.reader()).await.map_err(StoreError::db)?;
        let receipt = receipt_with_event(row.ok_or(StoreError::NotFound)?)?;
        let webhook = kept::find(self.reader(), permit.account(), receipt.webhook).await?;
        Ok((receipt, webhook))
    }

    /// The newest receipt of each of these webhooks, in one statement.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn latest_webhook_receipts(
        &self,
        permit: &Permit<Read, Webhooks>,
        webhooks: &[Id<Webhook>],
    ) -> Result<BTreeMap<i64, WebhookReceipt>, StoreError> {
        let ids = webhooks.iter().map(|webhook| webhook.get());
        let newest = webhook_receipt::Entity::find()
            .select_only()
            .expr(Expr::col((webhook_receipt::Entity, webhook_receipt::Column::Id)).max())
            .filter(webhook_receipt::Column::WebhookId.is_in(ids))
            .group_by(webhook_receipt::Column::WebhookId);
        let rows = of_account::<webhook_receipt::Entity>(
            webhook_receipt::Column::AccountId,
            permit.account(),
        )
        .filter(webhook_receipt::Column::Id.in_subquery(newest.into_query()))
        .find_also_related(webhook_event::Entity);
        let rows = rows.all(self.reader()).await.map_err(StoreError::db)?;
        let told = |row| receipt_with_event(row).map(|receipt| (receipt.webhook.get(), receipt));
        rows.into_iter().map(told).collect()
    }
}

/// Keeps an event, unless an earlier try did, and the receipt of a try.
pub(crate) async fn note(
    tx: &Tx,
    event: &WebhookEvent,
    (key, sent): (&ReceiptKey, &Dispatch),
) -> Result<(), StoreError> {
    let account = tx.account().get();
    let kept = Entity::find().filter(Column::Key.eq(event.key.as_str())).one(tx.db()).await;
    let row = if let Some(row) = kept.map_err(StoreError::db)? {
        row
    } else {
        let row = webhook_event::ActiveModel {
            key: Set(event.key.to_string()),
            account_id: Set(account),
            webhook_id: Set(event.webhook.get()),
            job_id: Set(event.job.map(JobId::get)),
            run_id: Set(event.run.map(RunId::get)),
            event_type: Set(event.event_type.clone()),
            payload: Set(event.payload.clone()),
            created_at: Set(event.created_at.micros()),
            ..Default::default()
        };
        Entity::insert(row).exec_with_returning(tx.db()).await.map_err(StoreError::db)?
    };
    let receipt = webhook_receipt::ActiveModel {
        key: Set(key.to_string()),
        account_id: Set(account),
        webhook_id: Set(event.webhook.get()),
        event_id: Set(row.id),
        dispatched_at: Set(sent.dispatched_at.micros()),
        http_status_code: Set(sent.http_status_code.map(i64::from)),
        error_info: Set(sent.error_info.clone()),
        request_body: Set(sent.request_body.clone()),
        request_headers: Set(sent.request_headers.clone()),
        response_body: Set(sent.response_body.clone()),
        ..Default::default()
    };
    webhook_receipt::Entity::insert(receipt).exec(tx.db()).await.map_err(StoreError::db)?;
    Ok(())
}

/// Whether anything has arrived at a webhook since then.
pub(crate) async fn took_any(
    tx: &Tx,
    webhook: Id<Webhook>,
    since: Timestamp,
) -> Result<bool, StoreError> {
    let taken = webhook_receipt::Entity::find()
        .filter(webhook_receipt::Column::WebhookId.eq(webhook.get()))
        .filter(webhook_receipt::Column::DispatchedAt.gte(since.micros()))
        .filter(webhook_receipt::Column::ErrorInfo.eq(""))
        .one(tx.db());
    Ok(taken.await.map_err(StoreError::db)?.is_some())
}

impl Model {
    fn into_domain(self) -> Result<WebhookEvent, StoreError> {
        Ok(WebhookEvent {
            key: self.key.parse().map_err(StoreError::corrupt)?,
            webhook: Id::new(self.webhook_id).map_err(StoreError::corrupt)?,
            job: self.job_id.map(JobId::new).transpose().map_err(StoreError::corrupt)?,
            run: self.run_id.map(RunId::new).transpose().map_err(StoreError::corrupt)?,
            event_type: self.event_type,
            payload: self.payload,
            created_at: time(self.created_at)?,
        })
    }
}

fn receipt_with_event(
    (row, event): (webhook_receipt::Model, Option<Model>),
) -> Result<WebhookReceipt, StoreError> {
    let event = event.ok_or_else(|| StoreError::corrupt("a receipt without its event"))?;
    receipt(row, event.key.parse().map_err(StoreError::corrupt)?)
}

fn receipt(row: webhook_receipt::Model, event: EventKey) -> Result<WebhookReceipt, StoreError> {
    let status = row.http_status_code.map(u16::try_from).transpose();
    Ok(WebhookReceipt {
        key: row.key.parse().map_err(StoreError::corrupt)?,
        event,
        webhook: Id::new(row.webhook_id).map_err(StoreError::corrupt)?,
        dispatch: Dispatch {
            dispatched_at: time(row.dispatched_at)?,
            http_status_code: status.map_err(StoreError::corrupt)?,
            error_info: row.error_info,
            request_headers: row.request_headers,
            request_body: row.request_body,
            response_body: row.response_body,
        },
    })
}
