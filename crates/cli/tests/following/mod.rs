//! A run is followed: over connections that break, on a terminal, and to an end that fails.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failure is a failed test")]

use std::{
    io::{self, Read as _},
    net::{Shutdown, TcpListener, TcpStream},
    process::Command,
    thread,
    time::Duration,
};

use serde_json::Value;

use crate::{
    program::{Folder, Server},
    scripted::{dbt_script, scripted_job},
};

/// A dbt that says a line every tenth of a second and notes each as a node that is done.
const SLOW: &str = r#"
mkdir -p "$DBT_LOG_PATH"
for line in $(seq 40); do
  echo "line $line"
  info='{"name": "LogModelResult", "ts": "2026-11-24T12:00:00Z", "level": "info", "msg": "m"}'
  echo "{\"data\": {\"index\": $line, \"total\": 40}, \"info\": $info}" >> "$DBT_LOG_PATH/dbt.log"
  sleep 0.1
done
case "$*" in *fails*) exit 1 ;; esac
"#;

/// Stands before the server and cuts every connection after a while; gives its address.
fn cutting_proxy(server: &Server) -> String {
    let server = server.url.strip_prefix("http://").unwrap().to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for client in listener.incoming() {
            let (client, server) = (client.unwrap(), TcpStream::connect(&server).unwrap());
            let (to, from) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            // It is read from for so long and no longer.
            let mut asked = client.try_clone().unwrap();
            let mut forth = server.try_clone().unwrap();
            thread::spawn(move || io::copy(&mut asked, &mut forth));
            thread::spawn(move || cut(from, to, Duration::from_millis(700)));
        }
    });
    address
}

fn cut(mut from: TcpStream, mut to: TcpStream, after: Duration) {
    let end = std::time::Instant::now() + after;
    let mut piece = [0; 4096];
    while let Some(left) = end.checked_duration_since(std::time::Instant::now()) {
        from.set_read_timeout(Some(left.max(Duration::from_millis(1)))).unwrap();
        match from.read(&mut piece) {
            Ok(read @ 1..) => drop(io::Write::write_all(&mut to, &piece[..read])),
            _ => break,
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}

fn triggered(server: &Server, admin: &Value, job: &str) -> String {
    let said = server.client(admin, &["run", "trigger", job, "--json"]);
    serde_json::from_str::<Value>(&said.out).unwrap()["id"].to_string()
}

fn lines(text: &str) -> Vec<&str> {
    text.lines().filter(|line| line.starts_with("line ")).collect()
}

#[test]
fn a_log_goes_on_over_connections_that_break_and_neither_loses_nor_repeats_a_line() {
    let folder = Folder::new();
    let admin = folder.init("Acme");
    let server = Server::with_dbt(&folder, &dbt_script(&folder, SLOW));
    let job = scripted_job(&folder, &server, &admin, "dbt build --vars fails");
    let id = triggered(&server, &admin, &job);
    let proxy = cutting_proxy(&server);

    let said = server.client(&admin, &["run", "logs", &id, "--follow", "--url", &proxy]);

    let whole: Vec<_> = (1..=40).map(|line| format!("line {line}")).collect();
    assert_eq!(lines(&said.out), whole, "{said:?}");
    assert_eq!(said.out.matches("--- 4. Invoke dbt with").count(), 1, "{said:?}");
    // How far it is stands beside the log, and how it ended is the exit code.
    assert!(said.err.contains(" of 40 nodes"), "{said:?}");
    assert!(said.err.ends_with("40 of 40 nodes\n"), "{said:?}");
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.out.contains(": Error after"), "{said:?}");

    let gone = server.client(&admin, &["run", "logs", "999999", "--follow"]);
    assert_eq!(gone.code, Some(1));
    assert!(gone.err.contains("404"), "{gone:?}");
    let nobody = ["run", "logs", &id, "--follow", "--url", "http://127.0.0.1:1"];
    let nobody = server.client(&admin, &nobody);
    assert!(nobody.err.contains("does not answer"), "{nobody:?}");
}

#[test]
fn on_a_terminal_the_log_has_a_bar_below_it_and_the_debug_log_is_there_afterwards() {
    if Command::new("script").arg("--version").output().is_err() {
        println!("skipped: no `script`, which makes a terminal");
        return;
    }
    let folder = Folder::new();
    let admin = folder.init("Acme");
    let server = Server::with_dbt(&folder, &dbt_script(&folder, SLOW));
    let job = scripted_job(&folder, &server, &admin, "dbt build");
    let id = triggered(&server, &admin, &job);

    let asked = format!("{} run logs {id} --follow", env!("CARGO_BIN_EXE_narrowgate"));
    let shown = Command::new("script")
        .args(["--quiet", "--return", "--command", &asked, "/dev/null"])
        .env("TERM", "xterm")
        .env("NARROWGATE_URL", &server.url)
        .env("NARROWGATE_ACCOUNT", admin["account_id"].to_string())
        .env("NARROWGATE_TOKEN", admin["personal_token"].as_str().unwrap())
        .output()
        .unwrap();

    let text = String::from_utf8(shown.stdout).unwrap().replace('\r', "\n");
    assert!(shown.status.success(), "{text}");
    assert!(text.contains("line 1\n") && text.contains("line 40\n"), "{text}");
    let half = text.lines().any(|line| line.contains("[####") && line.contains("--] "));
    assert!(half && text.contains(" of 40 nodes"), "{text}");

    let debug = server.client(&admin, &["run", "logs", &id, "--debug"]);
    assert_eq!(debug.out.matches("12:00:00 [info ] [          ]: m\n").count(), 40, "{debug:?}");
    assert!(!debug.out.contains("line 1\n") && debug.code == Some(0), "{debug:?}");
}

#[test]
fn a_thousand_lines_of_a_log_cost_the_server_a_millisecond_of_cpu_time_at_most() {
    const LINES: f64 = 160_000.0;
    // What is not optimised takes longer, and is still held to something.
    let most = if cfg!(debug_assertions) { 15.0 } else { 1.0 };
    let folder = Folder::new();
    let admin = folder.init("Acme");
    // What a run costs without them is taken off.
    let script =
        "case \"$*\" in *many*) yes \"$(printf 'x%.0s' {1..69})\" | head -n 160000 ;; esac";
    let server = Server::with_dbt(&folder, &dbt_script(&folder, script));
    let cost = |step: &str| {
        let job = scripted_job(&folder, &server, &admin, step);
        let before = server.cpu_seconds();
        let said = server.client(&admin, &["run", "trigger", &job, "--follow"]);
        (server.cpu_seconds() - before, said.out.matches("xxx\n").count())
    };
    cost("dbt build");
    let costs: Vec<_> = (0..3)
        .map(|_| {
            let (none, many) = (cost("dbt build"), cost("dbt build --vars many"));
            assert_eq!((none.1, many.1), (0, 160_000));
            (many.0 - none.0) * 1000.0 / (LINES / 1000.0)
        })
        .collect();
    println!("CPU time of 1,000 lines, followed: {costs:.3?} ms");
    assert!(costs.iter().copied().fold(f64::INFINITY, f64::min) <= most, "{costs:?} ms");
}
