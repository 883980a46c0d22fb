//! The messenger: sends what waits in the outbox, beside the requests.

use std::{collections::HashMap, sync::Arc, time::Duration};

use domain::{
    authz::{
        Caller, Origin, Permit, SystemTask, Webhooks, Write, authorize, kinds::JobNotifications,
    },
    kept::Id,
    outbox::{News, OutgoingMail, OutgoingWebhook},
    webhook::{ReceiptKey, Webhook},
};
use rand::{rand_core::UnwrapErr, rngs::SysRng};
use store::{Store, StoreError, Ticket};
use tokio::{
    task::{self, JoinSet},
    time::{Instant, MissedTickBehavior, interval, sleep},
};
use wire::{v2::run_href, v3::WebhookDelivery};

use crate::{
    app::App,
    mail::{MailError, Mailer},
    token_mail,
    webhooks::{self, WebhookTargets},
};

/// The least time between two looks, however many wake-ups there are.
const BREATH: Duration = Duration::from_millis(100);
/// How often old events are forgotten.
const CLEAR_EVERY: Duration = Duration::from_hours(1);
/// The most messages that are on their way at once.
const AT_ONCE: usize = 16;

/// Sends what runs and tokens have to tell.
#[derive(Clone)]
pub(crate) struct Messenger {
    store: Store,
    targets: WebhookTargets,
    /// How long a message that is due may go unseen if no wake-up tells of it: one of another
    /// process, or one that is tried again.
    round: Duration,
    mailer: Option<Mailer>,
    public_url: Arc<str>,
}

/// The messages on their way; one of a webhook or of a notification at a time, so that a slow one takes
/// no room from the others.
#[derive(Default)]
struct UnderWay {
    tasks: JoinSet<()>,
    webhooks: HashMap<task::Id, Id<Webhook>>,
    mails: HashMap<task::Id, i64>,
}

impl UnderWay {
    fn room(&self) -> u64 {
        u64::try_from(AT_ONCE.saturating_sub(self.tasks.len())).unwrap_or_default()
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
        self.mails.remove(&ended);
    }
}

impl Messenger {
    /// The messenger of a server, which looks so often for what is due.
    pub(crate) fn of(app: &App, round: Duration) -> Self {
        Self {
            store: app.store.clone(),
            targets: app.webhook_targets,
            round,
            mailer: app.mailer.clone(),
            public_url: Arc::clone(&app.public_url),
        }
    }

    /// Sends what an earlier server left first, then whenever something is due.
    pub(crate) async fn work(self) {
        if self.mailer.is_none() {
            tracing::info!("no mail server is configured: notifications are not sent");
        }
        let mut under_way = UnderWay::default();
        let mut cleared = None::<Instant>;
        let mut breath = interval(BREATH);
        breath.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // What an earlier server left waits for the first round.
        tokio::select! {
            () = self.store.outbox_filled() => {}
            () = sleep(self.round) => {}
        }
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
            self.fill_webhooks(&authorize(&caller, account)?, under_way).await?;
            self.fill_mails(&authorize(&caller, account)?, under_way).await?;
        }
        Ok(())
    }

    async fn fill_webhooks(
        &self,
        permit: &Permit<Write, Webhooks>,
        under_way: &mut UnderWay,
    ) -> Result<(), StoreError> {
        let busy: Vec<_> = under_way.webhooks.values().copied().collect();
        let claimed = self.store.claim_webhooks(permit, &busy, under_way.room()).await?;
        for (ticket, outgoing) in claimed {
            let webhook = outgoing.webhook.id;
            let sending = self.clone().deliver(permit.clone(), ticket, outgoing);
            let id = under_way.tasks.spawn(sending).id();
            under_way.webhooks.insert(id, webhook);
        }
        Ok(())
    }

    async fn fill_mails(
        &self,
        permit: &Permit<Write, JobNotifications>,
        under_way: &mut UnderWay,
    ) -> Result<(), StoreError> {
        let Some(mailer) = &self.mailer else { return self.store.drop_mails(permit).await };
        let busy: Vec<_> = under_way.mails.values().copied().collect();
        let claimed = self.store.claim_mails(permit, &busy, under_way.room()).await?;
        for (ticket, outgoing) in claimed {
            let asked_by = outgoing.asked_by;
            let sending = self.clone().mail(mailer.clone(), permit.clone(), ticket, outgoing);
            let id = under_way.tasks.spawn(sending).id();
            under_way.mails.extend(asked_by.map(|asked_by| (id, asked_by)));
        }
        Ok(())
    }

    /// One try of a mail.
    async fn mail(
        self,
        mailer: Mailer,
        permit: Permit<Write, JobNotifications>,
        ticket: Ticket,
        outgoing: OutgoingMail,
    ) {
        let about = match &outgoing.news {
            News::Run(report) => format!("run {}", report.run),
            News::Token(report) => format!("token {}", report.uid),
        };
        let sent = self.tell(&mailer, &outgoing).await;
        let noted = self.store.note_mail_try(&permit, &ticket, sent.is_ok()).await;
        match (sent, noted) {
            (Ok(()), Ok(_)) => {}
            (Err(error), Ok(Some(again))) => {
                tracing::warn!(about, %error, %again, "a mail is tried again");
            }
            (Err(error), Ok(None)) => {
                tracing::error!(about, %error, "a mail is given up");
            }
            (_, Err(error)) => {
                tracing::error!(about, %error, "a mail may be sent twice");
            }
        }
    }

    /// Writes a mail, with where a person looks at what it is about.
    async fn tell(&self, mailer: &Mailer, outgoing: &OutgoingMail) -> Result<(), MailError> {
        let OutgoingMail { to, news, nodes, .. } = outgoing;
        match news {
            News::Run(report) => {
                let (account, project) = (report.account, report.project);
                let link = run_href(&self.public_url, account, project, report.run);
                mailer.tell(to, report, nodes, &link).await
            }
            News::Token(report) => {
                let link = token_mail::link(&self.public_url, report);
                mailer.tell_of_token(to, report, &link).await
            }
        }
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
