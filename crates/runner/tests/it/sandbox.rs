//! Runs in bubblewrap. These tests need it, and say so where it does not work; as root they do all with a
//! user of runs, too.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use domain::run::{Run, RunStatus};
use runner::{RunnerConfig, SandboxMode};

use crate::{
    house::{House, eventually, git, is_alive, real_dbt},
    shop::shop,
};

/// Who executes dbt: the server's user, and as root another one.
fn users() -> Vec<Option<String>> {
    let id = Command::new("id").arg("-u").output().unwrap();
    let root = id.stdout.trim_ascii() == b"0";
    if root { vec![None, Some("64125".to_owned())] } else { vec![None] }
}

/// Whether bubblewrap works here at all.
#[expect(clippy::print_stdout, reason = "a test that is skipped says so")]
fn works() -> bool {
    let mut bwrap = Command::new("bwrap");
    bwrap.args(["--ro-bind", "/", "/", "--proc", "/proc", "--unshare-pid", "true"]);
    let works = bwrap.output().is_ok_and(|output| output.status.success());
    if !works {
        println!("skipped: bubblewrap is not there, or may make no namespaces");
    }
    works
}

/// A house whose folder lets everybody through.
async fn open_house() -> House {
    let house = House::new().await;
    fs::set_permissions(house.path(""), Permissions::from_mode(0o711)).unwrap();
    house
}

fn config(dbt: PathBuf, run_as: Option<String>) -> RunnerConfig {
    let sandbox = SandboxMode::Bubblewrap;
    RunnerConfig { dbt, run_as, sandbox, ..RunnerConfig::default() }
}

/// Runs a job on a DuckDB file once, with a script in dbt's place.
async fn run(house: &House, script: &str, run_as: Option<String>) -> Run {
    let remote = house.repository("scripted", &[("dbt_project.yml", "name: scripted")]);
    let place = house.place(&remote).await;
    let job = house.job(place, &["dbt build"]).await;
    let config = config(house.script(script), run_as);
    let runner =
        house.runner_by(RunnerConfig { hidden: vec![house.path("hidden")], ..config }).await;
    let run = house.trigger(job).await;
    let ended = house.ended(run).await;
    runner.stop().await;
    ended
}

/// Looks for what it should not see, and tries to write where it should not.
const SPY: &str = r#"
for name in keyring.json narrowgate.db narrowgate.db-wal; do
  cat "$NARROWGATE_DATA_DIR/$name" && echo LEAK
done
cat "$HERE/hidden"
for file in /new /etc/new /usr/new "$HERE/new" "$DBT_PROFILES_DIR/new" /proc/sys/kernel/hostname; do
  echo x > "$file" && echo "LEAK into $file"
done
mount -t tmpfs x /mnt && echo LEAK
# As root of a namespace of its own, who may do more.
unshare -Urm sh -c '
  umount -l "$NARROWGATE_DATA_DIR"; mount -o remount,rw /; echo x > /etc/new && echo LEAK
  cat "$NARROWGATE_DATA_DIR/keyring.json" && echo LEAK'
for seen in "$NARROWGATE_DATA_DIR"/* "$NARROWGATE_DATA_DIR"/work/*; do echo "sees $(basename "$seen")"; done
grep CapEff /proc/self/status
echo "processes: $(ls -d /proc/[0-9]* | wc -l)"
for own in . "$HOME" "$TMPDIR" /tmp; do echo x > "$own/own" && echo "writes its own"; done
mkdir target; echo '{}' > target/manifest.json
cat dbt_project.yml "$DBT_PROFILES_DIR"/*
"#;

#[tokio::test(flavor = "multi_thread")]
async fn dbt_reads_nothing_of_the_data_folder_and_writes_nothing_but_its_own() {
    if !works() {
        return;
    }
    for user in users() {
        let house = open_house().await;
        fs::write(house.path("hidden"), "LEAK of a password").unwrap();
        fs::set_permissions(house.path("hidden"), Permissions::from_mode(0o644)).unwrap();
        let ended = run(&house, SPY, user.clone()).await;
        let log = house.log(ended.id, 4).await;
        assert_eq!(ended.state.status(), RunStatus::SUCCESS, "{}\n{log}", ended.message);
        assert!(!log.contains("LEAK"), "{user:?}: {log}");
        let seen: Vec<_> = log.lines().filter_map(|line| line.strip_prefix("sees ")).collect();
        let own = format!("run-{}-", ended.id);
        assert!(matches!(seen[..], ["warehouses", "work", run] if run.starts_with(&own)), "{log}");
        assert!(log.contains("CapEff:\t0000000000000000"), "{user:?}: {log}");
        let processes = log.lines().find_map(|line| line.strip_prefix("processes: "));
        assert!(processes.unwrap().parse::<u32>().unwrap() < 8, "{user:?}: {log}");
        assert_eq!(log.matches("writes its own\n").count(), 4, "{user:?}: {log}");
        assert!(log.contains("name: scripted") && log.contains("duckdb"), "{user:?}: {log}");
        let kept = house.store.artifacts(&house.permit(), ended.id).await.unwrap();
        assert_eq!(
            kept.iter().map(|kept| kept.path.as_str()).collect::<Vec<_>>(),
            ["manifest.json"]
        );
        assert!(house.working_copies().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn dbt_sees_the_duckdb_files_of_its_connection_and_not_those_of_projects() {
    if !works() {
        return;
    }
    for user in users() {
        let house = open_house().await;
        let account = house.store.data_dir().warehouses().join(house.account.to_string());
        let script = "file=$(grep -o '\"path\":\"[^\"]*' \"$DBT_PROFILES_DIR/profiles.yml\")\n\
                      file=${file#*:?}; echo data >> \"$file\"; cat \"$file\"\n\
                      ls -R \"$NARROWGATE_DATA_DIR/warehouses\"";
        let first = run(&house, script, user.clone()).await;
        assert!(house.log(first.id, 4).await.contains("data\n"));
        let other = account.join("projects/9/other.duckdb");
        fs::create_dir_all(other.parent().unwrap()).unwrap();
        fs::write(&other, "theirs").unwrap();
        let second = run(&house, script, user).await;
        let log = house.log(second.id, 4).await;
        assert!(log.starts_with("data\ndata\n"), "{log}");
        assert!(log.contains("shop.duckdb") && !log.contains("other.duckdb"), "{log}");
        assert_eq!(fs::read_to_string(account.join("shop.duckdb")).unwrap(), "data\ndata\n");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_in_place_of_target_makes_no_artifact_of_what_the_server_reads() {
    if !works() {
        return;
    }
    let house = open_house().await;
    let script = "mkdir -p target; ln -s \"$NARROWGATE_DATA_DIR/keyring.json\" target/keys.json\n\
                  rm -r target; ln -s \"$NARROWGATE_DATA_DIR\" target";
    let ended = run(&house, script, None).await;
    assert_eq!(ended.state.status(), RunStatus::SUCCESS, "{}", house.logs(ended.id).await);
    assert!(house.store.artifacts(&house.permit(), ended.id).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_in_place_of_dbts_own_log_shows_nothing_of_what_the_server_reads() {
    if !works() {
        return;
    }
    let house = open_house().await;
    let script = "mkdir -p \"$DBT_LOG_PATH\"; echo begun; sleep 1\n\
                  ln -s \"$NARROWGATE_DATA_DIR/keyring.json\" \"$DBT_LOG_PATH/dbt.log\"; sleep 1";
    let ended = run(&house, script, None).await;
    assert_eq!(ended.state.status(), RunStatus::SUCCESS, "{}", house.logs(ended.id).await);
    assert_eq!(house.debug_log(ended.id, 4).await, "");
}

/// The processes of this machine that were started with this argument.
pub(crate) fn with_argument(argument: &str) -> Vec<String> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let has = |pid: &String| {
        let words = fs::read(Path::new("/proc").join(pid).join("cmdline")).unwrap_or_default();
        words.split(|byte| *byte == 0).any(|word| word == argument.as_bytes())
    };
    pids.filter(|pid| pid.parse::<u32>().is_ok() && has(pid) && is_alive(pid)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_run_ends_in_order_and_takes_along_what_wipes_its_environment() {
    if !works() {
        return;
    }
    for (number, user) in users().into_iter().enumerate() {
        let house = open_house().await;
        let place = house.scripted_place().await;
        let job = house.job(place, &["dbt build"]).await;
        let seconds = format!("98{}7.{number}", std::process::id());
        let script = format!(
            "setsid env -i sleep {seconds} & trap 'echo in order; exit 1' TERM\n\
             echo begun; while :; do sleep 0.1; done"
        );
        let runner = house.runner_by(config(house.script(&script), user)).await;
        let run = house.trigger(job).await;
        eventually("dbt runs", async || house.log(run, 4).await.contains("begun").then_some(()))
            .await;
        assert_eq!(with_argument(&seconds).len(), 1);
        let asked = Instant::now();
        house.store.cancel_run(&house.permit(), run).await.unwrap();
        assert_eq!(house.ended(run).await.state.status(), RunStatus::CANCELLED);
        assert!(asked.elapsed() < Duration::from_secs(10));
        assert!(house.log(run, 4).await.contains("in order"), "{}", house.log(run, 4).await);
        assert_eq!(with_argument(&seconds), Vec::<String>::new());
        runner.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_does_not_end_in_order_is_killed_and_a_signal_is_told_as_one() {
    if !works() {
        return;
    }
    let house = open_house().await;
    let told = run(&house, "kill -SEGV $$", None).await.message;
    assert!(told.ends_with("dbt was ended by signal 11"), "{told}");

    let place = house.scripted_place().await;
    let job = house.job(place, &["dbt build"]).await;
    let script = "trap '' TERM; echo begun; while :; do sleep 0.1; done";
    let runner = house.runner_by(config(house.script(script), None)).await;
    let run = house.trigger(job).await;
    eventually("dbt runs", async || house.log(run, 4).await.contains("begun").then_some(())).await;
    let asked = Instant::now();
    house.store.cancel_run(&house.permit(), run).await.unwrap();
    assert_eq!(house.ended(run).await.state.status(), RunStatus::CANCELLED);
    assert!(asked.elapsed() < Duration::from_secs(10));
    runner.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_shop_is_built_in_the_sandbox_by_the_real_dbt() {
    if !works() {
        return;
    }
    let house = open_house().await;
    let place = shop(&house).await;
    let head = git(&house.path("shop"), &["rev-parse", "HEAD"]);
    let steps = ["dbt seed", "dbt build --exclude positive_column_agg_daily_revenue_revenue"];
    let job = house.job_with(place, &steps, |job| job.generate_docs = true).await;
    let runner = house.runner_by(config(real_dbt(), None)).await;
    let run = house.trigger(job).await;
    let ended = house.ended(run).await;
    assert_eq!(ended.state.status(), RunStatus::SUCCESS, "{}", house.logs(run).await);
    assert_eq!(ended.git_sha, Some(head));
    let kept = house.store.artifacts(&house.permit(), run).await.unwrap();
    for name in ["manifest.json", "run_results.json", "catalog.json"] {
        assert!(kept.iter().any(|kept| kept.path == name), "{name}");
    }
    runner.stop().await;
}
