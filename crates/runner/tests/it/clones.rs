//! The clone that is kept of a repository: what it spares, and what it withstands.

use std::{
    fs,
    path::{Path, PathBuf},
};

use domain::{
    environment::BranchName,
    project::ProjectSpec,
    repository::{RemoteUrl, RepositorySpec, TokenChange},
    run::{Run, RunStatus, Trigger},
};
use runner::{Runner, RunnerConfig};
use store::StoreError;

use crate::house::{House, Place, eventually, git};

const PROJECT: (&str, &str) = ("dbt_project.yml", "name: scripted");

/// A house with a repository `code`, and a job whose dbt prints `which.txt`.
struct Shop {
    house: House,
    remote: String,
    place: Place,
    job: domain::JobId,
}

impl Shop {
    async fn new() -> Self {
        let house = House::new().await;
        let remote = house.repository("code", &[PROJECT, ("which.txt", "first")]);
        Self::at(house, remote).await
    }

    async fn at(house: House, remote: String) -> Self {
        let connection = house.connection(crate::house::nowhere()).await;
        let login = domain::warehouse_credential::Login::Postgres { username: "ada".to_owned() };
        let login = Some((login, "hunter2"));
        let place = house.place_with(&remote, Some(connection), login, |_, _| {}).await;
        let job = house.job(place, &["dbt run"]).await;
        Self { house, remote, place, job }
    }

    fn head(&self) -> String {
        git(Path::new(&self.remote), &["rev-parse", "HEAD"])
    }

    /// A runner whose git notes how it is called, and does this first.
    async fn runner(&self, first: &str) -> Runner {
        let body = format!("echo \"$1\" >> \"$HERE/calls\"\n{first}\nexec git \"$@\"");
        let git = self.house.program("spied-git", &body);
        self.house.runner_with(self.house.script("cat which.txt"), git).await
    }

    /// How git was called since it was asked last, but for what only looks.
    fn calls(&self) -> Vec<String> {
        let file = self.house.path("calls");
        let calls = fs::read_to_string(&file).unwrap_or_default();
        let _ = fs::remove_file(file);
        calls.lines().map(str::to_owned).collect()
    }

    async fn run(&self, edit: impl FnOnce(&mut Trigger)) -> Run {
        let run = self.house.trigger_with(self.job, edit).await;
        self.house.ended(run).await
    }

    /// Runs the job; gives what its dbt printed.
    async fn printed(&self, edit: impl FnOnce(&mut Trigger)) -> String {
        let run = self.run(edit).await;
        let told = format!("{}\n{}", run.message, self.house.logs(run.id).await);
        assert_eq!(run.state.status(), RunStatus::SUCCESS, "{told}");
        self.house.log(run.id, 4).await.lines().next().unwrap_or_default().to_owned()
    }

    /// The folders of clones of the project.
    fn clones(&self) -> Vec<PathBuf> {
        let place = self.house.store.data_dir().clones_of(self.place.project);
        let entries = fs::read_dir(place).into_iter().flatten().flatten().map(|entry| entry.path());
        entries.filter(|path| path.is_dir()).collect()
    }
}

fn at(sha: &str) -> impl FnOnce(&mut Trigger) {
    let sha = BranchName::parse(sha).unwrap();
    |trigger| trigger.git_sha = Some(sha)
}

fn branch(name: &str) -> impl FnOnce(&mut Trigger) {
    let name = BranchName::parse(name).unwrap();
    |trigger| trigger.git_branch = Some(name)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_fetches_only_what_is_not_there_yet() {
    let shop = Shop::new().await;
    let runner = shop.runner("").await;
    let first = shop.head();
    assert_eq!(shop.printed(|_| {}).await, "first");
    assert_eq!(shop.calls(), ["ls-remote", "init", "fetch", "read-tree"]);
    assert_eq!(shop.printed(|_| {}).await, "first");
    assert_eq!(shop.calls(), ["ls-remote", "read-tree"]);
    let second = shop.house.commit("code", &[("which.txt", "second")]);
    assert_eq!(shop.printed(|_| {}).await, "second");
    assert_eq!(shop.calls(), ["ls-remote", "fetch", "read-tree"]);
    for (sha, text) in [(&first, "first"), (&second, "second")] {
        assert_eq!(shop.printed(at(sha)).await, text);
        assert_eq!(shop.calls(), ["read-tree"]);
    }
    // Each run says whether it had to.
    shop.house.commit("code", &[("which.txt", "third")]);
    assert_eq!(shop.run(|_| {}).await.used_clone, Some(false));
    assert_eq!(shop.run(|_| {}).await.used_clone, Some(true));
    assert_eq!(shop.clones().len(), 1);
    runner.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_working_copy_is_files_alone_and_every_run_has_its_own() {
    let shop = Shop::new().await;
    let hook = shop.house.program("hook", "echo hooked >> \"$HERE/hooked\"");
    fs::copy(hook, Path::new(&shop.remote).join(".git/hooks/post-checkout")).unwrap();
    let script = "ls -a; echo mine > which.txt; rm dbt_project.yml";
    let runner = shop.house.runner(shop.house.script(script)).await;
    for _ in 0..2 {
        let run = shop.run(|_| {}).await;
        assert_eq!(shop.house.log(run.id, 4).await, ".\n..\ndbt_project.yml\nwhich.txt\n");
    }
    assert!(!shop.house.path("hooked").exists());
    assert!(shop.house.working_copies().is_empty());
    runner.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_on_no_branch_is_fetched_by_its_id_and_by_the_ref_that_has_it() {
    let shop = Shop::new().await;
    let code = Path::new(&shop.remote);
    git(code, &["checkout", "-q", "--detach"]);
    let request = shop.house.commit("code", &[("which.txt", "request")]);
    git(code, &["update-ref", "refs/pull/7/head", &request]);
    git(code, &["checkout", "-q", "main"]);
    let runner = shop.runner("").await;
    assert_eq!(shop.printed(at(&request)).await, "request");
    assert_eq!(shop.calls(), ["init", "fetch", "read-tree"]);
    for name in ["pull/7/head", "refs/pull/7/head"] {
        assert_eq!(shop.printed(branch(name)).await, "request");
        assert_eq!(shop.calls(), ["ls-remote", "read-tree"]);
    }
    let unknown = shop.run(at(&"0123456789".repeat(4))).await.message;
    assert!(unknown.ends_with("has no such commit"), "{unknown}");
    assert_eq!(shop.printed(at(&request)).await, "request", "the clone is as it was");
    runner.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_gives_no_commit_by_its_id_is_asked_for_all() {
    let shop = Shop::new().await;
    let first = shop.head();
    shop.house.commit("code", &[("which.txt", "second")]);
    // The first version of git's protocol knows only what branches and tags point to.
    let runner = shop.runner("set -- -c protocol.version=0 \"$@\"").await;
    assert_eq!(shop.printed(|_| {}).await, "second");
    assert_eq!(shop.printed(at(&first)).await, "first");
    assert_eq!(shop.printed(at(&first)).await, "first");
    assert_eq!(shop.calls().iter().filter(|call| *call == "fetch").count(), 3);
    runner.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_that_names_its_objects_by_sha256_is_cloned_too() {
    let house = House::new().await;
    let folder = house.path("code");
    fs::create_dir(&folder).unwrap();
    git(&folder, &["init", "-q", "-b", "main", "--object-format=sha256"]);
    house.commit("code", &[PROJECT, ("which.txt", "long")]);
    let shop = Shop::at(house, folder.to_str().unwrap().to_owned()).await;
    let runner = shop.runner("").await;
    assert_eq!(shop.printed(|_| {}).await, "long");
    assert_eq!(shop.printed(at(&shop.head())).await, "long");
    runner.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_clone_is_made_anew_within_the_run_that_finds_it() {
    let shop = Shop::new().await;
    let runner = shop.runner("").await;
    assert_eq!(shop.printed(|_| {}).await, "first");
    let breaks: [fn(&Path); 4] = [
        |clone| fs::remove_dir_all(clone.join("objects")).unwrap(),
        |clone| fs::write(clone.join("config"), "[core\n").unwrap(),
        |clone| fs::write(clone.join("HEAD"), "").unwrap(),
        |clone| {
            for pack in fs::read_dir(clone.join("objects/pack")).unwrap() {
                let pack = pack.unwrap().path();
                fs::remove_file(&pack).unwrap();
                fs::write(pack, [7; 100]).unwrap();
            }
        },
    ];
    for (number, broken) in breaks.into_iter().enumerate() {
        broken(&shop.clones()[0].join("repository.git"));
        // Of most the commit is there, as it seems; once there is a new one.
        if number == 1 {
            shop.house.commit("code", &[("which.txt", "first")]);
        }
        let run = shop.run(|_| {}).await;
        let log = shop.house.log(run.id, 1).await;
        assert_eq!(run.state.status(), RunStatus::SUCCESS, "{log}");
        assert!(log.contains("is broken: it is made anew"), "{number}: {log}");
        assert_eq!(shop.clones().len(), 1);
    }
    runner.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fetch_that_is_killed_stops_no_run_after_it() {
    let shop = Shop::new().await;
    // As if killed at its worst: with locks, half a pack, and half a ref.
    let killed = "if [ \"$1\" = fetch ] && [ ! -e \"$HERE/spared\" ]; then\n\
                  touch \"$GIT_DIR/shallow.lock\" \"$GIT_DIR/HEAD.lock\" \"$GIT_DIR/packed-refs.lock\"\n\
                  echo x > \"$GIT_DIR/objects/pack/tmp_pack_x\"; mkdir -p \"$GIT_DIR/refs/kept\"\n\
                  for ref in \"$@\"; do :; done; touch \"$GIT_DIR/${ref#*:}.lock\" \"$GIT_DIR/${ref#*:}\"\n\
                  kill -KILL $$; fi";
    let runner = shop.runner(killed).await;
    let told = shop.run(|_| {}).await.message;
    assert!(told.contains("git was ended by signal 9"), "{told}");
    fs::write(shop.house.path("spared"), "").unwrap();
    assert_eq!(shop.printed(|_| {}).await, "first");
    // And in the middle of a clone that was whole.
    shop.house.commit("code", &[("which.txt", "second")]);
    fs::remove_file(shop.house.path("spared")).unwrap();
    shop.run(|_| {}).await;
    fs::write(shop.house.path("spared"), "").unwrap();
    assert_eq!(shop.printed(|_| {}).await, "second");
    assert_eq!(shop.clones().len(), 1);
    runner.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_of_a_project_at_once_fetch_one_after_the_other_into_one_clone() {
    let shop = Shop::new().await;
    shop.house.set_run_slots(8).await;
    let slow = "[ \"$1\" = fetch ] && sleep 0.3";
    let runner = shop.runner(slow).await;
    let mut runs = Vec::new();
    for _ in 0..4 {
        let job = shop.house.job(shop.place, &["dbt run"]).await;
        runs.push(shop.house.trigger(job).await);
    }
    for run in runs {
        let run = shop.house.ended(run).await;
        let log = shop.house.logs(run.id).await;
        assert_eq!(run.state.status(), RunStatus::SUCCESS, "{log}");
    }
    assert_eq!(shop.calls().iter().filter(|call| *call == "fetch").count(), 1);
    assert_eq!(shop.clones().len(), 1);
    runner.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_waits_for_anothers_fetch_can_be_cancelled() {
    let shop = Shop::new().await;
    let place = shop.house.store.data_dir().clones_of(shop.place.project);
    fs::create_dir_all(&place).unwrap();
    let lock = fs::File::create(place.join("lock")).unwrap();
    lock.lock().unwrap();
    let runner = shop.runner("").await;
    let run = shop.house.trigger(shop.job).await;
    let waits = async || shop.house.log(run, 1).await.contains("waiting for it").then_some(());
    eventually("the run says that it waits", waits).await;
    shop.house.store.cancel_run(&shop.house.permit(), run).await.unwrap();
    assert_eq!(shop.house.ended(run).await.state.status(), RunStatus::CANCELLED);
    drop(lock);
    assert_eq!(shop.printed(|_| {}).await, "first");
    runner.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clone_goes_with_its_address_its_repository_and_its_project() {
    let shop = Shop::new().await;
    let (store, permit) = (&shop.house.store, shop.house.permit());
    let runner = shop.runner("").await;
    let gone = async |what: &str| {
        eventually(what, async || shop.clones().is_empty().then_some(())).await;
    };
    let id = store.project(&shop.house.permit(), shop.place.project).await.unwrap();
    let id = id.spec.repository.unwrap();
    assert_eq!(shop.printed(|_| {}).await, "first");
    let other = shop.house.repository("other", &[PROJECT, ("which.txt", "other")]);
    let moved = |spec| {
        let remote = RemoteUrl::parse(&other).unwrap();
        Ok::<_, StoreError>(RepositorySpec { remote, ..spec })
    };
    store.update_repository(&permit, id, TokenChange::Keep, moved).await.unwrap();
    gone("the clone of the old address goes").await;
    assert_eq!(shop.printed(|_| {}).await, "other");

    let none = |spec| Ok::<_, StoreError>(ProjectSpec { repository: None, ..spec });
    store.update_project(&shop.house.permit(), shop.place.project, none).await.unwrap();
    gone("the clone of the old repository goes").await;
    let again = |spec| Ok::<_, StoreError>(ProjectSpec { repository: Some(id), ..spec });
    store.update_project(&shop.house.permit(), shop.place.project, again).await.unwrap();
    assert_eq!(shop.printed(|_| {}).await, "other");
    assert_eq!(shop.clones().len(), 1);
    store.delete_project(&shop.house.permit(), shop.place.project).await.unwrap();
    gone("the clone goes with the project").await;
    runner.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_clone_is_kept_where_they_may_have_no_room() {
    let shop = Shop::new().await;
    let dbt = shop.house.script("cat which.txt");
    let config = RunnerConfig { dbt, max_clones_mib: 0, ..RunnerConfig::default() };
    let runner = shop.house.runner_by(config).await;
    for _ in 0..2 {
        assert_eq!(shop.printed(|_| {}).await, "first");
        eventually("no clone is left", async || shop.clones().is_empty().then_some(())).await;
    }
    runner.stop().await;
}
