//! A browser without script: it keeps cookies, follows no redirect, and says where a form was.

use std::sync::Mutex;

use domain::{
    secret::{TokenKind, TokenSecret},
    user::Email,
};
use rand::{rand_core::UnwrapErr, rngs::SysRng};
use reqwest::{Method, RequestBuilder, Response};
use testkit::{TestAccount, TestAnswer, TestApp, TestClient};

pub(crate) const PASSWORD: &str = "correct horse battery staple";

/// Where somebody is led who has come in.
pub(crate) const HOME: &str = "/console";

/// The path of a page with 1 in place of each of its parameters.
pub(crate) fn filled(path: &str) -> String {
    let part = |part: &str| if part.starts_with('{') { "1" } else { part }.to_owned();
    path.split('/').map(part).collect::<Vec<_>>().join("/")
}

pub(crate) struct Browser {
    client: TestClient,
    cookie: Mutex<String>,
    /// Where it is, as a trusted proxy tells.
    address: Option<&'static str>,
}

impl Browser {
    pub(crate) fn new(app: &TestApp) -> Self {
        Self { client: app.anonymous(), cookie: Mutex::default(), address: None }
    }

    /// One that a trusted proxy speaks for.
    pub(crate) fn at(app: &TestApp, address: &'static str) -> Self {
        Self { address: Some(address), ..Self::new(app) }
    }

    /// The account's admin, who came in by a sign-in link and has a password now.
    pub(crate) async fn admin(app: &TestApp, account: &TestAccount, named: &str) -> Self {
        let email = format!("admin@{named}.example");
        let code = link(app, account, &email).await;
        let browser = Self::new(app);
        let came = browser.come_in(&code, PASSWORD).await;
        assert_eq!(came.status(), 303, "{}", came.text());
        browser
    }

    pub(crate) fn cookie(&self) -> String {
        self.cookie.lock().unwrap().clone()
    }

    pub(crate) fn holds(&self, cookie: &str) {
        cookie.clone_into(&mut self.cookie.lock().unwrap());
    }

    pub(crate) async fn get(&self, path: &str) -> TestAnswer {
        self.send(self.client.request(Method::GET, path).header("Sec-Fetch-Site", "none")).await
    }

    /// Sends a form as a page of the server itself does, which sends no referrer.
    pub(crate) async fn post(&self, path: &str, fields: &[(&str, &str)]) -> TestAnswer {
        let request = self
            .form(path, fields)
            .header("Origin", "null")
            .header("Sec-Fetch-Site", "same-origin");
        self.send(request).await
    }

    /// A form without the headers by which a browser says where it was.
    pub(crate) fn form(&self, path: &str, fields: &[(&str, &str)]) -> RequestBuilder {
        let mut body = url::form_urlencoded::Serializer::new(String::new());
        body.extend_pairs(fields);
        self.client
            .request(Method::POST, path)
            .header("Content-Type", "application/x-www-form-urlencoded")
            .body(body.finish())
    }

    pub(crate) async fn send(&self, request: RequestBuilder) -> TestAnswer {
        let cookie = self.cookie();
        let request = if cookie.is_empty() { request } else { request.header("Cookie", cookie) };
        let request = match self.address {
            Some(address) => request.header("X-Forwarded-For", address),
            None => request,
        };
        let answer = TestAnswer::of(request).await;
        let set = answer.header("set-cookie").split(';').next().unwrap_or_default();
        if !set.is_empty() {
            self.holds(if set.ends_with('=') { "" } else { set });
        }
        answer
    }

    /// A request with the cookie that it holds.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, path).header("Cookie", self.cookie())
    }

    /// An answer that goes on.
    pub(crate) async fn open(&self, path: &str) -> Response {
        self.begin(self.request(Method::GET, path)).await
    }

    pub(crate) async fn begin(&self, request: RequestBuilder) -> Response {
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 200);
        answer
    }

    pub(crate) async fn come_in(&self, code: &str, password: &str) -> TestAnswer {
        let fields = [("code", code), ("password", password), ("again", password)];
        self.post("/console/welcome", &fields).await
    }

    pub(crate) async fn sign_in(&self, email: &str, password: &str) -> TestAnswer {
        self.post("/console/sign-in", &[("email", email), ("password", password)]).await
    }
}

/// The code of a new sign-in link.
pub(crate) async fn link(app: &TestApp, account: &TestAccount, email: &str) -> String {
    let secret = TokenSecret::mint(TokenKind::Invitation, &mut UnwrapErr(SysRng));
    let email = Email::parse(email).unwrap();
    app.store.create_sign_in_link(account.id, &email, &secret).await.unwrap();
    secret.reveal().to_owned()
}
