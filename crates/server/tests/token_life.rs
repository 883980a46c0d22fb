//! When service tokens end, what an account asks of them, and that none is revived. SECURITY lines
//! 12 and 26.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "what fails here is a failed test"
)]

use domain::{
    Timestamp,
    authz::License,
    secret::{TokenKind, TokenSecret},
};
use rand::{SeedableRng as _, rngs::StdRng};
use serde_json::{Value, json};
use testkit::{TestAccount, TestAnswer, TestApp, TestClient};

async fn acme() -> (TestApp, TestAccount) {
    let app = TestApp::new().await;
    let acme = app.account("acme").await;
    (app, acme)
}

/// Makes a token with Job Admin and these fields.
async fn make(acme: &TestAccount, fields: Value) -> TestAnswer {
    let mut body = json!({
        "name": "nightly",
        "permission_grants": [{ "permission_set": "job_admin", "all_projects": true }],
    });
    let more = fields.as_object().cloned().unwrap();
    body.as_object_mut().unwrap().extend(more);
    acme.admin.post(&acme.v3("/service-tokens/"), body).await
}

fn client(app: &TestApp, made: &TestAnswer) -> TestClient {
    app.presenting(made.data()["token_string"].as_str().unwrap())
}

async fn policy(acme: &TestAccount, body: Value) -> TestAnswer {
    acme.admin.post(&acme.v3("/service-token-policy/"), body).await
}

fn at(app: &TestApp, time: &str) {
    app.clock.set(Timestamp::parse(time).unwrap());
}

#[tokio::test]
async fn a_token_ends_when_it_was_told_to_with_the_401_of_every_bad_token() {
    let (app, acme) = acme().await;
    let made = make(&acme, json!({ "expires_at": "2026-11-23T14:00:00+01:00" })).await;
    assert_eq!(made.data()["expires_at"], "2026-11-23T13:00:00.000000+00:00");
    let (token, accounts) = (client(&app, &made), "/api/v3/accounts/");

    at(&app, "2026-11-23T12:59:59.999999Z");
    assert_eq!(token.get(accounts).await.status(), 200);
    at(&app, "2026-11-23T13:00:00Z");
    let ended = token.get(accounts).await;
    let unknown = app.presenting("ngst_nothing").get(accounts).await;
    assert_eq!((ended.status(), ended.bytes()), (401, unknown.bytes()));

    // Nothing revives it.
    let one = acme.v3(&format!("/service-tokens/{}/", made.id()));
    for end in ["2027-01-01", "never"] {
        let revived = acme.admin.post(&one, json!({ "expires_at": end })).await;
        assert_eq!(revived.status(), 409, "{}", revived.text());
        assert!(revived.text().contains("has expired"), "{}", revived.text());
    }
    at(&app, "2026-11-23T12:00:00Z");
    assert_eq!(token.get(accounts).await.status(), 401, "the clock stepped back");
}

#[tokio::test]
async fn an_end_that_cannot_be_is_refused_with_what_would_be_right() {
    let (_app, acme) = acme().await;
    for (end, why) in [
        (json!("2026-11-23T12:00:00Z"), "future"),
        (json!("2026-11-23T13:30:00+02:00"), "future"),
        (json!("1999-01-01"), "future"),
        (json!("9999-12-31T23:59:59-01:00"), "must be a time"),
        (json!("10000-01-01"), "must be a time"),
        (json!("tomorrow"), "must be a time"),
        (json!(""), "must be a time"),
        (json!(7), "expected"),
    ] {
        let refused = make(&acme, json!({ "expires_at": end })).await;
        assert_eq!(refused.status(), 400, "{end}: {}", refused.text());
        assert!(refused.reason("expires_at").contains(why), "{end}: {}", refused.text());
    }
    let last = make(&acme, json!({ "expires_at": "9999-12-31T23:59:59Z" })).await;
    assert_eq!(last.data()["expires_at"], "9999-12-31T23:59:59.000000+00:00");
    assert_eq!(acme.admin.get(&acme.v3("/service-tokens/")).await.ids(), [last.id()]);
}

#[tokio::test]
async fn a_shorter_life_holds_at_once_and_an_echo_changes_nothing() {
    let (app, acme) = acme().await;
    let made = make(&acme, json!({})).await;
    let (token, accounts) = (client(&app, &made), "/api/v3/accounts/");
    assert_eq!(made.data()["expires_at"], Value::Null);
    assert_eq!(token.get(accounts).await.status(), 200, "and it is remembered");
    let one = acme.v3(&format!("/service-tokens/{}/", made.id()));

    let shorter = acme.admin.post(&one, json!({ "expires_at": "2026-11-23T12:00:01Z" })).await;
    assert_eq!(shorter.data()["expires_at"], "2026-11-23T12:00:01.000000+00:00");
    for echo in [json!({ "expires_at": null, "name": "n" }), shorter.data()] {
        let same = acme.admin.post(&one, echo).await;
        assert_eq!(same.data()["expires_at"], "2026-11-23T12:00:01.000000+00:00");
    }
    at(&app, "2026-11-23T12:00:01Z");
    assert_eq!(token.get(accounts).await.status(), 401);
}

#[tokio::test]
async fn the_policy_bounds_what_is_made_prolonged_and_granted_and_cuts_nothing_that_is_there() {
    let (app, acme) = acme().await;
    let before = make(&acme, json!({})).await;
    let asked = json!({
        "default_life_days": 90, "longest_life_days": { "job_admin": 30, "account_admin": 1 },
        "not_granted": ["git_admin"],
    });
    let set = policy(&acme, asked).await;
    assert_eq!(set.status(), 200, "{}", set.text());
    assert_eq!(set.data()["longest_overlap_minutes"], 10_080);
    assert_eq!(acme.admin.get(&acme.v3("/service-token-policy/")).await.data(), set.data());

    // The default, cut by the longest life.
    let made = make(&acme, json!({})).await;
    assert_eq!(made.data()["expires_at"], "2026-12-23T12:00:00.000000+00:00");
    for end in ["never", "2026-12-23T12:00:00.000001Z"] {
        let refused = make(&acme, json!({ "expires_at": end })).await;
        assert_eq!(refused.status(), 400);
        let reason = refused.reason("expires_at");
        assert!(reason.contains("2026-12-23T12:00:00") && reason.contains("job_admin"), "{reason}");
    }

    // The life of a secret is counted from its making, however often it is prolonged.
    let one = acme.v3(&format!("/service-tokens/{}/", made.id()));
    at(&app, "2026-12-20T00:00:00Z");
    let refused = acme.admin.post(&one, json!({ "expires_at": "2026-12-24" })).await;
    assert!(refused.reason("expires_at").contains("2026-12-23T12:00:00"), "{}", refused.text());
    let shorter = acme.admin.post(&one, json!({ "expires_at": "2026-12-21" })).await;
    assert_eq!(shorter.status(), 200, "{}", shorter.text());
    let longer = acme.admin.post(&one, json!({ "expires_at": "2026-12-22" })).await;
    assert_eq!(longer.status(), 200, "{}", longer.text());

    // What was there stays and can be narrowed; it gains no set that would have to end before.
    let one = acme.v3(&format!("/service-tokens/{}/", before.id()));
    assert_eq!(acme.admin.get(&one).await.data()["expires_at"], Value::Null);
    let rows = format!("{one}permissions/");
    let grant = |set: &str| json!({ "permission_set": set, "all_projects": true });
    let gains = json!([grant("job_admin"), grant("account_admin")]);
    let refused = acme.admin.post(&rows, gains).await;
    assert_eq!(refused.status(), 400);
    assert!(refused.reason("expires_at").contains("account_admin"), "{}", refused.text());
    let kept = acme.admin.post(&rows, json!([grant("job_admin"), grant("job_viewer")])).await;
    assert_eq!(kept.status(), 200, "{}", kept.text());
    assert_eq!(acme.admin.post(&rows, json!([grant("job_viewer")])).await.status(), 200);
}

#[tokio::test]
async fn a_set_that_is_not_granted_is_in_no_new_token_and_in_no_wider_one() {
    let (_app, acme) = acme().await;
    let held = make(&acme, json!({})).await;
    policy(&acme, json!({ "not_granted": ["job_admin", "git_admin"] })).await;

    let refused = make(&acme, json!({})).await;
    assert_eq!(refused.status(), 400);
    assert!(refused.reason("permission_grants").contains("`job_admin`"), "{}", refused.text());
    let rows = acme.v3(&format!("/service-tokens/{}/permissions/", held.id()));
    let grant = |set: &str| json!({ "permission_set": set, "all_projects": true });
    let wider = acme.admin.post(&rows, json!([grant("job_admin"), grant("git_admin")])).await;
    assert!(wider.reason("permission_grants").contains("`git_admin`"), "{}", wider.text());
    assert_eq!(acme.admin.post(&rows, json!([grant("job_admin")])).await.status(), 200);
}

#[tokio::test]
async fn a_policy_that_cannot_be_is_refused_and_no_service_token_changes_one() {
    let (_app, acme) = acme().await;
    for (body, field) in [
        (json!({ "default_life_days": 0 }), "default_life_days"),
        (json!({ "default_life_days": 3651 }), "default_life_days"),
        (json!({ "longest_life_days": { "job_admin": 0 } }), "longest_life_days"),
        (json!({ "longest_life_days": { "nobody": 7 } }), "longest_life_days"),
        (json!({ "not_granted": ["nobody"] }), "not_granted"),
        (json!({ "longest_overlap_minutes": 43_201 }), "longest_overlap_minutes"),
        (json!({ "longest_overlap_minutes": -1 }), "longest_overlap_minutes"),
    ] {
        let refused = policy(&acme, body.clone()).await;
        assert_eq!(refused.status(), 400, "{body}");
        assert!(!refused.reason(field).is_empty(), "{body}: {}", refused.text());
    }
    let token = acme.service_token().grant_everywhere("account_admin").create().await;
    let path = acme.v3("/service-token-policy/");
    assert_eq!(token.get(&path).await.status(), 200);
    let refused = token.post(&path, json!({ "longest_overlap_minutes": 1 })).await;
    assert_eq!(refused.status(), 403);
    assert!(refused.text().contains("by a user"), "{}", refused.text());
}

#[tokio::test]
async fn a_disabled_token_opens_nothing_until_it_is_enabled() {
    let (app, acme) = acme().await;
    let made = make(&acme, json!({})).await;
    let (token, accounts) = (client(&app, &made), "/api/v3/accounts/");
    assert_eq!(token.get(accounts).await.status(), 200);
    let one = acme.v3(&format!("/service-tokens/{}/", made.id()));

    let disabled = acme.admin.post(&one, json!({ "disabled": true })).await;
    assert_eq!((disabled.status(), &disabled.data()["disabled"]), (200, &json!(true)));
    let unknown = app.presenting("ngst_nothing").get(accounts).await;
    assert_eq!(token.get(accounts).await.bytes(), unknown.bytes());
    // An echo of names changes no state.
    let renamed = acme.admin.post(&one, json!({ "name": "n", "state": 1 })).await;
    assert_eq!(renamed.data()["disabled"], true);

    let enabled = acme.admin.post(&one, json!({ "disabled": false })).await;
    assert_eq!((enabled.status(), &enabled.data()["disabled"]), (200, &json!(false)));
    assert_eq!(token.get(accounts).await.status(), 200);
}

#[tokio::test]
async fn a_token_gives_itself_up_and_so_does_a_personal_one() {
    let (app, acme) = acme().await;
    let made = make(&acme, json!({})).await;
    let (_, user) = acme.user("bob@acme.example", License::Developer, &["account_admin"]).await;
    let one = acme.v3(&format!("/service-tokens/{}/", made.id()));
    for client in [client(&app, &made), user] {
        let given_up = client.delete("/api/v3/self/token/").await;
        assert_eq!(given_up.status(), 200, "{}", given_up.text());
        assert_eq!(client.get("/api/v3/accounts/").await.status(), 401);
        assert_eq!(client.delete("/api/v3/self/token/").await.status(), 401);
    }
    assert_eq!(acme.admin.get(&one).await.status(), 404);
}

async fn revoke(app: &TestApp, body: &str) -> TestAnswer {
    let request = app.anonymous().request(reqwest::Method::POST, "/oauth/revoke");
    let form = request.header("Content-Type", "application/x-www-form-urlencoded");
    TestAnswer::of(form.body(body.to_owned())).await
}

/// RFC 7009, sections 2.1 and 2.2.
#[tokio::test]
async fn whoever_holds_a_token_revokes_it_and_no_answer_tells_one_from_another() {
    let (app, acme) = acme().await;
    let made = make(&acme, json!({})).await;
    let token = client(&app, &made);
    assert_eq!(token.get("/api/v3/accounts/").await.status(), 200);
    app.store.flush_last_used().await.unwrap();
    let statements = app.store.statements();
    let unknown = revoke(&app, "token=ngst_nothing").await;
    assert_eq!((unknown.status(), unknown.text().as_str()), (200, ""));
    assert_eq!(app.store.statements(), statements, "what is no token is not looked for");

    let hinted = format!("token_type_hint=refresh_token&token={}", token.secret());
    let known = revoke(&app, &hinted).await;
    assert_eq!((known.status(), known.bytes()), (unknown.status(), unknown.bytes()));
    assert_eq!(known.lasting_headers(), unknown.lasting_headers());
    assert_eq!(token.get("/api/v3/accounts/").await.status(), 401);
    let again = revoke(&app, &hinted).await;
    assert_eq!((again.status(), again.bytes()), (unknown.status(), unknown.bytes()));
    // What was revoked and what nobody made cost the same one look.
    let nobodys = TokenSecret::mint(TokenKind::Service, &mut StdRng::seed_from_u64(1));
    for secret in [token.secret(), nobodys.reveal()] {
        let before = app.store.statements();
        assert_eq!(revoke(&app, &format!("token={secret}")).await.status(), 200);
        assert_eq!(app.store.statements() - before, 1);
    }
    for body in ["", "token_type_hint=x", "token=a&token=b", "{}"] {
        let refused = revoke(&app, body).await;
        assert_eq!(refused.status(), 400, "{body}");
        assert!(!refused.reason("token").is_empty(), "{body}: {}", refused.text());
    }
}

#[tokio::test]
async fn an_old_secret_that_is_given_up_takes_nothing_but_itself() {
    let (app, acme) = acme().await;
    let made = make(&acme, json!({})).await;
    let old = client(&app, &made);
    let path = acme.v3(&format!("/service-tokens/{}/rotate/", made.id()));
    let new = client(&app, &acme.admin.post(&path, json!({ "overlap_minutes": 60 })).await);

    assert_eq!(revoke(&app, &format!("token={}", old.secret())).await.status(), 200);
    assert_eq!(old.get("/api/v3/accounts/").await.status(), 401);
    assert_eq!(new.get("/api/v3/accounts/").await.status(), 200);
    assert_eq!(new.delete("/api/v3/self/token/").await.status(), 200);
    assert_eq!(new.get("/api/v3/accounts/").await.status(), 401);
}
