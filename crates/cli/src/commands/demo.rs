//! `narrowgate demo`: what Narrowgate is for, over real HTTP, in a data folder of its own.

use std::{
    fs,
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use domain::{
    Name, Plan,
    secret::{TokenKind, TokenSecret},
    user::Email,
};
use rand::{rand_core::UnwrapErr, rngs::SysRng};
use runner::{Runner, RunnerConfig};
use serde_json::{Value, json};
use server::{Server, ServerConfig};
use store::{Clock, DataDir, NewAccount, Store};
use wire::client::{Client, ClientError};

use super::{
    follow::follow,
    init::sign_in_link,
    open_with,
    run::{Run, tell},
    serve::{asked_to_stop, find_program},
};
use crate::{args::DemoArgs, error::CliError, output};

pub(super) async fn run(args: DemoArgs) -> Result<ExitCode, CliError> {
    find_program(&args.dbt)?;
    let dir = DataDir::new(&args.data_dir);
    let store = open_with(&dir, &dir.keyring(), Clock::System).await?;
    store.lock_for_serving()?;
    let listen = ServerConfig::on(args.listen);
    let server = Server::bind(store.clone(), listen).await?;
    let config = RunnerConfig { dbt: args.dbt.clone(), ..RunnerConfig::default() };
    let runner = Runner::start(store.clone(), config).await?;
    let url = server.public_url().to_owned();
    let stop = asked_to_stop()?;
    let (tell_server, told) = tokio::sync::oneshot::channel::<()>();
    let serving = tokio::spawn(server.run(async {
        let _ = told.await;
    }));
    tokio::pin!(stop);
    let shown = tokio::select! {
        shown = show(&args, &store, &url) => shown,
        () = &mut stop => Err(CliError::Other("stopped before the demo's end".to_owned())),
    };
    if shown.is_ok() && !args.exit {
        output::line("serving on; end with Ctrl-C");
        stop.await;
    }
    let _ = tell_server.send(());
    serving.await.map_err(CliError::other)??;
    runner.stop().await;
    store.close().await?;
    shown?;
    output::line("narrowgate demo: ended well");
    Ok(ExitCode::SUCCESS)
}

/// Everything that the demo shows.
async fn show(args: &DemoArgs, store: &Store, url: &str) -> Result<(), CliError> {
    let stage = Stage::set(args, store, url).await?;
    let tokens = stage.tokens().await?;
    let run = stage.who_may_start_the_job(&tokens).await?;
    let good = stage.watch(run, "the job that succeeds").await?;
    let failing = stage.admin_starts(stage.failing_job).await?;
    let bad = stage.watch(failing, "the job that shows a failing test").await?;
    if !good.is_success || bad.is_success {
        return Err(CliError::Other("the runs did not end as they should".to_owned()));
    }
    stage.addresses(&tokens)
}

/// What the demo plays on.
struct Stage {
    client: Client,
    url: String,
    account: i64,
    sign_in_link: String,
    project: i64,
    other_project: i64,
    good_job: i64,
    failing_job: i64,
    folder: PathBuf,
}

/// A token of the demo.
struct Token {
    name: &'static str,
    secret: TokenSecret,
}

impl Stage {
    /// Makes account, project, environment and jobs; a line for each.
    async fn set(args: &DemoArgs, store: &Store, url: &str) -> Result<Self, CliError> {
        let secret = TokenSecret::mint(TokenKind::Personal, &mut UnwrapErr(SysRng));
        let new = NewAccount {
            name: Name::parse("Acme").map_err(CliError::other)?,
            plan: Plan::Enterprise,
            admin_email: Email::parse("ada@example.com").map_err(CliError::other)?,
        };
        let made = store.create_account(new, &secret).await?;
        let account = made.account.id.get();
        let (sign_in_link, _) =
            sign_in_link(store, made.account.id, &made.admin.email, url).await?;
        let client = Client::new(url, secret)?;
        step(format!("account {account} `Acme`, with its first admin ada@example.com"));

        let repository = git_repository(&args.example, &args.data_dir, account)?;
        let v3 = format!("/api/v3/accounts/{account}");
        let project = id(&client, &format!("{v3}/projects/"), &json!({ "name": "shop" })).await?;
        let other = json!({ "name": "another project" });
        let other_project = id(&client, &format!("{v3}/projects/"), &other).await?;
        let of_project = format!("{v3}/projects/{project}");
        let remote = json!({ "remote_url": repository.display().to_string() });
        let remote = id(&client, &format!("{of_project}/repositories/"), &remote).await?;
        let connection = json!({
            "name": "shop warehouse", "adapter_version": "duckdb_v0",
            "config": { "path": "shop.duckdb" },
        });
        let connection = id(&client, &format!("{v3}/connections/"), &connection).await?;
        let link = json!({ "repository_id": remote, "connection_id": connection });
        id(&client, &format!("{of_project}/"), &link).await?;
        step(format!("project {project} `shop`, cloned from {}", repository.display()));

        let environment = json!({
            "name": "Production", "type": "deployment", "deployment_type": "production",
            "connection_id": connection,
        });
        let environment = id(&client, &format!("{of_project}/environments/"), &environment).await?;
        step(format!("environment {environment} `Production`, on DuckDB"));

        let jobs = format!("/api/v2/accounts/{account}/jobs/");
        let job = |name: &str, steps: &[&str]| {
            json!({
                "name": name, "project_id": project, "environment_id": environment,
                "execute_steps": steps, "generate_docs": false, "settings": {
                    "threads": 2, "target_name": "default",
                },
            })
        };
        // The example has one test that fails, on purpose.
        let failing_test = "positive_column_agg_daily_revenue_revenue";
        let build = format!("dbt build --exclude {failing_test}");
        let nightly = job("nightly", &["dbt seed", &build]);
        let good_job = id(&client, &jobs, &nightly).await?;
        let strict = job("strict", &["dbt seed", "dbt build"]);
        let failing_job = id(&client, &jobs, &strict).await?;
        step(format!("jobs {good_job} `nightly` and {failing_job} `strict` (one test fails)"));
        let (url, folder) = (url.to_owned(), args.data_dir.clone());
        Ok(Self {
            client,
            url,
            account,
            sign_in_link,
            project,
            other_project,
            good_job,
            failing_job,
            folder,
        })
    }

    async fn tokens(&self) -> Result<Vec<Token>, CliError> {
        let (here, there) = (Some(self.project), Some(self.other_project));
        let wanted = [
            ("Job Admin on shop", "job_admin", here),
            ("Job Viewer on shop", "job_viewer", here),
            ("Metadata Only on shop", "metadata_only", here),
            ("Billing Admin", "billing_admin", None),
            ("Job Admin on another project", "job_admin", there),
        ];
        let path = format!("/api/v3/accounts/{}/service-tokens/", self.account);
        let mut tokens = Vec::new();
        for (name, set, project) in wanted {
            let grant = json!({
                "permission_set": set, "project_id": project, "all_projects": project.is_none(),
            });
            let body = json!({ "name": name, "permission_grants": [grant] });
            let made: Value = self.client.post(&path, &body).await?;
            let text = made.get("token_string").and_then(Value::as_str).unwrap_or_default();
            let secret = TokenSecret::parse(text).map_err(CliError::other)?;
            tokens.push(Token { name, secret });
        }
        step(format!("{} service tokens", tokens.len()));
        Ok(tokens)
    }

    /// Lets each token try to start the job; gives the run of the one that may.
    async fn who_may_start_the_job(&self, tokens: &[Token]) -> Result<i64, CliError> {
        let (mut rows, mut started) = (Vec::new(), None);
        for token in tokens {
            let client = self.client.presenting(token.secret.clone());
            let (status, reason) = match self.start(&client, self.good_job).await {
                Ok(run) => {
                    started = Some(run.id);
                    ("200".to_owned(), format!("run {} is queued", run.id))
                }
                Err(ClientError::Refused(refusal)) => {
                    let said = refusal.status.developer_message.clone();
                    let said = said.filter(|text| !text.is_empty());
                    let said = said.unwrap_or_else(|| refusal.status.user_message.clone());
                    (refusal.status.code.to_string(), said)
                }
                Err(error) => return Err(error.into()),
            };
            rows.push([token.name.to_owned(), status, reason]);
        }
        output::line("\nWho may start job `nightly`?");
        output::table(["token", "status", "answer"], rows);
        started.ok_or_else(|| CliError::Other("no token could start the job".to_owned()))
    }

    async fn admin_starts(&self, job: i64) -> Result<i64, CliError> {
        Ok(self.start(&self.client, job).await?.id)
    }

    async fn start(&self, client: &Client, job: i64) -> Result<Run, ClientError> {
        let path = format!("/api/v2/accounts/{}/jobs/{job}/run/", self.account);
        client.post(&path, &json!({ "cause": "narrowgate demo" })).await
    }

    /// Shows a run's log as it comes.
    async fn watch(&self, run: i64, what: &str) -> Result<Run, CliError> {
        output::line(format!("\nRun {run}, {what}:"));
        let path = format!("/api/v2/accounts/{}/runs/{run}/", self.account);
        let run = follow(&self.client, &path).await?;
        tell(&run);
        Ok(run)
    }

    /// Where to go from here. The Job Admin token is in a file that only its owner reads.
    fn addresses(&self, tokens: &[Token]) -> Result<(), CliError> {
        let file = self.folder.join("job-admin.token");
        if let Some(token) = tokens.first() {
            let opened = fs::OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&file);
            opened
                .and_then(|mut opened| opened.write_all(token.secret.reveal().as_bytes()))
                .map_err(|error| CliError::Other(format!("{}: {error}", file.display())))?;
        }
        let (url, account, job) = (&self.url, self.account, self.good_job);
        output::line("\nConsole, as ada@example.com (the link is good once):");
        output::line(format!("  {}", self.sign_in_link));
        output::line(format!("\nAdmin API: {url}/api/v2/ and {url}/api/v3/"));
        output::line(format!("OpenAPI:   {url}/api/openapi.json"));
        output::line("Start the job once more, as Job Admin:");
        output::line(format!(
            "  curl -X POST -H \"Authorization: Bearer $(cat {})\" -H 'Content-Type: application/json' \
             -d '{{\"cause\":\"by hand\"}}' {url}/api/v2/accounts/{account}/jobs/{job}/run/",
            file.display()
        ));
        Ok(())
    }
}

fn step(text: impl std::fmt::Display) {
    output::line(format!("✓ {text}"));
}

/// The id of what a POST made or changed.
async fn id(client: &Client, path: &str, body: &Value) -> Result<i64, CliError> {
    let made: Value = client.post(path, body).await?;
    let id = made.get("id").and_then(Value::as_i64);
    id.ok_or_else(|| CliError::Other(format!("POST {path} gave no id")))
}

/// A git repository out of the example's files, in the demo's folder.
fn git_repository(example: &Path, data: &Path, account: i64) -> Result<PathBuf, CliError> {
    if !example.join("dbt_project.yml").is_file() {
        let example = example.display();
        let hint = "run this in the repository's root, or name a dbt project with --example";
        return Err(CliError::Other(format!("`{example}` is no dbt project: {hint}")));
    }
    let data = fs::canonicalize(data).map_err(CliError::other)?;
    let folder = data.join(format!("shop-{account}"));
    copy(example, &folder)
        .map_err(|error| CliError::Other(format!("{}: {error}", folder.display())))?;
    for arguments in [
        &["init", "--quiet", "--initial-branch=main"][..],
        &["add", "--all"],
        &[
            "-c",
            "user.name=Narrowgate demo",
            "-c",
            "user.email=demo@example.com",
            "-c",
            "commit.gpgsign=false",
            "commit",
            "--quiet",
            "--message=The shop",
        ],
    ] {
        let done = Command::new("git").current_dir(&folder).args(arguments).output();
        let done =
            done.map_err(|error| CliError::Other(format!("git cannot be started: {error}")))?;
        if !done.status.success() {
            let said = String::from_utf8_lossy(&done.stderr).into_owned();
            return Err(CliError::Other(format!("git: {said}")));
        }
    }
    Ok(folder)
}

fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
