//! A lost password: a link by mail.
#![expect(clippy::unwrap_used, reason = "what fails here is a failed test")]

mod common;

use common::{
    browser::{Browser, PASSWORD},
    mail_server::MailServer,
};
use testkit::{TestAnswer, TestApp};

const ADMIN: &str = "admin@acme.example";
const OTHER: &str = "another password that i chose";

async fn ask(browser: &Browser, email: &str) -> TestAnswer {
    browser.post("/console/reset", &[("email", email)]).await
}

/// The link in a mail, whose long lines may be folded.
fn link(mail: &str) -> String {
    let mail = mail.replace("=\n", "").replace("=3D", "=");
    let from = mail.find("/console/welcome?reset=1#ngit_").unwrap();
    mail[from..].split_whitespace().next().unwrap().to_owned()
}

#[tokio::test]
async fn a_lost_password_is_replaced_by_a_link_that_is_good_once_and_ends_sessions() {
    let mails = MailServer::new().await;
    let app = TestApp::with_mail(&mails.url).await;
    let acme = app.account("acme").await;
    let browser = Browser::admin(&app, &acme, "acme").await;
    let visitor = Browser::new(&app);
    assert!(visitor.get("/console/sign-in").await.text().contains("href=\"/console/reset\""));
    assert!(visitor.get("/console/reset").await.text().contains("Send the link"));
    let sent = ask(&visitor, &format!(" {} ", ADMIN.to_uppercase())).await;
    assert_eq!(sent.status(), 200, "{}", sent.text());
    let second = ask(&visitor, ADMIN).await;
    assert_eq!(second.status(), 200);
    let both = mails.mails(2).await;
    assert!(both[0].contains("in acme, on Narrowgate"), "{}", both[0]);
    assert!(!sent.text().contains("ngit_"), "the link is in the mail alone");
    assert_eq!(browser.get("/console/you").await.status(), 200, "asking ends nothing");

    let page = visitor.get("/console/welcome?reset=1").await.text();
    assert!(page.contains("Choose another password") && !page.contains("First name"), "{page}");
    let came = visitor.come_in(&link(&both[0]), OTHER).await;
    assert_eq!(came.status(), 303, "{}", came.text());
    assert_eq!(browser.get("/console/you").await.status(), 303, "the other session ended");
    for mail in &both {
        let again = Browser::new(&app).come_in(&link(mail), PASSWORD).await;
        assert_eq!(again.status(), 400, "neither link is good any more");
    }
    assert_eq!(Browser::new(&app).sign_in(ADMIN, PASSWORD).await.status(), 400);
    assert_eq!(Browser::new(&app).sign_in(ADMIN, OTHER).await.status(), 303);
    let log = acme.admin.get(&acme.v3("/audit-logs/")).await.text();
    assert!(log.contains("password.reset_asked") && log.contains("password.set"), "{log}");
}

#[tokio::test]
async fn a_link_lasts_an_hour_and_an_address_that_nobody_has_is_answered_alike() {
    let mails = MailServer::new().await;
    let app = TestApp::with_mail(&mails.url).await;
    let acme = app.account("acme").await;
    let browser = Browser::admin(&app, &acme, "acme").await;
    let nobody = ask(&browser, "nobody@else.example").await;
    let somebody = ask(&browser, ADMIN).await;
    assert_eq!(nobody.status(), somebody.status());
    let alike = |page: String| page.replace("nobody@else.example", ADMIN);
    assert_eq!(alike(nobody.text()), alike(somebody.text()));
    let mail = mails.mails(1).await;
    app.clock.set(app.clock.now().plus_seconds(3_600));
    let late = Browser::new(&app).come_in(&link(&mail[0]), OTHER).await;
    assert_eq!(late.status(), 400);
    assert!(late.text().contains("The code has expired: ask for another."), "{}", late.text());
    assert_eq!(mails.taken().len(), 1, "nobody else was written to");

    let odd = ask(&browser, "no address").await;
    assert_eq!(odd.status(), 400);
    assert!(odd.text().contains("Type an address"));
}

#[tokio::test]
async fn links_are_not_asked_for_without_end() {
    let mails = MailServer::new().await;
    let app = TestApp::with_mail(&mails.url).await;
    let acme = app.account("acme").await;
    let browser = Browser::admin(&app, &acme, "acme").await;
    for _ in 0..20 {
        assert_eq!(ask(&browser, ADMIN).await.status(), 200);
    }
    let refused = ask(&browser, ADMIN).await;
    assert_eq!((refused.status(), refused.header("retry-after")), (429, "3600"));
    mails.mails(3).await;
    assert_eq!(mails.taken().len(), 3, "and an address gets three an hour");
    app.clock.set(app.clock.now().plus_seconds(3_600));
    assert_eq!(ask(&browser, ADMIN).await.status(), 200);
    mails.mails(4).await;
}

#[tokio::test]
async fn a_server_without_mail_says_whom_to_ask() {
    let app = TestApp::new().await;
    let browser = Browser::new(&app);
    assert!(browser.get("/console/reset").await.text().contains("This server sends no mail"));
    assert_eq!(ask(&browser, ADMIN).await.status(), 400);
}

#[tokio::test]
async fn a_theme_is_chosen_and_kept_by_the_browser() {
    let app = TestApp::new().await;
    let acme = app.account("acme").await;
    let browser = Browser::admin(&app, &acme, "acme").await;
    assert!(!browser.get("/console/you").await.text().contains("data-theme"));
    let session = browser.cookie();
    let chosen = browser.post("/console/you/theme", &[("theme", "dark")]).await;
    assert_eq!(chosen.status(), 303);
    assert!(chosen.header("set-cookie").starts_with("narrowgate-theme=dark; "));
    browser.holds(&format!("{session}; narrowgate-theme=dark"));
    for path in ["/console/you", "/console/service-tokens", "/console/no-such-page"] {
        let page = browser.get(path).await.text();
        assert!(page.contains("<html lang=\"en\" data-theme=\"dark\">"), "{path}: {page}");
    }
    let stranger = Browser::new(&app);
    stranger.holds("narrowgate-theme=light");
    assert!(stranger.get("/console/sign-in").await.text().contains("data-theme=\"light\""));
    stranger.holds("narrowgate-theme=nonsense");
    assert!(!stranger.get("/console/sign-in").await.text().contains("data-theme"));
}
