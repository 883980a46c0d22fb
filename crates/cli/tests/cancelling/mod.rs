//! Runs that are cancelled before their first dbt, in a server's own process.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failure is a failed test")]

use std::{
    fs,
    net::{TcpListener, TcpStream},
    thread,
    time::{Duration, Instant},
};

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    program::{Folder, Server},
    scripted::{scripted_dbt, scripted_job},
};

/// A host of git that takes connections and never answers; gives its port.
fn silent_host() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        let held: Vec<TcpStream> = listener.incoming().map_while(Result::ok).collect();
        drop(held);
    });
    port
}

/// How many processes of this machine name it in their command line.
fn processes_that_name(text: &str) -> usize {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let lines = processes.filter_map(|process| fs::read(process.path().join("cmdline")).ok());
    lines.filter(|line| String::from_utf8_lossy(line).contains(text)).count()
}

fn run(server: &Server, admin: &Value, id: &str) -> Value {
    let shown = server.client(admin, &["run", "show", id, "--json"]);
    serde_json::from_str(&shown.out).unwrap()
}

/// Triggers the job; gives the run's id once it is so.
fn trigger_until(
    server: &Server,
    admin: &Value,
    job: &str,
    is_so: impl Fn(&Value) -> bool,
) -> String {
    let triggered = server.client(admin, &["run", "trigger", job, "--json"]);
    let id = serde_json::from_str::<Value>(&triggered.out).unwrap()["id"].to_string();
    let begun = Instant::now();
    while !is_so(&run(server, admin, &id)) {
        assert!(begun.elapsed() < Duration::from_secs(30), "{}", run(server, admin, &id));
        crate::pause();
    }
    id
}

/// Cancels a run; gives it once it has ended, which is within 10 s.
fn cancelled(server: &Server, admin: &Value, id: &str) -> Value {
    let asked = Instant::now();
    let path = format!("/api/v2/accounts/1/runs/{id}/cancel/");
    server.ask(Method::POST, admin, &path, None);
    loop {
        let run = run(server, admin, id);
        if run["is_complete"] == true {
            assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
            assert_eq!(run["is_cancelled"], true, "{run}");
            return run;
        }
        assert!(asked.elapsed() < Duration::from_secs(10), "{run}");
        crate::pause();
    }
}

#[test]
fn a_run_that_is_starting_or_waits_for_a_host_of_git_is_cancelled_in_ten_seconds_with_all_of_it() {
    let folder = Folder::new();
    let admin = folder.init("Acme");
    let server = Server::with_dbt(&folder, &scripted_dbt(&folder));
    let job = scripted_job(&folder, &server, &admin, "dbt build");

    // To write down its steps takes a while: it is claimed by then, and has not started.
    folder.sql(
        "CREATE TRIGGER slow AFTER INSERT ON run_steps WHEN NEW.\"index\" = 1 BEGIN \
         SELECT (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000000) \
         SELECT max(i) FROM n); END",
    );
    let starting = trigger_until(&server, &admin, &job, |run| run["status"] == 2);
    let ended = cancelled(&server, &admin, &starting);
    assert_eq!(ended["status_message"], "the run was cancelled");
    folder.sql("DROP TRIGGER slow");

    let host = format!("http://127.0.0.1:{}/code.git", silent_host());
    let repository = json!({ "remote_url": host });
    let repository = server.post(&admin, "/projects/1/repositories/", &repository);
    server.post(&admin, "/projects/1/", &json!({ "repository_id": repository["data"]["id"] }));
    let waits = trigger_until(&server, &admin, &job, |_| processes_that_name(&host) > 1);
    cancelled(&server, &admin, &waits);
    assert_eq!(processes_that_name(&host), 0);
}
