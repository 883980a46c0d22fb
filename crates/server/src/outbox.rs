//! The messenger: sends what waits in the outbox, beside the requests.

use std::{collections::HashMap, sync::Arc, time::Duration};

use domain::{
    authz::{Caller, Origin, Permit, SystemTask, Webhooks, Write, authorize},
    kept::Id,
    outbox::OutgoingWebhook,
    webhook::{ReceiptKey, Webhook},
};
use rand::{rand_core::UnwrapErr, rngs::SysRng};
use store::{Store, StoreError, Ticket};
use tokio::{
    task::{self, JoinSet},
    time::{Instant, MissedTickBehavior, interval, sleep},
};
use wire::v3::WebhookDelivery;

use crate::{
    app::App,
    webhooks::{self, WebhookTargets},
};

/// The least time between two looks, however many wake-ups there are.
const BREATH: Duration = Duration::from_millis(100);
/// How often old events are forgotten.
const CLEAR_EVERY: Duration = Duration::from_hours(1);
/// The most messages that are on their way at once.
const AT_ONCE: usize = 16;

/// Sends what runs have to tell.
#[derive(Clone)]
pub(crate) struct Messenger {
    store: Store,
    targets: WebhookTargets,
    /// How long a message that is due may go unseen if no wake-up tells of it: one of another
    /// process, or one that is tried again.
    round: Duration,
}

/// The messages on their way; one of a webhook at a time, so that a slow one takes no room from
/// the others.
#[derive(Default)]
struct UnderWay {
    tasks: JoinSet<()>,
    webhooks: HashMap<task::Id, Id<Webhook>>,
}

impl UnderWay {
    fn room(&self) -> usize {
        AT_ONCE.saturating_sub(self.tasks.len())
    }

    /// Waits for the end of one; for ever if there is none.
    async fn ended(&mut self) {
        let ended = match self.tasks.join_next_with_id().await {
            Some(Ok((id, ()))) => id,
            Some(Err(error)) => {
                tracing::error!(%error, "a message broke off: it is tried again");
                error.id()
            }
            None => std::future::pending().await,
        };
        self.webhooks.remove(&ended);
    }
}

impl Messenger {
    /// The messenger of a server, which looks so often for what is due.
    pub(crate) fn of(app: &App, round: Duration) -> Self {
        Self { store: app.store.clone(), targets: app.webhook_targets, round }
    }

    /// Sends what an earlier server left first, then whenever something is due.
    pub(crate) async fn work(self) {
        let mut under_way = UnderWay::default();
        let mut cleared = None::<Instant>;
        let mut breath = interval(BREATH);
        breath.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            breath.tick().await;
            let filled = self.store.outbox_filled();
            if let Err(error) = self.fill(&mut under_way).await {
                tracing::warn!(%error, "what is to be sent waits for the next look");
            }
            if cleared.is_none_or(|at| at.elapsed() >= CLEAR_EVERY) {
                cleared = Some(Instant::now());
                if let Err(error) = self.clear().await {
                    tracing::warn!(%error, "old events of webhooks stay for another hour");
                }
            }
            tokio::select! {
                () = filled => {}
                () = sleep(self.round) => {}
                () = under_way.ended() => {}
            }
        }
    }

    /// Claims what is due, account by account, and sends it.
    async fn fill(&self, under_way: &mut UnderWay) -> Result<(), StoreError> {
        for messenger in self.store.messengers().await? {
            let account = messenger.account();
            let caller = Arc::new(Caller::new(messenger, Origin::local()));
            let permit: Permit<Write, Webhooks> = authorize(&caller, account)?;
            let busy: Vec<_> = under_way.webhooks.values().copied().collect();
            let room = u64::try_from(under_way.room()).unwrap_or_default();
            for (ticket, outgoing) in self.store.claim_webhooks(&permit, &busy, room).await? {
                let webhook = outgoing.webhook.id;
                let sending = self.clone().deliver(permit.clone(), ticket, outgoing);
                let id = under_way.tasks.spawn(sending).id();
                under_way.webhooks.insert(id, webhook);
            }
        }
        Ok(())
    }

    /// One try, and its receipt.
    async fn deliver(
        self,
        permit: Permit<Write, Webhooks>,
        ticket: Ticket,
        outgoing: OutgoingWebhook,
    ) {
        let body = serde_json::json!(WebhookDelivery::new(&outgoing)).to_string();
        let (to, secret) = (&outgoing.webhook.spec.client_url, &outgoing.secret);
        let now = self.store.clock().now();
        let sent = webhooks::send(self.targets, to, secret, body.clone(), now).await;
        let event = outgoing.event(body);
        if !sent.error_info.is_empty() {
            let (webhook, event) = (event.webhook, &event.key);
            tracing::info!(%webhook, %event, reason = sent.error_info, "an event did not arrive");
        }
        let receipt = ReceiptKey::mint(&mut UnwrapErr(SysRng));
        let noted = self.store.note_webhook_try(&permit, &ticket, &event, (&receipt, &sent)).await;
        if let Err(error) = noted {
            tracing::error!(%error, event = %event.key, "a receipt is lost: the event is sent again");
        }
    }

    /// Forgets what was sent long ago.
    async fn clear(&self) -> Result<(), StoreError> {
        for messenger in self.store.system_principals(SystemTask::Messenger).await? {
            let account = messenger.account();
            let caller = Arc::new(Caller::new(messenger, Origin::local()));
            let permit: Permit<Write, Webhooks> = authorize(&caller, account)?;
            while self.store.forget_webhook_events(&permit).await? > 0 {}
        }
        Ok(())
    }
}
