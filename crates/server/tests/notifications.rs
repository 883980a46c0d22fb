//! Notifications over the API (documents: v2 `notifications/`), and with them what all nouns that
//! are kept alike have in common: lists, updates, deletion, references, the audit.

mod common;

use common::House;
use serde_json::{Value, json};

fn body(house: &House, jobs: &[i64]) -> Value {
    json!({ "account_id": house.acme.id.get(), "user_id": house.acme.admin_id.get(), "type": 1,
        "on_failure": jobs, "on_success": [], "on_cancel": [], "on_warning": [], "state": 1 })
}

async fn make(house: &House, jobs: &[i64]) -> i64 {
    let made = house.acme.admin.post(&house.acme.v2("/notifications/"), body(house, jobs)).await;
    assert_eq!(made.status(), 201, "{}", made.text());
    made.id()
}

#[tokio::test]
async fn one_is_made_read_changed_echoed_and_deleted() {
    let house = House::new().await;
    let job = house.job("nightly").await;
    let id = make(&house, &[job]).await;
    let path = house.acme.v2(&format!("/notifications/{id}/"));
    let admin = &house.acme.admin;
    let read = admin.get(&path).await.data();
    assert_eq!((&read["on_failure"], &read["type"]), (&json!([job]), &json!(1)));
    let change = json!({ "type": 4, "external_email": "ops@example.com" });
    let changed = admin.post(&path, change).await;
    assert_eq!(changed.data()["external_email"], "ops@example.com", "{}", changed.text());
    assert_eq!(changed.data()["on_failure"], json!([job]), "what is absent is kept");
    assert_eq!(admin.post(&path, changed.data()).await.status(), 200, "a whole object comes back");
    let deleted = admin.delete(&path).await;
    assert_eq!((deleted.status(), &deleted.data()["state"]), (200, &json!(2)));
    assert_eq!(admin.get(&path).await.status(), 404);
    assert_eq!(admin.delete(&path).await.status(), 404);
    let gone = admin.get(&house.acme.v2("/notifications/?state=all")).await.data();
    assert_eq!(gone[0]["state"], 2);
    let id = make(&house, &[]).await;
    let path = house.acme.v2(&format!("/notifications/{id}/"));
    assert_eq!(admin.post(&path, json!({ "state": 2 })).await.data()["state"], 2);
    assert_eq!(admin.get(&path).await.status(), 404);
}

#[tokio::test]
async fn a_list_filters_and_orders_by_fields_of_the_spec() {
    let house = House::new().await;
    let plain = make(&house, &[]).await;
    let mut external = body(&house, &[]);
    external["type"] = json!(4);
    external["external_email"] = json!("ops@example.com");
    let path = house.acme.v2("/notifications/");
    let external = house.acme.admin.post(&path, external).await.id();
    let ids = async |query: &str| {
        let answer = house.acme.admin.get(&format!("{path}?{query}")).await;
        let rows = answer.data().as_array().unwrap().clone();
        rows.iter().map(|row| row["id"].as_i64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(ids("type=4").await, [external]);
    assert_eq!(ids("type__in=[1,4]&order_by=-type").await, [external, plain]);
    assert_eq!(ids("external_email__icontains=OPS").await, [external]);
    assert_eq!(ids(&format!("user_id={}", house.acme.admin_id)).await, [plain, external]);
    assert_eq!(ids("limit=1&offset=1").await, [external]);
    let wrong = house.acme.admin.get(&format!("{path}?type=x")).await;
    assert_eq!((wrong.status(), wrong.reason("type").is_empty()), (400, false));
}

#[tokio::test]
async fn what_is_wrong_is_named_and_nothing_is_made() {
    let house = House::new().await;
    let rival = house.app.account("rival").await;
    let path = house.acme.v2("/notifications/");
    let wrong = [
        (json!({}), "user_id"),
        (json!({ "user_id": house.acme.admin_id.get(), "type": 2 }), "type"),
        (json!({ "user_id": house.acme.admin_id.get(), "type": 4 }), "external_email"),
        (
            json!({ "user_id": house.acme.admin_id.get(), "external_email": "a@b.c" }),
            "external_email",
        ),
        (
            json!({ "user_id": house.acme.admin_id.get(), "type": 4, "external_email": "x" }),
            "external_email",
        ),
        (json!({ "user_id": rival.admin_id.get() }), "user_id"),
        (json!({ "user_id": house.acme.admin_id.get(), "on_failure": [999] }), "on_failure"),
        (json!({ "user_id": house.acme.admin_id.get(), "on_failure": [0] }), "on_failure"),
        (
            json!({ "user_id": house.acme.admin_id.get(), "slack_channel_id": "C1" }),
            "slack_channel_id",
        ),
        (json!({ "user_id": house.acme.admin_id.get(), "state": 3 }), "state"),
    ];
    for (body, field) in wrong {
        let answer = house.acme.admin.post(&path, body.clone()).await;
        assert_eq!(answer.status(), 400, "{body}: {}", answer.text());
        assert!(!answer.reason(field).is_empty(), "{body}: {}", answer.text());
    }
    assert_eq!(house.acme.admin.get(&path).await.data(), json!([]));
    let theirs = json!({ "account_id": rival.id.get(), "user_id": house.acme.admin_id.get() });
    assert_eq!(house.acme.admin.post(&path, theirs).await.status(), 404);
}

#[tokio::test]
async fn a_job_that_is_deleted_leaves_the_lists_that_name_it() {
    let house = House::new().await;
    let (a, b) = (house.job("a").await, house.job("b").await);
    let id = make(&house, &[a, b]).await;
    let gone = house.acme.admin.delete(&house.acme.v2(&format!("/jobs/{a}/"))).await;
    assert_eq!(gone.status(), 200, "{}", gone.text());
    let left = house.acme.admin.get(&house.acme.v2(&format!("/notifications/{id}/"))).await.data();
    assert_eq!(left["on_failure"], json!([b]));
}

#[tokio::test]
async fn who_holds_no_notifications_is_refused_and_another_account_sees_none() {
    let house = House::new().await;
    let id = make(&house, &[]).await;
    let narrow = house.acme.service_token().grant("job_viewer", &house.sales).create().await;
    let rival = house.app.account("rival").await;
    for (path, theirs) in [
        (house.acme.v2("/notifications/"), rival.v2("/notifications/")),
        (
            house.acme.v2(&format!("/notifications/{id}/")),
            rival.v2(&format!("/notifications/{id}/")),
        ),
    ] {
        assert_eq!(narrow.post(&path, body(&house, &[])).await.status(), 403, "{path}");
        assert_eq!(rival.admin.get(&path).await.status(), 404, "{path}");
        let other = rival.admin.get(&theirs).await;
        assert!(other.status() == 404 || other.data() == json!([]), "{theirs}");
    }
}

#[tokio::test]
async fn a_user_leaves_every_notification_that_goes_to_their_address_and_no_other() {
    let house = House::new().await;
    let acme = &house.acme;
    let leave = "/api/v2/notifications/unsubscribe/";
    let mine = make(&house, &[]).await;
    let (ben, bens) =
        acme.user("ben@acme.example", domain::authz::License::Developer, &["member"]).await;
    let all = acme.v2("/notifications/");
    let to = async |user: i64, extra: Value| {
        let mut body = json!({ "user_id": user });
        body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        let made = acme.admin.post(&all, body).await;
        assert_eq!(made.status(), 201, "{}", made.text());
        made.id()
    };
    to(ben.get(), json!({})).await;
    to(ben.get(), json!({})).await;
    let elsewhere = json!({ "type": 4, "external_email": "ops@example.com" });
    let elsewhere = to(ben.get(), elsewhere).await;
    let left = bens.post(leave, json!({})).await;
    assert_eq!((left.status(), left.data()), (200, json!({ "notifications": 2 })));
    assert_eq!(acme.admin.get(&all).await.ids(), [mine, elsewhere]);
    assert_eq!(bens.post(leave, json!({})).await.data(), json!({ "notifications": 0 }));
    let service = acme.service_token().grant_everywhere("account_admin").create().await;
    assert_eq!(service.post(leave, json!({})).await.status(), 403, "it has no address");
    assert_eq!(house.app.anonymous().post(leave, json!({})).await.status(), 401);
}
