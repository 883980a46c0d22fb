//! A second factor: set up, asked for, and there when the app is lost.
#![expect(clippy::unwrap_used, reason = "what fails here is a failed test")]

mod common;

use common::browser::{Browser, PASSWORD, link};
use domain::second_factor::TotpSecret;
use testkit::{TestAccount, TestAnswer, TestApp};

const ADMIN: &str = "admin@acme.example";
const HERE: &str = "/console/you/second-factor";

/// An account whose admin has a second factor: their secret and recovery codes.
async fn acme() -> (TestApp, TestAccount, Browser, TotpSecret, Vec<String>) {
    let app = TestApp::new().await;
    let acme = app.account("acme").await;
    let browser = Browser::admin(&app, &acme, "acme").await;
    let (secret, codes) = set_up(&app, &browser).await;
    (app, acme, browser, secret, codes)
}

async fn set_up(app: &TestApp, browser: &Browser) -> (TotpSecret, Vec<String>) {
    assert_eq!(browser.post(&at("begin"), &[]).await.status(), 303);
    let page = browser.get(HERE).await.text();
    assert!(page.contains("<svg class=\"qr\""), "{page}");
    let (_, rest) = page.split_once("id=\"key\">").unwrap();
    let text = rest.split('<').next().unwrap();
    let secret = app_reads(text);
    let wrong = browser.post(&at("confirm"), &[("code", "000000")]).await;
    assert_eq!(wrong.status(), 400);
    assert!(wrong.text().contains("This is not the code"), "{}", wrong.text());
    let code = secret.code(app.clock.now());
    let on = browser.post(&at("confirm"), &[("code", &code)]).await;
    assert_eq!(on.status(), 200, "{}", on.text());
    (secret, codes(&on.text()))
}

fn at(rest: &str) -> String {
    format!("{HERE}/{rest}")
}

/// What an app makes of the key.
fn app_reads(base32: &str) -> TotpSecret {
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let letters = base32.chars().map(|letter| alphabet.find(letter).unwrap());
    let bits: Vec<usize> =
        letters.flat_map(|value| (0..5).rev().map(move |bit| value >> bit & 1)).collect();
    let byte = |bits: &[usize]| bits.iter().fold(0, |all, bit| all << 1 | *bit);
    let bytes: Vec<u8> =
        bits.chunks_exact(8).map(|bits| u8::try_from(byte(bits)).unwrap()).collect();
    TotpSecret::from_bytes(&bytes).unwrap()
}

fn codes(page: &str) -> Vec<String> {
    let (_, rest) = page.split_once("id=\"codes\">").unwrap();
    rest.split('<').next().unwrap().split_whitespace().map(str::to_owned).collect()
}

/// The ticket of the second step, after the password.
async fn first_step(browser: &Browser) -> String {
    ticket(&browser.sign_in(ADMIN, PASSWORD).await)
}

fn ticket(answer: &TestAnswer) -> String {
    let page = answer.text();
    assert!(page.contains("Second step"), "{page}");
    assert_eq!(answer.header("set-cookie"), "", "nobody is in yet");
    let (_, rest) = page.split_once("name=\"ticket\" value=\"").unwrap();
    rest.split('"').next().unwrap().to_owned()
}

async fn second_step(browser: &Browser, ticket: &str, code: &str) -> TestAnswer {
    browser.post("/console/sign-in/code", &[("ticket", ticket), ("code", code)]).await
}

#[tokio::test]
async fn who_has_a_second_factor_comes_in_with_a_code_that_is_good_once() {
    let (app, acme, _, secret, codes) = acme().await;
    assert_eq!(codes.len(), 10);
    let browser = Browser::new(&app);
    let first = first_step(&browser).await;
    let used = secret.code(app.clock.now());
    let replayed = second_step(&browser, &first, &used).await;
    assert_eq!(replayed.status(), 400, "the code that turned it on was used");
    assert!(replayed.text().contains("it was used already"), "{}", replayed.text());
    app.clock.set(app.clock.now().plus_seconds(30));
    let code = secret.code(app.clock.now());
    let came = second_step(&browser, &first, &code).await;
    assert_eq!(came.status(), 303, "{}", came.text());
    assert_eq!(browser.get("/console/you").await.status(), 200);

    let thief = Browser::new(&app);
    let second = first_step(&thief).await;
    assert_eq!(second_step(&thief, &second, &code).await.status(), 400, "a code seen on the way");
    let gone = second_step(&thief, &first, &secret.code(app.clock.now())).await;
    assert_eq!(gone.header("location"), "/console/sign-in?slow=1", "a ticket is good once");
    let late = first_step(&thief).await;
    app.clock.set(app.clock.now().plus_seconds(300));
    let slow = second_step(&thief, &late, &secret.code(app.clock.now())).await;
    assert_eq!(slow.header("location"), "/console/sign-in?slow=1");
    let log = acme.admin.get(&acme.v3("/audit-logs/")).await.text();
    assert!(log.contains("second_factor.on") && log.contains("second_factor.used"), "{log}");
}

#[tokio::test]
async fn a_recovery_code_is_good_once_and_can_be_renewed() {
    let (app, _, browser, _, codes) = acme().await;
    let visitor = Browser::new(&app);
    let first = first_step(&visitor).await;
    let typed = codes[0].to_uppercase().replace('-', " ");
    assert_eq!(second_step(&visitor, &first, &typed).await.status(), 303);
    let again = first_step(&Browser::new(&app)).await;
    assert_eq!(second_step(&visitor, &again, &codes[0]).await.status(), 400, "once");
    let page = browser.get(HERE).await.text();
    assert!(page.contains("9 recovery codes are left"), "{page}");
    assert!(codes.iter().all(|code| !page.contains(code)), "they are shown once");

    let wrong = browser.post(&at("codes"), &[("password", "wrong")]).await;
    assert_eq!(wrong.status(), 400);
    assert!(wrong.text().contains("It is not your password."), "{}", wrong.text());
    let renewed = browser.post(&at("codes"), &[("password", PASSWORD)]).await;
    assert_eq!(renewed.status(), 200);
    let others = self::codes(&renewed.text());
    let old = first_step(&Browser::new(&app)).await;
    assert_eq!(second_step(&visitor, &old, &codes[1]).await.status(), 400, "those before are none");
    assert_eq!(second_step(&visitor, &old, &others[1]).await.status(), 303);
}

#[tokio::test]
async fn codes_are_not_guessed_and_a_link_does_not_pass_the_second_step_by() {
    let (app, acme, _, secret, _) = acme().await;
    let browser = Browser::new(&app);
    let first = first_step(&browser).await;
    for _ in 0..4 {
        assert_eq!(second_step(&browser, &first, "123456").await.status(), 400);
    }
    let fifth = second_step(&browser, &first, "123456").await;
    assert_eq!(fifth.header("location"), "/console/sign-in?slow=1", "the password is asked anew");
    // The password being right does not make the wrong codes forgotten.
    let more = first_step(&browser).await;
    assert_eq!(second_step(&browser, &more, "123456").await.status(), 429);
    app.clock.set(app.clock.now().plus_seconds(300));

    let code = link(&app, &acme, ADMIN).await;
    let came = Browser::new(&app).come_in(&code, PASSWORD).await;
    let ticket = ticket(&came);
    let now = secret.code(app.clock.now());
    assert_eq!(second_step(&browser, &ticket, &now).await.status(), 303);
}

#[tokio::test]
async fn it_is_turned_off_with_the_password_and_gone_with_its_user() {
    let (app, acme, browser, _, _) = acme().await;
    let refused = browser.post(&at("begin"), &[]).await;
    assert_eq!(refused.status(), 409, "it is on already");
    assert_eq!(browser.post(&at("off"), &[("password", "wrong")]).await.status(), 400);
    assert!(browser.get(HERE).await.text().contains("On since"));
    assert_eq!(browser.post(&at("off"), &[("password", PASSWORD)]).await.status(), 303);
    assert!(browser.get(HERE).await.text().contains("You have none."));
    assert_eq!(Browser::new(&app).sign_in(ADMIN, PASSWORD).await.status(), 303);
    // An operator takes it away from whoever lost it.
    set_up(&app, &browser).await;
    assert_eq!(Browser::new(&app).sign_in(ADMIN, PASSWORD).await.status(), 200, "it is asked for");
    let email = domain::user::Email::parse(ADMIN).unwrap();
    app.store.forget_second_factor(acme.id, &email).await.unwrap();
    // One that was begun and never confirmed is not asked for.
    assert_eq!(browser.post(&at("begin"), &[]).await.status(), 303);
    assert_eq!(Browser::new(&app).sign_in(ADMIN, PASSWORD).await.status(), 303);
}

#[tokio::test]
async fn neither_the_key_nor_a_recovery_code_is_kept_in_the_clear() {
    let (app, _, _, secret, codes) = acme().await;
    for entry in std::fs::read_dir(app.folder()).unwrap() {
        let path = entry.unwrap().path();
        if !path.is_file() {
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        let holds = |text: &[u8]| bytes.windows(text.len()).any(|window| window == text);
        assert!(!holds(secret.bytes()), "{}", path.display());
        assert!(!holds(codes[0].as_bytes()), "{}", path.display());
        assert!(!holds(codes[0].replace('-', "").as_bytes()), "{}", path.display());
    }
}
