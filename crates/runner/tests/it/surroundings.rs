//! What dbt is given, and what it is not.

use domain::{UserId, environment_variable::Place, run::RunStatus};
use runner::{Limits, RunnerConfig};

use crate::house::House;

/// A file may have 1 MiB.
const TIGHT: Limits =
    Limits { niceness: 0, max_file_size_mib: 1, max_processes: 0, max_memory_mib: 0 };

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_in_no_log_and_in_no_file_of_the_run() {
    let house = House::new().await;
    let place = house.scripted_place().await;
    let job = house.job(place, &["dbt build"]).await;
    let script = "echo \"given: $DBT_ENV_SECRET_NARROWGATE_PASSWORD\"; \
                  grep -r hunter2 \"$DBT_PROFILES_DIR/..\"; cat \"$DBT_PROFILES_DIR/profiles.yml\"";
    let runner = house.runner(house.script(script)).await;
    let run = house.trigger(job).await;
    house.ended(run).await;

    let log = house.log(run, 4).await;
    assert!(log.starts_with("given: *****\n{\"user\":"), "{log}");
    assert!(log.contains("env_var('DBT_ENV_SECRET_NARROWGATE_PASSWORD')"), "{log}");
    assert!(!house.logs(run).await.contains("hunter2"));
    runner.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn variables_reach_dbt_by_their_places_and_secret_ones_no_log() {
    let house = House::new().await;
    let place = house.scripted_place().await;
    let job = house.job(place, &["dbt build"]).await;
    let of_environment = Place::Environment { environment_id: place.environment };
    let of_job = Place::Job { job_definition_id: job };
    let of_ada = Place::User { user_id: UserId::new(1).unwrap() };
    for (name, of, value) in [
        ("DBT_REGION", Place::Project, "eu"),
        ("DBT_REGION", of_environment, "venus"),
        ("DBT_REGION", of_job, "mars"),
        ("DBT_REGION", of_ada, "home"),
        ("DBT_STAGE", Place::Project, "any"),
        ("DBT_STAGE", of_environment, "production"),
        ("DBT_MINE", of_ada, "mine"),
        ("DBT_ENV_SECRET_KEY", Place::Project, "open sesame"),
    ] {
        house.variable(place.project, name, of, value).await;
    }
    let script = "echo \"$DBT_REGION, $DBT_STAGE, ${DBT_MINE-none}, $DBT_ENV_SECRET_KEY\"; \
                  [ \"$DBT_ENV_SECRET_KEY\" = 'open sesame' ]";
    let runner = house.runner(house.script(script)).await;
    let run = house.trigger(job).await;
    let ended = house.ended(run).await;

    assert_eq!(house.log(run, 4).await, "mars, production, none, *****\n");
    assert_eq!(ended.state.status(), RunStatus::SUCCESS);
    assert!(!house.logs(run).await.contains("sesame"));
    runner.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dbt_sees_nothing_of_the_servers_environment_but_the_way_out() {
    assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some());
    let house = House::new().await;
    let place = house.scripted_place().await;
    let job = house.job(place, &["dbt build"]).await;
    let runner = house.runner(house.script("env; pwd; stat -c %a \"$HOME/..\"")).await;
    let run = house.trigger(job).await;
    house.ended(run).await;

    let log = house.log(run, 4).await;
    let allowed = |name: &str| {
        ["PATH", "HOME", "TMPDIR", "LANG", "DO_NOT_TRACK", "PYTHONUNBUFFERED"].contains(&name)
            || name.starts_with("DBT_")
            || name.starts_with("NARROWGATE_")
            || ["PWD", "SHLVL", "_"].contains(&name) // bash's own
            || name.to_uppercase().ends_with("_PROXY")
            || ["SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "GIT_SSL_CAINFO"]
                .contains(&name)
    };
    let names = log.lines().filter_map(|line| Some(line.split_once('=')?.0));
    assert_eq!(names.filter(|name| !allowed(name)).collect::<Vec<_>>(), Vec::<&str>::new());
    assert!(log.contains(&format!("NARROWGATE_RUN_ID={run}\n")), "{log}");
    assert!(log.contains("DBT_USE_COLORS=false\n"), "{log}");
    assert!(log.contains("DBT_SEND_ANONYMOUS_USAGE_STATS=false\n"), "{log}");
    // By which dagster-dbt knows the run of a run_results.json.
    assert!(log.contains(&format!("DBT_CLOUD_RUN_ID={run}\n")), "{log}");
    assert!(log.contains(&format!("DBT_ENV_CUSTOM_ENV_DBT_CLOUD_RUN_ID={run}\n")), "{log}");
    let lease = log.lines().find_map(|line| line.strip_prefix("NARROWGATE_LEASE_ID=")).unwrap();
    assert!(log.ends_with(&format!("work/run-{run}-{lease}/code\n700\n")), "{log}");
    runner.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_reaches_dbt_word_by_word_and_no_shell_reads_it() {
    let house = House::new().await;
    let place = house.scripted_place().await;
    let step = "dbt run --select 'tag:a b' --vars '{x: $HOME}' ; rm -rf /";
    let job = house.job(place, &[step]).await;
    let runner = house.runner(house.script("for word in \"$@\"; do echo \"<$word>\"; done")).await;
    let run = house.trigger(job).await;
    house.ended(run).await;

    let words = "<run>\n<--select>\n<tag:a b>\n<--vars>\n<{x: $HOME}>\n<;>\n<rm>\n<-rf>\n</>\n";
    assert_eq!(house.log(run, 4).await, words);
    runner.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dbt_is_nicer_than_the_server_and_bounded_as_the_kernel_tells() {
    let house = House::new().await;
    let place = house.scripted_place().await;
    let job = house.job(place, &["dbt build"]).await;
    let limits = Limits { niceness: 7, max_processes: 999, max_memory_mib: 4096, ..TIGHT };
    let dbt = house.script("cut -d' ' -f19 /proc/self/stat; cat /proc/self/limits");
    let runner = house.runner_by(RunnerConfig { dbt, limits, ..RunnerConfig::default() }).await;
    let run = house.trigger(job).await;
    house.ended(run).await;

    let log = house.log(run, 4).await;
    let own = std::fs::read_to_string("/proc/self/stat").unwrap();
    let own: i32 = own.split(' ').nth(18).unwrap().parse().unwrap();
    assert_eq!(log.lines().next().unwrap(), (own + 7).min(19).to_string());
    let bound = |name: &str| {
        let line = log.lines().find(|line| line.starts_with(name)).unwrap();
        let rest = line.trim_start_matches(name).split_whitespace();
        rest.take(2).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(bound("Max core file size"), ["0", "0"]);
    assert_eq!(bound("Max file size"), ["1048576", "1048576"]);
    assert_eq!(bound("Max processes"), ["999", "999"]);
    assert_eq!(bound("Max address space"), ["4294967296", "4294967296"]);
    runner.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn git_is_bounded_too() {
    let house = House::new().await;
    let place = house.scripted_place().await;
    let job = house.job(place, &["dbt build"]).await;
    let git =
        house.program("git", "grep 'Max file size' /proc/self/limits; exec /usr/bin/git \"$@\"");
    let dbt = house.script("true");
    let config = RunnerConfig { dbt, git, limits: TIGHT, ..RunnerConfig::default() };
    let runner = house.runner_by(config).await;
    let run = house.trigger(job).await;
    house.ended(run).await;

    let log = house.log(run, 1).await;
    assert!(log.starts_with("Max file size") && log.contains(" 1048576 "), "{log}");
    runner.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_writes_too_large_a_file_ends_with_the_bound_and_its_setting() {
    let house = House::new().await;
    let place = house.scripted_place().await;
    let job = house.job(place, &["dbt build", "dbt run"]).await;
    let python = "open('large', 'wb').write(bytes(2 << 20))";
    // A program that is ended by the signal; and one that, like Python's, is told and says so.
    let body =
        format!("[ $1 = run ] && exec python3 -c \"{python}\"\nexec head -c 2M /dev/zero > large");
    let limits = TIGHT;
    let dbt = house.script(&body);
    let runner = house.runner_by(RunnerConfig { dbt, limits, ..RunnerConfig::default() }).await;
    let run = house.trigger(job).await;
    let told = house.ended(run).await.message;

    assert!(told.contains("dbt was ended by signal 25; it met the runner's bound"), "{told}");
    assert!(told.contains("of 1 MiB a file (`max_file_size_mib`"), "{told}");
    let job = house.job(place, &["dbt run"]).await;
    let run = house.trigger(job).await;
    let told = house.ended(run).await.message;
    assert!(told.contains("dbt ended with code 1: "), "{told}");
    assert!(told.contains("of 1 MiB a file (`max_file_size_mib`"), "{told}");
    assert!(house.log(run, 4).await.contains("File too large"));
    runner.stop().await;
}
