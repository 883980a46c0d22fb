//! Which dbt executes a run, where there are several.

use domain::run::RunStatus;
use runner::{DbtVersions, RunnerConfig};

use crate::house::House;

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_executed_by_the_dbt_of_the_version_that_it_asks_for() {
    let house = House::new().await;
    let place = house.scripted_place().await;
    let (old, new) = (house.program("old", "echo I am old"), house.program("new", "echo I am new"));
    let dbt_versions = DbtVersions::from([("1.10".to_owned(), old), ("1.11".to_owned(), new)]);
    let dbt = house.script("echo I am the default");
    let runner =
        house.runner_by(RunnerConfig { dbt, dbt_versions, ..RunnerConfig::default() }).await;
    let asks = async |version: Option<&str>, overridden: Option<&str>| {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        let job = house.job_with(place, &["dbt build"], |job| job.dbt_version = owned(version));
        let run = house.trigger_with(job.await, |trigger| {
            trigger.dbt_version_override = owned(overridden);
        });
        let run = run.await;
        house.ended(run).await;
        (house.log(run, 2).await, house.log(run, 4).await)
    };

    let (told, said) = asks(Some("1.10"), None).await;
    assert_eq!(said, "I am old\n");
    assert!(told.contains("dbt 1.10 is asked for: `") && told.contains("/old` runs"), "{told}");
    assert_eq!(asks(Some("1.10"), Some("1.11.4")).await.1, "I am new\n");
    assert_eq!(asks(None, None).await.1, "I am the default\n");
    runner.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_is_not_there_ends_its_run_with_what_is_and_where_to_add_it() {
    let house = House::new().await;
    let place = house.scripted_place().await;
    let dbt = house.script("true");
    let dbt_versions = DbtVersions::from([("1.11".to_owned(), dbt.clone())]);
    let runner =
        house.runner_by(RunnerConfig { dbt, dbt_versions, ..RunnerConfig::default() }).await;
    let version = Some("1.9.0-latest".to_owned());
    let job = house.job_with(place, &["dbt build"], |job| job.dbt_version = version).await;
    let run = house.trigger(job).await;
    let ended = house.ended(run).await;

    assert_eq!(ended.state.status(), RunStatus::ERROR);
    let expected = "dbt 1.9.0-latest is asked for, and this runner has 1.11: add it to \
                    `[dbt_versions]` of its configuration, or `narrowgate dbt install 1.9`";
    assert!(ended.message.ends_with(expected), "{}", ended.message);
    runner.stop().await;
}
