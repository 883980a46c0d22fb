//! What is checked out, and what is said when it cannot be.

use std::{
    io::{BufRead as _, BufReader},
    net::{TcpListener, TcpStream},
    os::unix::{fs::chown, process::CommandExt as _},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use domain::{
    environment::BranchName,
    project::{ProjectSpec, Subdirectory},
    repository::RepositoryName,
    run::{Outcome, Run, Trigger},
};
use insta::assert_snapshot;

use crate::house::{House, git};

const PROJECT: (&str, &str) = ("dbt_project.yml", "name: scripted");

fn name(text: &str) -> BranchName {
    BranchName::parse(text).unwrap()
}

/// A repository with two commits on `main`, one more on `dev`; gives the first two.
fn repository(house: &House) -> (String, [String; 2]) {
    let remote = house.repository("code", &[PROJECT, ("which.txt", "first")]);
    let first = git(Path::new(&remote), &["rev-parse", "HEAD"]);
    let second = house.commit("code", &[("which.txt", "second")]);
    git(Path::new(&remote), &["checkout", "-q", "-b", "dev"]);
    house.commit("code", &[("which.txt", "dev")]);
    git(Path::new(&remote), &["checkout", "-q", "main"]);
    (remote, [first, second])
}

/// Runs a job whose dbt prints `which.txt`; gives its end and what was printed.
async fn which(
    house: &House,
    remote: &str,
    branch: Option<&str>,
    edit: impl FnOnce(&mut Trigger),
) -> (Run, String) {
    let connection = Some(house.duckdb().await);
    let place = house
        .place_with(remote, connection, None, |_, environment| {
            environment.use_custom_branch = branch.is_some();
            environment.custom_branch = branch.map(name);
        })
        .await;
    let job = house.job(place, &["dbt run"]).await;
    let runner = house.runner(house.script("cat which.txt")).await;
    let run = house.trigger_with(job, edit).await;
    let ended = house.ended(run).await;
    runner.stop().await;
    (ended, house.log(run, 4).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_commit_of_the_default_branch_unless_something_else_is_asked_for() {
    let house = House::new().await;
    let (remote, [_, second]) = repository(&house);
    let (run, printed) = which(&house, &remote, None, |_| {}).await;
    assert_eq!(printed, "second\n");
    assert_eq!((run.git_sha, run.git_branch), (Some(second), Some("main".to_owned())));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_environments_branch_unless_the_trigger_asks_for_another() {
    let house = House::new().await;
    let (remote, _) = repository(&house);
    let (run, printed) = which(&house, &remote, Some("dev"), |_| {}).await;
    assert_eq!((printed.as_str(), run.git_branch.as_deref()), ("dev\n", Some("dev")));

    let main = |trigger: &mut Trigger| trigger.git_branch = Some(name("main"));
    let (run, printed) = which(&house, &remote, Some("dev"), main).await;
    assert_eq!((printed.as_str(), run.git_branch.as_deref()), ("second\n", Some("main")));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_commit_that_the_trigger_asks_for() {
    let house = House::new().await;
    let (remote, [first, _]) = repository(&house);
    let asked = |trigger: &mut Trigger| trigger.git_sha = Some(name(&first[..10]));
    let (run, printed) = which(&house, &format!("file://{remote}"), None, asked).await;
    assert_eq!(printed, "first\n");
    assert_eq!((run.git_sha, run.git_branch), (Some(first.clone()), None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_in_a_folder_of_its_repository_runs_there() {
    let house = House::new().await;
    let files = [("dbt/shop/dbt_project.yml", "name: shop"), ("dbt/shop/which.txt", "inside\n")];
    let remote = house.repository("code", &files);
    let connection = Some(house.duckdb().await);
    let edit = |project: &mut ProjectSpec, _: &mut _| {
        project.subdirectory = Some(Subdirectory::parse("dbt/shop").unwrap());
    };
    let place = house.place_with(&remote, connection, None, edit).await;
    let job = house.job(place, &["dbt run"]).await;
    let runner = house.runner(house.script("cat which.txt")).await;
    let run = house.trigger(job).await;
    house.ended(run).await;
    assert_eq!(house.log(run, 4).await, "inside\n");
    runner.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_managed_repository_runs_what_was_pushed_to_it() {
    let house = House::new().await;
    let place = house.scripted_place().await;
    let named = RepositoryName::parse("shop").unwrap();
    let (store, permit) = (&house.store, house.permit());
    let managed = store.create_managed_repository(&permit, place.project, &named).await.unwrap();
    let permit = house.permit();
    let linked = store.update_project(&permit, place.project, |spec| {
        Ok::<_, store::StoreError>(ProjectSpec { repository: Some(managed.id), ..spec })
    });
    linked.await.unwrap();
    let work = house.repository("work", &[PROJECT, ("which.txt", "pushed")]);
    git(Path::new(&work), &["push", "-q", managed.spec.remote.as_str(), "main"]);

    let job = house.job(place, &["dbt run"]).await;
    let runner = house.runner(house.script("cat which.txt")).await;
    let run = house.trigger(job).await;
    let ended = house.ended(run).await;
    runner.stop().await;

    assert_eq!(house.log(run, 4).await, "pushed\n", "{}", ended.message);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_checked_out_is_told_in_a_sentence() {
    let house = House::new().await;
    let (remote, _) = repository(&house);
    let plain = house.path("plain");
    std::fs::create_dir(&plain).unwrap();
    let bare = house.repository("bare", &[]);
    let empty = house.path("empty");
    git(Path::new(&remote), &["init", "-q", empty.to_str().unwrap()]);
    let folder =
        |text: String| text.replace(&remote, "CODE").replace(plain.to_str().unwrap(), "PLAIN");

    let (run, _) = which(&house, plain.to_str().unwrap(), None, |_| {}).await;
    assert_eq!(run.state.status(), Outcome::Error.into());
    assert_snapshot!(folder(run.message), @"step 1, Clone git repository, failed: the folder `PLAIN` is not a git repository: make it one with `git init`, and commit");
    let (run, _) = which(&house, "/nowhere/code", None, |_| {}).await;
    assert_snapshot!(run.message, @"step 1, Clone git repository, failed: the repository `/nowhere/code` is not there");
    let (run, _) = which(&house, empty.to_str().unwrap(), None, |_| {}).await;
    assert_snapshot!(run.message, @"step 1, Clone git repository, failed: the repository has no commit");
    let (run, _) = which(&house, &bare, None, |_| {}).await;
    assert_snapshot!(run.message, @"step 1, Clone git repository, failed: the repository has no `dbt_project.yml` in its root");
    let (run, _) = which(&house, &remote, Some("gone"), |_| {}).await;
    assert_snapshot!(folder(run.message), @"step 1, Clone git repository, failed: the repository `CODE` has no branch or tag `gone`");
    let unknown = |trigger: &mut Trigger| trigger.git_sha = Some(name("0123456789abcdef"));
    let (run, _) = which(&house, &remote, None, unknown).await;
    assert_snapshot!(folder(run.message), @"step 1, Clone git repository, failed: git could not check out `0123456789abcdef`: `CODE` has no such commit");
    assert!(house.working_copies().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_of_another_user_of_this_machine_can_be_cloned() {
    let house = House::new().await;
    let (remote, _) = repository(&house);
    for folder in [Path::new(&remote), &Path::new(&remote).join(".git")] {
        if chown(folder, Some(65534), Some(65534)).is_err() {
            println!("skipped: only root can give a repository to someone else");
            return;
        }
    }
    let (run, printed) = which(&house, &remote, None, |_| {}).await;
    assert_eq!(printed, "second\n", "{}\n{}", run.message, house.logs(run.id).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn git_gets_in_by_ssh_with_the_deploy_key_which_is_gone_afterwards() {
    let house = House::new().await;
    let shop = house.repository("shop", &[("dbt_project.yml", "name: shop")]);
    let connection = Some(house.duckdb().await);
    let place = house.place_with("git@git.invalid:shop", connection, None, |_, _| {}).await;
    // In place of `ssh`: reads the key that it is given, and serves the repository itself.
    let ssh = house.program(
        "ssh",
        &format!(
            "while [ \"$1\" != -i ]; do shift; done; stat -c %a \"$2\" > $HERE/mode; \
         ssh-keygen -y -f \"$2\" > $HERE/public; git-upload-pack '{shop}'"
        ),
    );
    let folder = ssh.parent().unwrap().display().to_string();
    let git = house.program(
        "git-with-ssh",
        &format!("export GIT_SSH_COMMAND=\"{folder}/$GIT_SSH_COMMAND\"; exec git \"$@\""),
    );
    let job = house.job(place, &["dbt build"]).await;
    let runner = house.runner_with(house.script("ls -R \"$HOME/..\""), git).await;
    let run = house.trigger(job).await;
    house.ended(run).await;

    assert!(house.log(run, 1).await.contains("checked out"), "{}", house.log(run, 1).await);
    assert_eq!(std::fs::read_to_string(house.path("mode")).unwrap(), "600\n");
    let public = std::fs::read_to_string(house.path("public")).unwrap();
    assert!(public.starts_with("ssh-ed25519 "), "{public}");
    assert!(!house.log(run, 4).await.contains("deploy_key"), "{}", house.log(run, 4).await);
    runner.stop().await;
}

/// A server that the test started; it is ended with the test.
pub(crate) struct Serving(pub(crate) Child);

impl Drop for Serving {
    fn drop(&mut self) {
        // Its group: `git daemon` is a process of git's, which would go on and hold what it inherited.
        let group = format!("-{}", self.0.id());
        let _ = Command::new("kill").args(["-KILL", "--", &group]).status();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_behind_http_or_gits_own_protocol_can_be_cloned() {
    let house = House::new().await;
    let (remote, [first, _]) = repository(&house);
    let folder = Path::new(&remote).parent().unwrap();

    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/git_http.py");
    let mut http = Command::new("python3");
    let http = http.arg(script).arg(folder).stdout(Stdio::piped()).process_group(0);
    let mut http = http.spawn().unwrap();
    let mut port = String::new();
    BufReader::new(http.stdout.take().unwrap()).read_line(&mut port).unwrap();
    let _http = Serving(http);
    let url = format!("http://127.0.0.1:{}/code/.git", port.trim());
    let (run, printed) = which(&house, &url, Some("dev"), |_| {}).await;
    assert_eq!(printed, "dev\n", "{}\n{}", run.message, house.logs(run.id).await);
    let asked = |trigger: &mut Trigger| trigger.git_sha = Some(name(&first));
    assert_eq!(which(&house, &url, None, asked).await.1, "first\n");

    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let daemon = Command::new("git")
        .args(["-c", "safe.directory=*", "daemon", "--export-all", "--listen=127.0.0.1"])
        .args([format!("--port={port}"), format!("--base-path={}", folder.display())])
        .process_group(0)
        .spawn()
        .unwrap();
    let _daemon = Serving(daemon);
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let url = format!("git://127.0.0.1:{port}/code/.git");
    let (run, printed) = which(&house, &url, None, |_| {}).await;
    assert_eq!(printed, "second\n", "{}\n{}", run.message, house.logs(run.id).await);
}
