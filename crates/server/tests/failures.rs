//! Guessing: wrong tokens wait, good ones do not. SECURITY lines 29 and 30.

use domain::secret::{TokenKind, TokenSecret};
use rand::{SeedableRng as _, rngs::StdRng};
use reqwest::Method;
use serde_json::json;
use server::{FailureLimits, TrustedProxies};
use testkit::{TestAnswer, TestApp, TestClient};

/// A server that lets three wrong tokens come from a place at once, and takes the word of a proxy
/// on this machine on where each comes from.
async fn house() -> TestApp {
    TestApp::set(|config| {
        config.trusted_proxies = TrustedProxies::parse(&["127.0.0.1"]).expect("a network");
        config.failures = FailureLimits::new(3);
    })
    .await
}

async fn from(client: &TestClient, address: &str, path: &str) -> TestAnswer {
    TestAnswer::of(client.request(Method::GET, path).header("X-Forwarded-For", address)).await
}

/// A well-formed token that nobody made.
fn guess(app: &TestApp, seed: u64) -> TestClient {
    let secret = TokenSecret::mint(TokenKind::Service, &mut StdRng::seed_from_u64(seed));
    app.presenting(secret.reveal())
}

#[tokio::test]
async fn after_too_many_wrong_tokens_an_address_waits_and_the_store_is_not_asked() {
    let app = house().await;
    let path = "/api/v2/whoami/";
    for seed in 0..3 {
        assert_eq!(from(&guess(&app, seed), "192.0.2.1", path).await.status(), 401);
    }
    let statements = app.store.statements();
    let wait = from(&guess(&app, 3), "192.0.2.1", path).await;
    assert_eq!((wait.status(), wait.header("retry-after")), (429, "1"), "{}", wait.text());
    assert_eq!(wait.header("www-authenticate"), "");
    let malformed = from(&app.presenting("ngst_x"), "192.0.2.1", path).await;
    assert_eq!(malformed.bytes(), wait.bytes(), "one answer, whatever was presented");
    assert_eq!(app.store.statements(), statements, "the store is not asked");
    // Who presents nothing guesses nothing.
    assert_eq!(from(&app.anonymous(), "192.0.2.1", path).await.status(), 401);
    assert_eq!(from(&guess(&app, 4), "192.0.2.2", path).await.status(), 401);
    app.clock.set(app.clock.now().plus_seconds(1));
    assert_eq!(from(&guess(&app, 5), "192.0.2.1", path).await.status(), 401);
    assert_eq!(from(&guess(&app, 6), "192.0.2.1", path).await.status(), 429);
}

#[tokio::test]
async fn no_guesses_keep_a_valid_token_out() {
    let app = house().await;
    let acme = app.account("acme").await;
    let used = acme.service_token().grant_everywhere("job_viewer").create().await;
    let fresh = acme.service_token().grant_everywhere("job_viewer").create().await;
    let path = acme.v3("/projects/");
    assert_eq!(from(&used, "198.51.100.1", &path).await.status(), 200);
    // From all of a network, from another, and from the address itself.
    for seed in 0..600 {
        let address = format!("192.0.2.{}", seed % 250);
        from(&guess(&app, seed), &address, &path).await;
    }
    for seed in 0..5 {
        from(&guess(&app, seed), "198.51.100.9", &path).await;
    }
    assert_eq!(from(&guess(&app, 9), "198.51.100.9", &path).await.status(), 429);
    // From an address that guesses, what was good before is let through.
    assert_eq!(from(&used, "198.51.100.9", &path).await.status(), 200);
    assert_eq!(from(&used, "192.0.2.7", &path).await.status(), 200);
    // From any other address, its neighbours and the flood notwithstanding, so is what is new.
    assert_eq!(from(&fresh, "192.0.2.251", &path).await.status(), 200);
    let fresh = acme.service_token().grant_everywhere("job_viewer").create().await;
    assert_eq!(from(&fresh, "203.0.113.5", &path).await.status(), 200);
}

#[tokio::test]
async fn a_token_that_was_taken_back_counts_as_wrong() {
    let app = house().await;
    let acme = app.account("acme").await;
    let (id, token) = acme.service_token().grant_everywhere("job_viewer").create_with_id().await;
    let path = acme.v3("/projects/");
    assert_eq!(from(&token, "192.0.2.1", &path).await.status(), 200);
    acme.admin.delete(&acme.v3(&format!("/service-tokens/{id}/"))).await;
    for _ in 0..3 {
        assert_eq!(from(&token, "192.0.2.1", &path).await.status(), 401);
    }
    assert_eq!(from(&token, "192.0.2.1", &path).await.status(), 429);
    assert_eq!(acme.admin.get(&path).await.status(), 200);
}

#[tokio::test]
async fn secrets_of_invitations_are_guessed_no_oftener_than_tokens() {
    let app = house().await;
    let accept = async |seed: u64| {
        let secret = TokenSecret::mint(TokenKind::Invitation, &mut StdRng::seed_from_u64(seed));
        let body = json!({ "token": secret.reveal() });
        app.anonymous().post("/api/v3/invites/accept/", body).await
    };
    for seed in 0..3 {
        assert_eq!(accept(seed).await.status(), 400);
    }
    let statements = app.store.statements();
    assert_eq!((accept(3).await.status(), app.store.statements()), (429, statements));
    // They are counted together.
    let guess = guess(&app, 4).get("/api/v2/whoami/").await;
    assert_eq!(guess.status(), 429, "{}", guess.text());
}
