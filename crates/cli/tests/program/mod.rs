//! The program under test: started, asked, ended.
#![expect(clippy::unwrap_used, reason = "a test helper fails the test")]

use std::{
    io::{BufRead as _, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use reqwest::Method;
use serde_json::Value;

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_narrowgate");

/// What a command said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    fn of(command: &mut Command) -> Self {
        let output = command.output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }
}

/// Runs the program to its end.
pub(crate) fn narrowgate(arguments: &[&str]) -> Said {
    Said::of(clean().args(arguments))
}

/// The program, without this machine's NARROWGATE variables.
fn clean() -> Command {
    let mut command = Command::new(PROGRAM);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("NARROWGATE_")) {
        command.env_remove(name);
    }
    command
}

/// The dbt program for tests, if there is one.
pub(crate) fn dbt() -> Option<String> {
    let cached = std::env::var("HOME").map(|home| home + "/.cache/narrowgate/dbt-venv/bin/dbt");
    let named = std::env::var("NARROWGATE_TEST_DBT").or(cached).ok()?;
    PathBuf::from(&named).is_file().then_some(named)
}

/// A folder of one test, with a data folder in it.
pub(crate) struct Folder(tempfile::TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.path("data")
    }

    /// A command on the data folder.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = clean();
        command.args(arguments).arg("--data-dir").arg(self.data());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Said {
        Said::of(&mut self.command(arguments))
    }

    /// `serve` that is expected to end by itself.
    pub(crate) fn serve(&self, arguments: &[&str]) -> Said {
        self.run(&[&["serve", "--no-runner"], arguments].concat())
    }

    /// Makes an account.
    pub(crate) fn init(&self, name: &str) -> Value {
        let said = self.run(&[
            "init",
            "--json",
            "--account-name",
            name,
            "--admin-email",
            "ada@example.com",
            "--plan",
            "enterprise",
        ]);
        assert_eq!(said.code, Some(0), "{said:?}");
        serde_json::from_str(&said.out).unwrap()
    }

    /// Changes the database past the program, as somebody with the file in their hands can.
    pub(crate) fn sql(&self, statement: &str) {
        self.with_database(async |db| {
            use sea_orm::ConnectionTrait as _;
            db.execute_unprepared(statement).await.unwrap();
        });
    }

    /// One number out of the database.
    pub(crate) fn number(&self, sql: &str) -> i64 {
        self.with_database(async |db| {
            use sea_orm::{ConnectionTrait as _, Statement};
            let row =
                db.query_one_raw(Statement::from_string(db.get_database_backend(), sql)).await;
            row.unwrap().unwrap().try_get_by_index(0).unwrap()
        })
    }

    fn with_database<T>(&self, ask: impl AsyncFnOnce(&sea_orm::DatabaseConnection) -> T) -> T {
        let database = self.data().join("narrowgate.db");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let url = format!("sqlite://{}?mode=rw", database.display());
            let db = sea_orm::Database::connect(url).await.unwrap();
            let answer = ask(&db).await;
            db.close().await.unwrap();
            answer
        })
    }
}

/// A running server.
pub(crate) struct Server {
    child: Child,
    pub(crate) url: String,
}

impl Server {
    pub(crate) fn start(folder: &Folder) -> Self {
        Self::start_with(folder, &["--log", "error"])
    }

    /// With further options.
    pub(crate) fn start_with(folder: &Folder, options: &[&str]) -> Self {
        let mut command = folder.command(&["serve", "--no-runner", "--listen", "127.0.0.1:0"]);
        Self::started(command.args(options))
    }

    /// One that runs jobs with this program in dbt's place.
    pub(crate) fn with_dbt(folder: &Folder, dbt: &std::path::Path) -> Self {
        let dbt = dbt.display().to_string();
        let options = ["serve", "--listen", "127.0.0.1:0", "--log", "error", "--dbt", &dbt];
        Self::started(&mut folder.command(&options))
    }

    /// By this command, once it says where it listens.
    pub(crate) fn started(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.trim().strip_prefix("listening on ").unwrap().to_owned();
        Self { child, url }
    }

    /// A client command with an account's token, in the environment.
    pub(crate) fn client(&self, account: &Value, arguments: &[&str]) -> Said {
        self.client_with(account, arguments, &[])
    }

    /// With further environment.
    pub(crate) fn client_with(
        &self,
        account: &Value,
        arguments: &[&str],
        environment: &[(&str, &std::path::Path)],
    ) -> Said {
        Said::of(
            clean()
                .args(arguments)
                .envs(environment.iter().copied())
                .env("NARROWGATE_URL", &self.url)
                .env("NARROWGATE_ACCOUNT", account["account_id"].to_string())
                .env("NARROWGATE_TOKEN", account["personal_token"].as_str().unwrap()),
        )
    }

    /// `POST` under the account, v3; the answer has to be good.
    pub(crate) fn post(&self, account: &Value, path: &str, body: &Value) -> Value {
        let path = format!("/api/v3/accounts/{}{path}", account["account_id"]);
        self.ask(Method::POST, account, &path, Some(body))
    }

    /// Any request with the account's token; the answer has to be good.
    pub(crate) fn ask(
        &self,
        method: Method,
        account: &Value,
        path: &str,
        body: Option<&Value>,
    ) -> Value {
        let secret = account["personal_token"].as_str().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let client = reqwest::Client::builder().no_proxy().build().unwrap();
            let request = client.request(method, format!("{}{path}", self.url));
            let request = request.bearer_auth(secret);
            let request = body.into_iter().fold(request, reqwest::RequestBuilder::json);
            let answer = request.send().await.unwrap();
            let status = answer.status();
            let text = answer.text().await.unwrap();
            assert!(status.is_success(), "{path}: {text}");
            serde_json::from_str(&text).unwrap()
        })
    }

    /// How many bytes there are at a path, which are read and dropped.
    pub(crate) fn length(&self, account: &Value, path: &str) -> u64 {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let client = reqwest::Client::builder().no_proxy().build().unwrap();
            let request = client.get(format!("{}{path}", self.url));
            let secret = account["personal_token"].as_str().unwrap();
            let mut answer = request.bearer_auth(secret).send().await.unwrap();
            let mut length = 0;
            while let Some(piece) = answer.chunk().await.unwrap() {
                length += piece.len() as u64;
            }
            length
        })
    }

    /// What the kernel counts of its process, in KiB: `VmRSS`, `VmHWM`.
    pub(crate) fn status_kib(&self, name: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.unwrap().trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// The CPU time of its process so far, in seconds, to a hundredth.
    pub(crate) fn cpu_seconds(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let fields: Vec<_> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
        let ticks = |at: usize| fields.get(at).unwrap().parse::<f64>().unwrap();
        (ticks(11) + ticks(12)) / 100.0
    }

    /// Asks it to end; gives its exit code.
    pub(crate) fn terminate(&mut self) -> Option<i32> {
        self.signal();
        self.ended()
    }

    /// Asks it to end (SIGTERM), and does not wait for that.
    pub(crate) fn signal(&self) {
        Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
    }

    /// Waits for its end; gives its exit code.
    pub(crate) fn ended(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }

    /// kill -9
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
