//! A data folder with one job and many runs of it.

use std::{path::PathBuf, process::Command};

use sea_orm::{ConnectOptions, ConnectionTrait as _, Database, DbBackend, Statement};
use serde_json::{Value, json};

use crate::process::{PROGRAM, Process};

/// One run, somewhere in the middle.
pub(crate) const RUN: &str = "/api/v2/accounts/1/runs/500/";
/// The first page of runs.
pub(crate) const PAGE: &str = "/api/v2/accounts/1/runs/?limit=100";
/// The newest runs.
pub(crate) const NEWEST: &str = "/api/v2/accounts/1/runs/?limit=100&order_by=-id";
/// The newest runs of one job, as most clients ask for them.
pub(crate) const OF_JOB: &str =
    "/api/v2/accounts/1/runs/?limit=100&job_definition_id=1&order_by=-finished_at";
/// Where a job is changed.
pub(crate) const JOB: &str = "/api/v2/accounts/1/jobs/1/";

/// An account with a project, an environment, a job, a token for it and its runs.
pub(crate) struct World {
    folder: tempfile::TempDir,
    /// Job Admin on the project.
    pub(crate) token: String,
}

impl World {
    pub(crate) async fn make(runs: u32) -> Self {
        println!("a data folder with {runs} runs");
        let folder = tempfile::tempdir().unwrap();
        let init = Command::new(PROGRAM)
            .args(["init", "--json", "--account-name", "Acme", "--plan", "enterprise"])
            .args(["--admin-email", "ada@example.com", "--data-dir"])
            .arg(folder.path())
            .output()
            .unwrap();
        let admin: Value = serde_json::from_slice(&init.stdout).unwrap();
        let token = admin["personal_token"].as_str().unwrap().to_owned();
        let mut world = Self { folder, token };
        world.token = world.nouns().await;
        world.runs(runs).await;
        world
    }

    /// Makes everything but the runs through the API; gives the service token's secret.
    async fn nouns(&self) -> String {
        let server = Process::serve(self);
        let post = async |path: &str, body: Value| -> Value {
            let answer = server.post(path, &self.token, &body).await;
            answer["data"].clone()
        };
        post("/api/v3/accounts/1/projects/", json!({ "name": "shop" })).await;
        let environment = json!({ "name": "Production", "type": "deployment" });
        post("/api/v3/accounts/1/projects/1/environments/", environment).await;
        let job = json!({
            "name": "nightly", "project_id": 1, "environment_id": 1,
            "execute_steps": ["dbt build"], "triggers": { "github_webhook": false, "schedule": false },
        });
        post("/api/v2/accounts/1/jobs/", job).await;
        post("/api/v2/accounts/1/jobs/1/run/", json!({ "cause": "bench" })).await;
        post("/api/v2/accounts/1/runs/1/cancel/", json!({})).await;
        let grants = json!([{ "permission_set": "job_admin", "project_id": 1 }]);
        let token = json!({ "name": "bench", "permission_grants": grants });
        let token = post("/api/v3/accounts/1/service-tokens/", token).await;
        token["token_string"].as_str().unwrap().to_owned()
    }

    /// Copies the one run until there are that many, a second apart.
    async fn runs(&self, count: u32) {
        let mut options = ConnectOptions::new(format!("sqlite://{}?mode=rw", self.database()));
        options.max_connections(1).sqlx_logging(false);
        let db = Database::connect(options).await.unwrap();
        let names = "SELECT name FROM pragma_table_info('runs') WHERE name <> 'id'";
        let names =
            db.query_all_raw(Statement::from_string(DbBackend::Sqlite, names)).await.unwrap();
        let names: Vec<String> = names.iter().map(|row| row.try_get("", "name").unwrap()).collect();
        let values = names.iter().map(|name| match name.as_str() {
            "status" => "10".to_owned(),
            name if name.ends_with("_at") => {
                format!("runs.created_at + numbers.n * 1000000 AS {name}")
            }
            name => format!("runs.{name}"),
        });
        let (values, names) = (values.collect::<Vec<_>>().join(", "), names.join(", "));
        let insert = format!(
            "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {}) \
             INSERT INTO runs ({names}) SELECT {values} FROM runs, numbers WHERE runs.id = 1",
            count - 1,
        );
        db.execute_unprepared(&insert).await.unwrap();
        db.close().await.unwrap();
    }

    /// The data folder.
    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    /// Its database.
    pub(crate) fn database(&self) -> String {
        self.folder.path().join("narrowgate.db").display().to_string()
    }
}
