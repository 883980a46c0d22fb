//! Owners of models are told how their models went.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failure is a failed test")]

mod common;

use common::{House, mail_server::MailServer};
use domain::run::Outcome;
use serde_json::{Value, json};
use testkit::TestApp;

/// A manifest with a model, two owners of it, and a test of it.
const MANIFEST: &str = r#"{
    "nodes": {
        "model.shop.orders": { "package_name": "shop", "group": "finance" },
        "test.shop.orders": {
            "package_name": "shop", "group": null, "attached_node": "model.shop.orders"
        }
    },
    "groups": {
        "group.shop.finance": { "owner": { "email": ["a@example.com", "b@example.com"] } }
    }
}"#;

/// The path of an environment's.
async fn path(house: &House, job: i64) -> String {
    let job = house.acme.admin.get(&house.acme.v2(&format!("/jobs/{job}/"))).await;
    let environment = &job.data()["environment_id"];
    house.acme.v3(&format!("/environments/{environment}/model-notifications/"))
}

/// A run of the job in which the model failed and its test was skipped, with this manifest.
async fn ran(house: &House, job: i64, manifest: Option<&str>) {
    house.run(job).await;
    let (run, steps) = house.begin(&["Invoke dbt with `dbt build`"]).await;
    house.step(&steps[0], "", Outcome::Error).await;
    let (store, runner, lease) = (&house.app.store, house.runner().await, house.lease(run));
    let results = json!({ "args": { "which": "build" }, "results": [
        { "unique_id": "model.shop.orders", "status": "error" },
        { "unique_id": "test.shop.orders", "status": "skipped" },
    ] });
    let put = async |path: &str, text: String| {
        store.put_artifact(&runner, &lease, 1, path, text.as_bytes()).await.unwrap();
    };
    if let Some(manifest) = manifest {
        put("manifest.json", manifest.to_owned()).await;
        put("run_results.json", results.to_string()).await;
    }
    store.finish_run(&runner, &lease, Outcome::Error, "dbt build failed").await.unwrap();
}

#[tokio::test]
async fn unset_they_tell_nothing_and_a_change_keeps_what_it_does_not_name() {
    let house = House::new().await;
    let job = house.job("nightly").await;
    let path = path(&house, job).await;
    let unset = house.acme.admin.get(&path).await;
    assert_eq!(unset.status(), 200, "{}", unset.text());
    for key in ["enabled", "on_success", "on_failure", "on_warning", "on_skipped"] {
        assert_eq!(unset.data()[key], false, "{key}");
    }
    assert_eq!(unset.data()["id"], Value::Null);
    let set = house.acme.admin.post(&path, json!({ "enabled": true, "on_failure": true })).await;
    assert_eq!(set.status(), 200, "{}", set.text());
    let again = house.acme.admin.post(&path, json!({ "on_warning": true })).await;
    assert_eq!(again.id(), set.id());
    let read = house.acme.admin.get(&path).await.data();
    let told = ["enabled", "on_success", "on_failure", "on_warning", "on_skipped"]
        .map(|key| read[key].as_bool().unwrap());
    assert_eq!(told, [true, false, true, true, false]);

    let other = house.acme.admin.post(&path, json!({ "environment_id": 99_999 })).await;
    assert_eq!(other.status(), 400);
    assert_eq!(other.json()["data"]["reasons"]["environment_id"], "is not the path's");
    let unread = house.acme.admin.post(&path, json!({ "enabled": "yes" })).await;
    assert_eq!(unread.status(), 400, "{}", unread.text());
}

#[tokio::test]
async fn each_owner_gets_one_mail_with_what_they_asked_for() {
    let mails = MailServer::new().await;
    let house = House::on(TestApp::with_mail(&mails.url).await).await;
    let job = house.job("nightly").await;
    let path = path(&house, job).await;
    ran(&house, job, Some(MANIFEST)).await;
    let settings = json!({ "enabled": true, "on_failure": true, "on_skipped": true });
    assert_eq!(house.acme.admin.post(&path, settings).await.status(), 200);
    // Neither a run that left nothing, nor one whose manifest is none, stands in the way.
    ran(&house, job, None).await;
    ran(&house, job, Some("no JSON")).await;
    ran(&house, job, Some(MANIFEST)).await;

    let mut told = mails.mails(2).await;
    told.sort();
    let to: Vec<_> =
        told.iter().filter_map(|mail| mail.lines().find(|line| line.starts_with("To: "))).collect();
    assert_eq!(to, ["To: a@example.com", "To: b@example.com"]);
    for mail in &told {
        let lines: Vec<_> = mail.lines().collect();
        for line in ["error: model.shop.orders", "skipped: test.shop.orders"] {
            assert!(lines.contains(&line), "{mail}");
        }
        let subject = "Subject: 2 models and tests of yours in nightly (sales, production)";
        assert!(lines.contains(&subject), "{mail}");
    }
    assert_eq!(mails.taken().len(), 2);

    let fewer = json!({ "on_failure": false, "on_skipped": true });
    assert_eq!(house.acme.admin.post(&path, fewer).await.status(), 200);
    ran(&house, job, Some(MANIFEST)).await;
    let third = mails.mails(3).await.remove(2);
    assert!(third.contains("skipped: test.shop.orders"), "{third}");
    assert!(!third.contains("error: model"), "{third}");
}

#[tokio::test]
async fn they_go_with_their_environment() {
    let house = House::new().await;
    let made = house
        .acme
        .admin
        .post(&house.sales.v3("/environments/"), json!({ "name": "qa", "type": "deployment" }))
        .await;
    assert_eq!(made.status(), 201, "{}", made.text());
    let path = house.acme.v3(&format!("/environments/{}/model-notifications/", made.id()));
    assert_eq!(house.acme.admin.post(&path, json!({ "enabled": true })).await.status(), 200);
    let gone = house.acme.v2(&format!("/environments/{}/", made.id()));
    assert_eq!(house.acme.admin.delete(&gone).await.status(), 200);
    assert_eq!(house.acme.admin.get(&path).await.status(), 404);
    let set = house.acme.admin.post(&path, json!({ "enabled": true })).await;
    assert_eq!(set.status(), 404);
}
