//! One service token in the console: its grants, its end, its restrictions and its secrets, looked
//! at and changed.
#![expect(clippy::unwrap_used, reason = "what fails here is a failed test")]

mod common;

use common::{
    House,
    browser::{Browser, PASSWORD, link},
};
use domain::authz::License;
use serde_json::json;
use testkit::{TestAccount, TestApp};

const TOKENS: &str = "/console/service-tokens";

async fn acme() -> (TestApp, TestAccount, Browser) {
    let app = TestApp::new().await;
    let acme = app.account("acme").await;
    let browser = Browser::admin(&app, &acme, "acme").await;
    (app, acme, browser)
}

/// The secret that a page shows.
fn secret(page: &str) -> Option<String> {
    let from = page.find("ngst_")?;
    Some(page[from..].chars().take(47).collect())
}

/// What a review is known by.
fn reviewed(page: &str) -> String {
    let (_, rest) = page.split_once("name=\"reviewed\" value=\"").unwrap();
    rest.split('"').next().unwrap().to_owned()
}

fn wait(app: &TestApp, seconds: i64) {
    app.clock.set(app.clock.now().plus_seconds(seconds));
}

#[tokio::test]
async fn grants_are_edited_and_what_is_gained_and_lost_is_looked_at_first() {
    let (_app, acme, browser) = acme().await;
    let (sales, hr) = (acme.project("sales").await, acme.project("hr").await);
    let (id, token) =
        acme.service_token().named("airflow").grant("job_admin", &sales).create_with_id().await;
    let at = format!("{TOKENS}/{id}/grants");
    let form = browser.get(&at).await.text();
    assert!(form.contains("value=\"job_admin\" data-about") && form.contains("selected"), "{form}");

    let (project, other) = (sales.id.to_string(), hr.id.to_string());
    let rows = [
        ("set.1", "job_runner"),
        ("scope.1", "chosen"),
        ("project.1", project.as_str()),
        ("project.1", other.as_str()),
    ];
    let review = browser.post(&at, &[&rows[..], &[("review", "1")]].concat()).await;
    assert_eq!(review.status(), 200);
    let page = review.text();
    let lost = "<li class=\"lost\"><span>Environments</span><span>write, in sales</span></li>";
    let gained = "<li class=\"gained\"><span>Runs</span><span>write, in sales and hr</span></li>";
    assert!(page.contains(lost) && page.contains(gained), "{page}");
    assert_eq!(token.get(&acme.v2("/environments/")).await.status(), 200, "nothing is saved yet");

    let digest = reviewed(&page);
    let save = [("save", "1"), ("reviewed", digest.as_str())];
    let another = [("set.1", "account_viewer"), ("scope.1", "all")];
    let refused = browser.post(&at, &[&another[..], &save[..]].concat()).await;
    assert_eq!(refused.status(), 400, "other rows than those that were reviewed");
    assert!(refused.text().contains("nothing was saved"), "{}", refused.text());

    let saved = browser.post(&at, &[&rows[..], &save[..]].concat()).await;
    assert_eq!(saved.status(), 303, "{}", saved.text());
    let token = browser.get(saved.header("location")).await.text();
    assert!(token.contains("Job Runner") && token.contains("sales, hr"), "{token}");
    assert!(token.contains("change <b>Runs</b> in sales and hr"), "in plain words: {token}");
    let again = browser.post(&at, &[&rows[..], &save[..]].concat()).await;
    assert_eq!(again.status(), 400, "a second tab reviews it anew");
}

#[tokio::test]
async fn what_cannot_be_granted_is_said_beside_the_rows_that_stay() {
    let (_app, acme, browser) = acme().await;
    let policy = json!({ "not_granted": ["git_admin"] });
    assert_eq!(acme.admin.post(&acme.v3("/service-token-policy/"), policy).await.status(), 200);
    let (id, _) = acme.service_token().named("airflow").create_with_id().await;
    let at = format!("{TOKENS}/{id}/grants");
    let rows = [("set.1", "git_admin"), ("scope.1", "all")];
    let page = browser.post(&at, &[&rows[..], &[("review", "1")]].concat()).await.text();
    let digest = reviewed(&page);
    let save = [("save", "1"), ("reviewed", digest.as_str())];
    let refused = browser.post(&at, &[&rows[..], &save[..]].concat()).await;
    assert_eq!(refused.status(), 400);
    let page = refused.text();
    assert!(page.contains("which this account grants to no service token"), "{page}");
    assert!(page.contains("value=\"git_admin\""), "what was typed stays: {page}");
    let wrong = browser.post(&at, &[("set.1", ""), ("review", "1")]).await;
    assert_eq!(wrong.status(), 400);
    assert!(wrong.text().contains("Choose a permission set."));
    let path = acme.v3(&format!("/service-tokens/{id}/permissions/"));
    assert!(acme.admin.get(&path).await.ids().is_empty(), "nothing was saved");
}

#[tokio::test]
async fn a_token_is_rotated_and_the_new_secret_is_shown_once() {
    let (app, acme, browser) = acme().await;
    let (id, old) =
        acme.service_token().named("airflow").grant_everywhere("job_viewer").create_with_id().await;
    let at = format!("{TOKENS}/{id}");
    let question = browser.get(&format!("{at}/rotate")).await.text();
    assert!(question.contains("Rotate airflow?") && question.contains("Never used"), "{question}");
    let rotated = browser.post(&format!("{at}/rotate"), &[("overlap", "60")]).await;
    assert_eq!(rotated.status(), 303, "{}", rotated.text());
    let shown = browser.get(rotated.header("location")).await.text();
    assert!(shown.contains("The old secret works on, and ends"), "{shown}");
    let new = app.presenting(&secret(&shown).unwrap());
    assert!(secret(&browser.get(rotated.header("location")).await.text()).is_none(), "once");

    let jobs = acme.v2("/jobs/");
    assert_eq!(new.get(&jobs).await.status(), 200);
    assert_eq!(old.get(&jobs).await.status(), 200);
    app.store.flush_last_used().await.unwrap();
    let page = browser.get(&at).await.text();
    for told in ["Rotation in progress", "1 late user<", "in 1 h", "Both secrets work"] {
        assert!(page.contains(told), "{told}: {page}");
    }
    let again = browser.post(&format!("{at}/rotate"), &[("overlap", "60")]).await;
    assert_eq!(again.status(), 409);
    assert!(again.text().contains("is being rotated already"), "{}", again.text());

    wait(&app, 3_600);
    assert_eq!(old.get(&jobs).await.status(), 401, "its end has come");
    assert_eq!(new.get(&jobs).await.status(), 200);
    app.store.flush_last_used().await.unwrap();
    let page = browser.get(&at).await.text();
    assert!(page.contains("After the rotation") && page.contains(">refused<"), "{page}");
    assert!(!page.contains("Rotation in progress"));
}

#[tokio::test]
async fn a_rotation_is_cancelled_while_the_old_secret_works() {
    let (app, acme, browser) = acme().await;
    let (id, old) = acme.service_token().named("airflow").create_with_id().await;
    let at = format!("{TOKENS}/{id}");
    let rotated = browser.post(&format!("{at}/rotate"), &[("overlap", "1440")]).await;
    let shown = browser.get(rotated.header("location")).await.text();
    let new = app.presenting(&secret(&shown).unwrap());
    let question = browser.get(&format!("{at}/rotate/cancel")).await.text();
    assert!(question.contains("The new secret was not used yet"), "{question}");
    let cancelled = browser.post(&format!("{at}/rotate/cancel"), &[]).await;
    assert_eq!(cancelled.status(), 303, "{}", cancelled.text());
    assert_eq!(new.get("/api/v2/whoami/").await.status(), 401);
    wait(&app, 2 * 86_400);
    assert_eq!(old.get("/api/v2/whoami/").await.status(), 200, "as if there had been none");
    let once_more = Browser::new(&app);
    assert_eq!(once_more.sign_in("admin@acme.example", PASSWORD).await.status(), 303);
    let refused = once_more.post(&format!("{at}/rotate/cancel"), &[]).await;
    assert_eq!(refused.status(), 409);
    assert!(refused.text().contains("has no old secret that still works"), "{}", refused.text());
    let odd = once_more.post(&format!("{at}/rotate"), &[("overlap", "7")]).await;
    assert_eq!(odd.status(), 400, "a time that is not offered");
}

#[tokio::test]
async fn a_token_is_disabled_and_enabled_again() {
    let (app, acme, browser) = acme().await;
    let (id, token) = acme.service_token().named("airflow").create_with_id().await;
    assert_eq!(token.get("/api/v2/whoami/").await.status(), 200);
    app.store.flush_last_used().await.unwrap();
    let at = format!("{TOKENS}/{id}/switch");
    let question = browser.get(&at).await.text();
    assert!(question.contains("Disable airflow?") && question.contains("Last used"), "{question}");
    assert_eq!(browser.post(&at, &[("to", "disabled")]).await.status(), 303);
    assert_eq!(token.get("/api/v2/whoami/").await.status(), 401);
    let page = browser.get(&format!("{TOKENS}/{id}")).await.text();
    assert!(page.contains(">Disabled</span>") && page.contains("Enable</a>"), "{page}");
    assert!(!page.contains("/rotate\""), "it is enabled before it is rotated");
    assert_eq!(browser.post(&at, &[("to", "disabled")]).await.status(), 303, "a second tab");
    assert_eq!(browser.post(&at, &[("to", "enabled")]).await.status(), 303);
    assert_eq!(token.get("/api/v2/whoami/").await.status(), 200);
    assert_eq!(browser.post(&at, &[("to", "something")]).await.status(), 400);
}

#[tokio::test]
async fn name_and_end_are_changed_within_the_policy() {
    let (app, acme, browser) = acme().await;
    let policy = json!({ "longest_life_days": { "job_viewer": 30 } });
    let asked = acme.admin.post(&acme.v3("/service-token-policy/"), policy).await;
    assert_eq!(asked.status(), 200, "{}", asked.text());
    let (id, token) =
        acme.service_token().named("airflow").grant_everywhere("job_viewer").create_with_id().await;
    let at = format!("{TOKENS}/{id}/edit");
    let form = browser.get(&at).await.text();
    assert!(form.contains("a secret with Job Viewer works 30 days at most"), "{form}");
    let change = async |name: &str, ends: &str, date: &str| {
        browser.post(&at, &[("name", name), ("ends", ends), ("date", date)]).await
    };
    let day = |after: i64| {
        let time = app.clock.now().plus_seconds(after * 86_400);
        time.as_datetime().format("%Y-%m-%d").to_string()
    };
    assert_eq!(change("nightly", "on", &day(20)).await.status(), 303);
    let page = browser.get(&format!("{TOKENS}/{id}")).await.text();
    assert!(page.contains("<h1>nightly</h1>") && page.contains(&day(20)), "{page}");

    for (ends, date, told) in [
        ("never", String::new(), "works 30 days in this account"),
        ("on", day(60), "works 30 days in this account"),
        ("on", day(-1), "It must lie in the future."),
        ("on", String::new(), "Choose a day."),
        ("on", "soon".to_owned(), "Choose a day."),
    ] {
        let refused = change("nightly", ends, &date).await;
        assert_eq!(refused.status(), 400, "{ends} {date}");
        assert!(refused.text().contains(told), "{told}: {}", refused.text());
    }
    assert!(change(" ", "on", &day(20)).await.text().contains("It must not be empty."));
    wait(&app, 21 * 86_400);
    assert_eq!(token.get("/api/v2/whoami/").await.status(), 401);
}

#[tokio::test]
async fn restrictions_are_set_and_the_page_warns_who_would_be_shut_out() {
    let house = House::new().await;
    let (app, acme) = (&house.app, &house.acme);
    let browser = Browser::admin(app, acme, "acme").await;
    let (id, _) =
        acme.service_token().named("airflow").grant_everywhere("job_admin").create_with_id().await;
    let at = format!("{TOKENS}/{id}/restrictions");
    let form = browser.get(&at).await.text();
    assert!(form.contains("sales / production"), "environments by name: {form}");
    let environment = house.production.to_string();
    let fields = [
        ("addresses.which", "only"),
        ("addresses", "10.20.0.0/16\r\n2001:db8::/32"),
        ("environments.which", "only"),
        ("environments", environment.as_str()),
        ("jobs.which", "any"),
        ("read_only", "1"),
        ("per_second", "20"),
        ("burst", ""),
    ];
    let warned = browser.post(&at, &fields).await;
    assert_eq!(warned.status(), 400);
    assert!(warned.text().contains("Your own address 127.0.0.1 is not among them"));
    let held = async || {
        let path = acme.v3(&format!("/service-tokens/{id}/restrictions/"));
        acme.admin.get(&path).await.json()["data"].clone()
    };
    assert_eq!(held().await["read_only"], false, "nothing was saved");
    let forced = browser.post(&at, &[&fields[..], &[("force", "1")]].concat()).await;
    assert_eq!(forced.status(), 303, "{}", forced.text());
    assert_eq!(held().await["addresses"], json!(["10.20.0.0/16", "2001:db8::/32"]));
    assert_eq!(held().await["rate"], json!({ "per_second": 20, "burst": 20 }));
    let page = browser.get(forced.header("location")).await.text();
    for told in
        ["10.20.0.0/16", "sales / production", "20 requests a second, 20 at once", "Only to read"]
    {
        assert!(page.contains(told), "{told}: {page}");
    }
    for (field, value, told) in [
        ("addresses", "10.0.0.0/99", "Each line must be a network"),
        ("addresses", " ", "Name one network or more"),
        ("environments", "999999", "names an environment that is not within reach"),
        ("per_second", "0", "Type a whole number from 1 to 1000000."),
    ] {
        let mut typed = fields.to_vec();
        typed.retain(|(name, _)| *name != field);
        typed.extend([(field, value), ("force", "1")]);
        let refused = browser.post(&at, &typed).await;
        assert_eq!(refused.status(), 400, "{field}");
        assert!(refused.text().contains(told), "{told}: {}", refused.text());
    }
    let none = [("environments.which", "only"), ("force", "1")];
    let refused = browser.post(&at, &none).await.text();
    assert!(refused.contains("Choose 1 to 500 of them"), "an empty list is never all: {refused}");
}

/// SECURITY line 23.
#[tokio::test]
async fn a_while_after_the_sign_in_whatever_widens_a_token_wants_the_password() {
    let (app, acme, browser) = acme().await;
    let (id, _) = acme
        .service_token()
        .named("airflow")
        .grant_everywhere("account_admin")
        .create_with_id()
        .await;
    let at = |rest: &str| format!("{TOKENS}/{id}/{rest}");
    let day = "2026-12-24";
    let soon = [("name", "airflow"), ("ends", "on"), ("date", day)];
    wait(&app, 15 * 60);
    let restrictions = [("read_only", "1")];
    assert_eq!(browser.post(&at("restrictions"), &restrictions).await.status(), 303, "narrower");
    assert_eq!(browser.post(&at("switch"), &[("to", "disabled")]).await.status(), 303);

    let later = [("name", "airflow"), ("ends", "never")];
    let rows = [("set.1", "account_admin"), ("scope.1", "all")];
    let two = [&rows[..], &[("set.2", "webhooks_only"), ("scope.2", "all")]].concat();
    let asks = async |path: String, fields: &[(&str, &str)]| {
        let asked = browser.post(&path, fields).await;
        assert_eq!(asked.status(), 400, "{path}: {}", asked.text());
        assert!(asked.text().contains("name=\"password\""), "{path}: {}", asked.text());
        let wrong = browser.post(&path, &[fields, &[("password", "wrong")]].concat()).await;
        assert!(wrong.text().contains("It is not your password."), "{path}: {}", wrong.text());
        let right = browser.post(&path, &[fields, &[("password", PASSWORD)]].concat()).await;
        assert_eq!(right.status(), 303, "{path}: {}", right.text());
    };
    asks(at("switch"), &[("to", "enabled")]).await;
    assert_eq!(browser.post(&at("edit"), &soon).await.status(), 303, "shorter");
    asks(at("edit"), &later).await;
    asks(at("rotate"), &[("overlap", "0")]).await;
    asks(at("restrictions"), &[]).await;

    // Fewer rights are saved without it, more with it.
    let narrower = [("set.1", "webhooks_only"), ("scope.1", "all")];
    let review = browser.post(&at("grants"), &[&narrower[..], &[("review", "1")]].concat()).await;
    let digest = reviewed(&review.text());
    assert!(!review.text().contains("name=\"password\""));
    let save = [("save", "1"), ("reviewed", digest.as_str())];
    let saved = browser.post(&at("grants"), &[&narrower[..], &save[..]].concat()).await;
    assert_eq!(saved.status(), 303, "{}", saved.text());
    let review = browser.post(&at("grants"), &[&two[..], &[("review", "1")]].concat()).await;
    let digest = reviewed(&review.text());
    assert!(review.text().contains("name=\"password\""), "it is asked for with the review");
    let save = [("save", "1"), ("reviewed", digest.as_str())];
    asks(at("grants"), &[&two[..], &save[..]].concat()).await;
}

#[tokio::test]
async fn who_may_only_read_tokens_is_shown_one_and_changes_nothing() {
    let (app, acme, _) = acme().await;
    let (id, _) = acme.service_token().named("airflow").create_with_id().await;
    let other = app.account("umbrella").await;
    let (theirs, _) = other.service_token().named("theirs").create_with_id().await;
    let email = "eve@acme.example";
    acme.user(email, License::Developer, &["account_viewer"]).await;
    let eve = Browser::new(&app);
    assert_eq!(eve.come_in(&link(&app, &acme, email).await, PASSWORD).await.status(), 303);
    let page = eve.get(&format!("{TOKENS}/{id}")).await;
    assert_eq!(page.status(), 200);
    assert!(!page.text().contains(&format!("{TOKENS}/{id}/")), "{}", page.text());
    let admin = Browser::new(&app);
    assert_eq!(admin.sign_in("admin@acme.example", PASSWORD).await.status(), 303);
    for rest in ["grants", "edit", "restrictions", "rotate", "rotate/cancel", "switch"] {
        let fields = [("set.1", "webhooks_only"), ("scope.1", "all"), ("review", "1")];
        let fields = [&fields[..], &[("name", "x"), ("to", "disabled")]].concat();
        let at = format!("{TOKENS}/{id}/{rest}");
        assert_eq!(eve.get(&at).await.status(), 403, "{rest}");
        assert_eq!(eve.post(&at, &fields).await.status(), 403, "{rest}");
        let at = format!("{TOKENS}/{theirs}/{rest}");
        assert_eq!(admin.get(&at).await.status(), 404, "{rest}");
        assert_eq!(admin.post(&at, &fields).await.status(), 404, "{rest}");
    }
}

#[tokio::test]
async fn a_new_token_is_told_in_plain_words_and_made_with_end_and_restrictions() {
    let (app, acme, browser) = acme().await;
    let sales = acme.project("sales").await;
    let project = sales.id.to_string();
    let new = format!("{TOKENS}/new");
    let fields = [
        ("name", "airflow"),
        ("date", "2026-12-24"),
        ("set.1", "job_runner"),
        ("scope.1", "chosen"),
        ("project.1", project.as_str()),
        ("read_only", "1"),
    ];
    let told = browser.post(&new, &[&fields[..], &[("preview", "1")]].concat()).await;
    assert_eq!(told.status(), 200);
    let page = told.text();
    assert!(page.contains("read <b>") && page.contains("</b> in sales"), "{page}");
    assert!(page.contains("Only to read: every change is refused."), "{page}");
    assert!(page.contains("Only until 2026-12-24 00:00:00 UTC."), "{page}");
    assert!(!page.contains("<li>change "), "{page}");
    assert!(acme.admin.get(&acme.v3("/service-tokens/")).await.ids().is_empty(), "told, not made");

    let made = browser.post(&new, &fields).await;
    assert_eq!(made.status(), 303, "{}", made.text());
    let shown = browser.get(made.header("location")).await.text();
    let token = app.presenting(&secret(&shown).unwrap());
    assert_eq!(token.get(&acme.v2("/runs/")).await.status(), 200);
    let page = browser.get(&made.header("location").replace("/secret", "")).await.text();
    assert!(page.contains("2026-12-24 00:00:00 UTC") && page.contains("Read only"), "{page}");

    let wrong = [("date", "someday"), ("per_second", "x")];
    let mut typed = fields.to_vec();
    typed.retain(|(name, _)| *name != "date");
    let refused = browser.post(&new, &[&typed[..], &wrong[..]].concat()).await;
    assert_eq!(refused.status(), 400);
    let page = refused.text();
    assert!(page.contains("2 fields need a change") && page.contains("Choose a day."), "{page}");
    assert!(page.contains("<details class=\"held\" open>"), "where the wrong field is: {page}");
    let admin = [("set.1", "account_admin"), ("scope.1", "all"), ("preview", "1")];
    let page = browser.post(&new, &admin).await.text();
    assert!(page.contains("read and change everything in acme"), "{page}");
}

#[tokio::test]
async fn the_page_of_a_token_takes_six_statements() {
    let (app, acme, browser) = acme().await;
    let sales = acme.project("sales").await;
    let (id, _) =
        acme.service_token().named("airflow").grant("job_admin", &sales).create_with_id().await;
    let before = app.store.statements();
    assert_eq!(browser.get(&format!("{TOKENS}/{id}")).await.status(), 200);
    let statements = app.store.statements() - before;
    assert!(statements <= 6, "{statements}");
}
