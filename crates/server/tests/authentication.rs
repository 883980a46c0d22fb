//! How a token is presented, and what is answered where it does not do. SECURITY lines 8 to 12.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use domain::secret::{TokenKind, TokenSecret};
use reqwest::Method;
use serde_json::json;
use testkit::{TestAccount, TestAnswer, TestApp, TestClient};

const WHOAMI: &str = "/api/v2/whoami/";

async fn acme() -> (TestApp, TestAccount, TestClient) {
    let app = TestApp::new().await;
    let acme = app.account("acme").await;
    let token = acme.service_token().grant_everywhere("job_admin").create().await;
    (app, acme, token)
}

/// Presents the values as `Authorization` headers.
async fn with(app: &TestApp, path: &str, values: &[&str]) -> TestAnswer {
    let request = app.anonymous().request(Method::GET, path);
    let request =
        values.iter().fold(request, |request, value| request.header("Authorization", *value));
    TestAnswer::of(request).await
}

#[tokio::test]
async fn both_schemes_are_the_same_in_any_case() {
    let (app, _, token) = acme().await;
    for scheme in ["Bearer", "bearer", "BEARER", "Token", "token"] {
        let answer = with(&app, WHOAMI, &[&format!("{scheme} {}", token.secret())]).await;
        assert_eq!(answer.status(), 200, "{scheme}");
    }
}

#[tokio::test]
async fn a_request_without_a_token_is_challenged_without_an_error_code() {
    let (app, ..) = acme().await;
    let answer = app.anonymous().get(WHOAMI).await;
    assert_eq!(answer.status(), 401);
    assert_eq!(answer.header("www-authenticate"), "Bearer");
    assert_eq!(answer.json()["status"]["code"], 401);
    assert_eq!(answer.json()["status"]["is_success"], false);
}

#[tokio::test]
async fn every_bad_token_gets_one_and_the_same_401() {
    let (app, acme, token) = acme().await;
    let (id, revoked) = acme.service_token().grant_everywhere("job_admin").create_with_id().await;
    acme.admin.delete(&acme.v3(&format!("/service-tokens/{id}/"))).await;
    let unknown = TokenSecret::mint(TokenKind::Service, &mut rand_core());
    let unknown_personal = TokenSecret::mint(TokenKind::Personal, &mut rand_core());
    let mut bad_checksum = token.secret().to_owned();
    let last = if bad_checksum.ends_with('0') { "1" } else { "0" };
    bad_checksum.replace_range(bad_checksum.len() - 1.., last);
    let presented = [
        format!("Bearer {}", revoked.secret()),
        format!("Bearer {}", unknown.reveal()),
        format!("Bearer {}", unknown_personal.reveal()),
        format!("Bearer {bad_checksum}"),
        "Bearer ngst_".to_owned(),
        "Bearer".to_owned(),
        "Bearer nonsense".to_owned(),
        format!("Basic {}", token.secret()),
        token.secret().to_owned(),
    ];
    let mut answers = Vec::new();
    for value in &presented {
        let answer = with(&app, WHOAMI, &[value]).await;
        assert_eq!(answer.status(), 401, "{value}");
        answers.push((answer.lasting_headers(), answer.text()));
    }
    // The admin's first token ends by itself after 30 days.
    app.clock.set(app.clock.now().plus_seconds(31 * 24 * 3_600));
    let expired = acme.admin.get(WHOAMI).await;
    assert_eq!(expired.header("www-authenticate"), "Bearer error=\"invalid_token\"");
    answers.push((expired.lasting_headers(), expired.text()));
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
}

/// SECURITY line 10. A bad checksum is refused sooner, as anyone can tell one without asking here.
#[tokio::test]
async fn revoked_expired_and_unknown_tokens_take_the_same_time_to_refuse() {
    let (app, acme, token) = acme().await;
    let path = acme.v3(&format!("/users/{}/account-apikeys/", acme.admin_id));
    let lasting = acme.admin.post(&path, json!({ "name": "lasting" })).await;
    let lasting = app.presenting(lasting.data()["token_string"].as_str().unwrap());
    let (id, revoked) = acme.service_token().grant_everywhere("job_admin").create_with_id().await;
    // The admin's first token ends by itself after 30 days.
    app.clock.set(app.clock.now().plus_seconds(31 * 24 * 3_600));
    lasting.delete(&acme.v3(&format!("/service-tokens/{id}/"))).await;
    let unknown = TokenSecret::mint(TokenKind::Service, &mut rand_core());
    let refused = [revoked, acme.admin, app.presenting(unknown.reveal())];
    // In turn, so that whatever else the machine does falls on all of them alike.
    let mut times = [const { Vec::new() }; 3];
    for _ in 0..500 {
        for (times, client) in times.iter_mut().zip(&refused) {
            let begun = Instant::now();
            assert_eq!(client.get(WHOAMI).await.status(), 401);
            times.push(begun.elapsed());
        }
    }
    let medians = times.map(|mut times| {
        times.sort_unstable();
        times[times.len() / 2]
    });
    let (least, most) = (*medians.iter().min().unwrap(), *medians.iter().max().unwrap());
    assert!(most < least + least / 4 + Duration::from_micros(50), "{medians:?}");
    assert_eq!(token.get(WHOAMI).await.status(), 200);
}

fn rand_core() -> impl rand::CryptoRng {
    rand::rand_core::UnwrapErr(rand::rngs::SysRng)
}

#[tokio::test]
async fn a_malformed_token_is_refused_without_asking_the_store() {
    let (app, ..) = acme().await;
    let before = app.store.statements();
    with(&app, WHOAMI, &["Bearer ngst_000000000000000000000000000000000000000000"]).await;
    assert_eq!(app.store.statements(), before);
}

#[tokio::test]
async fn two_authorization_headers_are_an_invalid_request() {
    let (app, _, token) = acme().await;
    let value = format!("Bearer {}", token.secret());
    let answer = with(&app, WHOAMI, &[&value, &value]).await;
    assert_eq!(answer.status(), 400);
    assert_eq!(answer.header("www-authenticate"), "Bearer error=\"invalid_request\"");
}

#[tokio::test]
async fn a_token_in_the_query_is_refused_even_beside_a_valid_header_and_not_echoed() {
    let (app, _, token) = acme().await;
    for key in ["access_token", "token", "api_key", "anything"] {
        let path = format!("{WHOAMI}?{key}={}", token.secret());
        for answer in [token.get(&path).await, app.anonymous().get(&path).await] {
            assert_eq!(answer.status(), 400, "{key}");
            assert!(!answer.text().contains(token.secret()), "{key}");
        }
    }
}

#[tokio::test]
async fn a_token_in_a_form_body_is_refused() {
    let (app, acme, token) = acme().await;
    let request = app
        .anonymous()
        .request(Method::POST, &acme.v3("/service-tokens/"))
        .header("Content-Type", "application/x-www-form-urlencoded")
        .body(format!("access_token={}", token.secret()));
    let answer = TestAnswer::of(request).await;
    assert_eq!(answer.status(), 401);
    assert!(!answer.text().contains(token.secret()));
}

#[tokio::test]
async fn a_proved_token_without_the_right_is_told_what_would_hold_it() {
    let (_app, acme, _) = acme().await;
    let token = acme.service_token().grant_everywhere("job_viewer").create().await;
    let answer = token.post(&acme.v3("/service-tokens/"), json!({ "name": "x" })).await;
    assert_eq!(answer.status(), 403);
    assert_eq!(answer.header("www-authenticate"), "Bearer error=\"insufficient_scope\"");
    assert_eq!(
        answer.data()["required"],
        json!({ "resource": "service_tokens", "access": "write" })
    );
    assert_eq!(answer.data()["permission_sets"], json!(["account_admin"]));
    let message = answer.json()["status"]["developer_message"].as_str().unwrap().to_owned();
    assert!(message.contains("Account Admin"), "{message}");
}

#[tokio::test]
async fn another_account_reads_as_one_that_does_not_exist() {
    let (app, _, token) = acme().await;
    let rival = app.account("rival").await;
    let theirs = token.get(&rival.v3("/service-tokens/")).await;
    let nobodys = token.get("/api/v3/accounts/999999/service-tokens/").await;
    assert_eq!((theirs.status(), theirs.text()), (404, nobodys.text()));
    assert_eq!(nobodys.status(), 404);
}

/// SECURITY line 24: while eight clients keep asking on connections that are kept alive, whatever
/// is sent after the answer to the change is refused. `NARROWGATE_REVOKED_REQUESTS=100000` asks
/// that often.
#[tokio::test]
async fn after_the_answer_to_a_change_no_request_passes_on_any_connection() {
    let (_app, acme, _) = acme().await;
    let projects = acme.v3("/projects/");
    let requests = std::env::var("NARROWGATE_REVOKED_REQUESTS").ok();
    let requests = requests.map_or(4_800, |number| number.parse::<u32>().unwrap());
    for (way, refused) in [("DELETE", 401), ("state 2", 401), ("narrowed", 403)] {
        let (id, token) = acme.service_token().grant_everywhere("job_admin").create_with_id().await;
        let one = acme.v3(&format!("/service-tokens/{id}/"));
        let told = Arc::new(AtomicBool::new(false));
        let ask = || {
            let (token, told, projects) = (token.clone(), Arc::clone(&told), projects.clone());
            async move {
                let mut after = 0;
                while after < requests.div_ceil(3 * 8) {
                    let late = told.load(Ordering::SeqCst);
                    let status = token.get(&projects).await.status();
                    assert!(status == refused || (status == 200 && !late), "{way}: {status}");
                    after += u32::from(late);
                }
            }
        };
        let asking: Vec<_> = (0..8).map(|_| tokio::spawn(ask())).collect();
        tokio::time::sleep(Duration::from_millis(100)).await;
        let changed = match way {
            "DELETE" => acme.admin.delete(&one).await,
            "state 2" => acme.admin.put(&one, json!({ "name": "t", "state": 2 })).await,
            _ => acme.admin.post(&format!("{one}permissions/"), json!([])).await,
        };
        told.store(true, Ordering::SeqCst);
        assert_eq!(changed.status(), 200, "{way}: {}", changed.text());
        for asked in asking {
            asked.await.unwrap();
        }
    }
}

#[tokio::test]
async fn errors_carry_a_request_id_of_ours_and_nothing_of_the_inside() {
    let (app, ..) = acme().await;
    let request = app.anonymous().request(Method::GET, WHOAMI).header("X-Request-Id", "mine");
    let answer = TestAnswer::of(request).await;
    assert_eq!(answer.header("x-request-id").len(), 36);
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    for word in ["store", "sql", "panicked", ".rs", "/tmp"] {
        assert!(!answer.text().to_lowercase().contains(word), "{word}");
    }
}

#[tokio::test]
async fn no_answer_names_an_origin_for_browsers() {
    let (_app, _, token) = acme().await;
    let request = token.request(Method::GET, WHOAMI).header("Origin", "https://evil.example");
    let answer = TestAnswer::of(request).await;
    assert_eq!(answer.header("access-control-allow-origin"), "");
}
