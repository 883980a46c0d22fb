//! Everything that an Admin API handler can answer with besides success.

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use domain::{
    authz::{Denied, Restriction, Rule},
    rate::TooEarly,
};
use serde_json::json;
use store::StoreError;
use wire::{Envelope, Invalid, Status};

/// A failure, before it is told.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    /// No credential was presented.
    #[error("no token was presented")]
    NoCredential,
    /// The credential is malformed, unknown, expired, revoked or disabled: one and the same answer.
    #[error("invalid token")]
    Unauthenticated,
    /// What a git host sent is not signed with the secret of a hook, or the hook is unknown: one
    /// and the same answer.
    #[error("the address is that of no hook, or the delivery is not signed with its secret")]
    NotSigned,
    /// A report of leaks is not signed with one of the configured keys.
    #[error("the report is not signed with a key of `leak_keys`")]
    ReportNotSigned,
    /// The credential was presented in a way that is refused (RFC 6750, section 3.1).
    #[error("{reason}")]
    BadPresentation {
        /// Where: `authorization` or `query`.
        place: &'static str,
        /// What would be right.
        reason: &'static str,
    },
    /// The decision was no.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The token is held to a rate, and asks more often.
    #[error("the token asks more often than its restriction `rate` lets it")]
    RateRestricted(TooEarly),
    /// Too many wrong tokens were presented from there.
    #[error("too many wrong tokens were presented: wait before the next")]
    TooManyFailures(#[from] TooEarly),
    /// A field or parameter is wrong.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// There is no such object within reach.
    #[error("not found")]
    NotFound,
    /// There is no such path.
    #[error("no such path")]
    NoSuchPath,
    /// The path is there, the method is not.
    #[error("the method is not allowed here")]
    MethodNotAllowed,
    /// The body is too large.
    #[error("the body is larger than {0} bytes")]
    TooLarge(usize),
    /// The body did not come in time.
    #[error("the body did not come in time")]
    TooSlow,
    /// The answer was not made in time.
    #[error("the answer was not made in time")]
    TookTooLong,
    /// The caller has as many streams as one may have.
    #[error("at most {0} streams at once: close one first")]
    TooManyStreams(usize),
    /// All callers together have as many streams as there may be.
    #[error("there are as many streams as may be")]
    NoSeat,
    /// A page of another site would change something here.
    #[error("the request was not sent by a page of this server")]
    OtherSite,
    /// The body is no form.
    #[error("the body must be a form")]
    NoForm,
    /// Passwords were tried too often.
    #[error("try again in {0} seconds")]
    TooManyAttempts(i64),
    /// The body is no JSON.
    #[error("the body must be application/json")]
    UnsupportedMediaType,
    /// The operation is one of the published documents', and not built yet.
    #[error("`{0}` is not implemented")]
    NotImplemented(&'static str),
    /// What the store says.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A defect of ours.
    #[error("internal error")]
    Internal,
}

/// What the Terraform client and others look for in messages (contract; permissions README).
const UNAUTHORIZED: &str = "Unauthorized: Invalid or expired token.";
const FORBIDDEN: &str = "Forbidden: You do not have permission to access this resource.";
const ADDRESS_REFUSED: &str = "Forbidden: Access denied";
const NOT_FOUND: &str =
    "The requested resource was not found. Please check that you have the proper permissions.";

impl ApiError {
    /// One wrong field.
    pub(crate) fn field(field: impl Into<String>, reason: impl ToString) -> Self {
        Self::Invalid(Invalid::field(field, reason))
    }

    /// The one place that gives a failure its HTTP status.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::NoCredential
            | Self::Unauthenticated
            | Self::Store(StoreError::CredentialChanged) => StatusCode::UNAUTHORIZED,
            Self::Denied(denied) | Self::Store(StoreError::Denied(denied)) => match denied {
                Denied::NoGrant { .. } | Denied::NoGrantHere { .. } => StatusCode::FORBIDDEN,
                // What lies outside the caller's reach is not said to exist.
                Denied::OtherAccount | Denied::OutsideScope(_) => StatusCode::NOT_FOUND,
            },
            Self::Store(
                StoreError::Exceeds(_)
                | StoreError::AddressRefused { .. }
                | StoreError::AddressRestricted
                | StoreError::OwnProposal
                | StoreError::UserOnly { .. },
            )
            | Self::NotSigned
            | Self::ReportNotSigned
            | Self::OtherSite => StatusCode::FORBIDDEN,
            Self::BadPresentation { .. }
            | Self::Invalid(_)
            | Self::Store(
                StoreError::Invalid { .. } | StoreError::NotOffered(_) | StoreError::NoRetry(_),
            ) => StatusCode::BAD_REQUEST,
            Self::NotFound
            | Self::NoSuchPath
            | Self::Store(StoreError::NotFound | StoreError::Missing(_)) => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::UnsupportedMediaType | Self::NoForm => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Store(
                StoreError::Conflict(_) | StoreError::LeaseLost | StoreError::NeedsSecond,
            ) => StatusCode::CONFLICT,
            Self::Store(StoreError::KeyReused) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::NotImplemented(_) => StatusCode::NOT_IMPLEMENTED,
            Self::TooManyStreams(_)
            | Self::RateRestricted(_)
            | Self::TooManyFailures(_)
            | Self::TooManyAttempts(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::TookTooLong | Self::NoSeat | Self::Store(StoreError::Unavailable(_)) => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::Internal | Self::Store(StoreError::Newer { .. } | StoreError::Corrupt(_)) => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
        }
    }

    /// What the envelope says of it, for an answer that has begun.
    pub(crate) fn into_status(self) -> Status {
        self.note();
        self.told()
    }

    fn told(&self) -> Status {
        Status {
            code: self.status().as_u16(),
            is_success: false,
            user_message: self.user_message(),
            developer_message: self.developer_message(),
        }
    }

    /// What is our doing goes whole to the log, to no caller.
    fn note(&self) {
        let code = self.status();
        if code.is_server_error() && code != StatusCode::NOT_IMPLEMENTED {
            tracing::error!(error = ?self, "a request failed");
        }
    }

    /// For a person.
    fn user_message(&self) -> String {
        if matches!(self, Self::Store(StoreError::AddressRefused { .. })) {
            return ADDRESS_REFUSED.to_owned();
        }
        match self.status() {
            StatusCode::UNAUTHORIZED => UNAUTHORIZED.to_owned(),
            StatusCode::FORBIDDEN => FORBIDDEN.to_owned(),
            StatusCode::NOT_FOUND => NOT_FOUND.to_owned(),
            StatusCode::SERVICE_UNAVAILABLE => "The service is not available now.".to_owned(),
            StatusCode::INTERNAL_SERVER_ERROR => "Something went wrong on our side.".to_owned(),
            _ => self.to_string(),
        }
    }

    /// For the person who writes the client. Nothing of ours, nothing of another's.
    fn developer_message(&self) -> Option<String> {
        match self {
            Self::Denied(denied) | Self::Store(StoreError::Denied(denied)) => {
                denied.explanation().map(|explanation| explanation.to_string())
            }
            Self::Store(
                StoreError::AddressRestricted
                | StoreError::Exceeds(_)
                | StoreError::Missing(_)
                | StoreError::NotOffered(_)
                | StoreError::OwnProposal
                | StoreError::UserOnly { .. },
            )
            | Self::NotSigned
            | Self::ReportNotSigned
            | Self::NoSuchPath
            | Self::OtherSite => Some(self.to_string()),
            _ => None,
        }
    }

    /// Field messages, on 400; the missing permission, on 403.
    fn data(&self) -> serde_json::Value {
        match self {
            Self::Invalid(invalid) => json!({ "reasons": invalid.reasons }),
            Self::Store(StoreError::Invalid { field, message }) => {
                json!({ "reasons": { *field: message } })
            }
            Self::Store(StoreError::NoRetry(why)) => json!({
                "reasons": { "run_id": format!("cannot be retried: {why}") },
                "retry_not_supported_reason": why.word(),
            }),
            Self::Store(StoreError::NotOffered(not_offered)) => {
                json!({ "reasons": { "permission_set": not_offered.to_string() } })
            }
            Self::BadPresentation { place, reason } => json!({ "reasons": { *place: reason } }),
            Self::Store(StoreError::AddressRefused { account, user }) => json!({
                "account_id": account,
                "user_id": user,
                "is_service_token": user.is_none(),
                "account_access_denied": true,
            }),
            Self::Store(StoreError::KeyReused) => {
                json!({ "reasons": { "idempotency-key": self.to_string() } })
            }
            Self::Store(StoreError::AddressRestricted) => restricted(Restriction::Addresses),
            Self::RateRestricted(_) => restricted(Restriction::Rate),
            Self::TooLarge(_) | Self::TooSlow | Self::UnsupportedMediaType | Self::NoForm => {
                json!({ "reasons": { "body": self.to_string() } })
            }
            Self::Denied(denied) | Self::Store(StoreError::Denied(denied)) => {
                denied.explanation().map_or(serde_json::Value::Null, |needs| {
                    let sets: Vec<_> = needs.sets.iter().map(|set| set.key()).collect();
                    json!({
                        "required": {
                            "resource": needs.action.on.key(),
                            "access": needs.action.access.key(),
                        },
                        "project_id": needs.project.map(domain::ProjectId::get),
                        "permission_sets": sets,
                        "rule": needs.rule.key(),
                        "restriction": needs.rule.restriction().map(Restriction::key),
                    })
                })
            }
            _ => serde_json::Value::Null,
        }
    }

    /// After how many whole seconds it is worth another try.
    fn retry_after(&self) -> u64 {
        match self {
            Self::RateRestricted(early) | Self::TooManyFailures(early) => {
                early.wait.as_secs() + u64::from(early.wait.subsec_nanos() > 0)
            }
            Self::TooManyAttempts(seconds) => u64::try_from(*seconds).unwrap_or(1),
            _ => 1,
        }
    }

    /// RFC 6750, section 3: which of its error codes, if any.
    fn challenge(&self) -> Option<&'static str> {
        match (self, self.status()) {
            (Self::NoCredential, _) => Some("Bearer"),
            (_, StatusCode::UNAUTHORIZED) => Some("Bearer error=\"invalid_token\""),
            // No other token would do better from there, or no more rights.
            (
                Self::Store(StoreError::AddressRefused { .. } | StoreError::AddressRestricted)
                | Self::NotSigned
                | Self::ReportNotSigned,
                _,
            ) => None,
            (_, StatusCode::FORBIDDEN) => Some("Bearer error=\"insufficient_scope\""),
            (Self::BadPresentation { .. }, _) => Some("Bearer error=\"invalid_request\""),
            _ => None,
        }
    }
}

/// Which restriction of the token refused.
fn restricted(restriction: Restriction) -> serde_json::Value {
    let rule = Rule::Restriction(restriction);
    json!({ "rule": rule.key(), "restriction": restriction.key() })
}

/// A failure that was told as JSON, beside its answer: for the face that tells it otherwise.
#[derive(Clone)]
pub(crate) struct Failure(pub(crate) Status);

impl Failure {
    /// What a page says of it: a title and a sentence.
    pub(crate) fn for_people(&self) -> (&'static str, &'static str) {
        match self.0.code {
            401 => ("Your session ended", "Nothing was changed. Sign in to go on."),
            403 => (
                "You may not do this",
                "Nothing was changed. Ask somebody who manages this account.",
            ),
            404 => ("This page is not here", "It was deleted, or it is outside what you may see."),
            405 => ("This page is not sent anything", "Nothing was changed."),
            429 => ("Too many attempts", "Wait a while, then try again."),
            503 => ("The service is not available now", "Nothing was changed. Try again soon."),
            400..=499 => ("This cannot be done", "Nothing was changed."),
            _ => ("Something went wrong on our side", "Nothing was changed. The log says what."),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (code, seconds) = (self.status(), self.retry_after());
        self.note();
        let told = self.told();
        let failure = Failure(told.clone());
        let body = Envelope { status: told, data: self.data(), extra: None };
        let mut response = (code, Json(body)).into_response();
        response.extensions_mut().insert(failure);
        let headers = response.headers_mut();
        if let Some(challenge) = self.challenge() {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        if [StatusCode::SERVICE_UNAVAILABLE, StatusCode::TOO_MANY_REQUESTS].contains(&code) {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}
