//! Signing in, the second step: a code of the app, after the password or a link.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use askama::Template;
use axum::{extract::State, http::header};
use domain::{
    Timestamp,
    authz::{Caller, Origin, OwnTokens, Permit, Write, authorize},
    session::SessionSecret,
    user::Email,
};
use rand::{rand_core::UnwrapErr, rngs::SysRng};
use store::Proven;

use super::{
    door::{MaybeVisitor, cookie, way_in},
    form::Form,
    icons,
    page::{Gate, Page},
};
use crate::{app::App, error::ApiError, extract::FromWhere};

/// How long somebody has for the second step: 5 minutes.
const LASTS_SECONDS: i64 = 300;
/// How many codes may be tried before the first step is asked for again.
const MOST_TRIES: u32 = 5;
/// How many can be half way at once.
const MOST: usize = 10_000;

/// Who has done the first step, in memory, by the ticket in their form.
#[derive(Default)]
pub(crate) struct HalfWay(Mutex<HashMap<String, Waiting>>);

struct Waiting {
    proven: Proven,
    email: Email,
    since: Timestamp,
    tries: u32,
}

impl HalfWay {
    fn keep(&self, ticket: &str, waiting: Waiting, now: Timestamp) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MOST {
            all.retain(|_, other| now.seconds_since(other.since) < LASTS_SECONDS);
        }
        if all.len() < MOST {
            all.insert(ticket.to_owned(), waiting);
        }
    }

    fn take(&self, ticket: &str, now: Timestamp) -> Option<Waiting> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let in_time = |found: &Waiting| now.seconds_since(found.since) < LASTS_SECONDS;
        all.remove(ticket).filter(in_time)
    }
}

#[derive(Template)]
#[template(path = "second_step.html")]
struct SecondStep<'a> {
    gate: Gate,
    ticket: &'a str,
    next: &'a str,
    error: Option<String>,
}

/// Lets somebody in who proved who they are, or asks for the second factor that they have.
pub(super) async fn let_in(
    app: &App,
    (proven, email): (Proven, Email),
    before: Option<&Arc<Caller>>,
    next: &str,
    origin: Origin,
    gate: Gate,
) -> Result<Page, ApiError> {
    if !app.store.wants_second_factor(&proven).await? {
        app.console.attempts.succeeded(&email);
        return open(app, proven, before, next, origin).await;
    }
    let ticket = SessionSecret::mint(&mut UnwrapErr(SysRng));
    let now = app.store.clock().now();
    let waiting = Waiting { proven, email, since: now, tries: 0 };
    app.console.half_way.keep(ticket.reveal(), waiting, now);
    Page::of(&SecondStep { gate, ticket: ticket.reveal(), next, error: None })
}

/// `POST /console/sign-in/code`
pub(crate) async fn enter(
    State(app): State<App>,
    FromWhere(origin): FromWhere,
    MaybeVisitor(_, before): MaybeVisitor,
    gate: Gate,
    Form(form): Form,
) -> Result<Page, ApiError> {
    let (ticket, next, now) = (form.first("ticket"), form.first("next"), app.store.clock().now());
    let Some(waiting) = app.console.half_way.take(ticket, now) else {
        return Ok(Page::to("/console/sign-in?slow=1"));
    };
    let Waiting { proven, email, since, tries } = waiting;
    let attempts = &app.console.attempts;
    let wait = attempts.wait(origin.address, &email, now);
    let (proven, wait, tries) = if wait > 0 {
        (proven, wait, tries)
    } else {
        match app.store.prove_second_factor(proven, form.first("code"), origin.clone()).await? {
            Ok(proven) => {
                attempts.succeeded(&email);
                return open(&app, proven, before.as_ref(), next, origin).await;
            }
            Err(proven) => {
                tracing::warn!(address = ?origin.address, "a second factor was wrong");
                (proven, attempts.failed(origin.address, &email, now), tries + 1)
            }
        }
    };
    if tries >= MOST_TRIES {
        return Ok(Page::to("/console/sign-in?slow=1"));
    }
    app.console.half_way.keep(ticket, Waiting { proven, email, since, tries }, now);
    let (error, told) = if wait > 0 {
        (
            ApiError::TooManyAttempts(wait),
            format!("This is not a code. Try again in {wait} seconds."),
        )
    } else {
        (ApiError::field("code", "wrong"), "This is not a code, or it was used already.".to_owned())
    };
    Page::refused(&error, &SecondStep { gate, ticket, next, error: Some(told) })
}

/// Opens a session, in place of the one that the browser had.
async fn open(
    app: &App,
    proven: Proven,
    before: Option<&Arc<Caller>>,
    next: &str,
    origin: Origin,
) -> Result<Page, ApiError> {
    if let Some(before) = before {
        let permit: Permit<Write, OwnTokens> = authorize(before, before.principal().account())?;
        app.store.close_session(&permit).await?;
    }
    let secret = SessionSecret::mint(&mut UnwrapErr(SysRng));
    app.store.open_session(proven, &secret, origin).await?;
    Ok(Page::to(way_in(next)).with(header::SET_COOKIE, cookie(app, &secret)))
}
