//! Repositories that want a token: where it is while git gets in with it, and what is said where it does
//! not let git in.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use domain::{
    kept::Hidden,
    repository::{RepositorySpec, TokenChange},
    run::{RunStatus, Trigger},
};
use insta::assert_snapshot;
use store::StoreError;

use crate::{
    checkout::Serving,
    house::{House, Place, git, nowhere},
};

const TOKEN: &str = "glpat-N0t:In/Any@Place%";

/// Serves the folder over HTTP to `x-access-token` with a token; gives the server, and its address.
fn serve(folder: &Path, token: &str) -> (Serving, String) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/git_http.py");
    let mut http = Command::new("python3");
    // Not in its arguments: the test looks for it in those of all processes.
    http.arg(script).arg(folder).env("GIT_HTTP_LOGIN", format!("x-access-token:{token}"));
    let mut http = http.stdout(Stdio::piped()).process_group(0).spawn().unwrap();
    let mut port = String::new();
    BufReader::new(http.stdout.take().unwrap()).read_line(&mut port).unwrap();
    (Serving(http), format!("http://127.0.0.1:{}", port.trim()))
}

async fn place(house: &House, remote: &str, token: Option<&str>) -> Place {
    let connection = house.connection(nowhere()).await;
    let login = domain::warehouse_credential::Login::Postgres { username: "ada".to_owned() };
    let place =
        house.place_with(remote, Some(connection), Some((login, "hunter2")), |_, _| {}).await;
    if let Some(token) = token {
        let project = house.store.project(&house.permit(), place.project).await.unwrap();
        let token = TokenChange::Set(Hidden::new(token.to_owned()));
        let same = Ok::<RepositorySpec, StoreError>;
        let id = project.spec.repository.unwrap();
        house.store.update_repository(&house.permit(), id, token, same).await.unwrap();
    }
    place
}

/// Looks at the arguments and environments of all processes again and again, and keeps those that have a
/// text, but for the server that asks for it.
struct Watch {
    over: Arc<AtomicBool>,
    found: Arc<Mutex<Vec<String>>>,
    thread: std::thread::JoinHandle<usize>,
}

impl Watch {
    fn begin(text: &'static str) -> Self {
        let (over, found) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::new())));
        let (ends, keeps) = (Arc::clone(&over), Arc::clone(&found));
        let thread = std::thread::spawn(move || {
            let mut looked = 0;
            while !ends.load(Ordering::Relaxed) {
                for entry in fs::read_dir("/proc").unwrap().flatten() {
                    for file in ["cmdline", "environ"] {
                        let bytes = fs::read(entry.path().join(file)).unwrap_or_default();
                        let told = String::from_utf8_lossy(&bytes).replace('\0', " ");
                        looked += usize::from(told.contains("fetch"));
                        if told.contains(text) && !told.contains("GIT_HTTP_LOGIN=") {
                            keeps.lock().unwrap().push(told);
                        }
                    }
                }
            }
            looked
        });
        Self { over, found, thread }
    }

    fn end(self) -> (usize, Vec<String>) {
        self.over.store(true, Ordering::Relaxed);
        let looked = self.thread.join().unwrap();
        (looked, self.found.lock().unwrap().clone())
    }
}

/// The files of a folder that hold any of these texts.
fn holding(folder: &Path, texts: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().flatten() {
        if entry.path().is_dir() {
            found.extend(holding(&entry.path(), texts));
        } else {
            let bytes = fs::read(entry.path()).unwrap_or_default();
            let holds = |text: &&str| bytes.windows(text.len()).any(|part| part == text.as_bytes());
            found.extend(texts.iter().any(holds).then(|| entry.path().display().to_string()));
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn git_gets_in_with_the_token_which_is_in_no_argument_environment_log_or_file() {
    let house = House::new().await;
    let code = house.repository("code", &[("dbt_project.yml", "name: scripted")]);
    let (_server, url) = serve(Path::new(&code).parent().unwrap(), TOKEN);
    let place = place(&house, &format!("{url}/code/.git"), Some(TOKEN)).await;
    let job = house.job(place, &["dbt run"]).await;
    // What the server's user has for other repositories, which is to hear nothing of this one.
    let nosy = house.program("nosy", "cat >> \"$HERE/heard\"; echo $1 >> \"$HERE/heard\"");
    let nosy = nosy.display();
    let helper = format!(
        "[credential]\n\thelper = {nosy}\n[credential \"{url}\"]\n\thelper = {nosy}\n\
         [credential \"{url}/code/.git\"]\n\thelper = {nosy}\n\tuseHttpPath = true\n"
    );
    fs::write(house.path("settings"), helper).unwrap();
    let git_program = house.program(
        "git-with-settings",
        "printf '[include]\\n\\tpath = %s\\n' \"$HERE/settings\" > \"$HERE/all\"\n\
         cat \"$GIT_CONFIG_GLOBAL\" >> \"$HERE/all\"; export GIT_CONFIG_GLOBAL=\"$HERE/all\"\n\
         stat -c '%a' \"$TMPDIR/../git_token\" >> \"$HERE/modes\"; git \"$@\"; end=$?\n\
         sleep 0.05; exit $end",
    );
    let script = "env; ls -laR \"$HOME/..\"; cat \"$HOME/../gitconfig\"; true";
    let runner = house.runner_with(house.script(script), git_program).await;
    let watch = Watch::begin(TOKEN);
    let run = house.trigger(job).await;
    let ended = house.ended(run).await;
    let (looked, found) = watch.end();

    let log = house.logs(run).await;
    assert_eq!(ended.state.status(), RunStatus::SUCCESS, "{log}");
    assert!(looked > 0, "no fetch was seen");
    assert_eq!(found, Vec::<String>::new());
    assert!(!log.contains(TOKEN) && !log.contains("N0t") && !log.contains("git_token\n"), "{log}");
    assert!(!house.path("heard").exists(), "another helper was asked or told");
    let modes = fs::read_to_string(house.path("modes")).unwrap();
    assert!(modes.lines().count() > 2 && modes.lines().all(|mode| mode == "600"), "{modes}");
    house.store.close().await.unwrap();
    assert_eq!(holding(&house.path(""), &[TOKEN, "N0t%3a", "N0t:In"]), Vec::<String>::new());
    runner.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_does_not_let_git_in_ends_the_run_with_what_can_be_done() {
    let house = House::new().await;
    let code = house.repository("code", &[("dbt_project.yml", "name: scripted")]);
    let (_server, url) = serve(Path::new(&code).parent().unwrap(), TOKEN);
    let remote = format!("{url}/code/.git");
    let sha = git(Path::new(&code), &["rev-parse", "HEAD"]);
    let runner = house.runner(house.script("true")).await;
    let told = async |token: Option<&str>, by_sha: bool| {
        let place = place(&house, &remote, token).await;
        let job = house.job(place, &["dbt run"]).await;
        let sha = domain::environment::BranchName::parse(&sha).unwrap();
        let edit = |trigger: &mut Trigger| trigger.git_sha = by_sha.then_some(sha);
        let run = house.trigger_with(job, edit).await;
        let message = house.ended(run).await.message;
        message.replace(&remote, "REMOTE")
    };
    assert_snapshot!(told(Some("wrong"), false).await, @"step 1, Clone git repository, failed: `REMOTE` does not let git in with the repository's token: it is wrong, has run out, or may not read there; set another (`git_token`)");
    assert_snapshot!(told(Some("wrong"), true).await, @"step 1, Clone git repository, failed: `REMOTE` does not let git in with the repository's token: it is wrong, has run out, or may not read there; set another (`git_token`)");
    assert_snapshot!(told(None, false).await, @"step 1, Clone git repository, failed: `REMOTE` does not let git in without a login: give the repository a token (`git_token`)");
    runner.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_git_is_led_to_is_not_given_the_token() {
    let house = House::new().await;
    let code = house.repository("code", &[("dbt_project.yml", "name: scripted")]);
    let (_server, url) = serve(Path::new(&code).parent().unwrap(), TOKEN);
    // Leads everybody to the other name of this machine, which asks for a login.
    let elsewhere = url.replace("127.0.0.1", "localhost");
    let leads = house.program(
        "leads.py",
        &format!(
            "exec python3 -c '\n\
             import http.server\n\
             class Leads(http.server.BaseHTTPRequestHandler):\n\
             \x20   def do_GET(self):\n\
             \x20       self.send_response(301)\n\
             \x20       self.send_header(\"Location\", \"{elsewhere}\" + self.path)\n\
             \x20       self.end_headers()\n\
             \x20   def log_message(self, *_):\n\
             \x20       pass\n\
             server = http.server.HTTPServer((\"127.0.0.1\", 0), Leads)\n\
             print(server.server_port, flush=True)\n\
             server.serve_forever()'"
        ),
    );
    let mut leads = Command::new(leads).stdout(Stdio::piped()).process_group(0).spawn().unwrap();
    let mut port = String::new();
    BufReader::new(leads.stdout.take().unwrap()).read_line(&mut port).unwrap();
    let _leads = Serving(leads);
    let remote = format!("http://127.0.0.1:{}/code/.git", port.trim());
    let place = place(&house, &remote, Some(TOKEN)).await;
    let job = house.job(place, &["dbt run"]).await;
    let runner = house.runner(house.script("true")).await;
    let run = house.trigger(job).await;
    let ended = house.ended(run).await;
    assert!(ended.message.contains("does not let git in"), "{}", ended.message);
    let log = house.log(run, 1).await;
    assert!(log.contains("could not read Username for 'http://localhost"), "{log}");
    runner.stop().await;
}
