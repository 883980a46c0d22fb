//! Who comes in: from a cookie to a caller, once a request, before any page of the console. Past
//! it, a page's permit is decided as that of any other request is.

use std::sync::Arc;

use askama::Template;
use axum::{
    extract::{FromRequestParts, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use domain::{
    Plan,
    authz::{Access, Action, Caller, ResourceKind},
    session::SessionSecret,
};
use store::LiveSession;

use super::{
    icons,
    page::{Gate, Page},
    picker::sentence,
    theme::Theme,
};
use crate::{
    app::App,
    endpoint::Part,
    error::{ApiError, Failure},
    extract::origin,
    request_id::RequestId,
};

/// The pages that are shown to whoever has no session.
const PUBLIC: [&str; 5] =
    ["/console/sign-in", "/console/sign-in/code", "/console/reset", "/console/welcome", INVITED];
/// Where the link of an invitation leads.
const INVITED: &str = "/invites/accept";
/// Where the assets are.
const STATIC: &str = "/console/static/";

/// SECURITY line 38. Nothing comes from elsewhere, nothing stands inline.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; \
                      connect-src 'self'; form-action 'self'; frame-ancestors 'none'; \
                      base-uri 'none'";

/// Whose session the request is of: what pages say of them.
#[derive(Debug, Clone)]
pub(crate) struct Visitor(Arc<LiveSession>, Option<Theme>);

impl Visitor {
    /// The session.
    pub(crate) fn session(&self) -> &LiveSession {
        &self.0
    }

    /// The theme that they chose.
    pub(crate) fn theme(&self) -> Option<Theme> {
        self.1
    }

    /// The account's plan, as people read it.
    pub(crate) fn plan(&self) -> &'static str {
        match self.0.principal.terms().plan {
            Some(Plan::Developer) => "Developer",
            Some(Plan::Starter) => "Starter",
            Some(Plan::Team) => "Team",
            Some(Plan::Enterprise) => "Enterprise",
            None => "Cancelled",
        }
    }
}

impl Visitor {
    /// Whether they may read this kind of thing anywhere: what the navigation shows.
    pub(crate) fn reads(&self, kind: ResourceKind) -> bool {
        self.0.principal.holds(Action::new(Access::Read, kind))
    }
}

impl FromRequestParts<App> for Visitor {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, ApiError> {
        parts.extensions.get::<Self>().cloned().ok_or(ApiError::NoCredential)
    }
}

impl Part for Visitor {}

/// The visitor, on pages that are also for whoever has no session.
pub(crate) struct MaybeVisitor(pub(crate) Option<Visitor>, pub(crate) Option<Arc<Caller>>);

impl FromRequestParts<App> for MaybeVisitor {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, ApiError> {
        let extensions = &parts.extensions;
        Ok(Self(extensions.get().cloned(), extensions.get().cloned()))
    }
}

fn is_page(path: &str) -> bool {
    path == "/console" || path.starts_with("/console/") || path == INVITED
}

/// Stands before every path of the console; others pass.
pub(crate) async fn watch(State(app): State<App>, request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    if !is_page(&path) {
        return next.run(request).await;
    }
    let (mut parts, body) = request.into_parts();
    let id = parts.extensions.get::<RequestId>().map(ToString::to_string).unwrap_or_default();
    let gate = Gate::dressed_as(&parts);
    let mut response = match enter(&app, &mut parts).await {
        Ok(()) => next.run(Request::from_parts(parts, body)).await,
        Err(ApiError::NoCredential) if parts.method == Method::GET => to_sign_in(&app, &parts),
        Err(error) => error.into_response(),
    };
    if let Some(failure) = response.extensions_mut().remove::<Failure>() {
        response = page_of(&failure, gate, &id, &response);
    }
    dress(&path, response.headers_mut());
    response
}

/// Lets the request in, and notes who it is of.
async fn enter(app: &App, parts: &mut Parts) -> Result<(), ApiError> {
    if parts.uri.path().starts_with(STATIC) {
        return Ok(());
    }
    if !parts.method.is_safe() && !is_same_origin(app, &parts.headers) {
        return Err(ApiError::OtherSite);
    }
    let live = match presented(app, &parts.headers) {
        Some(secret) => {
            let origin = origin(parts, app);
            let live = app.store.session_from(&secret, &origin).await?;
            live.map(|live| (live, origin, secret))
        }
        None => None,
    };
    match live {
        Some((live, origin, secret)) => {
            let caller = Arc::new(Caller::new(Arc::clone(&live.principal), origin));
            parts.extensions.insert(caller);
            parts.extensions.insert(Visitor(Arc::new(live), Theme::chosen(&parts.headers)));
            parts.extensions.insert(secret);
            Ok(())
        }
        None if PUBLIC.contains(&parts.uri.path()) => Ok(()),
        None => Err(ApiError::NoCredential),
    }
}

/// SECURITY line 36: a request that changes something was sent by a page of ours.
///
/// Browsers say so in `Sec-Fetch-Site`, where they reach us by TLS or on this machine, and in
/// `Origin`, which is `null` where a page sends no referrer, as ours do. What both leave open is
/// refused: so nobody signs in over plain HTTP from elsewhere.
fn is_same_origin(app: &App, headers: &HeaderMap) -> bool {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let own = |from: &str| {
        let host = from.split_once("://").map(|(_, host)| host);
        host.is_some_and(|host| text(header::HOST) == Some(host)) || *from == *app.public_url
    };
    let from = text(header::ORIGIN);
    match text(HeaderName::from_static("sec-fetch-site")) {
        Some(site) => site == "same-origin" && from.is_none_or(|from| from == "null" || own(from)),
        None => from.is_some_and(own),
    }
}

/// Whether browsers reach us by TLS.
fn is_secure(app: &App) -> bool {
    app.public_url.starts_with("https://")
}

/// SECURITY line 35. Without TLS, which only this machine or a loud setting allows, a browser takes
/// no `__Host-` cookie.
fn cookie_name(app: &App) -> &'static str {
    if is_secure(app) { "__Host-narrowgate" } else { "narrowgate" }
}

fn presented(app: &App, headers: &HeaderMap) -> Option<SessionSecret> {
    let name = cookie_name(app);
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut found = cookies.flat_map(|value| value.split(';')).filter_map(|pair| {
        let (key, value) = pair.trim().split_once('=')?;
        (key == name).then_some(value)
    });
    SessionSecret::parse(found.next()?)
}

/// The cookie of a session that begins.
pub(crate) fn cookie(app: &App, secret: &SessionSecret) -> HeaderValue {
    set(app, secret.reveal(), "")
}

/// The cookie of a session that ends.
pub(crate) fn no_cookie(app: &App) -> HeaderValue {
    set(app, "", "; Max-Age=0")
}

fn set(app: &App, value: &str, more: &str) -> HeaderValue {
    let secure = if is_secure(app) { "; Secure" } else { "" };
    let name = cookie_name(app);
    let text = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax{secure}{more}");
    let mut value = HeaderValue::from_str(&text).expect("letters and digits may stand in a header");
    value.set_sensitive(true);
    value
}

/// The page to sign in on, and the way back from it.
fn to_sign_in(app: &App, parts: &Parts) -> Response {
    let wanted = parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default();
    let next: String = url::form_urlencoded::byte_serialize(wanted.as_bytes()).collect();
    let ended = if presented(app, &parts.headers).is_some() { "&ended=1" } else { "" };
    Page::to(&format!("/console/sign-in?next={next}{ended}")).into_response()
}

/// Where somebody goes once they are in: a page of the console, never elsewhere.
pub(crate) fn way_in(next: &str) -> &str {
    let plain = next.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    let inside = next.starts_with("/console/") && !next.contains("//");
    if plain && inside { next } else { "/console" }
}

#[derive(Template)]
#[template(path = "failure.html")]
struct FailurePage<'a> {
    gate: Gate,
    title: &'static str,
    message: &'static str,
    detail: String,
    request_id: &'a str,
    sign_in: bool,
}

/// A failure, told to a person: the status stays.
fn page_of(failure: &Failure, gate: Gate, request_id: &str, response: &Response) -> Response {
    let status = response.status();
    let (title, message) = failure.for_people();
    let detail = failure.0.developer_message.as_deref().map(sentence).unwrap_or_default();
    let sign_in = status.as_u16() == 401;
    let page = FailurePage { gate, title, message, detail, request_id, sign_in };
    let mut page = page.render().map_or_else(
        |_| title.to_owned().into_response(),
        |text| axum::response::Html(text).into_response(),
    );
    *page.status_mut() = status;
    if let Some(wait) = response.headers().get(header::RETRY_AFTER) {
        page.headers_mut().insert(header::RETRY_AFTER, wait.clone());
    }
    page
}

/// The headers that every answer of the console has, but for a page that was made elsewhere: that is
/// shut in by its own, and a browser would not show it with ours.
fn dress(path: &str, headers: &mut HeaderMap) {
    if headers.contains_key(header::CONTENT_SECURITY_POLICY) {
        return;
    }
    let value = HeaderValue::from_static;
    headers.insert(header::REFERRER_POLICY, value("no-referrer"));
    headers.insert(HeaderName::from_static("cross-origin-opener-policy"), value("same-origin"));
    headers.insert(HeaderName::from_static("cross-origin-resource-policy"), value("same-origin"));
    if !path.starts_with(STATIC) {
        headers.insert(header::CONTENT_SECURITY_POLICY, value(POLICY));
        headers.insert(header::X_FRAME_OPTIONS, value("DENY"));
        headers.insert(header::CACHE_CONTROL, value("no-store"));
    }
}
