//! The end of a token: the question, and the deed.

use askama::Template;
use axum::extract::State;
use domain::{
    ServiceTokenId,
    authz::{Permit, Read, ServiceTokens, Write},
    token_use::Days,
};

use super::{
    door::Visitor,
    form::Form,
    icons,
    page::{Page, Shell},
    token_view::{SenderView, TokenView, curl, maker, project_names},
};
use crate::{app::App, error::ApiError, extract::At};

/// How many senders are named.
const NAMED: usize = 5;

#[derive(Template)]
#[template(path = "delete_token.html")]
struct Delete<'a> {
    shell: Shell<'a>,
    token: TokenView,
    /// Who used it in the last 90 days, the last first.
    senders: Vec<SenderView>,
    /// How many more there were.
    others: usize,
    typed: &'a str,
    error: Option<&'static str>,
}

/// `GET /console/service-tokens/{service_token_id}/delete`: the question.
pub(super) async fn ask(
    permit: Permit<Write, ServiceTokens>,
    State(app): State<App>,
    visitor: Visitor,
    At(id): At<ServiceTokenId>,
) -> Result<Page, ApiError> {
    Page::of(&question(&app, &permit, &visitor, id, "").await?)
}

/// `POST /console/service-tokens/{service_token_id}/delete`: the token authorises no request after
/// this answer.
pub(super) async fn delete(
    permit: Permit<Write, ServiceTokens>,
    State(app): State<App>,
    visitor: Visitor,
    At(id): At<ServiceTokenId>,
    Form(form): Form,
) -> Result<Page, ApiError> {
    let typed = form.first("confirm");
    let mut question = question(&app, &permit, &visitor, id, typed).await?;
    if typed.trim() != question.token.name.trim() {
        question.error = Some("This is not the token's name. Nothing was deleted.");
        return Page::refused(&ApiError::field("confirm", "is not its name"), &question);
    }
    app.store.revoke_service_token(&permit, id).await?;
    Ok(Page::to("/console/service-tokens?deleted=1"))
}

async fn question<'a>(
    app: &App,
    permit: &Permit<Write, ServiceTokens>,
    visitor: &'a Visitor,
    id: ServiceTokenId,
    typed: &'a str,
) -> Result<Delete<'a>, ApiError> {
    let permit: Permit<Read, ServiceTokens> = permit.also()?;
    let (token, uses) = app.store.token_uses(&permit, id, Days::USUAL).await?;
    let names = project_names(app, &permit).await?;
    let maker = maker(app, &permit, id).await?;
    let path = format!("/api/v3/accounts/{}/service-tokens/{id}/", permit.account());
    let curl = curl(app, &path).replacen("curl ", "curl -X DELETE ", 1);
    let now = app.store.clock().now();
    let token = TokenView::new(&token, &names, maker.as_ref(), now);
    let senders = uses.senders.iter().take(NAMED).map(|sender| SenderView::new(sender, now));
    let (senders, others) = (senders.collect(), uses.senders.len().saturating_sub(NAMED));
    let shell = Shell { visitor, here: "service-tokens", curl };
    Ok(Delete { shell, token, senders, others, typed, error: None })
}
