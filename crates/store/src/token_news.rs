//! What is told of tokens outside: written into the outbox by whatever makes it so.

use domain::{
    UserId,
    authz::{Action, License, ServiceTokens, Write},
    kept::Id,
    service_token::ServiceToken,
    token_report::{TokenMail, TokenNews, TokenReport},
    user::Email,
    webhook::Webhook,
};
use sea_orm::{ActiveValue::Set, QueryOrder as _};

use crate::{
    StoreError,
    entities::{membership, outbox::ActiveModel, user},
    kept, memberships,
    outbox::{put, to_webhook},
    rows::to_text,
    tx::Tx,
};

/// What rows of the outbox are called that are mails about tokens.
pub(crate) const TOKEN: &str = "token";
/// The most people who are written to of one token.
const MOST_RECIPIENTS: usize = 100;

/// Tells of a service token.
pub(crate) async fn tell(
    tx: &mut Tx,
    token: &ServiceToken,
    news: TokenNews,
) -> Result<(), StoreError> {
    let report = TokenReport {
        account: tx.account(),
        user: None,
        id: token.id.get(),
        uid: token.uid.clone(),
        name: token.name.to_string(),
        news,
        actor: tx.actor().to_owned(),
        at: tx.now(),
    };
    send(tx, &report).await
}

/// Puts what is told into the outbox: for each webhook that wants it, and for people if it is
/// urgent.
pub(crate) async fn send(tx: &mut Tx, report: &TokenReport) -> Result<(), StoreError> {
    let mut rows = Vec::new();
    if let Some(kind) = report.event_type() {
        let text = to_text(report)?;
        let wanted = kept::all::<Webhook>(tx.db(), tx.account()).await?;
        let wanted = wanted.iter().filter(|webhook| webhook.spec.wants_of_tokens(kind));
        let row =
            |id: Id<Webhook>| ActiveModel { report: Set(text.clone()), ..to_webhook(id, kind) };
        rows.extend(wanted.map(|webhook| row(webhook.id)));
    }
    if report.news.is_urgent() {
        for to in recipients(tx, report).await? {
            let mail = TokenMail { to, report: report.clone() };
            rows.push(ActiveModel {
                word: Set(TOKEN.to_owned()),
                kept_id: Set(None),
                event_key: Set(None),
                event_type: Set(None),
                report: Set(to_text(&mail)?),
                ..Default::default()
            });
        }
    }
    put(tx, rows).await
}

/// Who is written to of a token: the users of the account who may change its service tokens, those
/// who came first, and of a personal token its user.
async fn recipients(tx: &Tx, report: &TokenReport) -> Result<Vec<Email>, StoreError> {
    let Some(terms) = tx.account_terms().await? else { return Ok(Vec::new()) };
    let members: Vec<(membership::Model, Option<user::Model>)> = memberships::of(tx.account())
        .find_also_related(user::Entity)
        .order_by_asc(membership::Column::UserId)
        .all(tx.db())
        .await
        .map_err(StoreError::db)?;
    let mut grants = memberships::grants_of_all(tx.db(), tx.account()).await?;
    let minting = Action::of::<Write, ServiceTokens>();
    let mut to = Vec::new();
    for (membership, user) in members {
        let id = UserId::new(membership.user_id).map_err(StoreError::corrupt)?;
        let license: License = membership.license.parse().map_err(StoreError::corrupt)?;
        let held = grants.remove(&membership.user_id).unwrap_or_default();
        let is_meant = Some(id) == report.user
            || memberships::principal(id, &terms, license, &held).holds(minting);
        if let Some(user) = user.filter(|_| is_meant && to.len() < MOST_RECIPIENTS) {
            to.push(Email::parse(&user.email).map_err(StoreError::corrupt)?);
        }
    }
    Ok(to)
}
