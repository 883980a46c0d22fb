//! Secrets that were found where everybody can read them, and canaries. SECURITY lines 26, 45, 46.
#![expect(clippy::unwrap_used, reason = "a failure is a failed test")]

mod common;

use std::collections::BTreeMap;

use aws_lc_rs::{
    encoding::{AsDer as _, PublicKeyX509Der},
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use common::{
    mail_server::MailServer,
    receiver::{Delivery, OK, Receiver},
};
use domain::{
    authz::License,
    git_hook::digest,
    secret::{TokenKind, TokenSecret},
    webhook::EventType,
};
use rand::{SeedableRng as _, rngs::StdRng};
use reqwest::Method;
use serde_json::{Value, json};
use server::{FailureLimits, LeakKeys};
use testkit::{TestAccount, TestAnswer, TestApp, TestClient};

const PATH: &str = "/api/v3/leaks/";
const ACCOUNTS: &str = "/api/v3/accounts/";

/// A report of these texts.
fn report(texts: &[&str]) -> Value {
    let url = "https://git.example/commit/1";
    let one =
        |token: &&str| json!({ "token": token, "type": "ng", "url": url, "source": "commit" });
    texts.iter().map(one).collect()
}

async fn send(app: &TestApp, texts: &[&str]) -> TestAnswer {
    app.anonymous().post(PATH, report(texts)).await
}

fn labels(answer: &TestAnswer) -> Vec<String> {
    assert_eq!(answer.status(), 200, "{}", answer.text());
    let told = answer.json();
    let label = |one: &Value| one["label"].as_str().unwrap().to_owned();
    told.as_array().unwrap().iter().map(label).collect()
}

fn unknown(seed: u64) -> TokenSecret {
    TokenSecret::mint(TokenKind::Service, &mut StdRng::seed_from_u64(seed))
}

async fn webhook(acme: &TestAccount, url: &str) {
    let events = EventType::ALL.map(EventType::word);
    let body = json!({ "name": "ops", "client_url": url, "event_types": events });
    assert_eq!(acme.admin.post(&acme.v3("/webhooks/subscriptions"), body).await.status(), 201);
}

async fn works(client: &TestClient) -> bool {
    client.get(ACCOUNTS).await.status() == 200
}

fn subject(mail: &str) -> &str {
    mail.lines().find_map(|line| line.strip_prefix("Subject: ")).unwrap()
}

#[tokio::test]
async fn a_leaked_secret_is_ended_at_once_told_and_recorded_and_its_use_is_not() {
    let mails = MailServer::new().await;
    let app = TestApp::with_mail(&mails.url).await;
    let acme = app.account("acme").await;
    let (id, token) = acme.service_token().named("nightly").create_with_id().await;
    let (user, personal) = acme.user("bob@acme.example", License::Developer, &["job_viewer"]).await;
    let receiver = Receiver::answering(&[OK]).await;
    webhook(&acme, &receiver.url).await;
    let (unknown, secret) = (unknown(1), token.secret());

    let texts = [secret, personal.secret(), unknown.reveal(), "ngst_nothing", secret, ""];
    let answer = send(&app, &texts).await;

    let (yes, no) = ("true_positive", "false_positive");
    assert_eq!(labels(&answer), [yes, yes, no, no, yes, no]);
    let first =
        json!({ "token_hash": digest(secret.as_bytes()), "token_type": "ng", "label": yes });
    assert_eq!(answer.json()[0], first);
    assert!(!works(&token).await && !works(&personal).await);
    assert_eq!(labels(&send(&app, &texts[..2]).await), [no, no], "nothing is known by it now");
    app.store.flush_last_used().await.unwrap();
    let gone = acme.admin.get(&acme.v3("/service-tokens/?state=2")).await.data();
    assert_eq!((&gone[0]["id"], &gone[0]["last_used"]), (&json!(id), &Value::Null));

    let came = receiver.came(3).await;
    let told = |kind: &str| {
        let of = |body: &Value| body["eventType"] == kind;
        came.iter().map(Delivery::payload).find(of).unwrap()["data"].clone()
    };
    let leaked = told("service_token.leaked");
    assert_eq!(leaked["leakUrl"], "https://git.example/commit/1");
    assert_eq!((&leaked["leakType"], &leaked["leakSource"]), (&json!("ng"), &json!("commit")));
    assert_eq!(
        (&leaked["tokenName"], &leaked["actor"]),
        (&json!("nightly"), &json!("system:watcher"))
    );
    assert_eq!(told("service_token.revoked")["tokenId"], id.to_string());
    assert_eq!(told("personal_token.leaked")["userId"], user.to_string());
    let mails = mails.mails(3).await;
    let mut said: Vec<_> = mails.iter().map(|mail| subject(mail)).collect();
    said.sort_unstable();
    assert!(
        said[0].starts_with("The personal token ") && said[2].contains("nightly leaked"),
        "{said:?}"
    );
    let audit = acme.admin.get(&acme.v3("/audit-logs/")).await.text();
    for event in ["service_token.leaked", "service_token.revoked", "personal_token.leaked"] {
        assert!(audit.contains(event), "{event}: {audit}");
    }
    assert!(audit.contains("\"watcher\"") && audit.contains("https://git.example/commit/1"));
    let bodies = came.iter().map(|delivery| delivery.body.clone());
    for text in bodies.chain(mails).chain([audit, answer.text()]) {
        assert!(!text.contains(secret) && !text.contains(personal.secret()), "{text}");
    }
}

#[tokio::test]
async fn a_leaked_secret_takes_no_other_secret_of_its_token_along() {
    let app = TestApp::new().await;
    let acme = app.account("acme").await;
    let (id, old) = acme.service_token().create_with_id().await;
    let one = acme.v3(&format!("/service-tokens/{id}/"));
    let rotated = acme.admin.post(&format!("{one}rotate/"), json!({ "overlap_minutes": 60 })).await;
    let new = app.presenting(rotated.data()["token_string"].as_str().unwrap());
    assert!(works(&old).await && works(&new).await);

    labels(&send(&app, &[old.secret()]).await);
    assert!(!works(&old).await && works(&new).await, "there is no overlap, and no more is taken");
    // What is disabled is ended, too: enabling it brings nothing back.
    assert_eq!(acme.admin.post(&one, json!({ "disabled": true })).await.status(), 200);
    assert_eq!(labels(&send(&app, &[new.secret()]).await), ["true_positive"]);
    assert_eq!(acme.admin.get(&one).await.status(), 404);
}

#[tokio::test]
async fn reports_of_what_is_unknown_cost_two_statements_however_many_there_are() {
    let app = TestApp::new().await;
    let acme = app.account("acme").await;
    let (id, revoked) = acme.service_token().create_with_id().await;
    acme.admin.delete(&acme.v3(&format!("/service-tokens/{id}/"))).await;
    let many: Vec<_> = (0..500).map(unknown).collect();
    let many: Vec<_> = many.iter().map(TokenSecret::reveal).collect();
    let malformed = vec!["ngst_nothing"; 500];
    for texts in [&many[..1], &many, &malformed, &[revoked.secret()], &[]] {
        let before = app.store.statements();
        assert!(labels(&send(&app, texts).await).iter().all(|label| label == "false_positive"));
        assert_eq!(app.store.statements() - before, 2, "{}", texts.len());
    }
}

#[tokio::test]
async fn a_report_that_cannot_be_read_ends_nothing() {
    let app = TestApp::new().await;
    let acme = app.account("acme").await;
    let token = acme.service_token().create().await;
    let secret = token.secret();
    let post = async |body: String, kind: &str| {
        let request = app.anonymous().request(Method::POST, PATH).header("Content-Type", kind);
        TestAnswer::of(request.body(body)).await
    };
    let whole = report(&[secret]).to_string();
    let item = json!({ "token": secret });
    for (body, field) in [
        (whole[..whole.len() - 1].to_owned(), "body"),
        (json!({ "token": secret }).to_string(), "body"),
        (String::new(), "body"),
        (json!([item, { "token": 7 }]).to_string(), "[1].token"),
        (json!([item, { "type": "ng" }]).to_string(), "[1]"),
        (json!([item, { "token": secret, "url": [] }]).to_string(), "[1].url"),
        (json!([item, "text"]).to_string(), "[1]"),
        (Value::from(vec![item.clone(); 1_001]).to_string(), "body"),
        (Value::from(vec![json!({ "token": "x" }); 10_000]).to_string(), "body"),
    ] {
        let refused = post(body, "application/json").await;
        assert_eq!(refused.status(), 400, "{field}: {}", refused.text());
        assert!(!refused.reason(field).is_empty(), "{field}: {}", refused.text());
        assert!(!refused.text().contains(secret));
    }
    assert_eq!(post(whole.clone(), "text/plain").await.status(), 415);
    let long = "x".repeat(1 << 20);
    assert_eq!(send(&app, &[secret, &long]).await.status(), 413);
    assert_eq!(labels(&send(&app, &[&long[..1_000_000]]).await), ["false_positive"]);
    assert!(works(&token).await);
    // What is absent, null or more is no reason to leave a secret open.
    let bare = json!([{ "token": secret, "type": null, "more": 1 }]);
    assert_eq!(labels(&app.anonymous().post(PATH, bare).await), ["true_positive"]);
    assert!(!works(&token).await);
}

#[tokio::test]
async fn a_report_is_believed_by_its_signature_where_there_are_keys() {
    let rng = SystemRandom::new();
    let pair = || EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
    let (github, other) = (pair(), pair());
    let spki: PublicKeyX509Der<'_> = github.public_key().as_der().unwrap();
    let pem = BASE64_STANDARD.encode(spki.as_ref());
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{pem}\n-----END PUBLIC KEY-----\n");
    let keys = |pem: &str| LeakKeys::try_from(BTreeMap::from([("k1".to_owned(), pem.to_owned())]));
    for wrong in ["", "k", &pem.replace("PUBLIC", "PRIVATE"), &pem.replace('M', "A")] {
        assert!(keys(wrong).unwrap_err().to_string().contains("`k1`"));
    }
    let known = keys(&pem).unwrap();
    let app = TestApp::set(|config| config.leak_keys = known).await;
    let acme = app.account("acme").await;
    let token = acme.service_token().create().await;
    let body = report(&[token.secret()]).to_string();
    let post = async |body: &str, headers: &[(&str, String)]| {
        let mut request = app.anonymous().request(Method::POST, PATH).body(body.to_owned());
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        TestAnswer::of(request).await
    };
    let signed = |by: &EcdsaKeyPair, key: &str, body: &str| {
        let signature = BASE64_STANDARD.encode(by.sign(&rng, body.as_bytes()).unwrap());
        let key = ("Github-Public-Key-Identifier", key.to_owned());
        [key, ("Github-Public-Key-Signature", signature)]
    };

    let good = signed(&github, "k1", &body);
    let statements = app.store.statements();
    for headers in [
        &[][..],
        &good[..1],
        &good[1..],
        &signed(&github, "k2", &body),
        &signed(&other, "k1", &body),
        &signed(&github, "k1", &format!("{body} ")),
        &[good[0].clone(), (good[1].0, "no base64".to_owned())],
    ] {
        let refused = post(&body, headers).await;
        assert_eq!(refused.status(), 403, "{}", refused.text());
    }
    assert_eq!(
        post("[{", &[]).await.status(),
        403,
        "nothing is read before the signature is right"
    );
    assert_eq!(app.store.statements(), statements);
    assert!(works(&token).await);
    assert_eq!(post("[{", &signed(&github, "k1", "[{")).await.status(), 400);
    assert_eq!(labels(&post(&body, &good).await), ["true_positive"]);
    assert!(!works(&token).await);
}

#[tokio::test]
async fn secrets_are_guessed_by_reports_no_oftener_than_by_requests() {
    let app = TestApp::set(|config| config.failures = FailureLimits::new(3)).await;
    let acme = app.account("acme").await;
    let token = acme.service_token().create().await;
    let guesses: Vec<_> = (0..5).map(unknown).collect();
    let guesses: Vec<_> = guesses.iter().map(TokenSecret::reveal).collect();
    assert_eq!(send(&app, &guesses).await.status(), 200);
    let statements = app.store.statements();
    let wait = send(&app, &[token.secret()]).await;
    // Five of three are two beyond, and one comes back a second.
    assert_eq!((wait.status(), wait.header("retry-after")), (429, "3"), "{}", wait.text());
    assert_eq!(app.store.statements(), statements);
    app.clock.set(app.clock.now().plus_seconds(3));
    assert_eq!(labels(&send(&app, &[token.secret()]).await), ["true_positive"]);
}

#[tokio::test]
async fn a_canary_answers_like_an_unknown_token_and_each_use_is_told() {
    let mails = MailServer::new().await;
    let app = TestApp::with_mail(&mails.url).await;
    let acme = app.account("acme").await;
    let all = acme.v3("/service-tokens/");
    let made = acme.admin.post(&all, json!({ "name": "root's .env", "canary": true })).await;
    assert_eq!(made.status(), 201, "{}", made.text());
    let one = format!("{all}{}/", made.id());
    let canary = app.presenting(made.data()["token_string"].as_str().unwrap());
    let nobody = app.presenting(unknown(1).reveal());
    let receiver = Receiver::answering(&[OK]).await;
    webhook(&acme, &receiver.url).await;

    for path in [ACCOUNTS, "/api/v2/whoami/", &all] {
        let (answer, other) = (canary.get(path).await, nobody.get(path).await);
        assert_eq!((answer.status(), answer.bytes()), (401, other.bytes()));
        assert_eq!(answer.lasting_headers(), other.lasting_headers());
    }
    app.store.flush_last_used().await.unwrap();
    let told = receiver.came(1).await.remove(0).payload();
    assert_eq!(told["eventType"], "service_token.canary_used");
    let data = &told["data"];
    assert_eq!((&data["uses"], &data["address"]), (&json!(3), &json!("127.0.0.1")));
    let mail = mails.mails(1).await.remove(0);
    assert_eq!(subject(&mail), "The canary root's .env was used");
    assert!(!mail.contains(canary.secret()) && !told.to_string().contains(canary.secret()));
    let audit = acme.admin.get(&acme.v3("/audit-logs/")).await.text();
    assert!(audit.contains("service_token.canary_used"), "{audit}");

    // Reported or given up it says no more of itself, and stays: those were uses, told after an hour.
    assert_eq!(labels(&send(&app, &[canary.secret()]).await), ["false_positive"]);
    let form = app.anonymous().request(Method::POST, "/oauth/revoke");
    let form = form.header("Content-Type", "application/x-www-form-urlencoded");
    let answer = TestAnswer::of(form.body(format!("token={}", canary.secret()))).await;
    assert_eq!((answer.status(), answer.text().as_str()), (200, ""));
    app.store.flush_last_used().await.unwrap();
    app.clock.set(app.clock.now().plus_seconds(3_600));
    app.store.flush_last_used().await.unwrap();
    let came = receiver.came(2).await;
    assert_eq!((came.len(), &came[1].payload()["data"]["uses"]), (2, &json!(2)));

    let listed = acme.admin.get(&one).await.data();
    assert_eq!((&listed["canary"], &listed["last_used"]), (&json!(true), &Value::Null));
    let grants = json!([{ "permission_set": "job_viewer", "all_projects": true }]);
    assert_eq!(acme.admin.post(&format!("{one}permissions/"), grants.clone()).await.status(), 409);
    let granted = json!({ "name": "x", "canary": true, "permission_grants": grants });
    let granted = acme.admin.post(&all, granted).await;
    assert_eq!(granted.status(), 400);
    assert!(granted.reason("permission_grants").contains("canary"));
    let asked = json!({ "service_token_id": made.id(), "resource": "projects", "action": "read" });
    let asked = acme.admin.post(&acme.v3("/check/"), asked).await;
    assert_eq!(asked.data()["status"], 401, "{}", asked.text());
}
