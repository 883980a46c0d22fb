//! Signing in: address and password.

use std::sync::LazyLock;

use askama::Template;
use axum::extract::State;
use domain::{
    authz::{Origin, OwnTokens, Permit, Read},
    password::{Password, PasswordHash},
    session::SessionSecret,
    user::Email,
};
use rand::{rand_core::UnwrapErr, rngs::SysRng};
use store::{Candidate, Proven};

use super::{
    door::{MaybeVisitor, Visitor, way_in},
    form::{Asked, Form},
    icons,
    page::{Gate, Page},
    second_step::let_in,
};
use crate::{app::App, error::ApiError, extract::FromWhere};

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignIn<'a> {
    gate: Gate,
    notice: Option<&'static str>,
    email: &'a str,
    next: &'a str,
    error: Option<String>,
}

/// `GET /console/sign-in`
pub(crate) async fn show(
    MaybeVisitor(visitor, _): MaybeVisitor,
    gate: Gate,
    Asked(asked): Asked,
) -> Result<Page, ApiError> {
    if visitor.is_some() {
        return Ok(Page::to(way_in(asked.first("next"))));
    }
    let notice = if asked.has("ended") {
        Some("Your session ended")
    } else if asked.has("out") {
        Some("You are signed out")
    } else if asked.has("slow") {
        Some("The second step was not done in time")
    } else {
        None
    };
    let next = asked.first("next");
    Page::of(&SignIn { gate, notice, email: "", next, error: None })
}

/// `POST /console/sign-in`
///
/// One and the same answer to an address that nobody has and to a wrong password.
pub(crate) async fn enter(
    State(app): State<App>,
    FromWhere(origin): FromWhere,
    MaybeVisitor(_, before): MaybeVisitor,
    gate: Gate,
    Form(form): Form,
) -> Result<Page, ApiError> {
    let (typed, next) = (form.first("email"), form.first("next"));
    let email = Email::parse(typed.trim());
    let tried = match &email {
        Ok(email) => attempt(&app, email, form.first("password"), &origin).await,
        Err(_) => Err(Refused::Wrong(0)),
    };
    let proven = match tried {
        Ok(proven) => (proven, email.map_err(|_| ApiError::Internal)?),
        Err(Refused::Failed(error)) => return Err(error),
        Err(refused) => {
            let (error, message) = refused.told();
            let page = SignIn { gate, notice: None, email: typed, next, error: message };
            return Page::refused(&error, &page);
        }
    };
    let_in(&app, proven, before.as_ref(), next, origin, gate).await
}

/// Why nobody was let in.
enum Refused {
    /// Address or password is wrong; how long to wait now.
    Wrong(i64),
    /// Not asked at all: there were too many failures. How long to wait.
    Later(i64),
    /// It could not be found out.
    Failed(ApiError),
}

impl Refused {
    fn told(self) -> (ApiError, Option<String>) {
        match self {
            Self::Wrong(0) => (
                ApiError::field("password", "wrong"),
                Some("E-mail or password is wrong.".to_owned()),
            ),
            Self::Wrong(wait) => (
                ApiError::TooManyAttempts(wait),
                Some(format!("E-mail or password is wrong. Try again in {wait} seconds.")),
            ),
            Self::Later(wait) => (
                ApiError::TooManyAttempts(wait),
                Some(format!("Too many attempts. Try again in {wait} seconds.")),
            ),
            Self::Failed(error) => (error, None),
        }
    }
}

/// Tries a password, unless there were too many failures.
async fn attempt(
    app: &App,
    email: &Email,
    password: &str,
    origin: &Origin,
) -> Result<Proven, Refused> {
    let (attempts, now) = (&app.console.attempts, app.store.clock().now());
    let wait = attempts.wait(origin.address, email, now);
    if wait > 0 {
        return Err(Refused::Later(wait));
    }
    let candidates = app.store.sign_in_candidates(email).await;
    let candidates = candidates.map_err(|error| Refused::Failed(error.into()))?;
    let proven = prove(app, candidates, password).await.map_err(Refused::Failed)?;
    if let Some(proven) = proven {
        Ok(proven)
    } else {
        tracing::warn!(address = ?origin.address, "a sign-in failed");
        Err(Refused::Wrong(attempts.failed(origin.address, email, now)))
    }
}

/// Whose password it is, if it is anybody's. It takes as long where nobody could be.
async fn prove(
    app: &App,
    candidates: Vec<Candidate>,
    password: &str,
) -> Result<Option<Proven>, ApiError> {
    let Some(password) = Password::presented(password) else { return Ok(None) };
    let _turn = app.console.attempts.turn().await?;
    let proving = tokio::task::spawn_blocking(move || {
        if candidates.is_empty() {
            let _ = NOBODYS.is_of(&password);
        }
        candidates.iter().find_map(|candidate| candidate.prove(&password))
    });
    proving.await.map_err(|_| ApiError::Internal)
}

/// Asks somebody who is in for their password once more: their proof, or what to tell them.
pub(super) async fn prove_again(
    app: &App,
    permit: &Permit<Read, OwnTokens>,
    visitor: &Visitor,
    password: &str,
) -> Result<Result<Proven, String>, ApiError> {
    let (attempts, now) = (&app.console.attempts, app.store.clock().now());
    let email = Email::parse(&visitor.session().email).map_err(|_| ApiError::Internal)?;
    let address = permit.origin().address;
    let wait = attempts.wait(address, &email, now);
    if wait > 0 {
        return Ok(Err(format!("was wrong too often: try again in {wait} seconds")));
    }
    let own = app.store.own_candidate(permit).await?;
    let proven = prove(app, own.into_iter().collect(), password).await?;
    Ok(proven.ok_or_else(|| {
        attempts.failed(address, &email, now);
        "is not your password".to_owned()
    }))
}

/// Hashes a new password.
pub(super) async fn hash(app: &App, password: Password) -> Result<PasswordHash, ApiError> {
    let _turn = app.console.attempts.turn().await?;
    let hashing = tokio::task::spawn_blocking(move || PasswordHash::of(&password, &salt()));
    hashing.await.map_err(|_| ApiError::Internal)
}

/// What a password is held against where nobody has the address.
static NOBODYS: LazyLock<PasswordHash> = LazyLock::new(|| {
    let password = SessionSecret::mint(&mut UnwrapErr(SysRng));
    let password = Password::presented(password.reveal()).expect("it is short enough");
    PasswordHash::of(&password, &salt())
});

fn salt() -> [u8; PasswordHash::SALT_LEN] {
    let mut salt = [0; PasswordHash::SALT_LEN];
    rand::rand_core::Rng::fill_bytes(&mut UnwrapErr(SysRng), &mut salt);
    salt
}
