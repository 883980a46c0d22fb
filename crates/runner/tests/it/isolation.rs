//! Runs that are executed by a user of their own. These tests need root, and say so without it.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    process::Command,
};

use domain::run::RunStatus;
use insta::assert_snapshot;
use runner::{Limits, Runner, RunnerConfig};

use crate::house::House;

/// A user that no account of the machine has, so that nobody else's processes count.
const USER: &str = "64123";

/// A house whose folder lets everybody through; `None` without root.
#[expect(clippy::print_stdout, reason = "a test that is skipped says so")]
async fn open_house() -> Option<House> {
    let id = Command::new("id").arg("-u").output().unwrap();
    if id.stdout.trim_ascii() != b"0" {
        println!("skipped: only root can give runs another user");
        return None;
    }
    let house = House::new().await;
    fs::set_permissions(house.path(""), Permissions::from_mode(0o711)).unwrap();
    Some(house)
}

fn as_user(house: &House, script: &str) -> RunnerConfig {
    let (dbt, run_as) = (house.script(script), Some(USER.to_owned()));
    RunnerConfig { dbt, run_as, ..RunnerConfig::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_of_another_user_reads_neither_keys_nor_database_nor_what_other_runs_left() {
    let Some(house) = open_house().await else { return };
    let place = house.scripted_place().await;
    let job = house.job(place, &["dbt build"]).await;
    let script = "id -u; id -G\n\
                  for name in keyring.json narrowgate.db narrowgate.db-wal; do\n\
                  cat \"$NARROWGATE_DATA_DIR/$name\" && echo LEAK; done\n\
                  for name in . artifacts work clones; do\n\
                  ls \"$NARROWGATE_DATA_DIR/$name\" && echo LEAK; done\n\
                  echo x >> \"$DBT_PROFILES_DIR/profiles.yml\"; cat dbt_project.yml";
    let runner = house.runner_by(as_user(&house, script)).await;
    let run = house.trigger(job).await;
    let ended = house.ended(run).await;

    let log = house.log(run, 4).await;
    assert!(log.starts_with("64123\n64123\n"), "{log}");
    assert!(!log.contains("LEAK"), "{log}");
    for file in ["keyring.json", "narrowgate.db", "narrowgate.db-wal", "profiles.yml"] {
        assert!(log.contains(&format!("{file}: Permission denied")), "{file}: {log}");
    }
    assert!(log.contains("name: scripted"), "{log}");
    assert_eq!(ended.state.status(), RunStatus::SUCCESS, "{log}");
    assert_eq!(house.working_copies(), Vec::<std::path::PathBuf>::new());
    runner.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_in_target_makes_no_artifact_of_what_the_user_cannot_read() {
    let Some(house) = open_house().await else { return };
    let place = house.scripted_place().await;
    let job = house.job(place, &["dbt build", "dbt run"]).await;
    // A folder of links; then `target` itself leads into the data folder.
    let script = "if [ \"$1\" = build ]; then mkdir target; echo '{}' > target/mine.json\n\
                  ln -s \"$NARROWGATE_DATA_DIR/keyring.json\" target/keys.json\n\
                  else rm -r target; ln -s \"$NARROWGATE_DATA_DIR\" target; fi";
    let runner = house.runner_by(as_user(&house, script)).await;
    let run = house.trigger(job).await;
    let ended = house.ended(run).await;

    assert_eq!(ended.state.status(), RunStatus::SUCCESS, "{}", house.logs(run).await);
    let kept = house.store.artifacts(&house.permit(), run).await.unwrap();
    let kept: Vec<_> = kept.iter().map(|kept| kept.path.as_str()).collect();
    assert_eq!(kept, ["mine.json"]);
    runner.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dbts_own_log_is_read_where_it_is_the_users_and_not_where_a_link_leads() {
    let Some(house) = open_house().await else { return };
    let place = house.scripted_place().await;
    let job = house.job(place, &["dbt build", "dbt run"]).await;
    let script = "mkdir \"$DBT_LOG_PATH\" && cd \"$DBT_LOG_PATH\" || exit 1\n\
                  if [ \"$1\" = build ]; then echo \"by $(id -u)\" > dbt.log\n\
                  else ln -s \"$NARROWGATE_DATA_DIR/keyring.json\" dbt.log; fi";
    let runner = house.runner_by(as_user(&house, script)).await;
    let run = house.trigger(job).await;
    let ended = house.ended(run).await;

    assert_eq!(ended.state.status(), RunStatus::SUCCESS, "{}", house.logs(run).await);
    assert_eq!(house.debug_log(run, 4).await, "by 64123\n");
    assert_eq!(house.debug_log(run, 5).await, "");
    runner.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_goes_on_as_the_user_from_what_the_failed_step_left() {
    let Some(house) = open_house().await else { return };
    let place = house.scripted_place().await;
    let job = house.job(place, &["dbt build"]).await;
    let script = "if [ \"$1\" = retry ]; then id -u; cat target/*.json; touch target/mine; exit; fi\n\
                  mkdir target; echo '{\"of\": 1}' > target/manifest.json\n\
                  echo '{\"results\": []}' > target/run_results.json; exit 1";
    let runner = house.runner_by(as_user(&house, script)).await;
    let first = house.trigger(job).await;
    let failed = house.ended(first).await;
    assert_eq!(failed.retry_step(), Ok(4), "{}", failed.message);

    let second = house.store.retry_run(&house.permit(), first).await.unwrap().id;
    let ended = house.ended(second).await;

    assert_eq!(ended.state.status(), RunStatus::SUCCESS, "{}", house.logs(second).await);
    let log = house.log(second, 4).await;
    assert!(log.ends_with("left\n64123\n{\"of\": 1}\n{\"results\": []}\n"), "{log}");
    runner.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_duckdb_file_is_the_users_and_one_of_another_user_is_told() {
    let Some(house) = open_house().await else { return };
    let remote = house.repository("scripted", &[("dbt_project.yml", "name: scripted")]);
    let place = house.place(&remote).await;
    let job = house.job(place, &["dbt build"]).await;
    let script = "file=$(grep -o '\"path\":\"[^\"]*' \"$DBT_PROFILES_DIR/profiles.yml\")\n\
                  echo data >> \"${file#*:?}\" && stat -c '%u %a' \"$(dirname \"${file#*:?}\")\"";
    let runner = house.runner_by(as_user(&house, script)).await;
    let run = house.trigger(job).await;
    house.ended(run).await;
    assert_eq!(house.log(run, 4).await, "64123 700\n");

    let warehouses = house.store.data_dir().warehouses();
    let chown = Command::new("chown").args(["-R", "0:0"]).arg(&warehouses).status().unwrap();
    assert!(chown.success());
    fs::set_permissions(&warehouses, Permissions::from_mode(0o711)).unwrap();
    let run = house.trigger(job).await;
    let told = house.ended(run).await.message;
    assert!(told.contains("belongs to another user: `chown -R 64123:64123 "), "{told}");
    runner.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_starts_too_many_processes_ends_with_the_bound_and_its_setting() {
    let Some(house) = open_house().await else { return };
    let place = house.scripted_place().await;
    let job = house.job(place, &["dbt build"]).await;
    // A user of its own: the bound counts all that a user runs, other tests included.
    let run_as = Some("64124".to_owned());
    let limits = Limits { max_processes: 8, ..Limits::default() };
    let script = "exec sh -c 'for n in 1 2 3 4 5 6 7 8 9; do sleep 600 & done'";
    let config = RunnerConfig { run_as, limits, ..as_user(&house, script) };
    let runner = house.runner_by(config).await;
    let run = house.trigger(job).await;
    let told = house.ended(run).await.message;

    assert!(told.contains("met the runner's bound of 8 processes"), "{told}");
    assert!(told.contains("`max_processes`"), "{told}");
    runner.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_that_does_not_get_there_or_gets_too_far_is_refused_at_the_start() {
    let Some(house) = open_house().await else { return };
    let refused = async |user: &str| {
        let config = RunnerConfig { run_as: Some(user.to_owned()), ..as_user(&house, "true") };
        Runner::start(house.store.clone(), config).await.unwrap_err().to_string()
    };
    assert_snapshot!(refused("root").await, @"`run_as` cannot be `root`: root's runs could read everything");
    assert_snapshot!(refused("no-such-user").await, @"`run_as` cannot be `no-such-user`: there is no such user: give a name, a number, or `uid:gid`");

    let settings = house.store.data_dir().path().join("narrowgate.toml");
    fs::write(&settings, "smtp_url = 'smtps://ada:secret@example.com'").unwrap();
    fs::set_permissions(&settings, Permissions::from_mode(0o644)).unwrap();
    let told = refused(USER).await;
    assert!(told.contains("it can read `") && told.contains("narrowgate.toml`: take"), "{told}");
    fs::set_permissions(&settings, Permissions::from_mode(0o600)).unwrap();
    fs::set_permissions(house.path(""), Permissions::from_mode(0o700)).unwrap();
    let told = refused(USER).await;
    assert!(told.contains("it cannot reach `") && told.contains("chmod o+x"), "{told}");
}
