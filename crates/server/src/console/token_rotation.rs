//! Another secret for a token, and the way back while the old one still works.

use askama::Template;
use axum::extract::State;
use domain::{
    ServiceTokenId,
    authz::{Permit, Read, ServiceTokens, Write},
    secret::TokenKind,
    service_token::{ServiceToken, TokenState},
    token_rotation::Rotation,
};

use super::{
    door::Visitor,
    form::{Fields, Form},
    fresh::{administer, prove_fresh},
    icons,
    page::{Page, Shell, When},
    token::told,
    token_view::{ProjectNames, TokenView, curl},
};
use crate::{
    app::{App, mint},
    error::ApiError,
    extract::At,
};

/// How long both secrets can work: minutes, and how that is called.
const OVERLAPS: [(u32, &str); 6] = [
    (0, "Not at all: the old secret leaked"),
    (60, "1 hour"),
    (24 * 60, "1 day"),
    (3 * 24 * 60, "3 days"),
    (7 * 24 * 60, "7 days"),
    (30 * 24 * 60, "30 days"),
];

/// How long the old secret can work after the new one's first use.
const AFTER_FIRST_USE: [(u32, &str); 4] = [
    (15, "15 minutes after the new one's first use"),
    (60, "1 hour after the new one's first use"),
    (12 * 60, "12 hours after the new one's first use"),
    (24 * 60, "1 day after the new one's first use"),
];

#[derive(Template)]
#[template(path = "rotate_token.html")]
struct Rotate<'a> {
    shell: Shell<'a>,
    token: TokenView,
    /// Whether there is an old secret that something may still send.
    has_secret: bool,
    overlaps: Vec<Overlap>,
    /// What can end the old secret earlier: minutes, how it is called, whether it is chosen.
    earlier: Vec<(u32, &'static str, bool)>,
    error: Option<String>,
    again: Option<String>,
}

/// A choice of how long both secrets work.
struct Overlap {
    minutes: u32,
    label: &'static str,
    chosen: bool,
}

/// `GET /console/service-tokens/{service_token_id}/rotate`
pub(super) async fn ask(
    permit: Permit<Write, ServiceTokens>,
    State(app): State<App>,
    visitor: Visitor,
    At(id): At<ServiceTokenId>,
) -> Result<Page, ApiError> {
    let (_, page) = form(&app, &permit, &visitor, id, &Fields::default()).await?;
    Page::of(&page)
}

/// `POST /console/service-tokens/{service_token_id}/rotate`: a second secret, which is shown once.
pub(super) async fn rotate(
    permit: Permit<Write, ServiceTokens>,
    State(app): State<App>,
    visitor: Visitor,
    At(id): At<ServiceTokenId>,
    Form(typed): Form,
) -> Result<Page, ApiError> {
    let (token, mut page) = form(&app, &permit, &visitor, id, &typed).await?;
    let Some(how) = read(&typed) else {
        return Err(ApiError::field("overlap", "must be one of those that are offered"));
    };
    if administer(&token.granted()) {
        page.again = prove_fresh(&app, &permit.also()?, &visitor, &typed).await?;
        if page.again.is_some() {
            return Page::refused(&ApiError::field("password", "is asked for"), &page);
        }
    }
    let secret = mint(TokenKind::Service);
    match app.store.rotate_service_token(&permit, id, how, secret, None).await {
        Ok(rotated) => {
            let (made_by, now) = (permit.principal().credential(), app.store.clock().now());
            app.console.shown_once.keep(id, rotated.secret, made_by, now);
            Ok(Page::to(&format!("/console/service-tokens/{id}/secret")))
        }
        Err(error) => {
            let (message, error) = told(error)?;
            page.error = Some(message);
            Page::refused(&error, &page)
        }
    }
}

/// How the secret is replaced; `None` if the form says something that it does not offer.
fn read(typed: &Fields) -> Option<Rotation> {
    let minutes = |text: &str, known: &[(u32, &str)]| {
        let minutes = text.parse().ok()?;
        known.iter().any(|(offered, _)| *offered == minutes).then_some(minutes)
    };
    let overlap = typed.first("overlap");
    let overlap = if overlap.is_empty() { None } else { Some(minutes(overlap, &OVERLAPS)?) };
    let after = typed.first("after");
    let after = if after.is_empty() { None } else { Some(minutes(after, &AFTER_FIRST_USE)?) };
    Some(Rotation { overlap_minutes: overlap, minutes_after_first_use: after })
}

async fn form<'a>(
    app: &App,
    permit: &Permit<Write, ServiceTokens>,
    visitor: &'a Visitor,
    id: ServiceTokenId,
    typed: &Fields,
) -> Result<(ServiceToken, Rotate<'a>), ApiError> {
    let reading: Permit<Read, ServiceTokens> = permit.also()?;
    let token = app.store.service_token(&reading, id).await?;
    let policy = app.store.token_policy(&reading).await?;
    let chosen = typed.first("overlap").parse().unwrap_or(24 * 60);
    let most = policy.longest_overlap_minutes;
    let offered = OVERLAPS.into_iter().filter(|(minutes, _)| *minutes <= most);
    let mut overlaps: Vec<_> = offered
        .map(|(minutes, label)| Overlap { minutes, label, chosen: minutes == chosen })
        .collect();
    if let (false, Some(longest)) =
        (overlaps.iter().any(|overlap| overlap.chosen), overlaps.last_mut())
    {
        longest.chosen = true;
    }
    let path = format!("/api/v3/accounts/{}/service-tokens/{id}/rotate/", permit.account());
    let curl = curl(app, &path).replacen("curl ", "curl --json '{}' ", 1);
    let page = Rotate {
        shell: Shell { visitor, here: "service-tokens", curl },
        has_secret: token.state != TokenState::Imported,
        overlaps,
        earlier: AFTER_FIRST_USE
            .into_iter()
            .map(|(minutes, label)| (minutes, label, typed.first("after") == minutes.to_string()))
            .collect(),
        token: TokenView::new(&token, &ProjectNames::new(), None, app.store.clock().now()),
        error: None,
        again: None,
    };
    Ok((token, page))
}

#[derive(Template)]
#[template(path = "cancel_rotation.html")]
struct Cancel<'a> {
    shell: Shell<'a>,
    token: TokenView,
    /// When the new secret was used last.
    new_used: Option<When>,
    error: Option<String>,
}

/// `GET /console/service-tokens/{service_token_id}/rotate/cancel`: the question.
pub(super) async fn ask_to_cancel(
    permit: Permit<Write, ServiceTokens>,
    State(app): State<App>,
    visitor: Visitor,
    At(id): At<ServiceTokenId>,
) -> Result<Page, ApiError> {
    Page::of(&question(&app, &permit, &visitor, id).await?)
}

/// `POST /console/service-tokens/{service_token_id}/rotate/cancel`: the old secret lives on, the
/// new one opens nothing any more.
pub(super) async fn cancel(
    permit: Permit<Write, ServiceTokens>,
    State(app): State<App>,
    visitor: Visitor,
    At(id): At<ServiceTokenId>,
) -> Result<Page, ApiError> {
    match app.store.cancel_rotation(&permit, id).await {
        Ok(_) => Ok(Page::to(&format!("/console/service-tokens/{id}?cancelled=1"))),
        Err(error) => {
            let mut page = question(&app, &permit, &visitor, id).await?;
            let (message, error) = told(error)?;
            page.error = Some(message);
            Page::refused(&error, &page)
        }
    }
}

async fn question<'a>(
    app: &App,
    permit: &Permit<Write, ServiceTokens>,
    visitor: &'a Visitor,
    id: ServiceTokenId,
) -> Result<Cancel<'a>, ApiError> {
    let now = app.store.clock().now();
    let token = app.store.service_token(&permit.also()?, id).await?;
    let last = token.newest().and_then(|newest| newest.last_use.as_ref());
    let path = format!("/api/v3/accounts/{}/service-tokens/{id}/rotate/cancel/", permit.account());
    let curl = curl(app, &path).replacen("curl ", "curl -X POST ", 1);
    Ok(Cancel {
        shell: Shell { visitor, here: "service-tokens", curl },
        new_used: last.map(|last| When::new(last.at, now)),
        token: TokenView::new(&token, &ProjectNames::new(), None, now),
        error: None,
    })
}
