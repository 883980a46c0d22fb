//! Webhooks, and what was sent of them.

use axum::extract::State;
use domain::{
    Timestamp,
    authz::{Denied, Permit, Read, ServiceTokens, Webhooks, Write},
    kept::Kept,
    list::Paged,
    webhook::{
        EventKey, ReceiptKey, Webhook, WebhookEvent as DomainEvent, WebhookKey, mint_secret,
    },
};
use rand::{rand_core::UnwrapErr, rngs::SysRng};
use serde_json::json;
use wire::{
    ListParams,
    v3::{WebhookBody, WebhookEvent, WebhookReceipt, WebhookSubscription, WebhookTested},
};

use super::same_account;
use crate::{
    answer::{Created, Object, Page},
    app::App,
    error::ApiError,
    extract::{At, Body, Query},
    webhooks,
};

/// `GET /api/v3/accounts/{account_id}/webhooks/subscriptions`
pub(crate) async fn list(
    permit: Permit<Read, Webhooks>,
    State(app): State<App>,
    Query(params): Query,
) -> Result<Page<WebhookSubscription>, ApiError> {
    let page = app.store.kept::<Webhook>(&permit, None, &params.query).await?;
    let ids: Vec<_> = page.rows.iter().map(|kept| kept.id).collect();
    let latest = app.store.latest_webhook_receipts(&permit, &ids).await?;
    let told = |kept: Kept<Webhook>| WebhookSubscription::new(&kept, latest.get(&kept.id.get()));
    Ok(Page(params, page.map(told)))
}

/// `GET /api/v3/accounts/{account_id}/webhooks/subscription/{subscription_id}`
pub(crate) async fn show(
    permit: Permit<Read, Webhooks>,
    State(app): State<App>,
    At(key): At<WebhookKey>,
) -> Result<Object<WebhookSubscription>, ApiError> {
    let kept = app.store.webhook(&permit, &key).await?;
    told(&app, &permit, &kept).await.map(Object)
}

/// `POST /api/v3/accounts/{account_id}/webhooks/subscriptions`
///
/// The only answer that ever carries `hmac_secret`.
pub(crate) async fn create(
    permit: Permit<Write, Webhooks>,
    State(app): State<App>,
    Body(body): Body<WebhookBody>,
) -> Result<Created<WebhookSubscription>, ApiError> {
    same_account(&permit, &body.account_id)?;
    let mut rng = UnwrapErr(SysRng);
    let spec = body.create(WebhookKey::mint(&mut rng))?;
    app.store.check_webhook_jobs(&permit, &spec.job_ids).await?;
    check_tokens(&permit, &spec)?;
    let secret = mint_secret(&mut rng);
    let kept = app.store.keep(&permit, None, spec, Some(secret.clone())).await?;
    let hmac_secret = Some(secret.reveal().to_owned());
    Ok(Created(WebhookSubscription { hmac_secret, ..WebhookSubscription::new(&kept, None) }))
}

/// `PUT /api/v3/accounts/{account_id}/webhooks/subscription/{subscription_id}`
///
/// Who changes a webhook has to reach all that it tells of: else it could be led elsewhere.
pub(crate) async fn update(
    permit: Permit<Write, Webhooks>,
    State(app): State<App>,
    At(key): At<WebhookKey>,
    Body(body): Body<WebhookBody>,
) -> Result<Object<WebhookSubscription>, ApiError> {
    same_account(&permit, &body.account_id)?;
    let reader = permit.also()?;
    let before = app.store.webhook(&reader, &key).await?;
    app.store.check_webhook_jobs(&permit, &before.spec.job_ids).await?;
    check_tokens(&permit, &before.spec)?;
    let after = body.clone().over(before.spec)?;
    app.store.check_webhook_jobs(&permit, &after.job_ids).await?;
    check_tokens(&permit, &after)?;
    let change = |spec| body.over(spec).map_err(ApiError::from);
    let kept = app.store.update_kept(&permit, before.id, None, change).await?;
    told(&app, &reader, &kept).await.map(Object)
}

/// `DELETE /api/v3/accounts/{account_id}/webhooks/subscription/{subscription_id}`: gives what it
/// was.
pub(crate) async fn delete(
    permit: Permit<Write, Webhooks>,
    State(app): State<App>,
    At(key): At<WebhookKey>,
) -> Result<Object<WebhookSubscription>, ApiError> {
    let kept = app.store.webhook(&permit.also()?, &key).await?;
    let kept = app.store.delete_kept(&permit, kept.id).await?;
    Ok(Object(WebhookSubscription::new(&kept, None)))
}

/// `GET /api/v3/accounts/{account_id}/webhooks/subscription/{subscription_id}/test`: sends one
/// delivery; its receipt says what came of it.
pub(crate) async fn test(
    permit: Permit<Write, Webhooks>,
    State(app): State<App>,
    At(key): At<WebhookKey>,
) -> Result<Object<WebhookTested>, ApiError> {
    let kept = app.store.webhook(&permit.also()?, &key).await?;
    let secret = app.store.webhook_secret(&permit, kept.id).await?;
    let (mut rng, now) = (UnwrapErr(SysRng), app.store.clock().now());
    let event = test_event(&kept, EventKey::mint(&mut rng), now);
    let (to, body) = (&kept.spec.client_url, event.payload.clone());
    let sent = webhooks::send(app.webhook_targets, to, &secret, body, now).await;
    let receipt = ReceiptKey::mint(&mut rng);
    app.store.note_webhook_sent(&permit, &event, (&receipt, &sent)).await?;
    Ok(Object(WebhookTested { event_id: event.key.to_string() }))
}

/// `GET /api/v3/accounts/{account_id}/webhooks/subscription/{subscription_id}/events`
pub(crate) async fn events(
    permit: Permit<Read, Webhooks>,
    State(app): State<App>,
    At(key): At<WebhookKey>,
    Query(params): Query,
) -> Result<Page<WebhookEvent>, ApiError> {
    let webhook = app.store.webhook(&permit, &key).await?;
    let page = app.store.webhook_events(&permit, webhook.id, &params.query).await?;
    let rows = events_told(&app, &permit, &webhook, &page.rows).await?;
    Ok(Page(params, Paged { rows, total: page.total }))
}

/// `GET /api/v3/accounts/{account_id}/webhooks/event/{event_id}`
pub(crate) async fn event(
    permit: Permit<Read, Webhooks>,
    State(app): State<App>,
    At(key): At<EventKey>,
) -> Result<Object<WebhookEvent>, ApiError> {
    let (event, webhook) = app.store.webhook_event(&permit, &key).await?;
    let told = events_told(&app, &permit, &webhook, &[event]).await?;
    told.into_iter().next().map(Object).ok_or(ApiError::NotFound)
}

/// `GET /api/v3/accounts/{account_id}/webhooks/event/{event_id}/receipts`
pub(crate) async fn receipts(
    permit: Permit<Read, Webhooks>,
    State(app): State<App>,
    At(key): At<EventKey>,
    Query(params): Query,
) -> Result<Page<WebhookReceipt>, ApiError> {
    let (event, webhook) = app.store.webhook_event(&permit, &key).await?;
    receipts_told(&app, &permit, (&webhook, &event.key), params).await
}

/// `GET …/webhooks/subscription/{subscription_id}/event/{event_id}/receipt`
pub(crate) async fn receipts_of(
    permit: Permit<Read, Webhooks>,
    State(app): State<App>,
    At(key): At<WebhookKey>,
    At(event): At<EventKey>,
    Query(params): Query,
) -> Result<Page<WebhookReceipt>, ApiError> {
    let (event, webhook) = app.store.webhook_event(&permit, &event).await?;
    if webhook.spec.key != key {
        return Err(ApiError::NotFound);
    }
    receipts_told(&app, &permit, (&webhook, &event.key), params).await
}

/// `GET /api/v3/accounts/{account_id}/webhooks/receipt/{receipt_id}`
pub(crate) async fn receipt(
    permit: Permit<Read, Webhooks>,
    State(app): State<App>,
    At(key): At<ReceiptKey>,
) -> Result<Object<WebhookReceipt>, ApiError> {
    let (receipt, webhook) = app.store.webhook_receipt(&permit, &key).await?;
    Ok(Object(WebhookReceipt::new(&receipt, &webhook)))
}

/// Whether the permit's holder may read what the webhook would tell of tokens.
fn check_tokens(permit: &Permit<Write, Webhooks>, spec: &Webhook) -> Result<(), Denied> {
    if spec.tells_of_tokens() { permit.also::<Read, ServiceTokens>().map(drop) } else { Ok(()) }
}

async fn told(
    app: &App,
    permit: &Permit<Read, Webhooks>,
    kept: &Kept<Webhook>,
) -> Result<WebhookSubscription, ApiError> {
    let latest = app.store.latest_webhook_receipts(permit, &[kept.id]).await?;
    Ok(WebhookSubscription::new(kept, latest.get(&kept.id.get())))
}

async fn events_told(
    app: &App,
    permit: &Permit<Read, Webhooks>,
    webhook: &Kept<Webhook>,
    events: &[DomainEvent],
) -> Result<Vec<WebhookEvent>, ApiError> {
    let keys: Vec<_> = events.iter().map(|event| event.key.clone()).collect();
    let receipts = app.store.webhook_receipts(permit, &keys).await?;
    let latest = |event: &DomainEvent| receipts.iter().rfind(|found| found.event == event.key);
    Ok(events.iter().map(|event| WebhookEvent::new(event, webhook, latest(event))).collect())
}

async fn receipts_told(
    app: &App,
    permit: &Permit<Read, Webhooks>,
    (webhook, event): (&Kept<Webhook>, &EventKey),
    params: ListParams,
) -> Result<Page<WebhookReceipt>, ApiError> {
    let page = app.store.receipts_of_webhook_event(permit, event, &params.query).await?;
    Ok(Page(params, page.map(|receipt| WebhookReceipt::new(&receipt, webhook))))
}

/// What a test sends: the shape of every delivery, about no run.
fn test_event(kept: &Kept<Webhook>, key: EventKey, now: Timestamp) -> DomainEvent {
    let payload = json!({
        "accountId": kept.account.get(),
        "webhookId": kept.spec.key,
        "webhookName": kept.spec.name,
        "eventId": key,
        "eventType": "test",
        "timestamp": now.to_string(),
        "data": {},
    });
    DomainEvent {
        key,
        webhook: kept.id,
        job: None,
        run: None,
        event_type: "test".to_owned(),
        payload: payload.to_string(),
        created_at: now,
    }
}
