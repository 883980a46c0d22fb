//! What a handler gives back when all is well.

use std::convert::Infallible;

use axum::{
    Json,
    body::Body,
    http::{HeaderName, StatusCode, header},
    response::{
        IntoResponse, Response,
        sse::{Event, Sse},
    },
};
use bytes::Bytes;
use domain::list::Paged;
use futures_util::{Stream, TryStreamExt as _};
use serde::Serialize;
use store::ArtifactContent;
use utoipa::ToSchema;
use wire::{Envelope, ListParams};

use crate::endpoint::{Answer, Described};

/// One object, in the envelope.
pub(crate) struct Object<T>(pub(crate) T);

impl<T: Serialize> IntoResponse for Object<T> {
    fn into_response(self) -> Response {
        Json(Envelope::success(200, self.0)).into_response()
    }
}

impl<T: Serialize + ToSchema> Answer for Object<T> {
    fn describe(doc: &mut Described) {
        doc.answers_one::<T>(StatusCode::OK);
    }
}

/// One object that was made: 201.
pub(crate) struct Created<T>(pub(crate) T);

impl<T: Serialize> IntoResponse for Created<T> {
    fn into_response(self) -> Response {
        (StatusCode::CREATED, Json(Envelope::success(201, self.0))).into_response()
    }
}

impl<T: Serialize + ToSchema> Answer for Created<T> {
    fn describe(doc: &mut Described) {
        doc.answers_one::<T>(StatusCode::CREATED);
    }
}

/// What was taken and is acted on: 202.
pub(crate) struct Accepted<T>(pub(crate) T);

impl<T: Serialize> IntoResponse for Accepted<T> {
    fn into_response(self) -> Response {
        (StatusCode::ACCEPTED, Json(Envelope::success(202, self.0))).into_response()
    }
}

impl<T: Serialize + ToSchema> Answer for Accepted<T> {
    fn describe(doc: &mut Described) {
        doc.answers_one::<T>(StatusCode::ACCEPTED);
    }
}

/// A page of a list, with what was asked.
pub(crate) struct Page<T>(pub(crate) ListParams, pub(crate) Paged<T>);

impl<T: Serialize> IntoResponse for Page<T> {
    fn into_response(self) -> Response {
        let Self(params, page) = self;
        Json(Envelope::page(&params, page.total, page.rows)).into_response()
    }
}

impl<T: Serialize + ToSchema> Answer for Page<T> {
    fn describe(doc: &mut Described) {
        doc.answers_page::<T>();
    }
}

/// What a client holds already is what it would be sent: 304.
pub(crate) struct Unchanged;

impl IntoResponse for Unchanged {
    fn into_response(self) -> Response {
        StatusCode::NOT_MODIFIED.into_response()
    }
}

/// One of two answers, as it was asked for.
pub(crate) enum Either<A, B> {
    /// What comes unless it is said.
    One(A),
    /// What was asked for.
    Other(B),
}

impl<A: IntoResponse, B: IntoResponse> IntoResponse for Either<A, B> {
    fn into_response(self) -> Response {
        match self {
            Self::One(one) => one.into_response(),
            Self::Other(other) => other.into_response(),
        }
    }
}

impl<A: Answer, B: Answer> Answer for Either<A, B> {
    fn describe(doc: &mut Described) {
        B::describe(doc);
        let other = doc.answer.take();
        A::describe(doc);
        doc.also(other);
    }
}

/// A file to be kept, sent as it is read; it is shown by no browser as a page.
pub(crate) struct Download {
    /// The file.
    pub(crate) content: Body,
    /// `text/csv; charset=utf-8` or `application/x-ndjson`.
    pub(crate) content_type: &'static str,
    /// What it is to be called: letters, digits, dots and hyphens.
    pub(crate) name: String,
}

impl IntoResponse for Download {
    fn into_response(self) -> Response {
        let disposition = format!("attachment; filename=\"{}\"", self.name);
        let headers = [
            (header::CONTENT_TYPE, self.content_type.to_owned()),
            (header::CONTENT_DISPOSITION, disposition),
        ];
        (headers, self.content).into_response()
    }
}

impl Answer for Download {
    fn describe(doc: &mut Described) {
        doc.answers_file(StatusCode::OK, &["text/csv", "application/x-ndjson"]);
    }
}

/// A page that was made elsewhere, all in one file. A browser shows it with an origin of its own, in
/// which it can run its scripts and reach nothing of whoever reads it: no session, no storage, no
/// other page. Nor does it load or ask anything elsewhere; dbt's page names a tracker.
pub(crate) struct SandboxedPage(pub(crate) ArtifactContent);

/// What a browser lets such a page do.
const SANDBOX: &str = "sandbox allow-scripts; default-src 'none'; \
    script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; \
    img-src data:; font-src data:";

impl IntoResponse for SandboxedPage {
    fn into_response(self) -> Response {
        let headers = [
            (header::CONTENT_TYPE, "text/html; charset=utf-8"),
            (header::CONTENT_SECURITY_POLICY, SANDBOX),
            (header::CACHE_CONTROL, "no-store"),
            (header::REFERRER_POLICY, "no-referrer"),
        ];
        (headers, as_read(self.0)).into_response()
    }
}

impl Answer for SandboxedPage {
    fn describe(doc: &mut Described) {
        doc.answers_file(StatusCode::OK, &["text/html"]);
    }
}

/// A file as it is, without an envelope. It is shown by no browser as a page.
pub(crate) struct File {
    /// The file.
    pub(crate) content: Content,
    /// `application/json` or `text/plain; charset=utf-8`.
    pub(crate) content_type: &'static str,
}

impl File {
    /// JSON is told as such, everything else as text: no browser runs it.
    pub(crate) fn named(path: &str, content: ArtifactContent) -> Self {
        let json = path.rsplit_once('.').is_some_and(|(_, suffix)| suffix == "json");
        let content_type = if json { "application/json" } else { "text/plain; charset=utf-8" };
        Self { content: Content::Read(content), content_type }
    }
}

impl IntoResponse for File {
    fn into_response(self) -> Response {
        let content_type = [(header::CONTENT_TYPE, self.content_type)];
        match self.content {
            Content::Held(bytes) => (content_type, bytes).into_response(),
            Content::Read(artifact) => (content_type, as_read(artifact)).into_response(),
        }
    }
}

/// What a file is made of.
pub(crate) enum Content {
    /// All of it, in memory.
    Held(Bytes),
    /// What is read while it is sent.
    Read(ArtifactContent),
}

/// An artifact, sent as it is read: with its length, so that whoever asks knows of one that broke off.
fn as_read(content: ArtifactContent) -> impl IntoResponse {
    let length = [(header::CONTENT_LENGTH, content.size())];
    let pieces = content
        .into_pieces()
        .inspect_err(|error| tracing::error!(%error, "an artifact breaks off while it is sent"));
    (length, Body::from_stream(pieces))
}

impl Answer for File {
    fn describe(doc: &mut Described) {
        doc.answers_file(StatusCode::OK, &["application/json", "text/plain"]);
    }
}

/// Plain text. It is shown by no browser as a page.
pub(crate) struct Text(pub(crate) String);

impl IntoResponse for Text {
    fn into_response(self) -> Response {
        ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], self.0).into_response()
    }
}

impl Answer for Text {
    fn describe(doc: &mut Described) {
        doc.answers_file(StatusCode::OK, &["text/plain"]);
    }
}

/// Server-sent events, which go on until their end.
pub(crate) struct Events(Response);

impl Events {
    /// What they come from.
    pub(crate) fn new<S>(events: Sse<S>) -> Self
    where
        S: Stream<Item = Result<Event, Infallible>> + Send + 'static,
    {
        let no_store = [(header::CACHE_CONTROL, "no-store")];
        // A proxy is to pass on each event as it comes (nginx).
        let no_buffer = [(HeaderName::from_static("x-accel-buffering"), "no")];
        Self((no_store, no_buffer, events).into_response())
    }
}

impl IntoResponse for Events {
    fn into_response(self) -> Response {
        self.0
    }
}

impl Answer for Events {
    fn describe(doc: &mut Described) {
        doc.answers_file(StatusCode::OK, &["text/event-stream"]);
    }
}
