//! Jobs that start by their schedule.

use domain::{Timestamp, authz::PrincipalId, list::ListQuery, run::Outcome};
use store::Clock;

use crate::house::{House, eventually};

#[tokio::test(flavor = "multi_thread")]
async fn a_scheduled_job_runs_by_itself_when_its_time_comes() {
    let at = |text: &str| Timestamp::parse(text).unwrap();
    let house = House::by(Clock::fixed(at("2026-11-24T12:10:00Z"))).await;
    let place = house.scripted_place().await;
    let job = house.job_with(place, &["dbt build"], |spec| spec.triggers.schedule = true).await;
    let runner = house.runner(house.script("echo built")).await;

    house.store.clock().set(at("2026-11-24T13:00:00Z"));
    let run = eventually("the job is started by its schedule", async || {
        let page = house.store.runs(&house.permit(), &ListQuery::first_page()).await.unwrap();
        page.rows.into_iter().next()
    })
    .await;

    assert_eq!((run.job, run.trigger.cause.as_str()), (job, "scheduled"));
    assert!(matches!(run.trigger.by, PrincipalId::System(_)));
    let ended = house.ended(run.id).await;
    assert_eq!(ended.state.status(), Outcome::Success.into(), "{}", ended.message);
    runner.stop().await;
}
