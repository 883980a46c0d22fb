//! A server under measurement.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
};

use reqwest::Client;
use serde_json::Value;

use crate::{bare, world::World};

/// The program, built as this benchmark is.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_narrowgate");
/// Ticks of `/proc/PID/stat` a second, on every Linux that there is.
const TICKS: f64 = 100.0;

/// A server's process; it is ended when this is dropped.
pub(crate) struct Process {
    child: Child,
    /// Where it answers.
    pub(crate) url: String,
    /// What it is called in the table.
    pub(crate) name: &'static str,
}

impl Process {
    /// Narrowgate on this folder, without a runner.
    pub(crate) fn serve(world: &World) -> Self {
        let mut command = Command::new(PROGRAM);
        command.args(["serve", "--no-runner", "--listen", "127.0.0.1:0", "--log", "error"]);
        Self::started(command.arg("--data-dir").arg(world.path()), "narrowgate")
    }

    /// The bare server on this database.
    pub(crate) fn bare(database: &str) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        Self::started(command.args([bare::WORD, database]), "bare axum, one SELECT")
    }

    fn started(command: &mut Command, name: &'static str) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.trim().strip_prefix("listening on ").unwrap().to_owned();
        Self { child, url, name }
    }

    /// CPU time that the process has used until now, user and system, all threads: in seconds.
    pub(crate) fn cpu(&self) -> f64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        // The name before the last bracket may hold spaces; utime and stime are the 12th and 13th
        // words after it.
        let (_, words) = stat.rsplit_once(')').unwrap();
        let ticks = words.split_whitespace().skip(11).take(2);
        ticks.map(|ticks| ticks.parse::<f64>().unwrap()).sum::<f64>() / TICKS
    }

    /// A good answer to a POST.
    pub(crate) async fn post(&self, path: &str, token: &str, body: &Value) -> Value {
        let request = client().post(format!("{}{path}", self.url)).bearer_auth(token).json(body);
        let answer = request.send().await.unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert!(status.is_success(), "{path}: {text}");
        serde_json::from_str(&text).unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A client with one connection, which is kept.
pub(crate) fn client() -> Client {
    Client::builder().no_proxy().pool_max_idle_per_host(1).build().unwrap()
}
