//! Account settings → Service tokens, as a person walks through it.
#![expect(clippy::unwrap_used, reason = "what fails here is a failed test")]

mod common;

use common::browser::{Browser, PASSWORD, link};
use domain::{
    Name, Plan, Timestamp,
    authz::{License, SystemTask, authorize},
};
use store::ImportedToken;
use testkit::{TestAccount, TestApp};

const TOKENS: &str = "/console/service-tokens";
const NEW: &str = "/console/service-tokens/new";

async fn acme() -> (TestApp, TestAccount, Browser) {
    let app = TestApp::new().await;
    let acme = app.account("acme").await;
    let browser = Browser::admin(&app, &acme, "acme").await;
    (app, acme, browser)
}

/// A token that was made elsewhere, long ago.
async fn import(app: &TestApp, acme: &TestAccount, name: &str, made: &str) {
    let importer = app.system(SystemTask::Importer, acme.id).await;
    let token = ImportedToken {
        name: Name::parse(name).unwrap(),
        grants: Vec::new(),
        created_at: Timestamp::parse(made).unwrap(),
        last_used: None,
    };
    let permit = authorize(&importer, acme.id).unwrap();
    app.store.import_service_tokens(&permit, vec![token]).await.unwrap();
}

/// The secret that a page shows.
fn secret(page: &str) -> Option<String> {
    let from = page.find("ngst_")?;
    Some(page[from..].chars().take(47).collect())
}

#[tokio::test]
async fn a_token_is_made_shown_once_used_and_deleted() {
    let (app, acme, browser) = acme().await;
    let sales = acme.project("sales").await;
    let empty = browser.get(TOKENS).await.text();
    assert!(empty.contains("No service tokens yet"), "{empty}");

    let project = sales.id.to_string();
    let fields = [
        ("name", "airflow"),
        ("set.1", "job_admin"),
        ("scope.1", "chosen"),
        ("project.1", &project),
        ("set.2", "metadata_only"),
        ("scope.2", "all"),
    ];
    let made = browser.post(NEW, &fields).await;
    assert_eq!(made.status(), 303, "{}", made.text());
    let page = made.header("location").to_owned();
    assert!(page.ends_with("/secret") && secret(&page).is_none(), "{page}");

    let shown = browser.get(&page).await;
    assert_eq!(shown.header("cache-control"), "no-store");
    let token = secret(&shown.text()).unwrap();
    for _ in 0..2 {
        let again = browser.get(&page).await.text();
        assert!(secret(&again).is_none() && again.contains("cannot be shown again"), "{again}");
    }

    let client = app.presenting(&token);
    assert_eq!(client.get(&acme.v2("/jobs/")).await.status(), 200);
    app.store.flush_last_used().await.unwrap();
    app.clock.set(app.clock.now().plus_seconds(150));
    let list = browser.get(TOKENS).await.text();
    for told in ["airflow", "Job Admin<br>Metadata Only", "sales<br>all projects", "2 min ago"] {
        assert!(list.contains(told), "{told}: {list}");
    }
    assert!(list.contains("<span>admin@acme.example</span>"), "who made it: {list}");
    assert!(secret(&list).is_none());

    let delete = page.replace("/secret", "/delete");
    let request = client.request(reqwest::Method::GET, &acme.v2("/jobs/"));
    request.header("User-Agent", "<b>cron</b>").send().await.unwrap();
    let question = browser.get(&delete).await.text();
    assert!(question.contains("Delete airflow?") && question.contains("2 min ago"), "{question}");
    assert!(question.contains("as &#60;b&#62;cron&#60;/b&#62;, last"), "{question}");
    let wrong = browser.post(&delete, &[("confirm", "another")]).await;
    assert_eq!(wrong.status(), 400);
    assert_eq!(client.get(&acme.v2("/jobs/")).await.status(), 200, "nothing was deleted");
    let deleted = browser.post(&delete, &[("confirm", "airflow")]).await;
    assert_eq!(deleted.status(), 303, "{}", deleted.text());
    assert_eq!(client.get(&acme.v2("/jobs/")).await.status(), 401);
    let gone = browser.get(&page.replace("/secret", "")).await;
    assert_eq!(gone.status(), 404);
    assert!(gone.text().contains("This page is not here"));
    assert_eq!(browser.post(&delete, &[("confirm", "airflow")]).await.status(), 404);
}

#[tokio::test]
async fn a_token_is_shown_to_the_session_that_made_it_alone() {
    let (app, acme, browser) = acme().await;
    let sent = [("name", "airflow"), ("set.1", "account_viewer"), ("scope.1", "all")];
    let page = browser.post(NEW, &sent).await.header("location").to_owned();
    let other = Browser::new(&app);
    assert_eq!(other.sign_in("admin@acme.example", PASSWORD).await.status(), 303);
    assert!(secret(&other.get(&page).await.text()).is_none());
    app.clock.set(app.clock.now().plus_seconds(60));
    assert!(secret(&browser.get(&page).await.text()).is_none(), "nor after a minute");
    assert_eq!(acme.admin.get(&acme.v3("/service-tokens/")).await.ids().len(), 1);
}

#[tokio::test]
async fn a_form_that_cannot_be_keeps_what_was_typed_and_says_what_beside_each_field() {
    let (_app, acme, browser) = acme().await;
    acme.project("sales").await;
    let fields = [
        ("name", "  "),
        ("set.1", "job_admin"),
        ("scope.1", "chosen"),
        ("set.4", ""),
        ("set.7", "no_such_set"),
        ("set.9", "account_admin"),
        ("scope.9", "chosen"),
    ];
    let refused = browser.post(NEW, &fields).await;
    assert_eq!(refused.status(), 400);
    let page = refused.text();
    for told in [
        "The token was not made: 4 fields need a change",
        "It must not be empty.",
        "Choose one project or more, or all projects.",
        "Choose a permission set.",
        "There is no such permission set.",
        "<a href=\"#projects-1\">Projects of row 1</a>",
        "<a href=\"#set-4\">Permission set of row 2</a>",
    ] {
        assert!(page.contains(told), "{told}: {page}");
    }
    assert!(page.contains("value=\"job_admin\""));
    assert_eq!(page.matches("selected").count(), 2, "both sets that are there");
    assert!(acme.admin.get(&acme.v3("/service-tokens/")).await.ids().is_empty());
}

#[tokio::test]
async fn rows_are_added_and_removed_without_script() {
    let (_app, _, browser) = acme().await;
    let typed = [("name", "airflow"), ("set.1", "job_admin"), ("set.2", "metadata_only")];
    let more = browser.post(NEW, &[&typed[..], &[("add", "row")]].concat()).await;
    assert_eq!(more.status(), 200);
    assert!(more.text().contains("name=\"set.3\"") && more.text().contains("value=\"airflow\""));
    let fewer = browser.post(NEW, &[&typed[..], &[("remove", "1")]].concat()).await.text();
    assert!(!fewer.contains("name=\"set.1\"") && fewer.contains("name=\"set.2\""));
    assert!(fewer.contains("value=\"metadata_only\""));
}

#[tokio::test]
async fn a_set_that_the_plan_lacks_can_be_seen_and_not_chosen() {
    let app = TestApp::new().await;
    let team = app.account_on("team", Plan::Team).await;
    let browser = Browser::admin(&app, &team, "team").await;
    let form = browser.get(NEW).await.text();
    assert!(form.contains("disabled>Git Admin (Enterprise plan)</option>"), "{form}");
    let fields = [("name", "x"), ("set.1", "git_admin"), ("scope.1", "all")];
    let refused = browser.post(NEW, &fields).await;
    assert_eq!(refused.status(), 400);
    assert!(refused.text().contains("does not offer the permission set"), "{}", refused.text());
}

#[tokio::test]
async fn old_tokens_are_flagged_counted_and_found() {
    let (app, acme, browser) = acme().await;
    import(&app, &acme, "looker-2021", "2021-11-11T14:02:58Z").await;
    import(&app, &acme, "last-day", "2023-07-18T23:59:59Z").await;
    import(&app, &acme, "day-after", "2023-07-19T00:00:00Z").await;
    let list = browser.get(TOKENS).await.text();
    assert!(list.contains("2 service tokens were made on or before July 18, 2023"), "{list}");
    assert_eq!(list.matches("badge rotate").count(), 2);
    let advice = "Tokens created on or before 18 July 2023 should be rotated.";
    assert!(list.contains(advice), "{list}");
    let found = browser.get("/console/service-tokens?show=rotate").await.text();
    assert!(found.contains("looker-2021") && found.contains("last-day"));
    assert!(!found.contains("day-after"), "{found}");
    assert!(found.contains("an import"), "who made it");
}

#[tokio::test]
async fn the_list_is_searched_filtered_sorted_and_paged() {
    let (app, acme, browser) = acme().await;
    let (sales, hr) = (acme.project("sales").await, acme.project("hr").await);
    for number in 0..27 {
        let name = format!("robot-{number:02}");
        let project = if number == 3 { &hr } else { &sales };
        acme.service_token().named(&name).grant("job_viewer", project).create().await;
        app.clock.set(app.clock.now().plus_seconds(1));
    }
    acme.service_token().named("Zoo").grant_everywhere("metadata_only").create().await;
    let found = async |query: &str| -> Vec<String> {
        let page = browser.get(&format!("{TOKENS}?{query}")).await.text();
        let names = page.split("scope=\"row\"><a href=\"").skip(1);
        names.map(|row| row.split(['>', '<']).nth(1).unwrap().to_owned()).collect()
    };
    assert_eq!(found("sort=name").await.len(), 25);
    assert_eq!(found("sort=name&page=2").await, ["robot-25", "robot-26", "Zoo"]);
    assert_eq!(found("sort=-name").await[0], "Zoo");
    assert_eq!(found("sort=created").await[0], "robot-00");
    assert_eq!(found("q=ZOO").await, ["Zoo"]);
    assert_eq!(found("set=metadata_only").await, ["Zoo"]);
    assert_eq!(found(&format!("project={}&sort=name", hr.id)).await, ["robot-03", "Zoo"]);
    assert_eq!(found("page=999&sort=name").await.len(), 3, "the last there is");
    let none = browser.get("/console/service-tokens?q=%3Cscript%3E").await.text();
    assert!(none.contains("No token is like this") && none.contains("value=\"&#60;script&#62;\""));
}

#[tokio::test]
async fn names_with_markup_show_as_text() {
    let (_app, acme, browser) = acme().await;
    let name = "<img src=x onerror=alert(1)>\"'&{{7*7}}";
    let (id, _) = acme.service_token().named(name).create_with_id().await;
    let project =
        acme.admin.post(&acme.v3("/projects/"), serde_json::json!({ "name": name })).await;
    assert_eq!(project.status(), 201);
    for path in [
        TOKENS.to_owned(),
        NEW.to_owned(),
        format!("{TOKENS}/{id}"),
        format!("{TOKENS}/{id}/delete"),
        format!("{TOKENS}/{id}/secret"),
    ] {
        let page = browser.get(&path).await;
        assert_eq!(page.status(), 200, "{path}");
        assert!(page.text().contains("&#60;img src=x"), "{path}: {}", page.text());
        assert!(!page.text().contains("<img"), "{path}");
    }
    let typed = browser.post(NEW, &[("name", name), ("add", "row")]).await.text();
    assert!(typed.contains("&#60;img") && !typed.contains("<img"), "{typed}");
}

#[tokio::test]
async fn who_may_only_read_tokens_sees_no_way_to_make_or_delete_one() {
    let (app, acme, _) = acme().await;
    let (id, _) = acme.service_token().named("airflow").create_with_id().await;
    let email = "eve@acme.example";
    acme.user(email, License::Developer, &["account_viewer"]).await;
    let eve = Browser::new(&app);
    assert_eq!(eve.come_in(&link(&app, &acme, email).await, PASSWORD).await.status(), 303);
    let list = eve.get(TOKENS).await;
    assert_eq!(list.status(), 200);
    assert!(list.text().contains("airflow"));
    assert!(!list.text().contains("+ New token") && !list.text().contains("/delete"));
    for path in [NEW.to_owned(), format!("{TOKENS}/{id}/delete")] {
        let refused = eve.get(&path).await;
        assert_eq!(refused.status(), 403, "{path}");
        assert!(refused.text().contains("You may not do this"), "{}", refused.text());
        assert_eq!(eve.post(&path, &[("name", "x"), ("confirm", "airflow")]).await.status(), 403);
    }

    let nobody = "bob@acme.example";
    acme.user(nobody, License::Developer, &["job_viewer"]).await;
    let bob = Browser::new(&app);
    assert_eq!(bob.come_in(&link(&app, &acme, nobody).await, PASSWORD).await.status(), 303);
    assert_eq!(bob.get(TOKENS).await.status(), 403);
    assert_eq!(bob.get("/console/you").await.status(), 200);
}

#[tokio::test]
async fn a_while_after_the_sign_in_a_token_that_administers_the_account_wants_the_password() {
    let (app, acme, browser) = acme().await;
    let fields = [("name", "terraform"), ("set.1", "account_admin"), ("scope.1", "all")];
    assert_eq!(browser.post(NEW, &fields).await.status(), 303, "just signed in");
    app.clock.set(app.clock.now().plus_seconds(15 * 60));
    let asked = browser.post(NEW, &fields).await;
    assert_eq!(asked.status(), 400);
    assert!(asked.text().contains("name=\"password\"") && asked.text().contains("asked for"));
    let with = async |password: &str| {
        browser.post(NEW, &[&fields[..], &[("password", password)]].concat()).await
    };
    assert!(with("wrong").await.text().contains("It is not your password."));
    assert_eq!(acme.admin.get(&acme.v3("/service-tokens/")).await.ids().len(), 1);
    assert_eq!(with(PASSWORD).await.status(), 303);
    let narrow = [("name", "reader"), ("set.1", "metadata_only"), ("scope.1", "all")];
    assert_eq!(browser.post(NEW, &narrow).await.status(), 303, "another is not asked for it");
}

#[tokio::test]
async fn a_token_of_another_account_is_not_here() {
    let (app, _, browser) = acme().await;
    let other = app.account("umbrella").await;
    let (id, client) = other.service_token().named("theirs").create_with_id().await;
    assert!(!browser.get(TOKENS).await.text().contains("theirs"));
    let nothing = browser.get(&format!("{TOKENS}/999999")).await.text();
    for rest in ["", "/delete", "/secret"] {
        let answer = browser.get(&format!("{TOKENS}/{id}{rest}")).await;
        assert_eq!(answer.status(), 404, "{rest}");
        assert_eq!(without_id(&answer.text()), without_id(&nothing));
    }
    let delete = format!("{TOKENS}/{id}/delete");
    assert_eq!(browser.post(&delete, &[("confirm", "theirs")]).await.status(), 404);
    assert_eq!(client.get("/api/v2/whoami/").await.status(), 200);
}

fn without_id(page: &str) -> String {
    let (before, after) = page.split_once("request's id is").unwrap_or((page, ""));
    format!("{before}{}", after.split_once("</p>").unwrap_or_default().1)
}

#[tokio::test]
async fn a_page_of_a_thousand_tokens_takes_six_statements_at_most() {
    let (app, acme, browser) = acme().await;
    acme.project("sales").await;
    let importer = app.system(SystemTask::Importer, acme.id).await;
    let tokens = (0..1_000).map(|number| ImportedToken {
        name: Name::parse(format!("token {number}")).unwrap(),
        grants: Vec::new(),
        created_at: Timestamp::parse("2024-01-01T00:00:00Z").unwrap(),
        last_used: None,
    });
    let permit = authorize(&importer, acme.id).unwrap();
    app.store.import_service_tokens(&permit, tokens.collect()).await.unwrap();
    let before = app.store.statements();
    let page = browser.get(TOKENS).await;
    let statements = app.store.statements() - before;
    assert_eq!(page.status(), 200);
    assert!(statements <= 6, "{statements}");
    assert!(page.bytes().len() < 60_000, "{} bytes", page.bytes().len());
}

#[tokio::test]
async fn every_permission_set_can_be_looked_at() {
    let (_app, _, browser) = acme().await;
    let page = browser.get("/console/permission-sets").await;
    assert_eq!(page.status(), 200);
    let text = page.text();
    let links = text.matches("<a href=\"/console/permission-sets?set=").count();
    assert_eq!(links, domain::authz::catalogue().sets().count());
    assert!(text.contains("title=\"Job Admin: write, Jobs ("), "with its source");
    assert!(page.bytes().len() < 110_000, "{} bytes", page.bytes().len());
    let one = browser.get("/console/permission-sets?set=job_admin").await.text();
    assert!(one.contains("<h2 id=\"set-title\">Job Admin</h2>"), "{one}");
    let none = browser.get("/console/permission-sets?q=nothing+like+it").await.text();
    assert!(none.contains("No set and no resource is called so"));
}
