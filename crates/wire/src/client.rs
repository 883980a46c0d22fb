//! A typed client of the Admin API: what the command line and tests talk with.

use std::{collections::BTreeMap, time::Duration};

use domain::secret::TokenSecret;
use reqwest::{Method, RequestBuilder, Response, redirect::Policy};
use serde::{Serialize, de::DeserializeOwned};

use crate::{Envelope, Reasons, Status};

/// A client with one token. Its `Debug` shows no secret.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    secret: TokenSecret,
}

/// How long one answer of events is read; it can be followed again from its last event.
const FOLLOWED: Duration = Duration::from_hours(1);

/// Server-sent events, as they come.
#[derive(Debug)]
pub struct EventStream {
    response: Response,
    unread: Vec<u8>,
    url: String,
}

/// A server-sent event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerEvent {
    /// What kind it is.
    pub name: String,
    /// What a later request may go on behind.
    pub id: Option<u64>,
    /// What it says.
    pub data: String,
}

/// Why there is no answer, or not the one that was hoped for.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nothing answers there.
    #[error("{url} does not answer: {reason}")]
    Unreachable {
        /// The server.
        url: String,
        /// Why not.
        reason: String,
    },
    /// The server said no.
    #[error("{}", .0.summary())]
    Refused(Box<Refusal>),
    /// The answer is no answer of this API.
    #[error("{0} does not answer as Narrowgate does")]
    Foreign(String),
}

/// What a server says with a no.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// How it went.
    pub status: Status,
    /// What it says more.
    pub data: Reasons,
}

impl Refusal {
    /// In one line: what a person should know.
    #[must_use]
    pub fn summary(&self) -> String {
        let fields: BTreeMap<_, _> = self.data.reasons.iter().collect();
        let fields: Vec<_> = fields.iter().map(|(field, why)| format!("`{field}` {why}")).collect();
        let more = match (&self.status.developer_message, fields.is_empty()) {
            (_, false) => fields.join("; "),
            (Some(message), true) if !message.is_empty() => message.clone(),
            _ => self.status.user_message.clone(),
        };
        format!("{}: {more}", self.status.code)
    }
}

impl Client {
    /// A client of the server at `url` (`http://127.0.0.1:8580`).
    ///
    /// # Errors
    /// [`ClientError::Unreachable`] if no client can be made.
    pub fn new(url: &str, secret: TokenSecret) -> Result<Self, ClientError> {
        let base = url.trim_end_matches('/').to_owned();
        let http = reqwest::Client::builder()
            .redirect(Policy::none())
            .timeout(Duration::from_mins(1))
            .read_timeout(Duration::from_mins(1))
            .user_agent(concat!("narrowgate/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| unreachable(&base, &error))?;
        Ok(Self { http, base, secret })
    }

    /// The server's address, without a slash at its end.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.base
    }

    /// The same server with another token.
    #[must_use]
    pub fn presenting(&self, secret: TokenSecret) -> Self {
        Self { secret, ..self.clone() }
    }

    /// `data` of `GET path`.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        self.send(Method::GET, path, None::<&()>).await.map(|envelope| envelope.data)
    }

    /// `data` of `POST path` with a body.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, ClientError> {
        self.send(Method::POST, path, Some(body)).await.map(|envelope| envelope.data)
    }

    /// `data` of `POST path` with a body and an `Idempotency-Key`: where no reply comes it is sent
    /// again, three times in all, and is answered once.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn post_again<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
        key: &str,
    ) -> Result<T, ClientError> {
        let mut tries = 0;
        loop {
            tries += 1;
            let request = self.request(Method::POST, path, Some(body));
            let answer = self.finish(request.header("Idempotency-Key", key)).await;
            match answer {
                Err(ClientError::Unreachable { .. }) if tries < 3 => {}
                answer => return answer.map(|envelope| envelope.data),
            }
        }
    }

    /// `data` of `DELETE path`.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn delete<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        self.send(Method::DELETE, path, None::<&()>).await.map(|envelope| envelope.data)
    }

    /// The events of `GET path`, behind the one with the id `last` if there is one.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn follow(&self, path: &str, last: Option<u64>) -> Result<EventStream, ClientError> {
        let request = self.http.get(format!("{}{path}", self.base)).timeout(FOLLOWED);
        let request = request.bearer_auth(self.secret.reveal());
        let request = match last {
            Some(last) => request.header("Last-Event-ID", last),
            None => request,
        };
        let response = request.send().await.map_err(|error| unreachable(&self.base, &error))?;
        if !response.status().is_success() {
            self.read::<serde::de::IgnoredAny>(response).await?;
            return Err(ClientError::Foreign(self.base.clone()));
        }
        Ok(EventStream { response, unread: Vec::new(), url: self.base.clone() })
    }

    async fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> Result<Envelope<T>, ClientError> {
        self.finish(self.request(method, path, body)).await
    }

    fn request(&self, method: Method, path: &str, body: Option<&impl Serialize>) -> RequestBuilder {
        let request = self
            .http
            .request(method, format!("{}{path}", self.base))
            .bearer_auth(self.secret.reveal());
        match body {
            Some(body) => request.json(body),
            None => request,
        }
    }

    async fn finish<T: DeserializeOwned>(
        &self,
        request: RequestBuilder,
    ) -> Result<Envelope<T>, ClientError> {
        let response = request.send().await.map_err(|error| unreachable(&self.base, &error))?;
        self.read(response).await
    }

    async fn read<T: DeserializeOwned>(
        &self,
        response: Response,
    ) -> Result<Envelope<T>, ClientError> {
        let good = response.status().is_success();
        let bytes = response.bytes().await.map_err(|error| unreachable(&self.base, &error))?;
        let foreign = |_| ClientError::Foreign(self.base.clone());
        if good {
            return serde_json::from_slice(&bytes).map_err(foreign);
        }
        let refused: Envelope<Option<Reasons>> = serde_json::from_slice(&bytes).map_err(foreign)?;
        let data = refused.data.unwrap_or_default();
        Err(ClientError::Refused(Box::new(Refusal { status: refused.status, data })))
    }
}

impl EventStream {
    /// The next event; none at the end of the answer.
    ///
    /// # Errors
    /// [`ClientError::Unreachable`] if the connection breaks, [`ClientError::Foreign`] if what
    /// comes is no event.
    pub async fn next(&mut self) -> Result<Option<ServerEvent>, ClientError> {
        loop {
            while let Some(end) = self.unread.windows(2).position(|ends| ends == b"\n\n") {
                let rest = self.unread.split_off(end + 2);
                let text = std::mem::replace(&mut self.unread, rest);
                let foreign = |_| ClientError::Foreign(self.url.clone());
                if let Some(event) = event(&String::from_utf8(text).map_err(foreign)?) {
                    return Ok(Some(event));
                }
            }
            let chunk = self.response.chunk().await;
            match chunk.map_err(|error| unreachable(&self.url, &error))? {
                Some(chunk) => self.unread.extend_from_slice(&chunk),
                None => return Ok(None),
            }
        }
    }
}

/// An event in its text form; none in a comment, by which a server says that it is there.
fn event(text: &str) -> Option<ServerEvent> {
    let field = |name: &str| {
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        Some(value.strip_prefix(' ').unwrap_or(value))
    };
    Some(ServerEvent {
        name: field("event")?.to_owned(),
        id: field("id").and_then(|id| id.parse().ok()),
        data: field("data")?.to_owned(),
    })
}

fn unreachable(url: &str, error: &reqwest::Error) -> ClientError {
    // The innermost cause says most; the outer ones repeat the address.
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    ClientError::Unreachable { url: url.to_owned(), reason: cause.to_string() }
}
