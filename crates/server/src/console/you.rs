//! A person's own page: who they are here, their password, and the way out.

use askama::Template;
use axum::{extract::State, http::header};
use domain::{
    authz::{Identity, OwnTokens, Permit, Read, ResourceKind, Write},
    password::Password,
};

use super::{
    door::{Visitor, no_cookie},
    form::{Asked, Fields, Form},
    icons,
    page::{Page, Shell, When},
    sign_in::{hash, prove_again},
    theme::Theme,
};
use crate::{app::App, error::ApiError};

#[derive(Template)]
#[template(path = "you.html")]
struct You<'a> {
    shell: Shell<'a>,
    since: When,
    done: Option<&'static str>,
    error: Option<(&'static str, String)>,
}

impl You<'_> {
    fn error_of(&self, field: &str) -> Option<&str> {
        let error = self.error.as_ref().filter(|(wrong, _)| *wrong == field);
        error.map(|(_, message)| message.as_str())
    }
}

/// `GET /console`: the first page that somebody may read.
pub(super) async fn home(
    _permit: Permit<Read, Identity>,
    visitor: Visitor,
) -> Result<Page, ApiError> {
    let first = [
        (ResourceKind::ServiceTokens, "/console/service-tokens"),
        (ResourceKind::Runs, "/console/dashboard"),
        (ResourceKind::AuditLogs, "/console/audit-log"),
    ];
    let first = first.into_iter().find(|(kind, _)| visitor.reads(*kind));
    Ok(Page::to(first.map_or("/console/you", |(_, path)| path)))
}

/// `GET /console/you`
pub(super) async fn show(
    _permit: Permit<Read, OwnTokens>,
    State(app): State<App>,
    visitor: Visitor,
    Asked(asked): Asked,
) -> Result<Page, ApiError> {
    Page::of(&you(&app, &visitor, asked.has("changed").then_some("Password changed"), None))
}

/// `POST /console/you/password`: the one before is asked for; other sessions end.
pub(super) async fn change_password(
    permit: Permit<Write, OwnTokens>,
    State(app): State<App>,
    visitor: Visitor,
    Form(form): Form,
) -> Result<Page, ApiError> {
    let password = match chosen(&form, &visitor) {
        Ok(password) => password,
        Err((field, message)) => return refused(&app, &visitor, field, message),
    };
    let asked = prove_again(&app, &permit.also()?, &visitor, form.first("current")).await?;
    let proven = match asked {
        Ok(proven) => proven,
        Err(message) => return refused(&app, &visitor, "current", message),
    };
    let hash = hash(&app, password).await?;
    app.store.change_password(&permit, proven, &hash).await?;
    Ok(Page::to("/console/you?changed=1"))
}

/// `POST /console/you/theme`: what pages look like in this browser.
pub(super) async fn choose_theme(
    _permit: Permit<Write, OwnTokens>,
    Form(form): Form,
) -> Result<Page, ApiError> {
    let cookie = Theme::cookie(Theme::parse(form.first("theme")));
    Ok(Page::to("/console/you").with(header::SET_COOKIE, cookie))
}

/// `POST /console/you/sign-out-everywhere`
pub(super) async fn sign_out_everywhere(
    permit: Permit<Write, OwnTokens>,
    State(app): State<App>,
) -> Result<Page, ApiError> {
    app.store.close_all_sessions(&permit).await?;
    Ok(out(&app))
}

/// `POST /console/sign-out`
pub(super) async fn sign_out(
    permit: Permit<Write, OwnTokens>,
    State(app): State<App>,
) -> Result<Page, ApiError> {
    app.store.close_session(&permit).await?;
    Ok(out(&app))
}

fn out(app: &App) -> Page {
    Page::to("/console/sign-in?out=1").with(header::SET_COOKIE, no_cookie(app))
}

fn you<'a>(
    app: &App,
    visitor: &'a Visitor,
    done: Option<&'static str>,
    error: Option<(&'static str, String)>,
) -> You<'a> {
    let curl = super::token_view::curl(app, "/api/v2/whoami/");
    let shell = Shell { visitor, here: "you", curl };
    let since = When::new(visitor.session().since, app.store.clock().now());
    You { shell, since, done, error }
}

fn refused(
    app: &App,
    visitor: &Visitor,
    field: &'static str,
    message: String,
) -> Result<Page, ApiError> {
    let error = ApiError::field(field, &message);
    Page::refused(&error, &you(app, visitor, None, Some((field, message))))
}

fn chosen(form: &Fields, visitor: &Visitor) -> Result<Password, (&'static str, String)> {
    let password = Password::choose(form.first("password"), &visitor.session().email);
    let password = password.map_err(|error| ("password", error.to_string()))?;
    if form.first("password") != form.first("again") {
        return Err(("again", "is not the same password".to_owned()));
    }
    Ok(password)
}
