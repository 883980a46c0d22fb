//! A token's name and its end, edited; its secret stays.

use askama::Template;
use axum::extract::State;
use domain::{
    Name, ServiceTokenId, Timestamp,
    authz::{Grant, Permit, ServiceTokens, Write},
    service_token::ServiceToken,
    token_policy::{End, TokenPolicy},
};
use store::{StoreError, TokenChange};

use super::{
    door::Visitor,
    form::Form,
    fresh::prove_fresh,
    icons,
    page::{Page, Shell, When},
    picker::sentence,
    token::told,
    token_view::curl,
};
use crate::{app::App, error::ApiError, extract::At};

#[derive(Template)]
#[template(path = "token_edit.html")]
struct Edit<'a> {
    shell: Shell<'a>,
    id: ServiceTokenId,
    /// What it is called now.
    called: String,
    name: String,
    name_error: Option<String>,
    /// Whether it has a secret, whose end can be set.
    has_secret: bool,
    ends: Option<When>,
    never: bool,
    date: String,
    date_error: Option<String>,
    /// What the account's policy allows.
    policy: String,
    error: Option<String>,
    again: Option<String>,
}

/// `GET /console/service-tokens/{service_token_id}/edit`
pub(super) async fn show(
    permit: Permit<Write, ServiceTokens>,
    State(app): State<App>,
    visitor: Visitor,
    At(id): At<ServiceTokenId>,
) -> Result<Page, ApiError> {
    let (_, page) = form(&app, &permit, &visitor, id).await?;
    Page::of(&page)
}

/// `POST /console/service-tokens/{service_token_id}/edit`: another name, another end.
pub(super) async fn change(
    permit: Permit<Write, ServiceTokens>,
    State(app): State<App>,
    visitor: Visitor,
    At(id): At<ServiceTokenId>,
    Form(typed): Form,
) -> Result<Page, ApiError> {
    let (token, mut page) = form(&app, &permit, &visitor, id).await?;
    typed.first("name").clone_into(&mut page.name);
    typed.first("date").clone_into(&mut page.date);
    page.never = typed.first("ends") != "on";
    let Some(change) = read(&token, &mut page) else {
        return Page::refused(&ApiError::field("name", "or the end cannot be"), &page);
    };
    if change.end.is_some_and(|end| is_longer(token.end(), end)) {
        page.again = prove_fresh(&app, &permit.also()?, &visitor, &typed).await?;
        if page.again.is_some() {
            return Page::refused(&ApiError::field("password", "is asked for"), &page);
        }
    }
    match app.store.update_service_token(&permit, id, change).await {
        Ok(_) => Ok(Page::to(&format!("/console/service-tokens/{id}?changed=1"))),
        Err(StoreError::Invalid { field: "expires_at", message }) => {
            page.date_error = Some(sentence(&format!("it {message}")));
            Page::refused(&ApiError::field("date", "cannot be"), &page)
        }
        Err(error) => {
            let (message, error) = told(error)?;
            page.error = Some(message);
            Page::refused(&error, &page)
        }
    }
}

/// What is wanted, if it can be; otherwise the form says what cannot. An end that stays the same
/// day stays as it is.
fn read(token: &ServiceToken, page: &mut Edit<'_>) -> Option<TokenChange> {
    let name = match Name::parse(page.name.trim()) {
        Ok(name) => Some(name),
        Err(error) => {
            page.name_error = Some(sentence(&format!("it {error}")));
            None
        }
    };
    let end = if !page.has_secret {
        Some(None)
    } else if page.never {
        Some(Some(End::Never))
    } else if token.expires_at().is_some_and(|end| date(end) == page.date) {
        Some(Some(token.end()))
    } else {
        end_of(&page.date).map(|end| Some(End::At(end)))
    };
    if end.is_none() {
        page.date_error = Some("Choose a day.".to_owned());
    }
    Some(TokenChange { name: Some(name?), end: end?, ..TokenChange::default() })
}

fn is_longer(before: End, after: End) -> bool {
    match (before, after) {
        (End::Never, _) => false,
        (End::At(_), End::Never) => true,
        (End::At(before), End::At(after)) => before < after,
    }
}

/// The end that a day in a form is: where it begins (UTC).
pub(super) fn end_of(date: &str) -> Option<Timestamp> {
    Timestamp::parse(&format!("{}T00:00:00Z", date.trim())).ok()
}

/// A day as a form has it: `2026-11-24`.
fn date(time: Timestamp) -> String {
    time.as_datetime().format("%Y-%m-%d").to_string()
}

/// What an account's policy asks of a token with these grants, as a sentence.
pub(super) fn asked_of(policy: &TokenPolicy, grants: &[Grant]) -> String {
    let sets = grants.iter().map(Grant::permission_set);
    let asked = sets.filter_map(|set| Some((policy.longest_life_days.get(&set)?, set)));
    match (asked.min(), policy.default_life_days) {
        (Some((days, set)), _) => {
            format!("In this account a secret with {} works {days} days at most.", set.row().label)
        }
        (None, Some(days)) => format!("In this account a secret works {days} days by default."),
        (None, None) => "In this account a secret may work without an end.".to_owned(),
    }
}

async fn form<'a>(
    app: &App,
    permit: &Permit<Write, ServiceTokens>,
    visitor: &'a Visitor,
    id: ServiceTokenId,
) -> Result<(ServiceToken, Edit<'a>), ApiError> {
    let now = app.store.clock().now();
    let token = app.store.service_token(&permit.also()?, id).await?;
    let policy = app.store.token_policy(&permit.also()?).await?;
    let path = format!("/api/v3/accounts/{}/service-tokens/{id}/", permit.account());
    let curl = curl(app, &path).replacen("curl ", "curl --json @token.json ", 1);
    let name = token.name.as_str().to_owned();
    let page = Edit {
        shell: Shell { visitor, here: "service-tokens", curl },
        id,
        called: name.clone(),
        name,
        name_error: None,
        has_secret: token.newest().is_some(),
        ends: token.expires_at().map(|end| When::new(end, now)),
        never: token.expires_at().is_none(),
        date: token.expires_at().map(date).unwrap_or_default(),
        date_error: None,
        policy: asked_of(&policy, &token.granted()),
        error: None,
        again: None,
    };
    Ok((token, page))
}
