//! The audit log in the console: narrowed, its chain checked, taken as a file.

mod common;

use common::{
    House,
    browser::{Browser, PASSWORD, link},
};
use domain::authz::License;
use testkit::TestAnswer;

const LOG: &str = "/console/audit-log";

async fn house() -> (House, Browser) {
    let house = House::new().await;
    let browser = Browser::admin(&house.app, &house.acme, "acme").await;
    (house, browser)
}

/// The events of the table, newest first.
fn events(page: &TestAnswer) -> Vec<String> {
    let text = page.text();
    assert_eq!(page.status(), 200, "{text}");
    let cells = text.split("data-label=\"Event\">").skip(1);
    cells.map(|cell| cell.split('<').next().unwrap_or_default().to_owned()).collect()
}

#[tokio::test]
async fn records_are_told_in_words_and_narrowed_by_who_event_object_and_time() {
    let (house, browser) = house().await;
    let job = house.job("Nightly <s>x</s>").await;
    let (token, client) = house
        .acme
        .service_token()
        .named("airflow")
        .grant("job_admin", &house.sales)
        .create_with_id()
        .await;
    let run = client
        .post(&house.acme.v2(&format!("/jobs/{job}/run/")), serde_json::json!({ "cause": "c" }))
        .await;
    assert_eq!(run.status(), 200);
    let page = browser.get(LOG).await;
    let seen = events(&page);
    assert_eq!(seen[0], "run.triggered", "{seen:?}");
    let text = page.text();
    assert!(text.contains(">airflow<span class=\"sub mono\">service_token:"), "{text}");
    assert!(text.contains("Nightly &#60;s&#62;x") && !text.contains("<s>x"), "{text}");
    assert!(text.contains(&format!("href=\"/console/service-tokens/{token}\">airflow</a>")));
    assert!(text.contains("What changed in entry"), "{text}");

    for (asked, all) in [
        ("?who=airflow", &["run.triggered"][..]),
        (&format!("?who=service_token:{token}"), &["run.triggered"]),
        ("?event=job.", &["job.created"]),
        (&format!("?on=job:{job}"), &["job.created"]),
        ("?who=nobody", &[]),
        ("?who=airflow&event=job.", &[]),
    ] {
        let page = browser.get(&format!("{LOG}{asked}")).await;
        assert_eq!(events(&page), all, "{asked}");
        assert_eq!(page.text().contains("No entry is like this"), all.is_empty());
    }
    let api = "actor__in=%5B%22service_token%3A";
    assert!(browser.get(&format!("{LOG}?who=airflow")).await.text().contains(api));

    house.wait(10 * 86_400);
    let again = browser.sign_in("admin@acme.example", PASSWORD).await;
    assert_eq!(again.status(), 303);
    assert_eq!(events(&browser.get(LOG).await), ["session.opened"], "a week");
    let all = browser.get(&format!("{LOG}?since=all")).await;
    assert!(events(&all).len() > seen.len(), "everything");

    let table = browser.get(&format!("{LOG}/download?since=all")).await;
    assert_eq!(table.header("content-type"), "text/csv; charset=utf-8");
    assert_eq!(table.header("content-disposition"), "attachment; filename=\"audit-log.csv\"");
    assert!(
        table.text().contains("run.triggered") && table.text().starts_with("\"id\",\"created_at\"")
    );
    let week = browser.get(&format!("{LOG}/download")).await.text();
    assert!(!week.contains("run.triggered") && week.contains("session.opened"), "{week}");
}

#[tokio::test]
async fn the_chain_is_checked_by_a_button_and_it_is_said_when() {
    let (house, browser) = house().await;
    let before = browser.get(LOG).await.text();
    assert!(before.contains("Nobody has checked here since the server started"), "{before}");
    let checked = browser.post(&format!("{LOG}/check"), &[]).await;
    assert_eq!((checked.status(), checked.header("location")), (303, LOG));
    assert!(browser.get(LOG).await.text().contains("The record is whole"));
    house.job("Nightly").await;
    let later = browser.get(LOG).await.text();
    assert!(later.contains("entries, each sealed by the one before, were checked"), "{later}");
}

#[tokio::test]
async fn a_page_takes_six_statements_at_most_for_whoever_may_read_the_log() {
    let (house, browser) = house().await;
    for nth in 0..60 {
        house.job(&format!("job {nth}")).await;
    }
    for rest in ["", "?page=2", "?who=admin&event=job&on=job:"] {
        let before = house.app.store.statements();
        let page = browser.get(&format!("{LOG}{rest}")).await;
        let statements = house.app.store.statements() - before;
        assert!(!events(&page).is_empty(), "{rest}");
        assert!(statements <= 6, "{rest}: {statements}");
    }
    let email = "bob@acme.example";
    house.acme.user(email, License::Developer, &["job_viewer"]).await;
    let bob = Browser::new(&house.app);
    let code = link(&house.app, &house.acme, email).await;
    assert_eq!(bob.come_in(&code, PASSWORD).await.status(), 303);
    for path in [LOG.to_owned(), format!("{LOG}/download")] {
        assert_eq!(bob.get(&path).await.status(), 403, "{path}");
    }
    assert_eq!(bob.post(&format!("{LOG}/check"), &[]).await.status(), 403);
    assert!(!bob.get("/console/you").await.text().contains("href=\"/console/audit-log\""));
}
