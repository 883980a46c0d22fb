//! May this token …? in the console: the answers of the API, in words.

mod common;

use common::{
    House,
    browser::{Browser, PASSWORD, link},
};
use domain::authz::{Category, License};
use serde_json::json;
use testkit::TestAnswer;

const CHECK: &str = "/console/check";

/// A house with a token that administers the jobs of `sales`, and runs in its staging only.
async fn house() -> (House, Browser, i64, String) {
    let house = House::new().await;
    let browser = Browser::admin(&house.app, &house.acme, "acme").await;
    let (token, client) = house
        .acme
        .service_token()
        .named("airflow <b>prod</b>")
        .grant("job_admin", &house.sales)
        .create_with_id()
        .await;
    let secret = client.secret().to_owned();
    (house, browser, token, secret)
}

fn answer(page: &TestAnswer) -> String {
    let text = page.text();
    assert_eq!(page.status(), 200, "{text}");
    let (_, answer) = text.split_once("<div class=\"verdict ").unwrap_or_default();
    answer.split("<footer").next().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_question_is_answered_as_the_api_answers_it_and_says_why() {
    let (house, browser, token, _) = house().await;
    let staging = house.environment(&house.sales, Category::Staging).await;
    let hr = house.acme.project("hr").await;
    let job = house.job("Nightly").await;
    let sales = house.sales.id;
    let empty = browser.get(CHECK).await.text();
    assert!(empty.contains("Ask before you hand out a token"), "{empty}");
    assert!(empty.contains("airflow &#60;b&#62;prod") && !empty.contains("<b>prod"));

    for (action, place, body) in [
        ("runs:write", format!("project:{sales}"), json!({ "project_id": sales })),
        ("runs:write", format!("project:{}", hr.id), json!({ "project_id": hr.id })),
        ("runs:write", format!("environment:{staging}"), json!({ "environment_id": staging })),
        ("jobs:read", format!("job:{job}"), json!({ "job_id": job })),
        ("service_tokens:write", String::new(), json!({})),
        ("jobs:read", String::new(), json!({})),
    ] {
        let (resource, access) = action.split_once(':').unwrap_or_default();
        let mut body = body;
        body["service_token_id"] = json!(token);
        body["resource"] = json!(resource);
        body["action"] = json!(access);
        let api = house.acme.admin.post(&house.acme.v3("/check/"), body).await.data();
        let path = format!("{CHECK}?token={token}&action={action}&where={place}");
        let told = answer(&browser.get(&path).await);
        let verdict = if api["allowed"] == true { "yes\"" } else { "no\"" };
        assert!(told.starts_with(verdict), "{path}: {api} {told}");
        if let Some(status) = api["status"].as_u64() {
            assert!(told.contains(&format!("The API answers {status}")), "{told}");
        }
        for set in api["permission_sets"].as_array().into_iter().flatten() {
            let link = format!("set={}\"", set["key"].as_str().unwrap_or_default());
            assert!(told.contains(&link), "{told}");
        }
    }
    let elsewhere = format!("{CHECK}?token={token}&action=runs:write&where=project:{}", hr.id);
    let told = answer(&browser.get(&elsewhere).await);
    assert!(told.contains("may not write runs in hr."), "{told}");
    assert!(told.contains("Row 1, Job Admin</span><span class=\"muted\">holds it on other"));
}

#[tokio::test]
async fn addresses_and_times_are_asked_about_and_what_was_typed_stays_where_it_is_wrong() {
    let (house, browser, token, _) = house().await;
    let restrict = house.acme.v3(&format!("/service-tokens/{token}/restrictions/"));
    let only = json!({ "addresses": ["192.0.2.0/24"], "force": true });
    let set = house.acme.admin.post(&restrict, only).await;
    assert_eq!(set.status(), 200, "{}", set.text());
    let asked = |rest: &str| format!("{CHECK}?token={token}&action=runs:write{rest}");
    assert!(answer(&browser.get(&asked("&from=192.0.2.7")).await).starts_with("yes"));
    let outside = answer(&browser.get(&asked("&from=198.51.100.9")).await);
    assert!(outside.starts_with("no") && outside.contains("Restrictions</span>"), "{outside}");
    let early = answer(&browser.get(&asked("&at=2001-01-01T00:00")).await);
    assert!(early.contains("The API answers 401") && early.contains("Not active"), "{early}");

    for (rest, field, message) in [
        ("&from=office", "from", "The address must be an IP address."),
        ("&at=someday", "at", "The time "),
        ("&where=project:x", "where", "The place names no project, environment or job."),
        ("&action=x", "", ""),
    ] {
        let page = browser.get(&asked(rest)).await;
        if field.is_empty() {
            assert_eq!(page.status(), 200, "the first counts");
            continue;
        }
        assert_eq!(page.status(), 400, "{rest}");
        let text = page.text();
        assert!(
            text.contains(&format!("id=\"{field}-error\"")) && text.contains(message),
            "{text}"
        );
        assert!(text.contains(&format!("<option value=\"{token}\" selected>")), "what was chosen");
    }
    let none = browser.get(&format!("{CHECK}?action=jobs:read&from=192.0.2.7")).await;
    assert_eq!(none.status(), 400);
    assert!(
        none.text().contains("id=\"token-error\"") && none.text().contains("value=\"192.0.2.7\"")
    );
    let gone = browser.get(&format!("{CHECK}?action=jobs:read&token=99999")).await;
    assert!(gone.text().contains("The token is not here any more."), "{}", gone.text());
    let nothing = browser.get(&format!("{CHECK}?token={token}&action=")).await;
    assert!(nothing.text().contains("id=\"action-error\""));
}

#[tokio::test]
async fn a_pasted_secret_leads_to_its_token_and_stands_nowhere() {
    let (house, browser, token, secret) = house().await;
    let fields = [("secret", &*secret), ("action", "jobs:read"), ("from", "192.0.2.7")];
    let found = browser.post(CHECK, &fields).await;
    let to = format!("{CHECK}?token={token}&action=jobs%3Aread&from=192.0.2.7");
    assert_eq!((found.status(), found.header("location")), (303, &*to));
    assert!(answer(&browser.get(&to).await).starts_with("yes"));

    let mut wrong = secret.clone();
    wrong.replace_range(10..12, "zz");
    let other = house.app.account("umbrella").await;
    let theirs = other.service_token().create().await.secret().to_owned();
    for pasted in ["nonsense", &wrong, &theirs, house.acme.admin.secret()] {
        let page = browser.post(CHECK, &[("secret", pasted), ("from", "192.0.2.7")]).await;
        assert_eq!(page.status(), 400);
        let text = page.text();
        assert!(text.contains("The secret is that of no service token of this account."), "{text}");
        assert!(text.contains("value=\"192.0.2.7\"") && !text.contains(pasted), "{text}");
    }
    // Nothing that was asked is a use of the token.
    let list = house.acme.admin.get(&house.acme.v3(&format!("/service-tokens/{token}/"))).await;
    assert!(list.data()["last_used"].is_null(), "{}", list.text());

    let rotate = house.acme.v3(&format!("/service-tokens/{token}/rotate/"));
    let rotated = house.acme.admin.post(&rotate, json!({ "overlap_minutes": 0 })).await;
    assert!([200, 201].contains(&rotated.status()), "{}", rotated.text());
    let old = browser.post(CHECK, &fields).await;
    assert!(old.header("location").ends_with("&ended=1"), "{}", old.header("location"));
    let told = browser.get(old.header("location")).await.text();
    assert!(told.contains("The secret that was pasted has ended"), "{told}");
}

#[tokio::test]
async fn who_may_not_read_tokens_may_not_ask_and_a_page_takes_six_statements() {
    let (house, browser, token, _) = house().await;
    let job = house.job("Nightly").await;
    for rest in
        [String::new(), format!("?token={token}&action=runs:write&where=job:{job}&from=192.0.2.7")]
    {
        let before = house.app.store.statements();
        assert_eq!(browser.get(&format!("{CHECK}{rest}")).await.status(), 200);
        let statements = house.app.store.statements() - before;
        assert!(statements <= 6, "{rest}: {statements}");
    }
    let email = "bob@acme.example";
    house.acme.user(email, License::Developer, &["job_viewer"]).await;
    let bob = Browser::new(&house.app);
    assert_eq!(
        bob.come_in(&link(&house.app, &house.acme, email).await, PASSWORD).await.status(),
        303
    );
    assert_eq!(bob.get(CHECK).await.status(), 403);
    assert_eq!(bob.post(CHECK, &[("secret", "x")]).await.status(), 403);
    assert!(!bob.get("/console/you").await.text().contains("href=\"/console/check\""));
}
