//! A typed client of the Admin API: what the command line and tests talk with.

use std::{collections::BTreeMap, time::Duration};

use domain::secret::TokenSecret;
use reqwest::{Method, Response, redirect::Policy};
use serde::{Serialize, de::DeserializeOwned};

use crate::{Envelope, Reasons, Status};

/// A client with one token. Its `Debug` shows no secret.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    secret: TokenSecret,
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
            .user_agent(concat!("narrowgate/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| unreachable(&base, &error))?;
        Ok(Self { http, base, secret })
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

    /// `data` of `DELETE path`.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn delete<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        self.send(Method::DELETE, path, None::<&()>).await.map(|envelope| envelope.data)
    }

    async fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> Result<Envelope<T>, ClientError> {
        let request = self
            .http
            .request(method, format!("{}{path}", self.base))
            .bearer_auth(self.secret.reveal());
        let request = match body {
            Some(body) => request.json(body),
            None => request,
        };
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

fn unreachable(url: &str, error: &reqwest::Error) -> ClientError {
    // The innermost cause says most; the outer ones repeat the address.
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    ClientError::Unreachable { url: url.to_owned(), reason: cause.to_string() }
}
