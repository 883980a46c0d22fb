//! Runners in processes of their own, beside a server that executes nothing.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test helper fails the test")]

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{
    pause,
    program::{Folder, Server, narrowgate},
    scripted::{scripted_dbt, scripted_job},
};

/// A running `narrowgate runner`.
pub(crate) struct Runner(Child);

impl Runner {
    /// Once it says that it is ready.
    pub(crate) fn start(folder: &Folder, dbt: &Path, options: &[&str]) -> Self {
        let dbt = dbt.display().to_string();
        let mut command = folder.command(&["runner", "--log", "error", "--dbt", &dbt]);
        let mut child = command.args(options).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(line.starts_with("ready: "), "{line:?}");
        Self(child)
    }

    /// kill -9
    pub(crate) fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    /// Asks it to end; gives its exit code.
    pub(crate) fn terminate(&mut self) -> Option<i32> {
        Command::new("kill").arg(self.0.id().to_string()).status().unwrap();
        self.0.wait().unwrap().code()
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Triggers the job; gives the run's id.
fn trigger(server: &Server, admin: &Value, job: &str) -> String {
    let triggered = server.client(admin, &["run", "trigger", job, "--json"]);
    serde_json::from_str::<Value>(&triggered.out).unwrap()["id"].to_string()
}

/// The run, once it is so, within a time.
fn run_when(
    server: &Server,
    admin: &Value,
    run: &str,
    within: Duration,
    is_so: impl Fn(&Value) -> bool,
) -> Value {
    let asked = Instant::now();
    loop {
        let shown = server.client(admin, &["run", "show", run, "--json"]);
        let shown: Value = serde_json::from_str(&shown.out).unwrap();
        if is_so(&shown) {
            return shown;
        }
        assert!(asked.elapsed() < within, "not in {within:?}: {shown}");
        pause();
    }
}

fn is_complete(run: &Value) -> bool {
    run["is_complete"] == true
}

/// Waits until the run's dbt has said that it began.
fn begun(server: &Server, admin: &Value, run: &str) {
    let said = || server.client(admin, &["run", "logs", run]).out.contains("begun");
    assert!((0..600).any(|_| said()), "the run begins");
}

#[test]
fn a_runner_beside_a_server_executes_what_it_queues_and_ends_well_when_asked() {
    let folder = Folder::new();
    let admin = folder.init("Acme");
    let server = Server::start(&folder);
    let job = scripted_job(&folder, &server, &admin, "dbt build");
    let run = trigger(&server, &admin, &job);
    let mut runner = Runner::start(&folder, &scripted_dbt(&folder), &["--workers", "2"]);

    let ended = run_when(&server, &admin, &run, Duration::from_mins(1), is_complete);

    assert_eq!(ended["is_success"], true, "{ended}");
    assert_eq!(runner.terminate(), Some(0));
}

#[test]
fn a_runner_that_is_asked_to_end_says_so_in_its_runs() {
    let folder = Folder::new();
    let admin = folder.init("Acme");
    let server = Server::start(&folder);
    let job = scripted_job(&folder, &server, &admin, "dbt build --select slow");
    let run = trigger(&server, &admin, &job);
    let mut runner = Runner::start(&folder, &scripted_dbt(&folder), &[]);
    begun(&server, &admin, &run);

    assert_eq!(runner.terminate(), Some(0));

    let ended = run_when(&server, &admin, &run, Duration::ZERO, is_complete);
    assert_eq!(ended["status_message"], "the server was stopped");
}

/// Killed while its run was under way; whoever is left ends the run: another runner, or the server.
#[test]
fn the_run_of_a_killed_runner_is_an_error_with_its_reason_within_30_seconds() {
    let with_another = [false, true].map(|another| {
        std::thread::spawn(move || {
            let folder = Folder::new();
            let admin = folder.init("Acme");
            let dbt = scripted_dbt(&folder);
            let server = Server::start(&folder);
            let job = scripted_job(&folder, &server, &admin, "dbt build --select slow");
            let run = trigger(&server, &admin, &job);
            let mut killed = Runner::start(&folder, &dbt, &[]);
            begun(&server, &admin, &run);
            let _other = another.then(|| Runner::start(&folder, &dbt, &[]));

            killed.kill();

            let ended = run_when(&server, &admin, &run, Duration::from_secs(30), is_complete);
            assert_eq!(ended["is_error"], true, "{ended}");
            let reason = ended["status_message"].as_str().unwrap();
            assert!(reason.starts_with("the worker that ran it stopped answering at "), "{reason}");
            let logs = server.client(&admin, &["run", "logs", &run]);
            assert!(logs.out.contains("begun"), "{logs:?}");
        })
    });
    for case in with_another {
        case.join().unwrap();
    }
}

#[test]
fn a_runner_wants_a_data_folder_and_a_dbt_and_its_help_teaches() {
    let folder = Folder::new();
    let said = folder.run(&["runner", "--dbt", "true"]);
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.err.contains("is no data folder"), "{said:?}");
    assert!(!folder.data().exists());
    folder.init("Acme");
    let said = folder.run(&["runner", "--dbt", "/no/such/dbt"]);
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.err.contains("`/no/such/dbt` is not there"), "{said:?}");
    let said = folder.run(&["runner", "--workers", "0"]);
    assert_eq!(said.code, Some(2), "{said:?}");
    let help = narrowgate(&["runner", "--help"]).out;
    for words in ["--no-runner", "--workers", "--dbt", "SIGTERM", "30 seconds"] {
        assert!(help.contains(words), "{words}: {help}");
    }
    assert!(!help.contains("test-lease"), "{help}");
}

/// What a runner with these options says in its log until it is ready or ends.
fn says_at_start(folder: &Folder, path: Option<&Path>, options: &[&str]) -> String {
    let dbt = folder.path("dbt").display().to_string();
    let mut command = folder.command(&["runner", "--dbt", &dbt]);
    command.args(options).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.envs(path.map(|path| ("PATH", path)));
    let mut child = command.spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let _ = Command::new("kill").arg(child.id().to_string()).status();
    let output = child.wait_with_output().unwrap();
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn a_line_at_start_up_says_what_runs_are_kept_apart_by() {
    let folder = Folder::new();
    folder.init("Acme");
    scripted_dbt(&folder);
    let without = folder.path("bin");
    fs::create_dir(&without).unwrap();
    for program in ["env", "git", "nice", "prlimit", "sh"] {
        let found = Command::new("sh").args(["-c", &format!("command -v {program}")]).output();
        let found = String::from_utf8(found.unwrap().stdout).unwrap();
        std::os::unix::fs::symlink(found.trim(), without.join(program)).unwrap();
    }
    let said = says_at_start(&folder, Some(&without), &[]);
    let bare = "runs can read the server's data folder: see docs/isolation.md; in no sandbox:";
    assert!(said.contains(&format!("{bare} `bwrap` is not in PATH")), "{said}");
    let said = says_at_start(&folder, Some(&without), &["--sandbox", "bubblewrap"]);
    let refused = "narrowgate: `sandbox` cannot be `bubblewrap`: `bwrap` is not in PATH\n";
    assert!(said.ends_with(refused), "{said}");
    let said = says_at_start(&folder, None, &["--sandbox", "off"]);
    assert!(said.contains(&format!("{bare} it is off")), "{said}");
    let mut bwrap = Command::new("bwrap");
    bwrap.args(["--ro-bind", "/", "/", "--proc", "/proc", "--unshare-pid", "true"]);
    if bwrap.output().is_ok_and(|output| output.status.success()) {
        let said = says_at_start(&folder, None, &[]);
        assert!(said.contains("runs are executed in bubblewrap, each by itself"), "{said}");
    }
}
