//! Coming into the console, and out of it. SECURITY lines 35, 36 and 38.

mod common;

use common::browser::{Browser, HOME, PASSWORD, filled, link};
use domain::authz::License;
use reqwest::Method;
use serde_json::json;
use testkit::{TestAccount, TestAnswer, TestApp};

const TOKENS: &str = "/console/service-tokens";
const ADMIN: &str = "admin@acme.example";

async fn acme() -> (TestApp, TestAccount, Browser) {
    let app = TestApp::new().await;
    let acme = app.account("acme").await;
    let browser = Browser::admin(&app, &acme, "acme").await;
    (app, acme, browser)
}

#[tokio::test]
async fn a_sign_in_link_sets_a_password_once_and_lets_its_user_in() {
    let app = TestApp::new().await;
    let acme = app.account("acme").await;
    let code = link(&app, &acme, ADMIN).await;
    let browser = Browser::new(&app);
    assert!(browser.get("/console/welcome").await.text().contains("Welcome to Narrowgate"));

    let whole_link = format!("{}/console/welcome#{code}", app.url());
    let came = browser.come_in(&whole_link, PASSWORD).await;
    assert_eq!((came.status(), came.header("location")), (303, HOME));
    assert_eq!(browser.get(HOME).await.header("location"), TOKENS);
    let page = browser.get(TOKENS).await;
    assert_eq!(page.status(), 200);
    assert!(page.text().contains(ADMIN), "{}", page.text());

    let again = Browser::new(&app).come_in(&code, PASSWORD).await;
    assert_eq!(again.status(), 400);
    assert!(again.text().contains("The code was used already."), "{}", again.text());
    assert!(!again.text().contains(PASSWORD));
}

#[tokio::test]
async fn a_link_that_is_too_old_or_no_link_lets_nobody_in_and_keeps_what_was_typed() {
    let app = TestApp::new().await;
    let acme = app.account("acme").await;
    let code = link(&app, &acme, ADMIN).await;
    app.clock.set(app.clock.now().plus_seconds(7 * 86_400));
    let old = Browser::new(&app).come_in(&code, PASSWORD).await;
    assert_eq!(old.status(), 400);
    assert!(old.text().contains("The code has expired: ask for another."));
    assert!(old.text().contains(&format!("value=\"{code}\"")), "it stays in the form");

    let secret = acme.admin.secret();
    for wrong in ["", "nonsense", "ngit_nonsense", secret] {
        let refused = Browser::new(&app).come_in(wrong, PASSWORD).await;
        assert_eq!(refused.status(), 400, "{wrong}");
        assert_eq!(refused.header("set-cookie"), "");
    }
}

#[tokio::test]
async fn an_invitation_is_accepted_with_a_password() {
    let (app, acme, _) = acme().await;
    let body = json!({ "email_addresses": ["eve@acme.example"], "license_type": "developer",
        "group_ids": [] });
    let sent = acme.admin.post(&acme.v3("/invites/"), body).await;
    let sent = sent.data();
    let link = sent["links"][0]["link"].as_str().unwrap();
    let browser = Browser::new(&app);
    let page = browser.get("/invites/accept").await;
    assert!(page.text().contains("action=\"/console/welcome\""), "where its link leads");

    let weak = browser.come_in(link, "short").await;
    assert!(weak.text().contains("The password must have 12 characters or more."));
    let fields = [("code", link), ("first_name", "Eve"), ("password", PASSWORD)];
    let unlike = browser.post("/console/welcome", &fields).await;
    assert!(unlike.text().contains("This is not the same password."));
    assert!(unlike.text().contains("value=\"Eve\"") && !unlike.text().contains(PASSWORD));

    let fields = [&fields[..], &[("again", PASSWORD)]].concat();
    assert_eq!(browser.post("/console/welcome", &fields).await.status(), 303);
    assert!(browser.get("/console/you").await.text().contains("Eve"));
    assert_eq!(Browser::new(&app).sign_in("eve@acme.example", PASSWORD).await.status(), 303);
    let users = acme.admin.get(&acme.v3("/users/")).await;
    assert!(users.text().contains("eve@acme.example"));
}

#[tokio::test]
async fn a_password_of_one_account_opens_no_other() {
    let (app, _, _) = acme().await;
    let other = app.account("umbrella").await;
    let body = json!({ "email_addresses": [ADMIN], "license_type": "read_only", "group_ids": [] });
    let sent = other.admin.post(&other.v3("/invites/"), body).await.data();
    let invited = Browser::new(&app);
    let mine = "another password that i chose";
    let came = invited.come_in(sent["links"][0]["link"].as_str().unwrap(), mine).await;
    assert_eq!(came.status(), 303, "{}", came.text());
    assert!(invited.get("/console/you").await.text().contains("umbrella"));

    for (password, account) in [(mine, "umbrella"), (PASSWORD, "acme")] {
        let browser = Browser::new(&app);
        assert_eq!(browser.sign_in(ADMIN, password).await.status(), 303);
        let you = browser.get("/console/you").await.text();
        assert!(you.contains(&format!("<dt>Account</dt><dd>{account}</dd>")), "{you}");
    }
}

#[tokio::test]
async fn a_wrong_password_and_an_address_that_nobody_has_are_answered_alike() {
    let (app, _, _) = acme().await;
    let told = async |email: &str| {
        let answer = Browser::new(&app).sign_in(email, "not the password").await;
        let text = answer.text().replace(email, "EMAIL");
        (answer.status(), answer.lasting_headers(), text)
    };
    let wrong = told(ADMIN).await;
    assert_eq!(wrong.0, 400);
    assert!(wrong.2.contains("E-mail or password is wrong."), "{}", wrong.2);
    assert_eq!(told("nobdy@acme.example").await, wrong);
}

#[tokio::test]
async fn many_failures_make_a_caller_wait_and_end_no_session() {
    let (app, _, browser) = acme().await;
    for _ in 0..5 {
        assert_eq!(Browser::new(&app).sign_in(ADMIN, "wrong").await.status(), 400);
    }
    let sixth = Browser::new(&app).sign_in(ADMIN, "wrong").await;
    assert_eq!((sixth.status(), sixth.header("retry-after")), (429, "2"));
    let right = Browser::new(&app).sign_in(ADMIN, PASSWORD).await;
    assert_eq!(right.status(), 429, "not even asked");
    assert_eq!(browser.get(TOKENS).await.status(), 200, "who is in stays in");
    app.clock.set(app.clock.now().plus_seconds(2));
    assert_eq!(Browser::new(&app).sign_in(ADMIN, PASSWORD).await.status(), 303);
}

#[tokio::test]
async fn each_sign_in_has_a_cookie_of_its_own_that_script_and_other_sites_do_not_get() {
    let (_app, _, browser) = acme().await;
    let first = browser.cookie();
    let signed = browser.sign_in(ADMIN, PASSWORD).await;
    let set = signed.header("set-cookie");
    assert!(set.starts_with("narrowgate=") && set.ends_with("; Path=/; HttpOnly; SameSite=Lax"));
    assert_ne!(browser.cookie(), first, "a new id at sign-in");
    browser.holds(&first);
    assert_eq!(browser.get(TOKENS).await.status(), 303, "the one before has ended");
}

#[tokio::test]
async fn with_tls_before_it_the_cookie_is_a_host_cookie() {
    let app = TestApp::set(|config| config.public_url = Some("https://ng.example".into())).await;
    let acme = app.account("acme").await;
    let code = link(&app, &acme, ADMIN).await;
    let browser = Browser::new(&app);
    let came = browser.come_in(&code, PASSWORD).await;
    let set = came.header("set-cookie").to_owned();
    assert!(set.starts_with("__Host-narrowgate="), "{set}");
    assert!(set.ends_with("; Path=/; HttpOnly; SameSite=Lax; Secure"), "{set}");
    let own = browser.form("/console/you/password", &[]).header("Origin", "https://ng.example");
    assert_eq!(browser.send(own).await.status(), 400, "its public address is its own");
    assert_eq!(browser.get(TOKENS).await.status(), 200);
    browser.holds(&browser.cookie().replace("__Host-", ""));
    assert_eq!(browser.get(TOKENS).await.status(), 303, "by no other name");
}

#[tokio::test]
async fn a_session_ends_when_it_idles_and_at_the_latest_after_a_day() {
    let (app, _, browser) = acme().await;
    let hours = |hours: i64| app.clock.set(app.clock.now().plus_seconds(hours * 3_600));
    for _ in 0..7 {
        hours(3);
        assert_eq!(browser.get(TOKENS).await.status(), 200, "each use keeps it");
    }
    hours(3);
    let ended = browser.get("/console/service-tokens?q=a%26b").await;
    assert_eq!(ended.status(), 303, "a day");
    let to = "/console/sign-in?next=%2Fconsole%2Fservice-tokens%3Fq%3Da%2526b&ended=1";
    assert_eq!(ended.header("location"), to);
    assert!(browser.get(to).await.text().contains("Your session ended"));

    assert_eq!(browser.sign_in(ADMIN, PASSWORD).await.status(), 303);
    hours(4);
    assert_eq!(browser.get(TOKENS).await.status(), 303, "four hours without use");
}

#[tokio::test]
async fn signing_out_ends_the_session_at_the_server_and_everywhere_ends_them_all() {
    let (app, _, browser) = acme().await;
    let other = Browser::new(&app);
    other.sign_in(ADMIN, PASSWORD).await;
    let held = browser.cookie();
    let out = browser.post("/console/sign-out", &[]).await;
    assert_eq!((out.status(), browser.cookie().as_str()), (303, ""));
    browser.holds(&held);
    assert_eq!(browser.get(TOKENS).await.status(), 303);
    assert_eq!(other.get(TOKENS).await.status(), 200);

    browser.sign_in(ADMIN, PASSWORD).await;
    let everywhere = browser.post("/console/you/sign-out-everywhere", &[]).await;
    assert_eq!(everywhere.status(), 303);
    assert_eq!(other.get(TOKENS).await.status(), 303);
}

#[tokio::test]
async fn another_password_ends_the_other_sessions_and_wants_the_one_before() {
    let (app, _, browser) = acme().await;
    let other = Browser::new(&app);
    other.sign_in(ADMIN, PASSWORD).await;
    let change = async |current: &str, new: &str| {
        let fields = [("current", current), ("password", new), ("again", new)];
        browser.post("/console/you/password", &fields).await
    };
    assert!(
        change("wrong", "a new password of mine").await.text().contains("is not your password")
    );
    assert_eq!(change(PASSWORD, "short").await.status(), 400);
    assert_eq!(other.get(TOKENS).await.status(), 200, "nothing has changed");

    assert_eq!(change(PASSWORD, "a new password of mine").await.status(), 303);
    assert_eq!(browser.get(TOKENS).await.status(), 200);
    assert_eq!(other.get(TOKENS).await.status(), 303);
    assert_eq!(Browser::new(&app).sign_in(ADMIN, PASSWORD).await.status(), 400);
    assert_eq!(Browser::new(&app).sign_in(ADMIN, "a new password of mine").await.status(), 303);
}

#[tokio::test]
async fn who_leaves_the_account_is_out_at_once() {
    let (app, acme, _) = acme().await;
    let (user, _) = acme.user("eve@acme.example", License::Developer, &["job_admin"]).await;
    let code = link(&app, &acme, "eve@acme.example").await;
    let unused = link(&app, &acme, "eve@acme.example").await;
    assert!(Browser::new(&app).come_in(&code, PASSWORD).await.status() == 400, "a newer one is");
    let eve = Browser::new(&app);
    assert_eq!(eve.come_in(&unused, PASSWORD).await.status(), 303);
    let user = acme.admin.get(&acme.v3(&format!("/users/{user}/"))).await.data();
    let path = acme.v2(&format!("/permissions/{}/", user["license"]["id"]));
    let removed = acme.admin.post(&path, json!({ "state": 2 })).await;
    assert_eq!(removed.status(), 200, "{}", removed.text());
    assert_eq!(eve.get("/console/you").await.status(), 303);
    assert_eq!(Browser::new(&app).sign_in("eve@acme.example", PASSWORD).await.status(), 400);
}

#[tokio::test]
async fn a_form_of_another_site_changes_nothing() {
    let (app, _, browser) = acme().await;
    let send = async |headers: &[(&str, &str)]| -> TestAnswer {
        let mut request = browser.form("/console/you/sign-out-everywhere", &[]);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        browser.send(request).await
    };
    let own = app.url();
    for headers in [
        &[][..],
        &[("Origin", "https://evil.example")],
        &[("Origin", "null")],
        &[("Sec-Fetch-Site", "cross-site")],
        &[("Sec-Fetch-Site", "cross-site"), ("Origin", "null")],
        &[("Sec-Fetch-Site", "same-site"), ("Origin", own)],
        &[("Sec-Fetch-Site", "none")],
        &[("Sec-Fetch-Site", "same-origin"), ("Origin", "https://evil.example")],
    ] {
        let refused = send(headers).await;
        assert_eq!(refused.status(), 403, "{headers:?}");
        assert!(refused.text().contains("You may not do this"));
        assert_eq!(browser.get(TOKENS).await.status(), 200, "{headers:?}");
    }
    let sign_in = browser.form("/console/sign-in", &[("email", ADMIN), ("password", PASSWORD)]);
    assert_eq!(Browser::new(&app).send(sign_in).await.status(), 403);
    let older = send(&[("Origin", own)]).await;
    assert_eq!(older.status(), 303, "an older browser's own");
}

#[tokio::test]
async fn a_cookie_opens_no_api_and_a_token_opens_no_page() {
    let (app, acme, browser) = acme().await;
    assert_eq!(browser.get(&acme.v3("/service-tokens/")).await.status(), 401);
    let held = browser.cookie();
    let secret = held.split_once('=').unwrap().1;
    assert_eq!(app.presenting(secret).get(&acme.v3("/service-tokens/")).await.status(), 401);

    for page in server::console_pages().iter().filter(|page| page.method == Method::GET) {
        let path = filled(page.path);
        let by_token = acme.admin.get(&path).await;
        assert_eq!(by_token.status(), 303, "{path}");
        assert!(by_token.header("location").starts_with("/console/sign-in"), "{path}");
    }
}

#[tokio::test]
async fn every_page_wants_a_session_and_a_form_says_that_it_ended() {
    let app = TestApp::new().await;
    app.account("acme").await;
    let browser = Browser::new(&app);
    for page in server::console_pages() {
        let path = filled(page.path);
        if page.method == Method::GET {
            assert_eq!(browser.get(&path).await.status(), 303, "{path}");
        } else {
            let answer = browser.post(&path, &[("name", "x")]).await;
            assert_eq!(answer.status(), 401, "{path}");
            assert!(answer.text().contains("Your session ended"), "{path}");
        }
    }
    assert_eq!(browser.get("/console/no-such-page").await.status(), 303);
}

#[tokio::test]
async fn the_way_back_from_the_sign_in_leads_to_the_console_alone() {
    let (app, _, browser) = acme().await;
    for (next, to) in [
        ("/console/you", "/console/you"),
        ("https://evil.example", HOME),
        ("//evil.example", HOME),
        ("/console//evil.example", HOME),
        ("/\\evil.example", HOME),
        ("/console/\r\nSet-Cookie: a=b", HOME),
        ("/api/v2/accounts/", HOME),
    ] {
        let fields = [("email", ADMIN), ("password", PASSWORD), ("next", next)];
        let signed = Browser::new(&app).post("/console/sign-in", &fields).await;
        assert_eq!((signed.status(), signed.header("location")), (303, to), "{next}");
    }
    assert_eq!(browser.get("/console/sign-in").await.header("location"), HOME, "who is in");
}

#[tokio::test]
async fn every_page_keeps_browsers_from_what_it_does_not_need() {
    let (_app, _, browser) = acme().await;
    for path in [TOKENS, "/console/you", "/console/no-such-page", "/console/sign-in"] {
        let page = browser.get(path).await;
        let policy = page.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'; "), "{path}");
        assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"), "{path}");
        assert_eq!(page.header("x-content-type-options"), "nosniff");
        assert_eq!(page.header("referrer-policy"), "no-referrer");
        assert_eq!(page.header("cross-origin-opener-policy"), "same-origin");
        assert_eq!(page.header("cache-control"), "no-store");
        let text = page.text();
        for inline in ["<script>", " style=", " onclick=", "javascript:", "http://", "https://"] {
            let curl = text.split("<code id=\"curl\">").next().unwrap();
            assert!(!curl.contains(inline), "{path}: {inline}");
        }
    }
}

#[tokio::test]
async fn an_asset_is_kept_for_good_under_a_name_that_changes_with_it() {
    let (_app, _, browser) = acme().await;
    let page = browser.get(TOKENS).await.text();
    let from = page.find("/console/static/").unwrap();
    let mut seen = 0;
    for path in page[from - 1..].split('"').filter(|part| part.starts_with("/console/static/")) {
        let asset = browser.get(path).await;
        assert_eq!(asset.status(), 200, "{path}");
        assert_eq!(asset.header("cache-control"), "public, max-age=31536000, immutable");
        let tag = asset.header("etag");
        assert!(path.contains(tag.trim_matches('"')), "{path} {tag}");
        seen += 1;
    }
    assert_eq!(seen, 3);
    assert_eq!(browser.get("/console/static/console.css").await.status(), 404);
}

#[tokio::test]
async fn no_file_holds_a_password_a_cookie_or_the_code_of_a_link() {
    let app = TestApp::new().await;
    let acme = app.account("acme").await;
    let code = link(&app, &acme, ADMIN).await;
    let browser = Browser::new(&app);
    assert_eq!(browser.come_in(&code, PASSWORD).await.status(), 303);
    let cookie = browser.cookie();
    let secret = cookie.split_once('=').unwrap().1;
    let (mut folders, mut read) = (vec![app.folder().to_owned()], 0);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let bytes = std::fs::read(&path).unwrap();
            read += bytes.len();
            for text in [PASSWORD, secret, &code] {
                let found = bytes.windows(text.len()).any(|window| window == text.as_bytes());
                assert!(!found, "{}", path.display());
            }
        }
    }
    assert!(read > 100_000, "{read} bytes");
}

#[tokio::test]
async fn an_address_that_the_account_does_not_admit_gets_no_page() {
    const OFFICE: &str = "192.0.2.7";
    let app = TestApp::behind(&["127.0.0.1"]).await;
    let acme = app.account("acme").await;
    let office = Browser::at(&app, OFFICE);
    assert_eq!(office.come_in(&link(&app, &acme, ADMIN).await, PASSWORD).await.status(), 303);
    let rule = json!({ "name": "office", "type": 1, "cidrs": [{ "cidr": "192.0.2.0/24" }],
        "rule_set_enabled": true });
    let made = acme.admin.request(Method::POST, &acme.v3("/ip-restrictions/"));
    let made = TestAnswer::of(made.header("X-Forwarded-For", OFFICE).json(&rule)).await;
    assert_eq!(made.status(), 201, "{}", made.text());
    assert_eq!(office.get(TOKENS).await.status(), 200);

    let home = Browser::at(&app, "198.51.100.9");
    let refused = home.sign_in(ADMIN, PASSWORD).await;
    assert_eq!((refused.status(), home.cookie().as_str()), (403, ""));
    home.holds(&office.cookie());
    let elsewhere = home.get(TOKENS).await;
    assert_eq!(elsewhere.status(), 403);
    assert!(elsewhere.text().contains("You may not do this"), "{}", elsewhere.text());
}
