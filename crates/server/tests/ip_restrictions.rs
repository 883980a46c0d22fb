//! IP restrictions over the API, and enforced on it. SECURITY lines 33 and 34.
#![expect(clippy::indexing_slicing, reason = "what fails here is a failed test")]

use domain::authz::License;
use reqwest::Method;
use serde_json::{Value, json};
use testkit::{TestAccount, TestAnswer, TestApp, TestClient};

/// A server that takes the word of proxies on this machine: each request of a test says where it
/// comes from.
async fn house() -> (TestApp, TestAccount) {
    let app = TestApp::behind(&["127.0.0.1"]).await;
    let acme = app.account("acme").await;
    (app, acme)
}

async fn from(client: &TestClient, address: &str, method: Method, path: &str) -> TestAnswer {
    TestAnswer::of(client.request(method, path).header("X-Forwarded-For", address)).await
}

async fn send(
    client: &TestClient,
    address: &str,
    method: Method,
    path: &str,
    body: Value,
) -> TestAnswer {
    let request = client.request(method, path).header("X-Forwarded-For", address).json(&body);
    TestAnswer::of(request).await
}

fn rule(name: &str, kind: u8, cidrs: &[&str]) -> Value {
    let cidrs: Vec<_> = cidrs.iter().map(|cidr| json!({ "cidr": cidr })).collect();
    json!({ "name": name, "type": kind, "cidrs": cidrs })
}

const OFFICE: &str = "192.0.2.7";
const HOME: &str = "198.51.100.9";

/// Allows the office's network, and enforces it.
async fn only_the_office(acme: &TestAccount) -> i64 {
    let path = acme.v3("/ip-restrictions/");
    let mut body = rule("office", 1, &["192.0.2.0/24", "2001:db8::/32"]);
    body["rule_set_enabled"] = json!(true);
    let made = send(&acme.admin, OFFICE, Method::POST, &path, body).await;
    assert_eq!(made.status(), 201, "{}", made.text());
    assert_eq!(made.data()["rule_set_enabled"], true);
    made.id()
}

#[tokio::test]
async fn a_rule_is_made_read_changed_and_deleted() {
    let (_app, acme) = house().await;
    let (all, admin) = (acme.v3("/ip-restrictions/"), &acme.admin);
    let mut body = rule("office", 1, &["192.0.2.7/24", "::ffff:106:708"]);
    body["description"] = json!("where we sit");
    let made = admin.post(&all, body).await;
    assert_eq!(made.status(), 201, "{}", made.text());
    let data = made.data();
    assert_eq!((&data["type"], &data["rule_set_enabled"]), (&json!(1), &json!(false)));
    assert_eq!(data["created_by_id"], acme.admin_id.get());
    assert_eq!(data["cidrs"][0]["cidr"], "192.0.2.7/24", "as it was sent");
    assert_eq!(data["cidrs"][0]["cidr_ipv6"], "::ffff:192.0.2.0/120");
    let one = format!("{all}{}", made.id());
    assert_eq!(admin.get(&one).await.data(), data);
    assert_eq!(admin.get(&all).await.ids(), [made.id()]);
    let change = json!({ "id": made.id(), "type": 2, "cidrs": [
        { "cidr": "192.0.2.7/24", "state": 2 }, { "cidr": "203.0.113.0/24", "state": 1 },
    ] });
    let changed = admin.put(&one, change).await.data();
    assert_eq!((&changed["type"], &changed["name"]), (&json!(2), &json!("office")));
    assert_eq!(changed["cidrs"].as_array().unwrap().len(), 1);
    let deleted = admin.delete(&one).await;
    assert_eq!((deleted.status(), &deleted.data()["state"]), (200, &json!(2)));
    assert_eq!(admin.get(&one).await.status(), 404);
    assert_eq!(admin.put(&one, json!({})).await.status(), 404);
    assert_eq!(admin.delete(&one).await.status(), 404);
}

#[tokio::test]
async fn what_is_wrong_is_named_and_the_narrow_are_refused() {
    let (app, acme) = house().await;
    let all = acme.v3("/ip-restrictions/");
    for (body, field) in [
        (json!({}), "cidrs"),
        (rule("x", 3, &["10.0.0.0/8"]), "type"),
        (rule("x", 1, &["10.0.0.0/8", "10.0.0.0/64"]), "cidrs[1].cidr"),
        (rule("x", 1, &[]), "cidrs"),
        (rule("", 1, &["10.0.0.0/8"]), "name"),
    ] {
        let answer = acme.admin.post(&all, body.clone()).await;
        assert_eq!(answer.status(), 400, "{body}: {}", answer.text());
        assert!(!answer.reason(field).is_empty(), "{body}: {}", answer.text());
    }
    let set = acme.v3("/ip-restrictions-set/");
    assert!(!acme.admin.post(&set, json!({})).await.reason("enabled").is_empty());
    assert_eq!(acme.admin.get(&all).await.data(), json!([]), "all are saved or none");
    let rival = app.account("rival").await;
    let theirs = rival.admin.post(&rival.v3("/ip-restrictions/"), rule("r", 1, &["::/0"])).await;
    let path = format!("{all}{}", theirs.id());
    assert_eq!(acme.admin.get(&path).await.status(), 404);
    assert_eq!(acme.admin.delete(&path).await.status(), 404);
    assert_eq!(rival.admin.get(&all).await.status(), 404);
    let viewer = acme.service_token().grant_everywhere("account_viewer").create().await;
    assert_eq!(viewer.get(&all).await.status(), 200);
    assert_eq!(viewer.post(&all, rule("x", 1, &["10.0.0.0/8"])).await.status(), 403);
    assert_eq!(viewer.post(&set, json!({ "enabled": true })).await.status(), 403);
    assert_eq!(app.anonymous().get(&all).await.status(), 401);
}

#[tokio::test]
async fn a_token_from_elsewhere_is_refused_at_the_next_request_whoever_it_is() {
    let (_app, acme) = house().await;
    let service = acme.service_token().grant_everywhere("account_admin").create().await;
    let (user, personal) = acme.user("ben@acme.example", License::Developer, &["member"]).await;
    let path = acme.v2("/");
    for client in [&service, &personal, &acme.admin] {
        assert_eq!(from(client, HOME, Method::GET, &path).await.status(), 200);
    }
    let id = only_the_office(&acme).await;
    for (client, user) in
        [(&service, None), (&personal, Some(user)), (&acme.admin, Some(acme.admin_id))]
    {
        for inside in [OFFICE, "2001:db8::1", "::ffff:192.0.2.200"] {
            assert_eq!(from(client, inside, Method::GET, &path).await.status(), 200, "{inside}");
        }
        let refused = from(client, HOME, Method::GET, &path).await;
        assert_eq!(refused.status(), 403);
        let told = refused.json();
        assert_eq!(told["status"]["user_message"], "Forbidden: Access denied");
        assert_eq!(told["status"]["developer_message"], Value::Null);
        let data = json!({ "account_id": acme.id.get(), "user_id": user,
            "is_service_token": user.is_none(), "account_access_denied": true });
        assert_eq!(told["data"], data);
        // What is not served, or not there, tells no more; nor does a token that is none.
        for path in [acme.v3("/scim/v2/Users/"), acme.v2("/jobs/7/"), "/api/v2/whoami/".into()] {
            assert_eq!(from(client, HOME, Method::GET, &path).await.json()["data"], data, "{path}");
        }
    }
    let off = json!({ "enabled": false });
    let set = acme.v3("/ip-restrictions-set/");
    let refused = send(&acme.admin, HOME, Method::POST, &set, off.clone()).await;
    assert_eq!(refused.status(), 403);
    let done = send(&acme.admin, OFFICE, Method::POST, &set, off).await;
    assert_eq!((done.status(), &done.data()["enabled"]), (200, &json!(false)));
    assert_eq!(from(&service, HOME, Method::GET, &path).await.status(), 200);
    let one = acme.v3(&format!("/ip-restrictions/{id}"));
    assert_eq!(acme.admin.get(&one).await.data()["rule_set_enabled"], false);
}

#[tokio::test]
async fn a_deny_rule_wins_over_an_allow_rule() {
    let (_app, acme) = house().await;
    only_the_office(&acme).await;
    let path = acme.v3("/ip-restrictions/");
    let guests = rule("guests", 2, &["192.0.2.128/25"]);
    assert_eq!(send(&acme.admin, OFFICE, Method::POST, &path, guests).await.status(), 201);
    assert_eq!(from(&acme.admin, "192.0.2.127", Method::GET, &path).await.status(), 200);
    assert_eq!(from(&acme.admin, "192.0.2.128", Method::GET, &path).await.status(), 403);
}

#[tokio::test]
async fn nobody_shuts_out_their_own_address() {
    let (_app, acme) = house().await;
    let (all, set) = (acme.v3("/ip-restrictions/"), acme.v3("/ip-restrictions-set/"));
    let admin = &acme.admin;
    // Rules that are not enforced yet may say anything; switching them on may not.
    let made = send(admin, HOME, Method::POST, &all, rule("office", 1, &["192.0.2.0/24"])).await;
    assert_eq!(made.status(), 201);
    let on = json!({ "enabled": true });
    let refused = send(admin, HOME, Method::POST, &set, on.clone()).await;
    assert_eq!(refused.status(), 400);
    let reason = refused.reason("enabled");
    assert!(reason.contains("shut out your own address `198.51.100.9`"), "{reason}");
    assert_eq!(send(admin, OFFICE, Method::POST, &set, on.clone()).await.status(), 200);
    assert_eq!(send(admin, OFFICE, Method::POST, &set, on).await.status(), 200, "it is on");
    let deny = send(admin, OFFICE, Method::POST, &all, rule("me", 2, &[OFFICE])).await;
    assert!(deny.reason("cidrs").contains("shut out"), "{}", deny.text());
    let one = format!("{all}{}", made.id());
    let elsewhere = json!({ "cidrs": [{ "cidr": "203.0.113.0/24" }] });
    let moved = send(admin, OFFICE, Method::PUT, &one, elsewhere.clone()).await;
    assert!(moved.reason("cidrs").contains("shut out"), "{}", moved.text());
    // Nor is the last allow rule taken away while they count: that would let everybody in.
    assert_eq!(from(admin, OFFICE, Method::DELETE, &one).await.status(), 409);
    let turned =
        send(admin, OFFICE, Method::PUT, &one, json!({ "type": 2, "cidrs": [{ "cidr": HOME }] }));
    assert_eq!(turned.await.status(), 409);
    assert_eq!(from(admin, OFFICE, Method::GET, &all).await.ids(), [made.id()], "nothing was done");
    let off = json!({ "rule_set_enabled": false, "cidrs": [{ "cidr": "203.0.113.0/24" }] });
    assert_eq!(send(admin, OFFICE, Method::PUT, &one, off).await.status(), 200);
    assert_eq!(from(admin, HOME, Method::DELETE, &one).await.status(), 200);
}

#[tokio::test]
async fn a_caller_can_ask_whether_they_would_be_let_in() {
    let (_app, acme) = house().await;
    let all = acme.v3("/ip-restrictions/");
    let office = acme.admin.post(&all, rule("office", 1, &["192.0.2.0/24"])).await.id();
    let set = acme.v3(&format!("/ip-restrictions-set/{}/validate", acme.id));
    let valid = async |address: &str, path: &str| {
        from(&acme.admin, address, Method::GET, path).await.data()["is_valid_for_admin"].clone()
    };
    assert_eq!(valid(OFFICE, &set).await, true);
    assert_eq!(valid(HOME, &set).await, false);
    assert_eq!(valid(HOME, &format!("{set}/{office}")).await, true, "without that rule");
    assert_eq!(acme.admin.get(&format!("{set}/999")).await.status(), 404);
    let other = acme.v3("/ip-restrictions-set/999/validate/");
    assert_eq!(acme.admin.get(&other).await.status(), 404);
}

#[tokio::test]
async fn a_header_from_no_trusted_proxy_changes_nothing() {
    // The peer is 127.0.0.1, and only 10.0.0.0/8 is trusted.
    let app = TestApp::behind(&["10.0.0.0/8"]).await;
    let acme = app.account("acme").await;
    let mut body = rule("here", 1, &["127.0.0.0/8"]);
    body["rule_set_enabled"] = json!(true);
    assert_eq!(acme.admin.post(&acme.v3("/ip-restrictions/"), body).await.status(), 201);
    for header in ["X-Forwarded-For", "X-Real-IP", "Forwarded", "True-Client-IP", "Client-IP"] {
        let value = if header == "Forwarded" { "for=203.0.113.5" } else { "203.0.113.5" };
        let named = acme.admin.request(Method::POST, &acme.v3("/service-tokens/"));
        let body = json!({ "name": header, "permission_grants": [] });
        let made = TestAnswer::of(named.header(header, value).json(&body)).await;
        assert_eq!(made.status(), 201, "{header}: {}", made.text());
    }
    // Nor does the audit believe it.
    let record = acme.admin.get(&acme.v3("/ip-restrictions/")).await;
    assert_eq!(record.status(), 200);
    let permit = domain::authz::authorize(&acme.admin_caller().await, acme.id).unwrap();
    let records = app.store.audit_records(&permit, 0, 100).await.unwrap();
    let tokens = records.iter().filter(|record| record.event == "service_token.created");
    let addresses: Vec<_> = tokens.map(|record| record.address.as_deref()).collect();
    assert_eq!(addresses, [Some("127.0.0.1"); 5]);
}

#[tokio::test]
async fn what_a_client_puts_before_the_proxys_word_lets_nobody_in_and_is_not_audited() {
    let (app, acme) = house().await;
    only_the_office(&acme).await;
    let path = acme.v3("/ip-restrictions/");
    for spoofed in ["192.0.2.7, 198.51.100.9", "192.0.2.7,198.51.100.9, 127.0.0.1", "unknown", ""] {
        let answer = from(&acme.admin, spoofed, Method::GET, &path).await;
        assert_eq!(answer.status(), 403, "{spoofed}");
    }
    // No header at all: the proxy's own address, which is not the office.
    assert_eq!(acme.admin.get(&path).await.status(), 403);
    let body = json!({ "name": "t", "permission_grants": [] });
    let hops = "203.0.113.5, 192.0.2.9, 127.0.0.1";
    let made = send(&acme.admin, hops, Method::POST, &acme.v3("/service-tokens/"), body).await;
    assert_eq!(made.status(), 201);
    let permit = domain::authz::authorize(&acme.admin_caller().await, acme.id).unwrap();
    let records = app.store.audit_records(&permit, 0, 100).await.unwrap();
    assert_eq!(records.last().unwrap().address.as_deref(), Some("192.0.2.9"));
}

#[tokio::test]
async fn enforcing_takes_no_statement_more() {
    let (app, acme) = house().await;
    let path = acme.v2("/");
    let statements = async || {
        let before = app.store.statements();
        assert_eq!(from(&acme.admin, OFFICE, Method::GET, &path).await.status(), 200);
        app.store.statements() - before
    };
    // What the server does at its start is over once two requests in a row take as many.
    while statements().await != statements().await {}
    acme.service_token().grant_everywhere("job_viewer").create().await;
    let (first, then) = (statements().await, statements().await);
    assert_eq!(first, then + 1, "who asks is read once after a change");
    only_the_office(&acme).await;
    let enforced = (statements().await, statements().await);
    assert_eq!(enforced, (first + 1, then), "and the rules are");
    assert!(then <= 1, "{then}");
}
