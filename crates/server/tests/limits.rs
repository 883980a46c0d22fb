//! Limits of time and size on a connection, and what can be shut. SECURITY lines 31 and 50.
#![expect(clippy::unwrap_used, reason = "what fails here is a failed test")]

use std::time::Duration;

use serde_json::Value;
use testkit::TestApp;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

const SOON: Duration = Duration::from_millis(300);

/// Sends the text on a connection of its own; gives all that comes back until its end.
async fn raw(app: &TestApp, text: &str) -> String {
    let address = app.url().trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let read = timeout(Duration::from_secs(20), stream.read_to_end(&mut answer)).await;
    assert!(
        read.is_ok(),
        "the server ends the connection after {} bytes: {}",
        text.len(),
        String::from_utf8_lossy(&answer)
    );
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn a_head_that_does_not_come_in_time_ends_the_connection() {
    let app = TestApp::set(|config| config.limits.head = SOON).await;
    for text in ["", "GET / HTTP/1.1\r\nHost: x\r\n", "GET / HTTP/1.1\r\nHost: x\r\n\r\n"] {
        let answer = raw(&app, text).await;
        assert_eq!(answer.contains("200 OK"), text.ends_with("\r\n\r\n"), "{text:?}: {answer}");
    }
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let app = TestApp::new().await;
    let long = format!("GET / HTTP/1.1\r\nHost: x\r\nX-Long: {}\r\n\r\n", "x".repeat(300_000));
    let many = format!("GET / HTTP/1.1\r\nHost: x\r\n{}\r\n", "X-Many: x\r\n".repeat(101));
    for head in [long, many] {
        let answer = raw(&app, &head).await;
        assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    }
    let fits = format!(
        "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Long: {}\r\n{}\r\n",
        "x".repeat(30_000),
        "X-Many: x\r\n".repeat(90),
    );
    assert!(raw(&app, &fits).await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn a_body_that_does_not_come_in_time_is_408_in_the_envelope() {
    let app = TestApp::set(|config| config.limits.body = SOON).await;
    let acme = app.account("acme").await;
    let head = format!(
        "POST {} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 100\r\n\
         Authorization: Bearer {}\r\n\r\n{{\"name\":",
        acme.v3("/service-tokens/"),
        acme.admin.secret(),
    );
    let answer = raw(&app, &head).await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    let body: Value = serde_json::from_str(body).unwrap();
    assert_eq!(body["data"]["reasons"]["body"], "the body did not come in time");
    assert!(acme.admin.get(&acme.v3("/service-tokens/")).await.ids().is_empty());
}

#[tokio::test]
async fn an_answer_that_is_not_made_in_time_is_503_in_the_envelope() {
    let app = TestApp::set(|config| config.limits.answer = SOON).await;
    let acme = app.account("acme").await;
    // It waits for a body, which may take longer than the answer.
    let head = format!(
        "POST {} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 100\r\n\
         Authorization: Bearer {}\r\n\r\n{{\"name\":",
        acme.v3("/service-tokens/"),
        acme.admin.secret(),
    );
    let answer = raw(&app, &head).await;
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("retry-after: 1\r\n") && head.contains("x-request-id: "), "{head}");
    let body: Value = serde_json::from_str(body).unwrap();
    assert_eq!(body["status"]["user_message"], "The service is not available now.");
}

#[tokio::test]
async fn the_openapi_document_can_be_shut_and_public_pages_tell_nothing_of_accounts() {
    let app = TestApp::set(|config| config.no_openapi = true).await;
    app.account("umbrella").await;
    assert_eq!(app.anonymous().get("/api/openapi.json").await.status(), 404);
    let open = TestApp::new().await;
    open.account("umbrella").await;
    for route in server::public_routes() {
        let Some(path) = route.strip_prefix("GET ").filter(|path| !path.contains('{')) else {
            continue;
        };
        let told = open.anonymous().get(path).await.text().to_lowercase();
        assert!(!told.contains("umbrella"), "{path}");
        if path != "/api/openapi.json" {
            assert_eq!(app.anonymous().get(path).await.status(), 200, "{path}");
        }
    }
}

#[tokio::test]
async fn an_early_refusal_reaches_a_client_that_is_late_with_its_body() {
    let app = TestApp::new().await;
    let acme = app.account("acme").await;
    let address = app.url().trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST {} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer nobody\r\nContent-Length: 2\r\n\r\n",
        acme.v3("/service-tokens/"),
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut begins = [0; 13];
    stream.read_exact(&mut begins).await.unwrap();
    assert_eq!(&begins, b"HTTP/1.1 401 ");
    tokio::time::sleep(SOON).await;
    let rest = b"{}GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    stream.write_all(rest).await.unwrap();
    let mut answers = String::new();
    stream.read_to_string(&mut answers).await.unwrap();
    assert!(answers.contains("HTTP/1.1 200 "), "{answers}");
}
