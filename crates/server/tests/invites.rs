//! Invitations over the API, and by mail: contract section 10, SECURITY lines 5, 18, 49.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "what fails here is a failed test"
)]

mod common;

use common::mail_server::MailServer;
use domain::{Plan, authz::License};
use serde_json::{Value, json};
use testkit::{TestAccount, TestAnswer, TestApp, TestClient};

async fn acme() -> (TestApp, TestAccount) {
    let app = TestApp::new().await;
    let acme = app.account("acme").await;
    (app, acme)
}

async fn invite(by: &TestClient, acme: &TestAccount, email: &str, license: &str) -> TestAnswer {
    let body = json!({ "email_addresses": [email], "license_type": license, "group_ids": [] });
    by.post(&acme.v3("/invites/"), body).await
}

/// The secret of the one link of an answer.
fn secret(answer: &TestAnswer) -> String {
    let link = answer.data()["links"][0]["link"].as_str().unwrap().to_owned();
    let (page, secret) = link.split_once('#').unwrap();
    assert!(page.ends_with("/invites/accept"), "{page}");
    secret.to_owned()
}

async fn accept(app: &TestApp, secret: &str) -> TestAnswer {
    let body = json!({ "token": secret, "first_name": "Eve", "last_name": "Loader" });
    app.anonymous().post("/api/v3/invites/accept/", body).await
}

async fn group(acme: &TestAccount, name: &str, set: &str) -> i64 {
    let id = acme.admin.post(&acme.v3("/groups/"), json!({ "name": name })).await.id();
    let rows = json!([{ "permission_set": set, "all_projects": true }]);
    let given = acme.admin.post(&acme.v3(&format!("/group-permissions/{id}/")), rows).await;
    assert_eq!(given.status(), 200, "{}", given.text());
    id
}

#[tokio::test]
async fn an_invitation_is_accepted_once_and_gives_licence_groups_and_a_token() {
    let (app, acme) = acme().await;
    let sales = acme.project("sales").await;
    let viewers = group(&acme, "viewers", "job_viewer").await;
    let body = json!({ "email_addresses": ["Eve@acme.example"], "license_type": "developer",
        "group_ids": [viewers] });
    let sent = acme.admin.post(&acme.v3("/invites/"), body).await;
    assert_eq!((sent.status(), &sent.data()["sent"]), (201, &json!(["eve@acme.example"])));
    assert_eq!(sent.header("cache-control"), "no-store");
    let listed = acme.admin.get(&acme.v2("/invites/")).await;
    let row = listed.data()[0].clone();
    assert_eq!((&row["status"], &row["group_ids"]), (&json!(1), &json!([viewers])));
    assert_eq!((&row["type"], &row["groups"][0]["name"]), (&json!("standard"), &json!("viewers")));

    let secret = secret(&sent);
    assert_eq!(app.anonymous().get("/invites/accept").await.status(), 200);
    let accepted = accept(&app, &secret).await;
    assert_eq!(accepted.status(), 201, "{}", accepted.text());
    assert_eq!(accepted.header("cache-control"), "no-store");
    let user = accepted.data()["user"].clone();
    assert_eq!(
        (&user["email"], &user["last_name"]),
        (&json!("eve@acme.example"), &json!("Loader"))
    );
    let groups = user["permissions"][0]["groups"].clone();
    assert_eq!((&groups[0]["name"], &groups[1]["name"]), (&json!("Everyone"), &json!("viewers")));
    let token = accepted.data()["personal_token"]["token_string"].as_str().unwrap().to_owned();
    let eve = app.presenting(&token);
    assert_eq!(eve.get(&sales.url()).await.status(), 200);
    assert_eq!(eve.get(&acme.v3("/groups/")).await.status(), 403);

    let again = accept(&app, &secret).await;
    assert_eq!((again.status(), again.reason("token")), (400, "was accepted already".to_owned()));
    let one = acme.admin.get(&acme.v2(&format!("/invites/{}/", row["id"]))).await;
    assert_eq!(one.data()["status"], 2);
    assert!(one.data()["redeemed_at"].is_string());
    for text in [listed.text(), one.text()] {
        assert!(!text.contains(&secret) && !text.contains("ngit_"), "{text}");
    }
    assert_eq!(app.presenting(&secret).get("/api/v2/whoami/").await.status(), 401);
    let member = invite(&acme.admin, &acme, "eve@acme.example", "read_only").await;
    assert_eq!(member.status(), 409, "{}", member.text());
}

#[tokio::test]
async fn a_secret_that_is_wrong_old_or_taken_back_is_refused() {
    let (app, acme) = acme().await;
    let first = secret(&invite(&acme.admin, &acme, "eve@acme.example", "read_only").await);
    let second = secret(&invite(&acme.admin, &acme, "eve@acme.example", "read_only").await);
    let replaced = accept(&app, &first).await;
    assert_eq!(replaced.status(), 400);
    assert!(replaced.reason("token").contains("taken back"), "{}", replaced.text());
    let listed = acme.admin.get(&acme.v2("/invites/?order_by=id")).await.data();
    assert_eq!((&listed[0]["status"], &listed[1]["status"]), (&json!(3), &json!(1)));

    let guessed = "ngit_0123456789012345678901234567890123450Cd2Ro";
    for wrong in ["", "x", guessed, acme.admin.secret()] {
        let answer = accept(&app, wrong).await;
        assert_eq!(answer.status(), 400, "{wrong}");
        assert!(!answer.reason("token").is_empty(), "{}", answer.text());
        assert!(wrong.is_empty() || wrong == "x" || !answer.text().contains(wrong));
    }
    let nameless = json!({ "token": second, "first_name": "\u{7}" });
    let nameless = app.anonymous().post("/api/v3/invites/accept/", nameless).await;
    assert_eq!((nameless.status(), nameless.reason("first_name").is_empty()), (400, false));
    app.clock.set(app.clock.now().plus_seconds(7 * 86_400));
    let late = accept(&app, &second).await;
    assert!(late.reason("token").contains("expired"), "{}", late.text());
    let listed = acme.admin.get(&acme.v2("/invites/?order_by=-id")).await.data();
    assert_eq!(listed[0]["status"], 3);
}

#[tokio::test]
async fn nobody_invites_to_more_than_they_hold() {
    let (app, acme) = acme().await;
    let owner = acme.admin.get(&acme.v3("/groups/?name=Owner")).await.ids()[0];
    let viewers = group(&acme, "viewers", "job_viewer").await;
    let (ann, ann_client) = acme.user("ann@acme.example", License::Developer, &["admin"]).await;
    let body = |license: &str, groups: &[i64]| json!({ "email_addresses": ["eve@acme.example"], "license_type": license, "group_ids": groups });
    let path = acme.v3("/invites/");
    let refused = ann_client.post(&path, body("read_only", &[owner])).await;
    assert_eq!(refused.status(), 403, "a licence can change later: {}", refused.text());
    assert_eq!(ann_client.post(&path, body("it", &[])).await.status(), 403);
    let sent = ann_client.post(&path, body("developer", &[viewers])).await;
    assert_eq!(sent.status(), 201, "{}", sent.text());

    // Who no longer holds it when it is accepted, no longer gives it.
    let body = json!({ "user_id": ann.get(), "desired_group_ids": [] });
    assert_eq!(acme.admin.post(&acme.v3("/assign-groups/"), body).await.status(), 200);
    let late = accept(&app, &secret(&sent)).await;
    assert_eq!(late.status(), 400, "{}", late.text());
    assert!(late.reason("token").contains("no longer stands"), "{}", late.text());

    // A service token invites like anybody, until it is gone.
    let (id, token) = acme.service_token().grant_everywhere("account_admin").create_with_id().await;
    let fine = secret(&invite(&token, &acme, "one@acme.example", "developer").await);
    let gone = secret(&invite(&token, &acme, "two@acme.example", "developer").await);
    assert_eq!(accept(&app, &fine).await.status(), 201);
    acme.admin.delete(&acme.v3(&format!("/service-tokens/{id}/"))).await;
    assert_eq!(accept(&app, &gone).await.status(), 400);
}

#[tokio::test]
async fn seats_are_counted_when_it_is_sent_and_when_it_is_accepted() {
    let app = TestApp::new().await;
    let team = app.account_on("team", Plan::Team).await;
    let first = invite(&team.admin, &team, "it@team.example", "it").await;
    assert_eq!(first.status(), 201, "{}", first.text());
    let seats = team.admin.get(&team.v2("/licenses/")).await.data()[0]["it"].clone();
    assert_eq!(
        (&seats["in_use"], &seats["assigned"], &seats["available"]),
        (&json!(0), &json!(1), &json!(0))
    );
    let full = invite(&team.admin, &team, "it2@team.example", "it").await;
    assert_eq!(full.status(), 409, "{}", full.text());
    assert_eq!(invite(&team.admin, &team, "it@team.example", "it").await.status(), 201, "again");

    // A seat that is gone by then.
    let acme = app.account("acme").await;
    let sent = invite(&acme.admin, &acme, "eve@acme.example", "it").await;
    acme.admin.post(&acme.v2("/"), json!({ "it_seats": 0 })).await;
    let none = accept(&app, &secret(&sent)).await;
    assert_eq!(none.status(), 409, "{}", none.text());
    acme.admin.post(&acme.v2("/"), json!({ "it_seats": Value::Null })).await;
    assert_eq!(accept(&app, &secret(&sent)).await.status(), 201);
}

#[tokio::test]
async fn what_is_wrong_is_named_and_who_may_not_is_refused() {
    let (app, acme) = acme().await;
    let rival = app.account("rival").await;
    let theirs = rival.admin.get(&rival.v3("/groups/")).await.ids()[0];
    let path = acme.v3("/invites/");
    let many: Vec<_> = (0..101).map(|at| format!("u{at}@acme.example")).collect();
    for (body, field) in [
        (json!({ "license_type": "developer" }), "email_addresses"),
        (json!({ "license_type": "developer", "email_addresses": [] }), "email_addresses"),
        (json!({ "license_type": "developer", "email_addresses": many }), "email_addresses"),
        (
            json!({ "license_type": "developer", "email_addresses": ["a@b.c", "x"] }),
            "email_addresses[1]",
        ),
        (json!({ "email_addresses": ["a@b.c"] }), "license_type"),
        (json!({ "license_type": "x", "email_addresses": ["a@b.c"] }), "license_type"),
        (
            json!({ "license_type": "it", "email_addresses": ["a@b.c"], "group_ids": [theirs] }),
            "group_ids",
        ),
    ] {
        let answer = acme.admin.post(&path, body.clone()).await;
        assert_eq!(answer.status(), 400, "{body}: {}", answer.text());
        assert!(!answer.reason(field).is_empty(), "{body}: {}", answer.text());
    }
    assert_eq!(acme.admin.get(&acme.v2("/invites/")).await.data(), json!([]));
    let viewer = acme.service_token().grant_everywhere("account_viewer").create().await;
    assert_eq!(invite(&viewer, &acme, "a@b.c", "read_only").await.status(), 403);
    assert_eq!(viewer.get(&acme.v2("/invites/")).await.status(), 200);
    let narrow = acme.service_token().grant_everywhere("metadata_only").create().await;
    assert_eq!(narrow.get(&acme.v2("/invites/")).await.status(), 403);
    let sent = invite(&rival.admin, &rival, "a@b.c", "read_only").await;
    assert_eq!(sent.status(), 201);
    let id = rival.admin.get(&rival.v2("/invites/")).await.ids()[0];
    assert_eq!(acme.admin.get(&acme.v2(&format!("/invites/{id}/"))).await.status(), 404);
    assert_eq!(acme.admin.get(&rival.v2("/invites/")).await.status(), 404);
    assert_eq!(app.anonymous().get(&acme.v2("/invites/")).await.status(), 401);
}

#[tokio::test]
async fn a_user_who_left_comes_back_with_what_the_new_invitation_gives() {
    let (app, acme) = acme().await;
    let (bob, _) = acme.user("bob@acme.example", License::Developer, &["account_admin"]).await;
    let user = acme.admin.get(&acme.v3(&format!("/users/{bob}/"))).await.data();
    let path = acme.v2(&format!("/permissions/{}/", user["license"]["id"]));
    assert_eq!(acme.admin.post(&path, json!({ "state": 2 })).await.status(), 200);
    let sent = invite(&acme.admin, &acme, "bob@acme.example", "developer").await;
    let back = accept(&app, &secret(&sent)).await.data();
    assert_eq!(back["user"]["id"], bob.get());
    assert_eq!(back["user"]["permissions"][0]["id"], user["license"]["id"]);
    let token = back["personal_token"]["token_string"].as_str().unwrap().to_owned();
    assert_eq!(app.presenting(&token).get(&acme.v3("/groups/")).await.status(), 403);
}

#[tokio::test]
async fn a_link_goes_by_mail_where_there_is_a_mail_server_and_to_the_inviter_where_it_fails() {
    let mails = MailServer::new().await;
    let app = TestApp::with_mail(&mails.url).await;
    let acme = app.account("acme").await;
    let body = json!({ "license_type": "read_only",
        "email_addresses": ["eve@acme.example", "nobody@acme.example"] });
    let sent = acme.admin.post(&acme.v3("/invites/"), body).await;
    assert_eq!(sent.status(), 201, "{}", sent.text());
    let links = sent.data()["links"].as_array().unwrap().clone();
    assert_eq!(links.len(), 1, "{}", sent.text());
    assert_eq!(links[0]["email_address"], "nobody@acme.example");

    let mail = mails.heard();
    assert!(mail.contains("From: Narrowgate <narrowgate@example.com>"), "{mail}");
    assert!(mail.contains("To: eve@acme.example"), "{mail}");
    // Quoted-printable: a line that was broken ends with `=`.
    let whole = mail.replace("=\n", "").replace("=3D", "=");
    let (_, secret) = whole.split_once("/invites/accept#").unwrap();
    let secret: String = secret.chars().take(47).collect();
    assert_eq!(accept(&app, &secret).await.status(), 201, "{mail}");
}
