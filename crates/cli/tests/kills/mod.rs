//! Runners, their dbt and the server, killed at random: nothing is lost, done twice or left half done.
//!
//! 20 kills, or as many as `NARROWGATE_KILLS` says; `NARROWGATE_KILL_SEED` gives another course.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test helper fails the test")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    pause,
    program::{Folder, Server},
    runners::Runner,
    scripted::scripted_job,
};

/// How much of a manifest there is, so that half of one would be seen.
const NODES: usize = 20_000;

/// In dbt's place: notes under which lease it works, leaves a large manifest, and takes a while.
fn noting_dbt(folder: &Folder) -> PathBuf {
    let (program, noted, manifest) =
        (folder.path("dbt"), noted(folder), folder.path("manifest.json"));
    fs::create_dir_all(noted.parent().unwrap()).unwrap();
    fs::write(&noted, "").unwrap();
    fs::write(&manifest, json!({ "nodes": vec![7; NODES] }).to_string()).unwrap();
    let text = format!(
        "#!/bin/sh\n\
         echo \"$NARROWGATE_RUN_ID $NARROWGATE_LEASE_ID\" >> '{}'\n\
         [ \"$1\" = deps ] && exit 0\n\
         mkdir -p target && cp '{}' target/new && mv target/new target/manifest.json || exit 1\n\
         sleep 0.2\n\
         echo done\n",
        noted.display(),
        manifest.display()
    );
    fs::write(&program, text).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    program
}

/// Beside the DuckDB file: in a sandbox, too, dbt writes there.
fn noted(folder: &Folder) -> PathBuf {
    folder.data().join("warehouses/1/noted")
}

/// The world that is killed in.
struct World {
    folder: Folder,
    admin: Value,
    server: Server,
    jobs: Vec<String>,
}

impl World {
    fn new() -> Self {
        let folder = Folder::new();
        let admin = folder.init("Acme");
        let server = Server::start(&folder);
        let first = scripted_job(&folder, &server, &admin, "dbt build");
        let mut world = Self { folder, admin, server, jobs: vec![first.clone()] };
        let shown = world.get(&format!("/jobs/{first}/"));
        let same = |world: &Self, environment: &Value| {
            let body = json!({
                "name": "j", "project_id": shown["project_id"], "environment_id": environment,
                "execute_steps": ["dbt build", "dbt test"],
            });
            let path = world.path("/jobs/");
            world.server.ask(Method::POST, &world.admin, &path, Some(&body))["data"]["id"]
                .to_string()
        };
        // Two more on the same DuckDB file, and three each on a file of its own.
        for _ in 0..2 {
            let job = same(&world, &shown["environment_id"]);
            world.jobs.push(job);
        }
        for n in 0..3 {
            let id = |path: &str, body: &Value| {
                world.server.post(&world.admin, path, body)["data"]["id"].clone()
            };
            let connection = json!({
                "name": format!("c{n}"), "adapter_version": "duckdb_v0",
                "config": { "path": format!("{n}.duckdb") },
            });
            let connection = id("/connections/", &connection);
            let environment = json!({ "name": format!("e{n}"), "type": "deployment", "connection_id": connection });
            let path = format!("/projects/{}/environments/", shown["project_id"]);
            let environment = id(&path, &environment);
            let job = same(&world, &environment);
            world.jobs.push(job);
        }
        world
    }

    fn path(&self, rest: &str) -> String {
        format!("/api/v2/accounts/{}{rest}", self.admin["account_id"])
    }

    fn get(&self, rest: &str) -> Value {
        self.server.ask(Method::GET, &self.admin, &self.path(rest), None)["data"].clone()
    }

    fn trigger(&self, job: &str) {
        let path = self.path(&format!("/jobs/{job}/run/"));
        let body = json!({ "cause": "to be killed" });
        self.server.ask(Method::POST, &self.admin, &path, Some(&body));
    }

    fn under_way(&self) -> usize {
        self.get("/runs/?status__in=[1,2,3]&limit=100").as_array().unwrap().len()
    }

    fn runs(&self) -> Vec<Value> {
        let mut runs: Vec<Value> = Vec::new();
        loop {
            let page = self.get(&format!("/runs/?limit=100&offset={}", runs.len()));
            match page.as_array().unwrap() {
                rows if rows.is_empty() => return runs,
                rows => runs.extend(rows.iter().cloned()),
            }
        }
    }

    /// The processes that runners of this folder have started.
    fn programs(&self) -> Vec<String> {
        let mark =
            format!("NARROWGATE_DATA_DIR={}", self.folder.data().canonicalize().unwrap().display());
        let bears = |pid: &str| {
            let environ =
                fs::read(Path::new("/proc").join(pid).join("environ")).unwrap_or_default();
            environ.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes())
        };
        let entries = fs::read_dir("/proc").unwrap().flatten();
        let pids = entries.filter_map(|entry| entry.file_name().into_string().ok());
        pids.filter(|name| name.parse::<u32>().is_ok() && bears(name)).collect()
    }

    fn check(&self) {
        let noted = fs::read_to_string(noted(&self.folder)).unwrap();
        let mut leases: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (run, lease) in noted.lines().filter_map(|line| line.split_once(' ')) {
            leases.entry(run).or_default().insert(lease);
        }
        for (run, leases) in &leases {
            assert_eq!(leases.len(), 1, "run {run} was executed under {leases:?}");
        }
        for run in self.runs() {
            assert_eq!(run["is_complete"], true, "{run}");
            let reason = run["status_message"].as_str().unwrap_or_default();
            let told = [
                "stopped answering at 2",
                "ended by signal 9",
                "ended with code",
                "git could not",
                "no commit",
            ]
            .iter()
            .any(|words| reason.contains(words));
            assert!(run["is_success"] == true || told, "{reason:?}: {run}");
            self.check_artifacts(&run["id"], run["is_success"] == true);
        }
        let overlapping = "SELECT count(*) FROM run_leases a JOIN run_leases b
            ON a.run_id = b.run_id AND a.id < b.id
            AND (a.ended_at IS NULL OR a.ended_at > b.taken_at)";
        assert_eq!(self.folder.number(overlapping), 0);
        assert_eq!(self.folder.number("SELECT count(*) FROM run_leases WHERE ended_at IS NULL"), 0);
        assert_eq!(self.programs(), Vec::<String>::new(), "nothing is left running");
        let left: Vec<_> = fs::read_dir(self.folder.data().join("work")).unwrap().collect();
        assert!(left.is_empty(), "{left:?}");
        assert_eq!(self.folder.run(&["audit", "verify"]).code, Some(0));
    }

    /// What is listed is there, whole.
    fn check_artifacts(&self, run: &Value, succeeded: bool) {
        let paths = self.get(&format!("/runs/{run}/artifacts/"));
        let paths = paths.as_array().cloned().unwrap_or_default();
        assert!(!succeeded || !paths.is_empty(), "run {run}");
        for path in paths {
            let path = format!("/runs/{run}/artifacts/{}", path.as_str().unwrap());
            let manifest = self.server.ask(Method::GET, &self.admin, &self.path(&path), None);
            assert_eq!(manifest["nodes"].as_array().unwrap().len(), NODES, "{path}");
        }
    }
}

fn number_of(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

#[test]
fn runners_dbt_and_the_server_killed_at_random_lose_no_run_and_do_none_twice() {
    killed_at_random("off");
}

#[test]
fn runners_dbt_and_the_server_in_the_sandbox_killed_at_random_lose_no_run_and_do_none_twice() {
    // Where there is none it is the same once more.
    killed_at_random("auto");
}

#[expect(clippy::print_stdout, reason = "a suite says what it did")]
fn killed_at_random(sandbox: &str) {
    let kills = number_of("NARROWGATE_KILLS").unwrap_or(20);
    let seed = number_of("NARROWGATE_KILL_SEED").unwrap_or(1);
    let mut rng = StdRng::seed_from_u64(seed);
    let mut world = World::new();
    let dbt = noting_dbt(&world.folder);
    let options = ["--workers", "3", "--test-lease", "2000", "--sandbox", sandbox];
    let start = || Runner::start(&world.folder, &dbt, &options);
    let mut runners = [start(), start()];
    let (begun, mut of_dbt, mut of_server) = (Instant::now(), 0, 0);
    for _ in 0..kills {
        for _ in world.under_way()..4 {
            world.trigger(&world.jobs[rng.random_range(0..world.jobs.len())]);
        }
        let at = Instant::now() + Duration::from_millis(rng.random_range(0..500));
        while Instant::now() < at {
            pause();
        }
        let programs = world.programs();
        if rng.random_bool(0.1) {
            world.server.kill();
            world.server = Server::start(&world.folder);
            of_server += 1;
        } else if programs.is_empty() || rng.random_bool(0.5) {
            let victim = &mut runners[rng.random_range(0..2)];
            victim.kill();
            *victim = start();
        } else {
            let pid = &programs[rng.random_range(0..programs.len())];
            let _ = Command::new("kill").args(["-9", pid]).status();
            of_dbt += 1;
        }
    }
    let killed = begun.elapsed();
    let patience = Instant::now() + Duration::from_mins(2);
    while world.under_way() > 0 {
        assert!(Instant::now() < patience, "runs do not end: {:?}", world.runs());
        pause();
    }
    for runner in &mut runners {
        assert_eq!(runner.terminate(), Some(0));
    }

    world.check();

    let (runs, count) = (world.runs().len(), |sql: &str| world.folder.number(sql));
    let ended = |status: u8| count(&format!("SELECT count(*) FROM runs WHERE status = {status}"));
    println!(
        "{kills} kills in {killed:?} ({of_dbt} of them of dbt or git, {of_server} of the server) by seed {seed}: {runs} runs, \
         {} went well, {} are errors, {} leases ran out",
        ended(10),
        ended(20),
        count("SELECT count(*) FROM run_leases WHERE ending = 'expired'"),
    );
}
