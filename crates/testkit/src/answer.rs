//! What a server answered.

use reqwest::{RequestBuilder, header::HeaderMap};
use serde_json::Value;

/// What a server answered.
#[derive(Debug, Clone)]
pub struct TestAnswer {
    status: u16,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl TestAnswer {
    /// Sends a request and reads the whole answer.
    ///
    /// # Panics
    /// If there is no answer.
    pub async fn of(request: RequestBuilder) -> Self {
        let response = request.send().await.expect("the server answers");
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = response.bytes().await.expect("the answer ends").to_vec();
        Self { status, headers, body }
    }

    /// The HTTP status.
    #[must_use]
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// A header's value; empty if it is not there.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Every header but those that differ from answer to answer: its time and its request's id.
    #[must_use]
    pub fn lasting_headers(&self) -> Vec<(String, String)> {
        let told =
            self.headers.iter().filter(|(name, _)| *name != "date" && *name != "x-request-id");
        let text = |value: &reqwest::header::HeaderValue| {
            String::from_utf8_lossy(value.as_bytes()).into_owned()
        };
        told.map(|(name, value)| (name.to_string(), text(value))).collect()
    }

    /// The body as it came.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.body
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// If it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|_| panic!("a JSON body, not: {}", self.text()))
    }

    /// The envelope's `data`; null if there is none.
    #[must_use]
    pub fn data(&self) -> Value {
        self.json().get("data").cloned().unwrap_or_default()
    }

    /// `data.reasons[field]`: why a field was refused; empty if it was not.
    #[must_use]
    pub fn reason(&self, field: &str) -> String {
        let data = self.data();
        let reason = data.get("reasons").and_then(|reasons| reasons.get(field));
        reason.and_then(Value::as_str).unwrap_or_default().to_owned()
    }

    /// The `id` of the object in `data`.
    ///
    /// # Panics
    /// If there is none.
    #[must_use]
    pub fn id(&self) -> i64 {
        let data = self.data();
        let id = data.get("id").and_then(Value::as_i64);
        id.unwrap_or_else(|| panic!("data with an id, not: {}", self.text()))
    }

    /// The ids of the objects in the list in `data`.
    ///
    /// # Panics
    /// If it is no list.
    #[must_use]
    pub fn ids(&self) -> Vec<i64> {
        let data = self.data();
        let rows = data.as_array().unwrap_or_else(|| panic!("a list, not: {}", self.text()));
        rows.iter().filter_map(|row| row.get("id").and_then(Value::as_i64)).collect()
    }
}
