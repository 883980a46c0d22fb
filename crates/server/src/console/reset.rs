//! A lost password: a link by mail, good once and for an hour.

use askama::Template;
use axum::extract::State;
use domain::{authz::Origin, secret::TokenKind, user::Email};
use std::net::IpAddr;

use super::{
    form::Form,
    icons,
    page::{Gate, Page},
    throttle::Throttle,
};
use crate::{
    app::{App, mint},
    client_address::place,
    error::ApiError,
    extract::FromWhere,
    mail::Mailer,
};

/// Who asked for links lately.
pub(crate) struct Resets {
    networks: Throttle<Option<IpAddr>>,
    addresses: Throttle<Email>,
}

impl Default for Resets {
    /// 20 an hour from a network, 3 an hour to an address.
    fn default() -> Self {
        Self { networks: Throttle::new(20, 3_600), addresses: Throttle::new(3, 3_600) }
    }
}

#[derive(Template)]
#[template(path = "reset.html")]
struct Reset<'a> {
    gate: Gate,
    /// Whether the server sends mail at all.
    mails: bool,
    email: &'a str,
    sent: bool,
    error: Option<String>,
}

/// `GET /console/reset`
pub(crate) async fn show(State(app): State<App>, gate: Gate) -> Result<Page, ApiError> {
    let mails = app.mailer.is_some();
    Page::of(&Reset { gate, mails, email: "", sent: false, error: None })
}

/// `POST /console/reset`
///
/// One and the same answer, and as fast, whether or not anybody has the address: the mail is sent
/// after it.
pub(crate) async fn send(
    State(app): State<App>,
    FromWhere(origin): FromWhere,
    gate: Gate,
    Form(form): Form,
) -> Result<Page, ApiError> {
    let typed = form.first("email");
    let mut page = Reset { gate, mails: true, email: typed, sent: false, error: None };
    let Some(mailer) = app.mailer.clone() else {
        page.mails = false;
        return Page::refused(&ApiError::field("email", "no mail is sent"), &page);
    };
    let Ok(email) = Email::parse(typed.trim()) else {
        page.error = Some("Type an address such as ada@example.com.".to_owned());
        return Page::refused(&ApiError::field("email", "is no address"), &page);
    };
    let now = app.store.clock().now();
    if let Err(wait) = app.console.resets.networks.admit(origin.address.map(place), now) {
        page.error = Some(format!("Too many links were asked for. Try again in {wait} seconds."));
        return Page::refused(&ApiError::TooManyAttempts(wait), &page);
    }
    // Who asks is not told that an address was asked for too often: it may be another's.
    if app.console.resets.addresses.admit(email.clone(), now).is_ok() {
        tokio::spawn(async move { send_links(&app, &mailer, &email, &origin).await });
    }
    page.sent = true;
    Page::of(&page)
}

/// Sends a link for each account in which somebody with this address has a password.
async fn send_links(app: &App, mailer: &Mailer, email: &Email, origin: &Origin) {
    let candidates = match app.store.sign_in_candidates(email).await {
        Ok(candidates) => candidates,
        Err(error) => return tracing::error!(?error, "a lost password could not be looked up"),
    };
    for candidate in candidates {
        let secret = mint(TokenKind::Invitation);
        let made = app.store.create_reset_link(&candidate, &secret, origin.clone()).await;
        let (account, end) = match made {
            Ok(made) => made,
            Err(error) => return tracing::error!(?error, "a link could not be made"),
        };
        let link = format!("{}/console/welcome?reset=1#{}", app.public_url, secret.reveal());
        if let Err(error) = mailer.reset(email, &account, &link, end).await {
            tracing::error!(%error, "the mail about a lost password was not sent");
        }
    }
}
