//! What is told of runs by mail.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failure is a failed test")]

mod common;

use std::time::Duration;

use common::{House, mail_server::MailServer};
use domain::run::Outcome;
use serde_json::{Value, json};
use testkit::TestApp;
use tokio::time::sleep;

async fn house(mails: &MailServer) -> House {
    House::on(TestApp::with_mail(&mails.url).await).await
}

/// Asks for mails about these jobs; to the admin unless another address is given.
async fn notification(house: &House, lists: Value, to: Option<&str>) -> i64 {
    let mut body = json!({ "user_id": house.acme.admin_id.get(), "type": 1 });
    if let Some(to) = to {
        body["type"] = json!(4);
        body["external_email"] = json!(to);
    }
    body.as_object_mut().unwrap().extend(lists.as_object().unwrap().clone());
    let made = house.acme.admin.post(&house.acme.v2("/notifications/"), body).await;
    assert_eq!(made.status(), 201, "{}", made.text());
    made.id()
}

/// A run of the job whose build warned so often, and which ended so.
async fn ran(house: &House, job: i64, warnings: usize, outcome: Outcome, why: &str) -> i64 {
    house.run(job).await;
    let (run, steps) = house.begin(&["Invoke dbt with `dbt build`"]).await;
    house.step(&steps[0], "", Outcome::Success).await;
    let warned = |index| json!({ "status": "warn", "unique_id": format!("test.shop.{index}") });
    let results: Vec<_> = (0..warnings).map(warned).collect();
    let text = json!({ "args": { "which": "build" }, "results": results }).to_string();
    let runner = house.runner().await;
    let (store, lease) = (&house.app.store, house.lease(run));
    store.put_artifact(&runner, &lease, 1, "run_results.json", text.as_bytes()).await.unwrap();
    house.wait(60);
    store.finish_run(&runner, &lease, outcome, why).await.unwrap();
    run.get()
}

/// The subject line of a mail.
fn subject(mail: &str) -> &str {
    mail.lines().find_map(|line| line.strip_prefix("Subject: ")).unwrap()
}

#[tokio::test]
async fn a_failure_is_told_with_its_reason_and_where_to_look() {
    let mails = MailServer::new().await;
    let house = house(&mails).await;
    let job = house.job("nightly").await;
    notification(&house, json!({ "on_failure": [job] }), None).await;
    let run = ran(&house, job, 0, Outcome::Error, "step 4 failed").await;

    let mail = mails.mails(1).await.remove(0);
    let sent = async || {
        let shown = house.acme.admin.get(&house.acme.v2(&format!("/runs/{run}/"))).await;
        shown.data()["notifications_sent"] == true
    };
    while !sent().await {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(subject(&mail), "nightly failed (sales, production)");
    for line in [
        "From: Narrowgate <narrowgate@example.com>".to_owned(),
        "To: admin@acme.example".to_owned(),
        format!("Run {run} of the job nightly failed."),
        "Cause: a test".to_owned(),
        "Reason: step 4 failed".to_owned(),
        format!(
            "{}/deploy/{}/projects/{}/runs/{run}/",
            house.app.url(),
            house.acme.id,
            house.sales.id
        ),
    ] {
        assert!(mail.lines().any(|found| found == line), "{line}: {mail}");
    }
}

#[tokio::test]
async fn each_list_is_told_of_its_kind_of_end_and_no_other() {
    let mails = MailServer::new().await;
    let house = house(&mails).await;
    let (job, other) = (house.job("nightly").await, house.job("other").await);
    notification(&house, json!({ "on_success": [job] }), Some("good@example.com")).await;
    notification(&house, json!({ "on_failure": [job] }), Some("bad@example.com")).await;
    notification(&house, json!({ "on_cancel": [job] }), Some("cancel@example.com")).await;
    notification(&house, json!({ "on_warning": [job] }), Some("warn@example.com")).await;

    ran(&house, other, 1, Outcome::Success, "").await;
    ran(&house, job, 0, Outcome::Success, "").await;
    ran(&house, job, 0, Outcome::Error, "oh").await;
    ran(&house, job, 3, Outcome::Cancelled, "").await;
    ran(&house, job, 2, Outcome::Success, "").await;

    let told = mails.mails(5).await;
    let mut told: Vec<_> = told
        .iter()
        .map(|mail| {
            let to = mail.lines().find_map(|line| line.strip_prefix("To: ")).unwrap();
            format!("{to}: {}", subject(mail))
        })
        .collect();
    told.sort();
    assert_eq!(
        told,
        [
            "bad@example.com: nightly failed (sales, production)",
            "cancel@example.com: nightly was cancelled (sales, production)",
            "good@example.com: nightly succeeded (sales, production)",
            "good@example.com: nightly succeeded with 2 warnings (sales, production)",
            "warn@example.com: nightly succeeded with 2 warnings (sales, production)",
        ]
    );
}

#[tokio::test]
async fn a_mail_that_is_not_taken_is_tried_again_and_one_that_is_deleted_is_not() {
    let mails = MailServer::new().await;
    let house = house(&mails).await;
    let job = house.job("nightly").await;
    notification(&house, json!({ "on_success": [job] }), Some("busy@example.com")).await;
    let gone = notification(&house, json!({ "on_success": [job] }), Some("nobody@x.example")).await;
    ran(&house, job, 0, Outcome::Success, "").await;
    let refused = async |count: usize| {
        for _ in 0..1_500 {
            let heard = mails.heard();
            let busy = heard.matches("RCPT TO:<busy@example.com>").count();
            if busy >= count && heard.matches("RCPT TO:<nobody@x.example>").count() >= count {
                return;
            }
            sleep(Duration::from_millis(20)).await;
        }
        panic!("{}", mails.heard());
    };
    refused(1).await;
    let path = house.acme.v2(&format!("/notifications/{gone}/"));
    assert_eq!(house.acme.admin.delete(&path).await.status(), 200);
    // The refusal itself has to be written down before its time can come.
    while mails.taken().is_empty() {
        house.wait(30);
        sleep(Duration::from_millis(300)).await;
    }
    let mail = mails.taken().remove(0);
    assert!(mail.contains("To: busy@example.com"), "{mail}");
    assert_eq!(mails.heard().matches("RCPT TO:<nobody@x.example>").count(), 1);
}

#[tokio::test]
async fn without_a_mail_server_nothing_waits() {
    let house = House::new().await;
    let job = house.job("nightly").await;
    notification(&house, json!({ "on_success": [job] }), None).await;
    ran(&house, job, 0, Outcome::Success, "").await;
    for _ in 0..1_500 {
        if house.app.store.messengers().await.unwrap().is_empty() {
            // Nor is it put off: a mail server that is there from tomorrow on sends nothing of today.
            house.wait(100_000);
            assert_eq!(house.app.store.messengers().await.unwrap().len(), 0);
            return;
        }
        sleep(Duration::from_millis(20)).await;
    }
    panic!("a mail still waits");
}
