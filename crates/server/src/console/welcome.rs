//! Coming in by a link: an invitation, or the first sign-in link of an account's admin.
//!
//! The link's secret stands behind its `#`, which no browser sends: the page's script puts it into
//! the form, and without script a person does.

use askama::Template;
use axum::extract::State;
use domain::{
    password::Password,
    secret::{TokenKind, TokenSecret},
    user::Email,
};
use store::{NamesChange, StoreError};

use super::{
    form::{Asked, Fields, Form},
    icons,
    page::{Gate, Page},
    second_step::let_in,
    sign_in::hash,
};
use crate::{app::App, error::ApiError, extract::FromWhere};

/// The most characters of a name.
const LONGEST_NAME: usize = 255;

#[derive(Template)]
#[template(path = "welcome.html")]
struct Welcome<'a> {
    gate: Gate,
    /// Whether they had a password, and lost it.
    lost: bool,
    public_url: &'a str,
    code: &'a str,
    first_name: &'a str,
    last_name: &'a str,
    error: Option<Refusal>,
}

/// A field that is wrong, and why.
struct Refusal {
    field: &'static str,
    message: String,
}

impl Welcome<'_> {
    fn error_of(&self, field: &str) -> Option<&str> {
        let error = self.error.as_ref().filter(|error| error.field == field);
        error.map(|error| error.message.as_str())
    }
}

/// `GET /console/welcome`, and `GET /invites/accept`, where the link of an invitation leads.
pub(crate) async fn show(
    State(app): State<App>,
    gate: Gate,
    Asked(asked): Asked,
) -> Result<Page, ApiError> {
    page(&app, gate, &asked, None)
}

/// `POST /console/welcome`: sets the password, and lets them in.
pub(crate) async fn come_in(
    State(app): State<App>,
    FromWhere(origin): FromWhere,
    gate: Gate,
    Form(form): Form,
) -> Result<Page, ApiError> {
    let (secret, email, password, names) = match read(&app, &form).await {
        Ok(read) => read,
        Err(ReadError::Field(refusal)) => return page(&app, gate, &form, Some(refusal)),
        Err(ReadError::Failed(error)) => return Err(error),
    };
    let hash = hash(&app, password).await?;
    let proven = match app.store.come_in(&secret, &hash, names, origin.clone()).await {
        Ok(proven) => proven,
        Err(StoreError::Invalid { message, .. } | StoreError::Conflict(message)) => {
            return page(&app, gate, &form, Some(Refusal { field: "code", message }));
        }
        Err(error) => return Err(error.into()),
    };
    let_in(&app, (proven, email), None, "", origin, gate).await
}

enum ReadError {
    Field(Refusal),
    Failed(ApiError),
}

fn wrong(field: &'static str, message: impl Into<String>) -> ReadError {
    ReadError::Field(Refusal { field, message: message.into() })
}

async fn read(
    app: &App,
    form: &Fields,
) -> Result<(TokenSecret, Email, Password, NamesChange), ReadError> {
    let secret = code(form.first("code"))
        .ok_or_else(|| wrong("code", "is not that of a link: copy the whole of it"))?;
    let email = match app.store.expected_guest(&secret).await {
        Ok(email) => email,
        Err(StoreError::Invalid { message, .. }) => return Err(wrong("code", message)),
        Err(error) => return Err(ReadError::Failed(error.into())),
    };
    let password = Password::choose(form.first("password"), email.as_str())
        .map_err(|error| wrong("password", error.to_string()))?;
    if form.first("password") != form.first("again") {
        return Err(wrong("again", "is not the same password"));
    }
    let first_name = name(form, "first_name")?;
    let last_name = name(form, "last_name")?;
    Ok((secret, email, password, NamesChange { first_name, last_name }))
}

/// The code of a link: what stands behind its `#`, or the whole link.
fn code(text: &str) -> Option<TokenSecret> {
    let text = text.trim();
    let code = text.rsplit_once('#').map_or(text, |(_, code)| code);
    let secret = TokenSecret::parse(code).ok()?;
    (secret.kind() == TokenKind::Invitation).then_some(secret)
}

fn name(form: &Fields, field: &'static str) -> Result<Option<String>, ReadError> {
    let text = form.first(field).trim();
    if text.chars().count() > LONGEST_NAME {
        return Err(wrong(field, "must have at most 255 characters"));
    }
    if text.chars().any(char::is_control) {
        return Err(wrong(field, "must not contain control characters"));
    }
    Ok((!text.is_empty()).then(|| text.to_owned()))
}

fn page(app: &App, gate: Gate, form: &Fields, error: Option<Refusal>) -> Result<Page, ApiError> {
    let page = Welcome {
        gate,
        lost: form.has("reset"),
        public_url: &app.public_url,
        code: form.first("code"),
        first_name: form.first("first_name"),
        last_name: form.first("last_name"),
        error,
    };
    match &page.error {
        Some(refusal) => Page::refused(&ApiError::field(refusal.field, &refusal.message), &page),
        None => Page::of(&page),
    }
}
