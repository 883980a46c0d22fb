//! What a test needs around a run: a store, a project with a repository, a dbt.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::Duration,
};

use domain::{
    AccountId, ConnectionId, CredentialId, EnvironmentId, JobId, Name, Plan, ProjectId, RunId,
    adapter::FieldSecrets,
    authz::{
        AccessMarker, Caller, KindMarker, Origin, Permit, Read, Runs, SystemTask, Write, authorize,
    },
    connection::{ConnectionSpec, DuckDbPath, Platform},
    environment::EnvironmentSpec,
    environment_variable::{self, EnvironmentVariable, VariableName},
    job::{DbtCommand, JobSpec},
    kept::Hidden,
    project::ProjectSpec,
    repository::{RemoteUrl, RepositorySpec, TokenChange},
    run::{Run, RunStep, Trigger},
    secret::{TokenKind, TokenSecret},
    user::Email,
    warehouse_credential::{CredentialSpec, Login, WarehouseSecret},
};
use rand::{rand_core::UnwrapErr, rngs::SysRng};
use runner::{Runner, RunnerConfig};
use store::{AccountChange, Clock, DataDir, DebugLog, Keyring, NewAccount, Store};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

/// How long a run of a test may take on a busy machine.
const PATIENCE: Duration = Duration::from_mins(4);

/// A store with one account, whose admin acts in the tests.
pub(crate) struct House {
    pub(crate) store: Store,
    pub(crate) account: AccountId,
    caller: Arc<Caller>,
    folder: TempDir,
}

/// A project with an environment in which jobs can run.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    pub(crate) project: ProjectId,
    pub(crate) environment: EnvironmentId,
}

impl House {
    pub(crate) async fn new() -> Self {
        Self::by(Clock::System).await
    }

    /// A house that goes by this clock.
    pub(crate) async fn by(clock: Clock) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let dir = DataDir::new(folder.path().join("data"));
        fs::create_dir(dir.path()).unwrap();
        let keyring = Keyring::load_or_create(&dir.keyring()).unwrap();
        let store = Store::open(&dir, keyring, clock).await.unwrap();
        let secret = TokenSecret::mint(TokenKind::Personal, &mut UnwrapErr(SysRng));
        let new = NewAccount {
            name: Name::parse("Acme").unwrap(),
            plan: Plan::Enterprise,
            admin_email: Email::parse("ada@example.com").unwrap(),
        };
        let account = store.create_account(new, &secret).await.unwrap().account.id;
        let admin = store.authenticate(&secret).await.unwrap().unwrap();
        let caller = Arc::new(Caller::new(admin, Origin::local()));
        Self { store, account, caller, folder }
    }

    /// A folder for the test's own files.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn permit<A: AccessMarker, K: KindMarker>(&self) -> Permit<A, K> {
        authorize(&self.caller, self.account).unwrap()
    }

    /// A project whose code is at `remote`, and an environment on a DuckDB file of its own.
    pub(crate) async fn place(&self, remote: &str) -> Place {
        let connection = Some(self.duckdb().await);
        self.place_with(remote, connection, None, |_, _| {}).await
    }

    /// A connection to the DuckDB file `shop.duckdb`.
    pub(crate) async fn duckdb(&self) -> ConnectionId {
        let path = DuckDbPath::parse("shop.duckdb").unwrap();
        self.connection(Platform::DuckDb { path }).await
    }

    /// The same with everything to choose.
    pub(crate) async fn place_with(
        &self,
        remote: &str,
        connection: Option<ConnectionId>,
        login: Option<(Login, &str)>,
        edit: impl FnOnce(&mut ProjectSpec, &mut EnvironmentSpec),
    ) -> Place {
        let name = Name::parse("Shop").unwrap();
        let mut project_spec = ProjectSpec::named(name);
        let mut spec = EnvironmentSpec::named(Name::parse("Production").unwrap());
        edit(&mut project_spec, &mut spec);
        let store = &self.store;
        let project = store.create_project(&self.permit(), project_spec).await.unwrap().id;
        let repository = RepositorySpec {
            remote: RemoteUrl::parse(remote).unwrap(),
            clone_strategy: "deploy_key".to_owned(),
            remote_backend: "manual_config".to_owned(),
        };
        let repository =
            store.create_repository(&self.permit(), project, repository, TokenChange::Keep).await;
        let repository = repository.unwrap().id;
        let permit = self.permit();
        let linked = store.update_project(&permit, project, |spec| {
            Ok::<_, store::StoreError>(ProjectSpec { repository: Some(repository), ..spec })
        });
        linked.await.unwrap();
        spec.connection = connection;
        spec.credential = match login {
            Some((login, password)) => Some(self.credential(project, login, password).await),
            None => None,
        };
        let environment = store.create_environment(&self.permit(), project, spec).await.unwrap().id;
        Place { project, environment }
    }

    pub(crate) async fn connection(&self, platform: Platform) -> ConnectionId {
        let spec = ConnectionSpec::named(Name::parse("Warehouse").unwrap(), platform);
        self.store
            .create_connection(&self.permit(), spec, FieldSecrets::default())
            .await
            .unwrap()
            .id
    }

    async fn credential(&self, project: ProjectId, login: Login, password: &str) -> CredentialId {
        let spec = CredentialSpec {
            login,
            schema: "analytics".to_owned(),
            target_name: "default".to_owned(),
            threads: 4,
            adapter_id: None,
        };
        let secret = Some(WarehouseSecret::new(password.to_owned()));
        let permit = self.permit();
        let made = self.store.create_warehouse_credential(&permit, project, secret, spec);
        made.await.unwrap().id
    }

    /// An environment variable's value in one place.
    pub(crate) async fn variable(
        &self,
        project: ProjectId,
        name: &str,
        place: environment_variable::Place,
        value: &str,
    ) {
        let name = VariableName::parse(name).unwrap();
        let value = Hidden::new(value.to_owned());
        let (spec, secret) = EnvironmentVariable::new(name, place, value).unwrap();
        self.store.keep(&self.permit(), Some(project), spec, secret).await.unwrap();
    }

    /// A place that dbt itself never sees: for tests whose `dbt` is a script, and which are not to
    /// wait for each other's DuckDB file.
    pub(crate) async fn scripted_place(&self) -> Place {
        let remote = self.repository("scripted", &[("dbt_project.yml", "name: scripted")]);
        let connection = self.connection(nowhere()).await;
        let login = Login::Postgres { username: "ada".to_owned() };
        self.place_with(&remote, Some(connection), Some((login, "hunter2")), |_, _| {}).await
    }

    /// A git repository with these files in one commit on `main`; gives its path.
    pub(crate) fn repository(&self, name: &str, files: &[(&str, &str)]) -> String {
        let folder = self.path(name);
        fs::create_dir_all(&folder).unwrap();
        git(&folder, &["init", "-q", "-b", "main"]);
        self.commit(name, files);
        folder.to_str().unwrap().to_owned()
    }

    /// One more commit in it; gives its id.
    pub(crate) fn commit(&self, name: &str, files: &[(&str, &str)]) -> String {
        let folder = self.path(name);
        for (path, text) in files {
            let file = folder.join(path);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        }
        git(&folder, &["add", "-A"]);
        git(&folder, &["commit", "-q", "--allow-empty", "-m", "a commit"]);
        git(&folder, &["rev-parse", "HEAD"])
    }

    /// A program to be used as `dbt`. `$1` is dbt's command; `deps` does nothing. `$HERE` is the
    /// folder of the test's own files.
    pub(crate) fn script(&self, body: &str) -> PathBuf {
        self.program("dbt", &format!("[ \"$1\" = deps ] && exit 0\n{body}"))
    }

    /// A program of this name.
    pub(crate) fn program(&self, name: &str, body: &str) -> PathBuf {
        let file = self.path(name);
        let here = self.folder.path().display();
        let text = format!("#!/bin/bash\nHERE='{here}'\n{body}\n");
        fs::write(&file, text).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        file
    }

    pub(crate) async fn runner(&self, dbt: PathBuf) -> Runner {
        self.runner_by(RunnerConfig { dbt, ..RunnerConfig::default() }).await
    }

    /// The same with everything to choose.
    pub(crate) async fn runner_by(&self, config: RunnerConfig) -> Runner {
        Runner::start(self.store.clone(), config).await.unwrap()
    }

    /// The same with a `git` of the test's own.
    pub(crate) async fn runner_with(&self, dbt: PathBuf, git: PathBuf) -> Runner {
        self.runner_by(RunnerConfig { dbt, git, ..RunnerConfig::default() }).await
    }

    /// What a runner shows the store.
    pub(crate) async fn runners_permit(&self) -> Permit<Write, Runs> {
        let principals = self.store.system_principals(SystemTask::Runner).await.unwrap();
        let caller = Caller::new(Arc::clone(&principals[0]), Origin::local()).into();
        authorize(&caller, self.account).unwrap()
    }

    pub(crate) async fn job(&self, place: Place, steps: &[&str]) -> JobId {
        self.job_with(place, steps, |_| {}).await
    }

    pub(crate) async fn job_with(
        &self,
        place: Place,
        steps: &[&str],
        edit: impl FnOnce(&mut JobSpec),
    ) -> JobId {
        let name = Name::parse("nightly").unwrap();
        let mut spec = JobSpec::named(place.project, place.environment, name);
        spec.execute_steps = steps.iter().map(|step| DbtCommand::parse(step).unwrap()).collect();
        edit(&mut spec);
        self.store.create_job(&self.permit(), spec).await.unwrap().id
    }

    pub(crate) async fn trigger(&self, job: JobId) -> RunId {
        self.trigger_with(job, |_| {}).await
    }

    pub(crate) async fn trigger_with(&self, job: JobId, edit: impl FnOnce(&mut Trigger)) -> RunId {
        let permit: Permit<Write, Runs> = self.permit();
        let mut trigger = Trigger::plain(permit.author(), "a test".to_owned());
        edit(&mut trigger);
        self.store.trigger_run(&permit, job, trigger).await.unwrap().id
    }

    pub(crate) async fn run(&self, run: RunId) -> Run {
        self.store.run(&self.permit(), run).await.unwrap()
    }

    /// Waits for the run's end; gives it.
    pub(crate) async fn ended(&self, run: RunId) -> Run {
        eventually("the run ends", async || {
            let run = self.run(run).await;
            run.state.is_finished().then_some(run)
        })
        .await
    }

    pub(crate) async fn steps(&self, run: RunId) -> Vec<RunStep> {
        self.store.run_steps(&self.permit(), &[run]).await.unwrap()
    }

    /// Each step's name and how it stands, one a line.
    pub(crate) async fn story(&self, run: RunId) -> String {
        let steps = self.steps(run).await;
        let line = |step: &RunStep| format!("{}: {}", step.name, step.state.status().1);
        steps.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    /// A step's log; empty if it has none yet.
    pub(crate) async fn log(&self, run: RunId, index: u32) -> String {
        let permit: Permit<Read, Runs> = self.permit();
        let steps = self.store.run_steps(&permit, &[run]).await.unwrap();
        let Some(step) = steps.iter().find(|step| step.index == index) else {
            return String::new();
        };
        let mut logs = self.store.step_logs(&permit, &[step.id]).await.unwrap();
        logs.remove(&step.id).unwrap_or_default()
    }

    /// dbt's own log of a step; empty if it has none.
    pub(crate) async fn debug_log(&self, run: RunId, index: u32) -> String {
        let steps = self.steps(run).await;
        let step = steps.iter().find(|step| step.index == index).unwrap().id;
        let logs = self.store.debug_logs(&self.permit(), &[step], DebugLog::Whole).await;
        logs.unwrap().remove(&step).unwrap_or_default()
    }

    /// The logs of all steps of a run.
    pub(crate) async fn logs(&self, run: RunId) -> String {
        let mut text = String::new();
        for step in self.steps(run).await {
            text.push_str(&self.log(run, step.index).await);
        }
        text
    }

    pub(crate) async fn set_run_slots(&self, slots: u32) {
        let change = AccountChange { run_slots: Some(slots), ..AccountChange::default() };
        self.store.update_account(&self.permit(), change).await.unwrap();
    }

    /// What is in the folder of working copies.
    pub(crate) fn working_copies(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.store.data_dir().work()).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    }
}

/// A PostgreSQL address at which nobody is.
pub(crate) fn nowhere() -> Platform {
    let (hostname, dbname) = ("127.0.0.1".to_owned(), "none".to_owned());
    Platform::Postgres { hostname, dbname, port: 1, retries: None }
}

/// The dbt that `scripts/test` installs.
pub(crate) fn real_dbt() -> PathBuf {
    let named = std::env::var_os("NARROWGATE_TEST_DBT").map(PathBuf::from);
    let dbt = named.unwrap_or_else(|| {
        let home = PathBuf::from(std::env::var_os("HOME").unwrap());
        home.join(".cache/narrowgate/dbt-venv/bin/dbt")
    });
    assert!(dbt.exists(), "{} is not there: scripts/test installs it", dbt.display());
    dbt
}

/// Runs git in a folder; gives what it says.
pub(crate) fn git(folder: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new("git");
    command.args(["-c", "user.name=Ada", "-c", "user.email=ada@example.com"]);
    command.args(["-c", "commit.gpgsign=false"]).args(arguments).current_dir(folder);
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "git {arguments:?}: {said}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Asks again and again until there is an answer.
pub(crate) async fn eventually<T>(what: &str, ask: impl AsyncFn() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < end, "not in {PATIENCE:?}: {what}");
        sleep(Duration::from_millis(50)).await;
    }
}

/// Whether a process with this id is alive; one that only waits to be reaped is not.
pub(crate) fn is_alive(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
    state.is_some_and(|state| state != 'Z' && state != 'X')
}
