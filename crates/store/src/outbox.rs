//! The outbox: what is to be sent of runs and tokens.
//!
//! A row is written in the transaction that makes it true, and goes once it has arrived, is given
//! up, or what it is sent for is deleted. Whoever sends it claims it first, by moving its due time:
//! if they die, it is due again. So it is sent at least once, and always as the same event.

use domain::{
    Timestamp,
    authz::{Permit, Webhooks, Write, kinds::JobNotifications},
    kept::{Id, Kept, Noun},
    model_notification::{ModelNotifications, OwnerReport},
    notification::{Notification, NotificationType},
    outbox::{HOLD, News, OutgoingMail, OutgoingWebhook, wait_after},
    run::Run,
    run_report::{RunReport, Stage},
    token_report::TokenMail,
    user::Email,
    webhook::{Dispatch, EventKey, EventType, ReceiptKey, Webhook, WebhookEvent},
};
use rand::{rand_core::UnwrapErr, rngs::SysRng};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
    QueryTrait as _, Select,
    sea_query::{Expr, ExprTrait as _, SelectStatement},
};

use crate::{
    Store, StoreError,
    entities::{
        environment, job,
        outbox::{ActiveModel, Column, Entity, Model},
        project, run, user,
    },
    kept,
    model_notifications::{self, OWNER},
    rows::{from_text, of_account, only, to_text},
    token_news::TOKEN,
    tx::Tx,
    usage, webhooks,
};

/// Says why a webhook sends nothing any more.
const TAKES_NOTHING: &str = "five tries in a row to send an event failed";

/// A claim on a message: good until somebody else has claimed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticket {
    id: i64,
    due_at: i64,
    failed: u32,
}

impl Store {
    /// Claims events that are due, the oldest of each webhook, at most `room`; none of a webhook
    /// that is `busy`. What waits for a webhook that is switched off goes unsent.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn claim_webhooks(
        &self,
        permit: &Permit<Write, Webhooks>,
        busy: &[Id<Webhook>],
        room: u64,
    ) -> Result<Vec<(Ticket, OutgoingWebhook)>, StoreError> {
        let tx = self.begin(permit).await?;
        let busy: Vec<_> = busy.iter().map(|id| id.get()).collect();
        let mut claimed = Vec::new();
        for row in claim(&tx, &[Webhook::WORD], &busy, room).await? {
            match self.outgoing(&tx, &row).await {
                Ok(outgoing) if outgoing.webhook.spec.active => {
                    claimed.push((row.ticket()?, outgoing));
                }
                Ok(outgoing) => forget(&tx, outgoing.webhook.id.get()).await?,
                Err(error @ (StoreError::NotFound | StoreError::Corrupt(_))) => {
                    tracing::error!(webhook = row.kept_id, %error, "an event cannot be sent");
                    failed(&tx, &row.ticket()?).await?;
                }
                Err(error) => return Err(error),
            }
        }
        tx.commit_unrecorded().await?;
        Ok(claimed)
    }

    async fn outgoing(&self, tx: &Tx, row: &Model) -> Result<OutgoingWebhook, StoreError> {
        let id = asker(row)?;
        let word = |text: &Option<String>| text.clone().unwrap_or_default();
        let event_type: EventType = word(&row.event_type).parse().map_err(StoreError::corrupt)?;
        let news = if event_type.is_of_tokens() {
            News::Token(from_text(&row.report)?)
        } else {
            News::Run(from_text(&row.report)?)
        };
        Ok(OutgoingWebhook {
            webhook: kept::find(tx.db(), tx.account(), id).await?,
            secret: kept::secret_of(self, tx.db(), id).await?.ok_or(StoreError::NotFound)?,
            key: word(&row.event_key).parse().map_err(StoreError::corrupt)?,
            event_type,
            news,
        })
    }

    /// Keeps the receipt of a try. An event that did not arrive is tried again later, five times
    /// in all; a webhook that took nothing meanwhile is then switched off.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]. Of a webhook that was deleted meanwhile, nothing is kept.
    pub async fn note_webhook_try(
        &self,
        permit: &Permit<Write, Webhooks>,
        ticket: &Ticket,
        event: &WebhookEvent,
        receipt: (&ReceiptKey, &Dispatch),
    ) -> Result<(), StoreError> {
        let mut tx = self.begin(permit).await?;
        let webhook = match kept::find(tx.db(), tx.account(), event.webhook).await {
            Ok(webhook) => webhook,
            Err(StoreError::NotFound) => return Ok(()),
            Err(error) => return Err(error),
        };
        webhooks::note(&tx, event, receipt).await?;
        if receipt.1.error_info.is_empty() {
            done(&tx, ticket).await?;
        } else if failed(&tx, ticket).await?.is_none()
            && webhook.spec.active
            && !webhooks::took_any(&tx, webhook.id, event.created_at).await?
        {
            switch_off(&mut tx, webhook).await?;
            return tx.commit().await;
        }
        tx.commit_unrecorded().await
    }
}

impl Store {
    /// Claims mails that are due, the oldest of each notification, none of one that is `busy`, and
    /// those about tokens; at most `room`.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn claim_mails(
        &self,
        permit: &Permit<Write, JobNotifications>,
        busy: &[i64],
        room: u64,
    ) -> Result<Vec<(Ticket, OutgoingMail)>, StoreError> {
        self.share_out(permit).await?;
        let tx = self.begin(permit).await?;
        let mut claimed = Vec::new();
        let mut rows = claim(&tx, &[Notification::WORD, OWNER], busy, room).await?;
        let left = room.saturating_sub(rows.len() as u64);
        rows.extend(claim_of_tokens(&tx, left).await?);
        for row in rows {
            match mail(&tx, &row).await {
                Ok(mail) => claimed.push((row.ticket()?, mail)),
                Err(error @ (StoreError::NotFound | StoreError::Corrupt(_))) => {
                    tracing::error!(asked_by = row.kept_id, %error, "a mail cannot be sent");
                    failed(&tx, &row.ticket()?).await?;
                }
                Err(error) => return Err(error),
            }
        }
        tx.commit_unrecorded().await?;
        Ok(claimed)
    }

    /// Notes how a try went: whether the mail was taken. One that was not is tried again later,
    /// five times in all; `None` says that it is given up.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn note_mail_try(
        &self,
        permit: &Permit<Write, JobNotifications>,
        ticket: &Ticket,
        taken: bool,
    ) -> Result<Option<Timestamp>, StoreError> {
        let tx = self.begin(permit).await?;
        let again = if taken {
            note_sent(&tx, ticket).await?;
            done(&tx, ticket).await?;
            None
        } else {
            failed(&tx, ticket).await?
        };
        tx.commit_unrecorded().await?;
        Ok(again)
    }

    /// Lets go of the account's mails: there is no mail server that would take them.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn drop_mails(
        &self,
        permit: &Permit<Write, JobNotifications>,
    ) -> Result<(), StoreError> {
        let tx = self.begin(permit).await?;
        Entity::delete_many()
            .filter(Column::AccountId.eq(tx.account().get()))
            .filter(Column::Word.is_in([
                Notification::WORD,
                OWNER,
                ModelNotifications::WORD,
                TOKEN,
            ]))
            .exec(tx.db())
            .await
            .map_err(StoreError::db)?;
        tx.commit_unrecorded().await
    }
}

/// A mail, with the address as it is now.
async fn mail(tx: &Tx, row: &Model) -> Result<OutgoingMail, StoreError> {
    let asked_by = row.kept_id;
    if row.word == TOKEN {
        let TokenMail { to, report } = from_text(&row.report)?;
        return Ok(OutgoingMail { asked_by, to, news: News::Token(report), nodes: Vec::new() });
    }
    if row.word == OWNER {
        let OwnerReport { to, run, nodes } = from_text(&row.report)?;
        return Ok(OutgoingMail { asked_by, to, news: News::Run(run), nodes });
    }
    let id = asker(row)?;
    let spec = kept::find::<Notification>(tx.db(), tx.account(), id).await?.spec;
    let to = match (spec.r#type, spec.external_email) {
        (NotificationType::External, Some(email)) => email,
        (NotificationType::External, None) => return Err(StoreError::NotFound),
        (NotificationType::User, _) => {
            let user = only(user::Entity::find_by_id(spec.user_id.get()), tx.db()).await?;
            Email::parse(&user.email).map_err(StoreError::corrupt)?
        }
    };
    let news = News::Run(from_text(&row.report)?);
    Ok(OutgoingMail { asked_by, to, news, nodes: Vec::new() })
}

/// What a message is sent for.
pub(crate) fn asker<N: Noun>(row: &Model) -> Result<Id<N>, StoreError> {
    let id = row.kept_id.ok_or_else(|| StoreError::corrupt("a message that nobody asks for"))?;
    Id::new(id).map_err(StoreError::corrupt)
}

/// Notes what those who listen are to be told of a run, in the transaction that makes it so.
pub(crate) async fn tell(tx: &mut Tx, run: &Run, stage: Stage) -> Result<(), StoreError> {
    let mut rows = mails(tx, run, stage).await?;
    rows.extend(model_notifications::wanted(tx, run, stage).await?);
    for webhook in kept::all::<Webhook>(tx.db(), tx.account()).await? {
        let wanted = stage.event_types().iter().filter(|kind| webhook.spec.wants(**kind, run.job));
        rows.extend(wanted.map(|kind| to_webhook(webhook.id, *kind)));
    }
    if rows.is_empty() {
        return Ok(());
    }
    let report = to_text(&report(tx, run, stage).await?)?;
    let rows = rows.into_iter().map(|row| ActiveModel { report: Set(report.clone()), ..row });
    put(tx, rows.collect()).await
}

/// An event for a webhook, as yet without what it tells.
pub(crate) fn to_webhook(webhook: Id<Webhook>, kind: EventType) -> ActiveModel {
    ActiveModel {
        word: Set(Webhook::WORD.to_owned()),
        kept_id: Set(Some(webhook.get())),
        event_key: Set(Some(EventKey::mint(&mut UnwrapErr(SysRng)).to_string())),
        event_type: Set(Some(kind.word().to_owned())),
        ..Default::default()
    }
}

/// Puts messages into the outbox; the messenger is woken once they are committed.
pub(crate) async fn put(tx: &mut Tx, rows: Vec<ActiveModel>) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    let (account, now) = (tx.account().get(), tx.now().micros());
    let rows = rows.into_iter().map(|row| ActiveModel {
        account_id: Set(account),
        tries: Set(0),
        due_at: Set(now),
        created_at: Set(now),
        ..row
    });
    Entity::insert_many(rows).exec(tx.db()).await.map_err(StoreError::db)?;
    tx.post();
    Ok(())
}

/// The mails that the end of a run asks for.
async fn mails(tx: &Tx, run: &Run, stage: Stage) -> Result<Vec<ActiveModel>, StoreError> {
    let Stage::Ended(outcome) = stage else { return Ok(Vec::new()) };
    let all = kept::all::<Notification>(tx.db(), tx.account()).await?;
    if all.is_empty() {
        return Ok(Vec::new());
    }
    let warned = usage::warnings(tx, run.id).await? > 0;
    let wanted = all.iter().filter(|one| one.spec.wants(run.job, outcome, warned));
    let row = |one: &Kept<Notification>| ActiveModel {
        word: Set(Notification::WORD.to_owned()),
        kept_id: Set(Some(one.id.get())),
        event_key: Set(None),
        event_type: Set(None),
        ..Default::default()
    };
    Ok(wanted.map(row).collect())
}

/// A run as it is now, with the names of what it belongs to, deleted ones too.
async fn report(tx: &Tx, run: &Run, stage: Stage) -> Result<RunReport, StoreError> {
    let db = tx.db();
    let project = only(project::Entity::find_by_id(run.project.get()), db).await?;
    let environment = only(environment::Entity::find_by_id(run.environment.get()), db).await?;
    let job = only(job::Entity::find_by_id(run.job.get()), db).await?;
    let row = only(run::Entity::find_by_id(run.id.get()), db).await?;
    Ok(RunReport {
        account: run.account,
        project: run.project,
        project_name: project.name,
        environment: run.environment,
        environment_name: environment.name,
        job: run.job,
        job_name: job.name,
        run: run.id,
        dbt_version: row.dbt_version,
        cause: run.trigger.cause.clone(),
        stage,
        warnings: usage::warnings(tx, run.id).await?,
        message: run.message.clone(),
        started_at: run.state.started_at(),
        at: tx.now(),
    })
}

/// The oldest message that is due of each that is not busy, claimed.
pub(crate) async fn claim(
    tx: &Tx,
    words: &[&str],
    busy: &[i64],
    room: u64,
) -> Result<Vec<Model>, StoreError> {
    let oldest = of_account::<Entity>(Column::AccountId, tx.account())
        .select_only()
        .expr(Expr::col(Column::Id).min())
        .filter(Column::Word.is_in(words.iter().copied()))
        .filter(Column::DueAt.lte(tx.now().micros()))
        .filter(Column::KeptId.is_not_in(busy.iter().copied()))
        .group_by(Column::KeptId);
    hold(tx, Entity::find().filter(Column::Id.in_subquery(oldest.into_query())), room).await
}

/// Mails about tokens that are due, claimed; who asks for them is nobody that could be slow.
async fn claim_of_tokens(tx: &Tx, room: u64) -> Result<Vec<Model>, StoreError> {
    let due = of_account::<Entity>(Column::AccountId, tx.account())
        .filter(Column::Word.eq(TOKEN))
        .filter(Column::DueAt.lte(tx.now().micros()));
    hold(tx, due, room).await
}

/// The oldest of these, to the claimant alone for a while.
async fn hold(tx: &Tx, due: Select<Entity>, room: u64) -> Result<Vec<Model>, StoreError> {
    let rows = due.order_by_asc(Column::Id).limit(room).all(tx.db()).await;
    let rows = rows.map_err(StoreError::db)?;
    let due_at = tx.now().plus_seconds(HOLD).micros();
    Entity::update_many()
        .col_expr(Column::DueAt, Expr::value(due_at))
        .filter(Column::Id.is_in(rows.iter().map(|row| row.id)))
        .exec(tx.db())
        .await
        .map_err(StoreError::db)?;
    Ok(rows.into_iter().map(|row| Model { due_at, ..row }).collect())
}

impl Model {
    pub(crate) fn ticket(&self) -> Result<Ticket, StoreError> {
        let failed = u32::try_from(self.tries).map_err(StoreError::corrupt)?;
        Ok(Ticket { id: self.id, due_at: self.due_at, failed })
    }
}

/// The run has been told of, if it was a run.
async fn note_sent(tx: &Tx, ticket: &Ticket) -> Result<(), StoreError> {
    let row = Entity::find_by_id(ticket.id).one(tx.db()).await.map_err(StoreError::db)?;
    // It is gone if what it was sent for was deleted meanwhile.
    let Some(row) = row.filter(|row| row.word != TOKEN) else { return Ok(()) };
    let report = if row.word == OWNER {
        from_text::<OwnerReport>(&row.report)?.run
    } else {
        from_text::<RunReport>(&row.report)?
    };
    run::Entity::update_many()
        .col_expr(run::Column::NotificationsSent, Expr::value(true))
        .filter(run::Column::Id.eq(report.run.get()))
        .exec(tx.db())
        .await
        .map_err(StoreError::db)?;
    Ok(())
}

/// The message has arrived: gives whether it was still there.
pub(crate) async fn done(tx: &Tx, ticket: &Ticket) -> Result<bool, StoreError> {
    let gone = Entity::delete_many()
        .filter(Column::Id.eq(ticket.id))
        .exec(tx.db())
        .await
        .map_err(StoreError::db)?;
    Ok(gone.rows_affected > 0)
}

/// The message has not arrived: gives when it is tried again, `None` if it is given up. One that
/// somebody else has claimed meanwhile is left to them.
async fn failed(tx: &Tx, ticket: &Ticket) -> Result<Option<Timestamp>, StoreError> {
    let tries = ticket.failed + 1;
    let Some(wait) = wait_after(tries) else {
        let gone = Entity::delete_many()
            .filter(Column::Id.eq(ticket.id))
            .filter(Column::DueAt.eq(ticket.due_at))
            .exec(tx.db())
            .await
            .map_err(StoreError::db)?;
        return Ok((gone.rows_affected == 0).then(|| tx.now()));
    };
    let again = tx.now().plus_seconds(wait);
    Entity::update_many()
        .col_expr(Column::Tries, Expr::value(i64::from(tries)))
        .col_expr(Column::DueAt, Expr::value(again.micros()))
        .filter(Column::Id.eq(ticket.id))
        .filter(Column::DueAt.eq(ticket.due_at))
        .exec(tx.db())
        .await
        .map_err(StoreError::db)?;
    Ok(Some(again))
}

/// Whatever waits to be sent for something that is deleted or switched off goes.
pub(crate) async fn forget(tx: &Tx, kept: i64) -> Result<(), StoreError> {
    Entity::delete_many()
        .filter(Column::KeptId.eq(kept))
        .exec(tx.db())
        .await
        .map_err(StoreError::db)?;
    Ok(())
}

/// A webhook that takes nothing sends no more until somebody says so.
async fn switch_off(tx: &mut Tx, webhook: Kept<Webhook>) -> Result<(), StoreError> {
    let spec = Webhook {
        active: false,
        deactivate_reason: Some(TAKES_NOTHING.to_owned()),
        ..webhook.spec.clone()
    };
    forget(tx, webhook.id.get()).await?;
    kept::change(tx, webhook, spec, None).await.map(drop)
}

/// The accounts that have something to send now.
pub(crate) fn due_accounts(now: Timestamp) -> SelectStatement {
    Entity::find()
        .select_only()
        .column(Column::AccountId)
        .filter(Column::DueAt.lte(now.micros()))
        .into_query()
}
