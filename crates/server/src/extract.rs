//! Parse, who, may: from a request's parts to a permit, ids, parameters and bodies.

use std::{net::SocketAddr, str::FromStr, sync::Arc};

use axum::{
    body::Bytes,
    extract::{ConnectInfo, FromRequest, FromRequestParts, RawPathParams, Request},
    http::{HeaderMap, header, request::Parts},
};
use domain::{
    AccountId, ConnectionId, CredentialId, EnvironmentId, GroupId, InviteId, JobId, LicenseId,
    PersonalTokenId, ProjectId, RepositoryId, RunId, ServiceTokenId, StepId, TokenProposalId,
    UserId,
    authz::{AccessMarker, Caller, KindMarker, Origin, Permit, Principal, authorize},
    kept::{Id, Noun},
    secret::TokenSecret,
    session::SessionSecret,
    token_rotation::{InvalidReplayKey, ReplayKey},
    webhook::{EventKey, ReceiptKey, WebhookKey},
};
use serde::de::DeserializeOwned;
use store::StoreError;
use wire::ListParams;

use crate::{app::App, error::ApiError, request_id::RequestId, uses::CallerSeen};

/// The largest body that is read: 1 MiB.
pub(crate) const MAX_BODY: usize = 1 << 20;

/// Where a stream that broke off goes on.
pub(crate) const LAST_EVENT_ID: &str = "last-event-id";

/// Who calls: read once a request, kept in its extensions.
pub(crate) async fn caller(parts: &mut Parts, app: &App) -> Result<Arc<Caller>, ApiError> {
    if let Some(caller) = parts.extensions.get::<Arc<Caller>>() {
        return Ok(Arc::clone(caller));
    }
    let (origin, now) = (origin(parts, app), app.store.clock().now());
    let principal = match presented(parts) {
        Ok(secret) => {
            app.failures.admit(origin.address, Some(&secret), now)?;
            authenticate(&secret, &origin, app).await?
        }
        Err(ApiError::Unauthenticated) => {
            app.failures.admit(origin.address, None, now)?;
            app.failures.failed(origin.address, None, now);
            return Err(ApiError::Unauthenticated);
        }
        Err(error) => return Err(error),
    };
    app.rates.count(&principal, now).map_err(ApiError::RateRestricted)?;
    let caller = Arc::new(Caller::new(principal, origin));
    if let Some(seen) = parts.extensions.get::<CallerSeen>() {
        seen.is(&caller);
    }
    parts.extensions.insert(Arc::clone(&caller));
    Ok(caller)
}

/// Who a secret belongs to; a wrong one is counted, a good one remembered.
async fn authenticate(
    secret: &TokenSecret,
    origin: &Origin,
    app: &App,
) -> Result<Arc<Principal>, ApiError> {
    let found = app.store.authenticate_from(secret, origin).await;
    let now = app.store.clock().now();
    match &found {
        Ok(None) => app.failures.failed(origin.address, Some(secret), now),
        Ok(Some(_)) | Err(StoreError::AddressRefused { .. } | StoreError::AddressRestricted) => {
            app.failures.succeeded(secret, now);
        }
        Err(_) => {}
    }
    found?.ok_or(ApiError::Unauthenticated)
}

/// The secret, if it is presented as it should be and well formed; the store is not asked.
///
/// `Authorization: Bearer x` or `Token x`, once; the scheme without regard to case. A token in
/// the query is refused even where it would be valid (RFC 6750, section 5.3).
fn presented(parts: &Parts) -> Result<TokenSecret, ApiError> {
    let in_query = parts.uri.query().is_some_and(has_token);
    let mut headers = parts.headers.get_all(header::AUTHORIZATION).iter();
    match (headers.next(), headers.next(), in_query) {
        (_, _, true) => Err(ApiError::BadPresentation {
            place: "query",
            reason: "a token in the query is refused: send it as `Authorization: Bearer` and rotate it",
        }),
        (_, Some(_), _) => Err(ApiError::BadPresentation {
            place: "authorization",
            reason: "send exactly one Authorization header",
        }),
        (None, None, _) => Err(ApiError::NoCredential),
        (Some(value), None, _) => {
            let text = value.to_str().map_err(|_| ApiError::Unauthenticated)?;
            let (scheme, secret) = text.trim().split_once(' ').ok_or(ApiError::Unauthenticated)?;
            let known = ["bearer", "token"].iter().any(|name| scheme.eq_ignore_ascii_case(name));
            if !known {
                return Err(ApiError::Unauthenticated);
            }
            TokenSecret::parse(secret.trim()).map_err(|_| ApiError::Unauthenticated)
        }
    }
}

fn has_token(query: &str) -> bool {
    const KEYS: [&str; 3] = ["access_token", "token", "api_key"];
    url::form_urlencoded::parse(query.as_bytes())
        .any(|(key, value)| KEYS.contains(&&*key) || TokenSecret::parse(&value).is_ok())
}

/// Where the request came from.
pub(crate) fn origin(parts: &Parts, app: &App) -> Origin {
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
    let address = peer.and_then(|peer| app.trusted_proxies.client(peer, &parts.headers));
    let request_id =
        parts.extensions.get::<RequestId>().map(ToString::to_string).unwrap_or_default();
    Origin { address, agent: agent(&parts.headers), request_id }
}

/// What calls itself what, as it is noted: at most 255 characters, no control characters, and none
/// of our secrets, which people set there by mistake.
fn agent(headers: &HeaderMap) -> String {
    let agent = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
    let agent = agent.unwrap_or_default();
    let is_secret = |text: &str| TokenSecret::parse(text).is_ok();
    if agent.split(|it: char| !it.is_ascii_alphanumeric() && it != '_').any(is_secret) {
        return "(a token)".to_owned();
    }
    agent.chars().filter(|it| !it.is_control()).take(255).collect()
}

/// Who calls, to be asked again while an answer goes on.
pub(crate) struct Standing {
    proof: Proof,
    origin: Origin,
    account: AccountId,
}

/// What was presented.
enum Proof {
    Token(TokenSecret),
    /// By the console's door, which leaves it in the request.
    Session(SessionSecret),
}

impl Standing {
    /// What the caller may now, read from the database: a token that was revoked, narrowed or may
    /// no longer come from its address, or a session that ended, gets what a new request would get.
    pub(crate) async fn permit<A: AccessMarker, K: KindMarker>(
        &self,
        app: &App,
    ) -> Result<Permit<A, K>, ApiError> {
        let principal = match &self.proof {
            Proof::Token(secret) => app.store.authenticate_anew(secret, &self.origin).await?,
            Proof::Session(secret) => app.store.session_anew(secret, &self.origin).await?,
        };
        let principal = principal.ok_or(ApiError::Unauthenticated)?;
        let caller = Arc::new(Caller::new(principal, self.origin.clone()));
        Ok(authorize(&caller, self.account)?)
    }
}

impl FromRequestParts<App> for Standing {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let caller = caller(parts, app).await?;
        let account = account(parts, &caller).await?;
        let proof = match parts.extensions.get::<SessionSecret>() {
            Some(secret) => Proof::Session(secret.clone()),
            None => Proof::Token(presented(parts)?),
        };
        Ok(Self { proof, origin: origin(parts, app), account })
    }
}

/// May the caller? The account is the path's, or the caller's own where the path names none.
impl<A: AccessMarker, K: KindMarker> FromRequestParts<App> for Permit<A, K> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let caller = caller(parts, app).await?;
        let account = account(parts, &caller).await?;
        Ok(authorize(&caller, account)?)
    }
}

/// The account that the path names, or else the caller's own.
pub(crate) async fn account(parts: &mut Parts, caller: &Caller) -> Result<AccountId, ApiError> {
    match path_parameter(parts, AccountId::NAME).await? {
        Some(text) => text.parse().map_err(|_| ApiError::NotFound),
        None => Ok(caller.principal().account()),
    }
}

async fn path_parameter(parts: &mut Parts, name: &str) -> Result<Option<String>, ApiError> {
    let Ok(params) = RawPathParams::from_request_parts(parts, &()).await else {
        // A path that is not UTF-8 names nothing.
        return Err(ApiError::NotFound);
    };
    let found = params.iter().find(|(key, _)| *key == name);
    Ok(found.map(|(_, value)| value.to_owned()))
}

/// Where a request without a token came from.
pub(crate) struct FromWhere(pub(crate) Origin);

impl FromRequestParts<App> for FromWhere {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        Ok(Self(origin(parts, app)))
    }
}

/// An id of the path. One that cannot be (text, zero, too large) is not found.
pub(crate) struct At<I>(pub(crate) I);

/// An id that stands in paths under a name of its own.
pub(crate) trait PathId: FromStr + Send {
    /// The parameter's name.
    const NAME: &str;
    /// The name that it goes by where the path calls it something else.
    const ALIAS: &str = "";
}

macro_rules! path_ids {
    ($($id:ty = $name:literal),* $(,)?) => {
        $(impl PathId for $id { const NAME: &str = $name; })*
    };
}

impl PathId for GroupId {
    const NAME: &str = "group_id";
    // `group-permissions/{group_permission_id}`: a group's id by the document.
    const ALIAS: &str = "group_permission_id";
}

impl PathId for ConnectionId {
    const NAME: &str = "connection_id";
    // One of a project, in a list of its own.
    const ALIAS: &str = "project_connection_id";
}

path_ids! {
    AccountId = "account_id",
    CredentialId = "credential_id",
    EnvironmentId = "environment_id",
    InviteId = "invite_id",
    JobId = "job_id",
    LicenseId = "permission_id",
    PersonalTokenId = "personal_token_id",
    ProjectId = "project_id",
    RepositoryId = "repository_id",
    RunId = "run_id",
    ServiceTokenId = "service_token_id",
    StepId = "step_id",
    TokenProposalId = "service_token_proposal_id",
    UserId = "user_id",
    WebhookKey = "subscription_id",
    EventKey = "event_id",
    ReceiptKey = "receipt_id",
}

/// A repository, as paths of managed ones call it.
pub(crate) struct ManagedRepositoryId(pub(crate) RepositoryId);

impl FromStr for ManagedRepositoryId {
    type Err = <RepositoryId as FromStr>::Err;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

impl PathId for ManagedRepositoryId {
    const NAME: &str = "managed_repositorie_id";
}

impl<N: Noun> PathId for Id<N> {
    const NAME: &str = N::PARAMETER;
}

impl<I: PathId> FromRequestParts<App> for At<I> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, ApiError> {
        let named = match path_parameter(parts, I::NAME).await? {
            Some(text) => Some(text),
            None => path_parameter(parts, I::ALIAS).await?,
        };
        let text = named.ok_or(ApiError::Internal)?;
        text.parse().map(Self).map_err(|_| ApiError::NotFound)
    }
}

/// The rest of a path behind a fixed part: an artifact's path.
pub(crate) struct Remainder(pub(crate) String);

impl FromRequestParts<App> for Remainder {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, ApiError> {
        path_parameter(parts, "remainder").await?.map(Self).ok_or(ApiError::Internal)
    }
}

/// The `Idempotency-Key`, if there is one: with it a request can be sent again.
pub(crate) struct IdempotencyKey(pub(crate) Option<ReplayKey>);

impl FromRequestParts<App> for IdempotencyKey {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, ApiError> {
        const NAME: &str = "idempotency-key";
        let mut given = parts.headers.get_all(NAME).iter();
        let key = match (given.next(), given.next()) {
            (None, _) => return Ok(Self(None)),
            (Some(key), None) => key.to_str().ok().and_then(|text| ReplayKey::parse(text).ok()),
            (Some(_), Some(_)) => return Err(ApiError::field(NAME, "must be sent once")),
        };
        key.map(|key| Self(Some(key))).ok_or_else(|| ApiError::field(NAME, InvalidReplayKey))
    }
}

/// The parameters of a list, or of one object (`include_related`).
pub(crate) struct Query(pub(crate) ListParams);

impl FromRequestParts<App> for Query {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, ApiError> {
        Ok(Self(ListParams::parse(parts.uri.query().unwrap_or_default())?))
    }
}

/// Whether what there is is asked for, or also what comes: `follow=1`, and from where.
pub(crate) enum Follow {
    /// What there is.
    No,
    /// What comes after this many bytes: `Last-Event-ID`, or all of it.
    From(u64),
}

impl FromRequestParts<App> for Follow {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, ApiError> {
        let query = parts.uri.query().unwrap_or_default();
        let mut follow = false;
        for (key, value) in url::form_urlencoded::parse(query.as_bytes()) {
            follow = match (&*key, &*value) {
                ("follow", "1" | "true") => true,
                ("follow", "0" | "false" | "") => false,
                ("follow", _) => return Err(ApiError::field("follow", "must be 0 or 1")),
                _ => return Err(ApiError::field(&*key, "is no parameter of this path")),
            };
        }
        if !follow {
            return Ok(Self::No);
        }
        let Some(last) = parts.headers.get(LAST_EVENT_ID) else { return Ok(Self::From(0)) };
        let last = last.to_str().ok().and_then(|text| text.parse().ok());
        last.map(Self::From).ok_or_else(|| {
            ApiError::field(LAST_EVENT_ID, "must be the id of an event of this stream")
        })
    }
}

/// Nothing: no query belongs to the path.
pub(crate) struct NoParameters;

impl FromRequestParts<App> for NoParameters {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, ApiError> {
        match parts.uri.query() {
            None | Some("") => Ok(Self),
            Some(_) => Err(ApiError::field("query", "takes no parameters")),
        }
    }
}

/// A JSON body of at most [`MAX_BODY`] bytes. An empty one reads as `{}`; a missing content type
/// is taken for JSON (contract, section 1).
pub(crate) struct Body<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<App> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &App) -> Result<Self, ApiError> {
        if !is_json(request.headers()) {
            return Err(ApiError::UnsupportedMediaType);
        }
        let bytes = whole(request, app).await?;
        let bytes = if bytes.trim_ascii().is_empty() { b"{}".as_slice() } else { &bytes };
        Ok(Self(wire::from_json(bytes)?))
    }
}

/// The bytes of a body, if they come in time and are not too many.
async fn whole(request: Request, app: &App) -> Result<Bytes, ApiError> {
    let bytes = Bytes::from_request(request, app);
    let bytes = tokio::time::timeout(app.limits.body, bytes).await;
    bytes.map_err(|_| ApiError::TooSlow)?.map_err(|_| ApiError::TooLarge(MAX_BODY))
}

/// A body as it came, of at most [`MAX_BODY`] bytes.
pub(crate) struct RawBody(pub(crate) Bytes);

impl FromRequest<App> for RawBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &App) -> Result<Self, ApiError> {
        whole(request, app).await.map(Self)
    }
}

/// The `token` of a form (RFC 7009, section 2.1); `None` if the text is none.
pub(crate) struct FormToken(pub(crate) Option<TokenSecret>);

impl FromRequest<App> for FormToken {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &App) -> Result<Self, ApiError> {
        let bytes = whole(request, app).await?;
        let mut given = url::form_urlencoded::parse(&bytes).filter(|(key, _)| key == "token");
        match (given.next(), given.next()) {
            (Some((_, text)), None) => Ok(Self(TokenSecret::parse(text.trim()).ok())),
            (None, _) => Err(ApiError::field("token", "is required, in a form")),
            (Some(_), Some(_)) => Err(ApiError::field("token", "must be sent once")),
        }
    }
}

/// A header that is there once, as text.
pub(crate) fn header_text<'a>(headers: &'a HeaderMap, name: &'static str) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok(),
        _ => None,
    }
}

/// Whether a body says to be JSON, or says nothing.
pub(crate) fn is_json(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(header::CONTENT_TYPE) else { return true };
    let text = value.to_str().unwrap_or_default();
    let essence = text.split(';').next().unwrap_or_default().trim();
    essence.is_empty()
        || essence.eq_ignore_ascii_case("application/json")
        || essence.to_ascii_lowercase().ends_with("+json")
}
