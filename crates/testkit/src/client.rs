//! A client that presents one token.

use std::time::Duration;

use reqwest::{Method, RequestBuilder, redirect::Policy};
use serde_json::Value;

use crate::TestAnswer;

/// A client that presents one token, or nothing, and follows no redirect.
#[derive(Clone)]
pub struct TestClient {
    url: String,
    secret: Option<String>,
    http: reqwest::Client,
}

impl TestClient {
    pub(crate) fn new(url: &str, secret: Option<String>) -> Self {
        let http = reqwest::Client::builder()
            .redirect(Policy::none())
            .timeout(Duration::from_secs(30))
            .no_proxy()
            .build()
            .expect("a client can be made");
        Self { url: url.to_owned(), secret, http }
    }

    /// The secret that it presents.
    ///
    /// # Panics
    /// If it presents none.
    #[must_use]
    pub fn secret(&self) -> &str {
        self.secret.as_deref().expect("a client with a token")
    }

    /// `GET path`
    pub async fn get(&self, path: &str) -> TestAnswer {
        TestAnswer::of(self.request(Method::GET, path)).await
    }

    /// `POST path` with a JSON body.
    pub async fn post(&self, path: &str, body: Value) -> TestAnswer {
        TestAnswer::of(self.request(Method::POST, path).json(&body)).await
    }

    /// `PUT path` with a JSON body.
    pub async fn put(&self, path: &str, body: Value) -> TestAnswer {
        TestAnswer::of(self.request(Method::PUT, path).json(&body)).await
    }

    /// `PATCH path` with a JSON body.
    pub async fn patch(&self, path: &str, body: Value) -> TestAnswer {
        TestAnswer::of(self.request(Method::PATCH, path).json(&body)).await
    }

    /// `DELETE path`
    pub async fn delete(&self, path: &str) -> TestAnswer {
        TestAnswer::of(self.request(Method::DELETE, path)).await
    }

    /// `DELETE path` with a JSON body.
    pub async fn delete_with(&self, path: &str, body: Value) -> TestAnswer {
        TestAnswer::of(self.request(Method::DELETE, path).json(&body)).await
    }

    /// Any request, with the token; end it with [`TestAnswer::of`].
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.url));
        match &self.secret {
            Some(secret) => request.header("Authorization", format!("Bearer {secret}")),
            None => request,
        }
    }
}
