//! Deliveries as git hosts send them.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use domain::{kept::Hidden, webhook::signature};
use hmac::{Hmac, KeyInit as _, Mac as _};
use reqwest::{Method, RequestBuilder};
use serde_json::Value;
use sha2::Sha256;

use crate::{TestApp, TestClient};

/// The hook of a repository, as its git host knows it.
pub struct TestHook {
    /// The path of its address.
    pub path: String,
    /// What is signed with.
    pub secret: String,
    client: TestClient,
}

impl TestHook {
    /// By the answer that made it.
    ///
    /// # Panics
    /// If that tells no address of the server's, or no secret.
    #[must_use]
    pub fn new(app: &TestApp, made: &Value) -> Self {
        let url = made.get("url").and_then(Value::as_str).expect("an address");
        let path = url.strip_prefix(app.url()).expect("an address of this server").to_owned();
        let secret = made.get("secret").and_then(Value::as_str).expect("a secret").to_owned();
        Self { path, secret, client: app.anonymous() }
    }

    /// A delivery that proves nothing.
    pub fn unsigned(&self, body: &str) -> RequestBuilder {
        let request = self.client.request(Method::POST, &self.path);
        request.header("Content-Type", "application/json").body(body.to_owned())
    }

    /// A delivery as GitHub signs it.
    pub fn github(&self, kind: &str, id: &str, body: &str) -> RequestBuilder {
        let secret = Hidden::new(self.secret.clone());
        let signature = format!("sha256={}", signature(&secret, body.as_bytes()));
        self.unsigned(body)
            .header("X-GitHub-Event", kind)
            .header("X-GitHub-Delivery", id)
            .header("X-Hub-Signature-256", signature)
    }

    /// A delivery as GitLab signs it for a signing token, at so many seconds since 1970.
    ///
    /// # Panics
    /// If the secret has not the form that GitLab asks for.
    pub fn gitlab(&self, kind: &str, id: &str, body: &str, at: i64) -> RequestBuilder {
        let key = self.secret.strip_prefix("whsec_").expect("a signing token");
        let key = STANDARD.decode(key).expect("Base64");
        let mac = Hmac::<Sha256>::new_from_slice(&key).expect("any key will do");
        let mac = mac.chain_update(format!("{id}.{at}.{body}")).finalize().into_bytes();
        self.unsigned(body)
            .header("X-Gitlab-Event", kind)
            .header("webhook-id", id)
            .header("webhook-timestamp", at)
            .header("webhook-signature", format!("v1,{}", STANDARD.encode(mac)))
    }
}
