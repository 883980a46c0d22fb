//! What git hosts send to the hooks of repositories. A public route: its proof is the signature.

use axum::{
    body::Bytes,
    extract::{FromRequest, Path, Request, State, rejection::PathRejection},
    http::HeaderMap,
};
use domain::{
    authz::{Caller, Permit, Runs, Write, authorize},
    git_event::GitHost,
    git_hook::{Proof, digest},
    webhook::GitHookKey,
};
use store::StoreError;
use wire::{git_event, v3::GitDelivery};

use crate::{
    answer::Accepted,
    app::App,
    error::ApiError,
    extract::{FromWhere, header_text, is_json},
};

/// The largest body that is read: 5 MiB. The largest that GitHub tells of a push has 2,048 commits.
pub(crate) const MAX_DELIVERY: usize = 5 << 20;
/// The most characters of a delivery's name that are kept.
const MAX_NAME: usize = 200;

/// A body as it came, of at most [`MAX_DELIVERY`] bytes.
pub(crate) struct Raw(Bytes);

impl FromRequest<App> for Raw {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &App) -> Result<Self, ApiError> {
        let bytes = tokio::time::timeout(app.limits.body, Bytes::from_request(request, app)).await;
        let bytes = bytes.map_err(|_| ApiError::TooSlow)?;
        bytes.map(Self).map_err(|_| ApiError::TooLarge(MAX_DELIVERY))
    }
}

/// `POST /hooks/git/{hook_key}`: a delivery of GitHub or GitLab.
///
/// Nothing of it is read before the signature is found to be right, and an address that is nobody's
/// answers like a wrong signature.
pub(crate) async fn take(
    State(app): State<App>,
    FromWhere(origin): FromWhere,
    key: Result<Path<GitHookKey>, PathRejection>,
    headers: HeaderMap,
    Raw(body): Raw,
) -> Result<Accepted<GitDelivery>, ApiError> {
    let Path(key) = key.map_err(|_| ApiError::NotSigned)?;
    let sent = Sent::new(&headers);
    let now = app.store.clock().now();
    let proved = |secret: Option<&_>| sent.proof.holds(secret, &body, now);
    let found = app.store.git_host(&key, &origin, proved).await?;
    let (hook, principal) = found.ok_or(ApiError::NotSigned)?;
    let (host, kind) = sent.event.ok_or(ApiError::NotSigned)?;
    if !is_json(&headers) {
        return Err(ApiError::UnsupportedMediaType);
    }
    let event = git_event(host, kind, &body)?;
    let caller = Caller::new(principal, origin).into();
    let permit: Permit<Write, Runs> = authorize(&caller, hook.account)?;
    let names = names(&headers, &sent, &body);
    let outcome = app.store.take_git_delivery(&permit, &hook, &event, &names).await;
    let outcome = outcome.map_err(|error| match error {
        // The secret was changed meanwhile.
        StoreError::CredentialChanged => ApiError::NotSigned,
        error => error.into(),
    })?;
    let started = outcome.started.iter().map(|run| (run.job, run.id));
    Ok(Accepted(GitDelivery::new(started, outcome.not_started, &outcome.cancelled, outcome.note)))
}

/// What a delivery's headers say: which host sends, what of, and by what proof.
struct Sent<'a> {
    event: Option<(GitHost, &'a str)>,
    proof: Proof<'a>,
}

impl<'a> Sent<'a> {
    /// One host at a time: a delivery that says to be of two, or of none, proves nothing.
    fn new(headers: &'a HeaderMap) -> Self {
        let text = |name| header_text(headers, name);
        let event = match (text("x-github-event"), text("x-gitlab-event")) {
            (Some(kind), None) => Some((GitHost::GitHub, kind)),
            (None, Some(kind)) => Some((GitHost::GitLab, kind)),
            _ => None,
        };
        let proof = match event {
            Some((GitHost::GitHub, _)) => text("x-hub-signature-256").map(Proof::OfBody),
            // A signature is asked for wherever there is one: a token proves less.
            Some((GitHost::GitLab, _)) => match text("webhook-signature") {
                Some(signatures) => Some(Proof::OfMessage {
                    id: text("webhook-id").unwrap_or_default(),
                    at: text("webhook-timestamp").unwrap_or_default(),
                    signatures,
                }),
                None => text("x-gitlab-token").map(Proof::Token),
            },
            None => None,
        };
        Self { event, proof: proof.unwrap_or(Proof::None) }
    }
}

/// What tells this delivery from others.
///
/// GitHub's id is not signed, so its body counts as a name, too: else a delivery that was overheard
/// could be sent again under another id. GitLab's older versions have no id that is one delivery's.
fn names(headers: &HeaderMap, sent: &Sent<'_>, body: &[u8]) -> Vec<String> {
    let id =
        |name| header_text(headers, name).map(|id| id.chars().take(MAX_NAME).collect::<String>());
    let named = |host, name| id(name).map(|id| format!("{host}:{id}"));
    match (sent.event, sent.proof) {
        (Some((GitHost::GitHub, _)), _) => {
            let body = format!("body:{}", digest(body));
            named("github", "x-github-delivery").into_iter().chain([body]).collect()
        }
        (_, Proof::OfMessage { .. }) => named("gitlab", "webhook-id").into_iter().collect(),
        _ => {
            let of = id("x-gitlab-event-uuid").unwrap_or_default();
            let by_body = || format!("body:{of}:{}", digest(body));
            vec![named("gitlab", "idempotency-key").unwrap_or_else(by_body)]
        }
    }
}
