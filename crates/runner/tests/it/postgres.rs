//! A run on a real PostgreSQL, with the real dbt.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, chown},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use domain::{connection::Platform, run::Outcome, warehouse_credential::Login};
use insta::assert_snapshot;
use tempfile::TempDir;

use crate::house::{House, real_dbt};

/// Quotes, a template, a percent sign: what is lost where a text is pasted into another.
pub(crate) const PASSWORD: &str = r#"p{{ss}}w'"rd %#"#;

/// A PostgreSQL server of one test, on a port of its own.
pub(crate) struct Postgres {
    programs: PathBuf,
    folder: TempDir,
    pub(crate) port: u16,
}

impl Postgres {
    /// Where its programs are; `None` if it is not installed.
    pub(crate) fn programs() -> Option<PathBuf> {
        let named = std::env::var_os("NARROWGATE_TEST_POSTGRES_BIN").map(PathBuf::from);
        let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
        let installed = versions.map(|version| version.path().join("bin"));
        named.into_iter().chain(installed).find(|bin| bin.join("initdb").is_file())
    }

    pub(crate) fn start(programs: PathBuf) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        fs::write(folder.path().join("password"), PASSWORD).unwrap();
        let server = Self { programs, folder, port };
        if is_root() {
            // PostgreSQL refuses to run as root.
            chown(server.folder.path(), Some(65534), Some(65534)).unwrap();
            chown(server.folder.path().join("password"), Some(65534), Some(65534)).unwrap();
        }
        server.run(
            "initdb",
            &["-D", "data", "-U", "ada", "--auth=scram-sha-256", "--pwfile=password", "-E", "UTF8"],
        );
        let options = format!("-p {port} -k . -c listen_addresses=127.0.0.1 -c fsync=off");
        server.run("pg_ctl", &["-D", "data", "-w", "-l", "log", "-o", &options, "start"]);
        server
    }

    /// Runs one of its programs, as `nobody` where the tests are root.
    fn run(&self, program: &str, arguments: &[&str]) -> String {
        let program = self.programs.join(program);
        let mut command = if is_root() {
            let mut command = Command::new("setpriv");
            command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(program);
            command
        } else {
            Command::new(program)
        };
        command.args(arguments).current_dir(self.folder.path()).env("PGPASSWORD", PASSWORD);
        // pg_ctl's server would hold a pipe open.
        let said = fs::File::create(self.folder.path().join("said")).unwrap();
        command.stdin(Stdio::null()).stdout(said.try_clone().unwrap()).stderr(said);
        let status = command.status().unwrap();
        let said = fs::read_to_string(self.folder.path().join("said")).unwrap();
        assert!(status.success(), "{arguments:?}: {said}");
        said
    }

    pub(crate) fn sql(&self, database: &str, text: &str) -> String {
        let port = self.port.to_string();
        let place = ["-h", "127.0.0.1", "-p", &port, "-U", "ada", "-d", database, "-At"];
        self.run("psql", &[&place[..], &["-c", text]].concat()).trim().to_owned()
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.run("pg_ctl", &["-D", "data", "-m", "immediate", "stop"]);
    }
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

/// Whether dbt can speak to PostgreSQL.
pub(crate) fn dbt_has_postgres() -> bool {
    let output = Command::new(real_dbt()).arg("--version").output().unwrap();
    String::from_utf8_lossy(&output.stdout).contains("- postgres:")
}

fn project(house: &House) -> String {
    house.repository(
        "mini",
        &[
            ("dbt_project.yml", "name: mini\nversion: '1.0'\nconfig-version: 2\nprofile: mine\n"),
            ("models/answer.sql", "select 42 as answer"),
            (
                "models/broken.sql",
                "{{ config(enabled=var('broken', false), materialized='table') }} select 1 / 0",
            ),
        ],
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_on_postgresql_builds_with_the_sealed_password_and_does_not_tell_it() {
    let Some(programs) = Postgres::programs().filter(|_| dbt_has_postgres()) else {
        println!("skipped: PostgreSQL or dbt-postgres is not installed");
        return;
    };
    let postgres = Postgres::start(programs);
    postgres.sql("postgres", "create database \"12345\"");
    let house = House::new().await;
    let platform = Platform::Postgres {
        hostname: "127.0.0.1".to_owned(),
        dbname: "12345".to_owned(),
        port: postgres.port,
        retries: Some(1),
    };
    let connection = house.connection(platform).await;
    let login = || Login::Postgres { username: "ada".to_owned() };
    let remote = project(&house);
    let known = Some((login(), PASSWORD));
    let place = house.place_with(&remote, Some(connection), known, |_, _| {}).await;
    let job = house.job(place, &["dbt run", "dbt --debug run --vars '{broken: true}'"]).await;

    let runner = house.runner(real_dbt()).await;
    let run = house.trigger_with(job, |trigger| trigger.schema_override = Some("ci".into())).await;
    let ended = house.ended(run).await;

    assert_eq!(ended.state.status(), Outcome::Error.into());
    assert_snapshot!(house.story(run).await, @r"
    Clone git repository: Success
    Create profile from connection Warehouse: Success
    Invoke dbt with `dbt deps`: Success
    Invoke dbt with `dbt run`: Success
    Invoke dbt with `dbt --debug run --vars '{broken: true}'`: Error
    ");
    assert_eq!(postgres.sql("12345", "select answer from ci.answer"), "42");
    let logs = house.logs(run).await;
    assert!(logs.contains("division by zero") && logs.contains("12345"), "{logs}");
    assert!(!logs.contains(PASSWORD));
    assert!(!everywhere(house.store.data_dir().path()).contains(PASSWORD));

    // A wrong one is told as that, and is not told either.
    let wrong = Some((login(), "no-password-of-hers"));
    let place = house.place_with(&remote, Some(connection), wrong, |_, _| {}).await;
    let shut_out = house.trigger(house.job(place, &["dbt run"]).await).await;
    let ended = house.ended(shut_out).await;
    runner.stop().await;
    assert_eq!(ended.state.status(), Outcome::Error.into());
    let logs = house.logs(shut_out).await;
    assert!(logs.contains("password authentication failed for user \"ada\""), "{logs}");
    assert!(!everywhere(house.store.data_dir().path()).contains("no-password-of-hers"));
}

/// All bytes of all files in a folder.
pub(crate) fn everywhere(folder: &Path) -> String {
    let entries = fs::read_dir(folder).unwrap();
    entries
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            if path.is_dir() {
                everywhere(&path)
            } else {
                String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned()
            }
        })
        .collect()
}
