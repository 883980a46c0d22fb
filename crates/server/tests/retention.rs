//! Artifacts are kept for as long as the server is told, and whoever asks later is told so.
#![expect(clippy::unwrap_used, reason = "a failure is a failed test")]

mod common;

use std::time::Duration;

use common::House;
use domain::run::Outcome;
use testkit::TestAnswer;
use tokio::time::{Instant, sleep};

/// A good run of the job with an artifact; gives the artifact's path.
async fn ran(house: &House, job: i64) -> String {
    house.run(job).await;
    let (run, _) = house.begin(&["Invoke dbt with `dbt build`"]).await;
    let runner = house.runner().await;
    let (store, lease) = (&house.app.store, house.lease(run));
    store.put_artifact(&runner, &lease, 1, "manifest.json", "{}".as_bytes()).await.unwrap();
    house.finish(run, Outcome::Success).await;
    house.acme.v2(&format!("/runs/{run}/artifacts/manifest.json"))
}

#[tokio::test]
async fn what_is_older_than_it_is_kept_is_removed_and_a_reader_is_told_so() {
    let house = House::new().await;
    house.wait(-10 * 24 * 60 * 60);
    let job = house.job("nightly").await;
    let (old, newest) = (ran(&house, job).await, ran(&house, job).await);
    let House { app, acme, .. } = house;
    // The next server's clock stands where this one's stood at first: ten days later.
    let app = app.restart_with(|config| config.keep_artifacts_days = Some(7)).await;
    let admin = app.presenting(acme.admin.secret());

    let end = Instant::now() + Duration::from_secs(30);
    let gone: TestAnswer = loop {
        let answer = admin.get(&old).await;
        if answer.status() != 200 {
            break answer;
        }
        assert!(Instant::now() < end, "it stays");
        sleep(Duration::from_millis(20)).await;
    };
    assert_eq!(gone.status(), 404, "{}", gone.text());
    let told = &gone.json()["status"]["developer_message"];
    assert_eq!(told, "removed by retention at 2026-11-23T12:00:00.000000+00:00");
    assert_eq!(admin.get(&newest).await.text(), "{}");
    let list = old.trim_end_matches("manifest.json");
    assert_eq!(admin.get(list).await.data(), serde_json::json!([]));
}
