//! The example project, end to end: a run by every kind of trigger, on both warehouses. The API is
//! a real server's, the repository a bare one of git, dbt is the real one.

use std::{fs, path::Path, process::Command};

use reqwest::RequestBuilder;
use runner::{Runner, RunnerConfig};
use serde_json::{Value, json};
use testkit::{TestAccount, TestAnswer, TestApp, TestHook, TestProject};

use crate::{
    house::{eventually, git, real_dbt},
    postgres::{PASSWORD, Postgres, dbt_has_postgres, everywhere},
    shop::copy_folder,
};

/// What a pull request and a push brought, each taken back by a later commit: who builds it has
/// checked out the commit that was told, and not the newest of its branch.
struct Commits {
    proposed: String,
    pushed: String,
}

/// A bare repository of the example project.
fn bare_repository(folder: &Path) -> Commits {
    let work = folder.join("shop");
    copy_folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/shop"), &work);
    let commit = || {
        git(&work, &["add", "-A"]);
        git(&work, &["commit", "-q", "-m", "a commit"]);
        git(&work, &["rev-parse", "HEAD"])
    };
    let comes_and_goes = |model: &str, answer: u8| {
        let file = work.join(format!("models/staging/{model}.sql"));
        fs::write(&file, format!("select {answer} as answer")).unwrap();
        let told = commit();
        fs::remove_file(&file).unwrap();
        commit();
        told
    };
    git(&work, &["init", "-q", "-b", "main"]);
    commit();
    git(&work, &["checkout", "-q", "-b", "feature"]);
    let proposed = comes_and_goes("proposed", 42);
    git(&work, &["checkout", "-q", "main"]);
    let pushed = comes_and_goes("pushed", 43);
    git(folder, &["clone", "-q", "--bare", "shop", "shop.git"]);
    Commits { proposed, pushed }
}

/// A server and a runner on the shop, with a hook at its repository.
struct Shop {
    app: TestApp,
    acme: TestAccount,
    sales: TestProject,
    environment: i64,
    hook: TestHook,
    commits: Commits,
}

impl Shop {
    /// On a warehouse, by the bodies of its connection and, where it wants one, its credential.
    async fn on(connection: Value, credential: Option<Value>) -> Self {
        let app = TestApp::new().await;
        let commits = bare_repository(app.folder());
        let acme = app.account("acme").await;
        let sales = acme.project("sales").await;
        let post = async |path: String, body: Value| {
            let answer = acme.admin.post(&path, body).await;
            assert!(answer.status() < 300, "{path}: {}", answer.text());
            answer
        };
        let remote = format!("file://{}", app.folder().join("shop.git").display());
        let repository = json!({ "remote_url": remote });
        let repository = post(sales.v3("/repositories/"), repository).await.id();
        post(sales.v3("/"), json!({ "repository_id": repository })).await;
        let hook = sales.v3(&format!("/repositories/{repository}/webhook/"));
        let hook = TestHook::new(&app, &post(hook, json!({})).await.data());
        let connection = post(acme.v3("/connections/"), connection).await.id();
        let mut environment = json!({
            "name": "production", "type": "deployment", "connection_id": connection,
        });
        if let Some(credential) = credential {
            let credential = post(sales.v3("/credentials/"), credential).await.id();
            environment["credentials_id"] = json!(credential);
        }
        let environment = post(sales.v3("/environments/"), environment).await.id();
        Self { app, acme, sales, environment, hook, commits }
    }

    /// A job of one step; `more` goes over its body.
    async fn job(&self, step: &str, more: Value) -> i64 {
        let mut body = json!({
            "name": step, "project_id": self.sales.id.get(), "environment_id": self.environment,
            "execute_steps": [step],
        });
        for (key, value) in more.as_object().unwrap() {
            body[key] = value.clone();
        }
        let made = self.acme.admin.post(&self.acme.v2("/jobs/"), body).await;
        assert_eq!(made.status(), 201, "{}", made.text());
        made.id()
    }

    /// The run of a job, once it has ended well; it says what started it.
    async fn success(&self, job: i64, category: &str) -> Value {
        let path =
            format!("/runs/?job_definition_id={job}&include_related=['trigger','run_steps']");
        let path = self.acme.v2(&path);
        let run = eventually("the run ends", async || {
            let run = self.acme.admin.get(&path).await.data()[0].clone();
            (run["is_complete"] == true).then_some(run)
        })
        .await;
        assert_eq!(run["is_success"], true, "{run:#}");
        assert_eq!(run["trigger"]["cause_category"], category, "{run:#}");
        run
    }

    /// The name of the one relation that a run built.
    async fn relation(&self, run: &Value) -> String {
        let path = self.acme.v2(&format!("/runs/{}/artifacts/run_results.json", run["id"]));
        let results = self.acme.admin.get(&path).await.json();
        assert_eq!(results["results"].as_array().unwrap().len(), 1, "{results}");
        results["results"][0]["relation_name"].as_str().unwrap().replace('"', "")
    }

    /// Sends it; gives the job that it started.
    async fn started(&self, delivery: RequestBuilder) -> i64 {
        let answer = TestAnswer::of(delivery).await;
        assert_eq!(answer.status(), 202, "{}", answer.text());
        let told = answer.data();
        assert_eq!(told["started"].as_array().unwrap().len(), 1, "{told}");
        told["started"][0]["job_id"].as_i64().unwrap()
    }

    fn pull_request(&self) -> RequestBuilder {
        let body = json!({
            "action": "opened", "number": 7,
            "pull_request": {
                "number": 7, "draft": false,
                "head": { "ref": "feature", "sha": self.commits.proposed, "repo": { "id": 1 } },
                "base": { "ref": "main", "sha": self.commits.pushed, "repo": { "id": 1 } },
            },
            "repository": { "id": 1, "default_branch": "main" },
        });
        self.hook.github("pull_request", "1", &body.to_string())
    }

    fn push(&self) -> RequestBuilder {
        let body = json!({
            "object_kind": "push", "ref": "refs/heads/main", "after": self.commits.pushed,
            "project": { "default_branch": "main" },
        });
        let at = self.app.clock.now().micros() / 1_000_000;
        self.hook.gitlab("Push Hook", "1", &body.to_string(), at)
    }

    /// A run by every kind of trigger, each to success; gives the relations that the pull
    /// request's run and the push's built. `without` is what the warehouse cannot build.
    async fn by_every_trigger(&self, without: &str) -> [String; 2] {
        let config = RunnerConfig { dbt: real_dbt(), ..RunnerConfig::default() };
        let runner = Runner::start(self.app.store.clone(), config).await.unwrap();
        let build =
            format!("dbt build --exclude positive_column_agg_daily_revenue_revenue {without}");
        let nightly = self.job(build.trim_end(), json!({})).await;
        let condition = json!({ "condition": {
            "job_id": nightly, "project_id": self.sales.id.get(), "statuses": [10],
        } });
        let after = json!({ "job_completion_trigger_condition": condition });
        let after = self.job("dbt run --select stg_orders", after).await;
        let on = |trigger: &str| json!({ "triggers": { trigger: true } });
        let of_request = self.job("dbt run --select proposed", on("github_webhook")).await;
        let of_push = self.job("dbt run --select pushed", on("on_merge")).await;
        let hourly = self.job("dbt seed --select country_codes", on("schedule")).await;

        let path = self.acme.v2(&format!("/jobs/{nightly}/run/"));
        let asked = self.acme.admin.post(&path, json!({ "cause": "the first" })).await;
        assert_eq!(asked.status(), 200, "{}", asked.text());
        let by_api = self.success(nightly, "api").await;
        assert!(by_api["trigger"]["token_uid"].is_string(), "{by_api:#}");
        let by_completion = self.success(after, "job completion").await;
        assert_eq!(by_completion["trigger"]["job_completion_run_id"], by_api["id"]);

        self.app.clock.set(self.app.clock.now().plus_seconds(3_600));
        assert_eq!(self.started(self.pull_request()).await, of_request);
        assert_eq!(self.started(self.push()).await, of_push);
        self.success(hourly, "scheduled").await;
        let tried = self.success(of_request, "ci").await;
        let merged = self.success(of_push, "merge").await;

        assert_eq!(tried["git_sha"], self.commits.proposed);
        assert_eq!(merged["git_sha"], self.commits.pushed);
        let relations = [self.relation(&tried).await, self.relation(&merged).await];
        assert!(relations[0].contains(&format!(".dbt_cloud_pr_{of_request}_7_staging.")));
        runner.stop().await;
        let written = everywhere(self.app.store.data_dir().path());
        assert!(written.contains("Running with dbt="), "logs are among it");
        for secret in [self.acme.admin.secret(), &self.hook.secret, PASSWORD] {
            assert!(!written.contains(secret), "{secret}");
        }
        relations
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_shop_runs_on_duckdb_by_every_kind_of_trigger() {
    let connection = json!({
        "name": "c", "adapter_version": "duckdb_v0", "config": { "path": "shop.duckdb" },
    });
    let shop = Shop::on(connection, None).await;

    let [proposed, pushed] = shop.by_every_trigger("").await;

    let file = shop.app.store.data_dir().warehouses().join(shop.acme.id.to_string());
    let file = file.join("shop.duckdb");
    assert_eq!(pushed, "shop.main_staging.pushed");
    for (relation, answer) in [(proposed, "42"), (pushed, "43")] {
        let read = "import duckdb, sys; \
                    db = duckdb.connect(sys.argv[1], read_only=True); \
                    print(db.execute(sys.argv[2]).fetchone()[0])";
        let select = format!("select answer from {relation}");
        let python = real_dbt().with_file_name("python");
        let said = Command::new(python).args(["-c", read]).arg(&file).arg(&select).output();
        let said = said.unwrap();
        let text = String::from_utf8_lossy(&said.stdout);
        assert_eq!(text.trim(), answer, "{}", String::from_utf8_lossy(&said.stderr));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_shop_runs_on_postgresql_by_every_kind_of_trigger() {
    let Some(programs) = Postgres::programs().filter(|_| dbt_has_postgres()) else {
        println!("skipped: PostgreSQL or dbt-postgres is not installed");
        return;
    };
    let postgres = Postgres::start(programs);
    let connection = json!({
        "name": "c", "adapter_version": "postgres_v0",
        "config": { "hostname": "127.0.0.1", "dbname": "postgres", "port": postgres.port },
    });
    // The sources of the shop are where the seeds of the schema `main` are.
    let credential = json!({
        "type": "postgres", "default_schema": "main", "username": "ada", "password": PASSWORD,
        "target_name": "default", "threads": 4,
    });
    let shop = Shop::on(connection, Some(credential)).await;

    // Two models are written in DuckDB's own SQL.
    let relations = shop.by_every_trigger("time_spine_daily dim_customers.v2+").await;

    assert_eq!(relations[1], "postgres.main_staging.pushed");
    for (relation, answer) in relations.iter().zip(["42", "43"]) {
        assert_eq!(postgres.sql("postgres", &format!("select answer from {relation}")), answer);
    }
}
