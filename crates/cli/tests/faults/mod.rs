//! What goes wrong around a run: too long a log, too large an artifact, a job that is gone, a full disk.
//! Each run ends, and says what a person can act on.
#![expect(clippy::unwrap_used, reason = "a failure is a failed test")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

use reqwest::Method;
use serde_json::Value;

use crate::{
    program::{Folder, Server},
    scripted::{dbt_script, scripted_job},
};

const MIB: u64 = 1 << 20;

/// Runs a job to its end, followed; gives what the client said.
fn followed(server: &Server, admin: &Value, job: &str) -> String {
    let said = server.client(admin, &["run", "trigger", job, "--follow"]);
    assert!(said.err.lines().all(|line| line.contains("nodes")), "{}", said.err);
    said.out
}

/// The sizes of the files in a folder and below it.
fn sizes(folder: &Path) -> Vec<u64> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let meta = entry.metadata().unwrap();
        if meta.is_dir() {
            found.extend(sizes(&entry.path()));
        } else {
            found.push(meta.len());
        }
    }
    found
}

#[test]
fn a_log_of_one_gib_leaves_the_server_and_its_database_small() {
    let folder = Folder::new();
    let admin = folder.init("Acme");
    let script = "echo first\n\
                  case \"$*\" in *whole*) yes \"$(printf 'x%.0s' {1..99})\" | head -c 1G ;; esac\n\
                  echo; echo last";
    let server = Server::with_dbt(&folder, &dbt_script(&folder, script));
    let small = scripted_job(&folder, &server, &admin, "dbt build");
    followed(&server, &admin, &small);
    let (before, begun) = (server.status_kib("VmHWM"), Instant::now());

    let job = scripted_job(&folder, &server, &admin, "dbt build --vars whole");
    let log = followed(&server, &admin, &job);

    let (took, grown) = (begun.elapsed(), server.status_kib("VmHWM") - before);
    println!("1 GiB took {took:?}, and {grown} KiB of memory");
    assert!(took.as_secs() < 60, "{took:?}");
    assert!(grown < 96 * 1024, "{grown} KiB");
    let database: u64 = ["narrowgate.db", "narrowgate.db-wal"]
        .map(|name| fs::metadata(folder.data().join(name)).map_or(0, |meta| meta.len()))
        .iter()
        .sum();
    assert!(database < 64 * MIB, "{database}");
    assert!(log.contains("first\nxxx") && log.contains("\nlast\n"), "{}", log.len());
    assert!(
        log.contains("[cut here: of one step the first 12582912 bytes") && log.len() > 16 << 20
    );
    assert!(log.contains("[left out: 1056") && log.contains(": Success after"));
}

#[test]
fn an_artifact_of_two_gib_is_refused_by_name_and_nothing_of_it_is_kept() {
    let folder = Folder::new();
    let admin = folder.init("Acme");
    let script = "mkdir target; truncate -s 2G target/manifest.json\n\
                  echo '{\"results\": []}' > target/run_results.json";
    let server = Server::with_dbt(&folder, &dbt_script(&folder, script));
    let job = scripted_job(&folder, &server, &admin, "dbt build");

    let log = followed(&server, &admin, &job);

    let refused = "[not kept, since it is too large: manifest.json, 2147483648 bytes]";
    assert!(log.contains(refused) && log.contains(": Success after"), "{log}");
    let kept = server.ask(Method::GET, &admin, "/api/v2/accounts/1/runs/1/artifacts/", None);
    assert_eq!(kept["data"], serde_json::json!(["run_results.json"]));
    assert_eq!(sizes(&folder.data().join("artifacts")), [16]);
    assert!(sizes(&folder.data().join("work")).is_empty());
}

#[test]
fn an_artifact_of_200_mib_is_never_whole_in_the_servers_memory() {
    const SIZE: u64 = 200 * MIB;
    let folder = Folder::new();
    let admin = folder.init("Acme");
    let script = format!(
        "mkdir -p target; echo '{{}}' > target/manifest.json\n\
         case \"$*\" in *large*) yes 0123456789abcde | head -c {SIZE} > target/manifest.json ;; esac"
    );
    let server = Server::with_dbt(&folder, &dbt_script(&folder, &script));
    let small = scripted_job(&folder, &server, &admin, "dbt build");
    followed(&server, &admin, &small);
    let path = "/api/v2/accounts/1/runs/1/artifacts/manifest.json";
    assert_eq!(server.ask(Method::GET, &admin, path, None), serde_json::json!({}));
    let before = server.status_kib("VmHWM");

    let job = scripted_job(&folder, &server, &admin, "dbt build --vars large");
    let log = followed(&server, &admin, &job);
    let stored = server.status_kib("VmHWM") - before;
    let read = server.length(&admin, "/api/v2/accounts/1/runs/2/artifacts/manifest.json");
    let sent = server.status_kib("VmHWM") - before;

    println!("stored with {stored} KiB of memory, sent with {sent} KiB");
    assert!(log.contains(": Success after"), "{log}");
    assert_eq!(read, SIZE);
    assert!(sent < 64 * 1024, "{stored} KiB, {sent} KiB");
}

#[test]
fn a_run_whose_job_is_deleted_goes_on_to_its_end() {
    let folder = Folder::new();
    let admin = folder.init("Acme");
    let here = folder.path("").display().to_string();
    let script = format!("echo begun; until [ -e '{here}go' ]; do sleep 0.1; done; echo over");
    let server = Server::with_dbt(&folder, &dbt_script(&folder, &script));
    let job = scripted_job(&folder, &server, &admin, "dbt build");
    for _ in 0..2 {
        assert_eq!(server.client(&admin, &["run", "trigger", &job]).code, Some(0));
    }
    while !server.client(&admin, &["run", "logs", "1"]).out.contains("begun\n") {
        crate::pause();
    }

    server.ask(Method::DELETE, &admin, &format!("/api/v2/accounts/1/jobs/{job}/"), None);
    fs::write(folder.path("go"), "").unwrap();

    let said = server.client(&admin, &["run", "logs", "1", "--follow"]);
    assert!(said.out.contains("over\n") && said.out.contains(": Success after"), "{said:?}");
    let waited = server.client(&admin, &["run", "show", "2"]);
    assert!(waited.out.contains("Cancelled after") && waited.out.contains("the job was deleted"));
}

/// A small disk of its own for a data folder.
struct Disk(PathBuf);

impl Disk {
    /// `None` where this machine lets nobody mount one.
    fn mounted(folder: PathBuf) -> Option<Self> {
        fs::create_dir(&folder).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=48m,mode=700", "narrowgate-test"]).arg(&folder);
        let mounted = mount.output().is_ok_and(|output| output.status.success());
        mounted.then_some(Self(folder))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_ends_a_run_with_that_reason_and_the_next_one_goes_well() {
    let folder = Folder::new();
    let Some(_disk) = Disk::mounted(folder.data()) else {
        println!("skipped: only root can mount a small disk, and not everywhere");
        return;
    };
    let admin = folder.init("Acme");
    // dbt fills the disk; it makes room again before it ends, or goes on to speak.
    let script = "case \"$*\" in\n\
                  *fills*) head -c 200M /dev/zero > fill; rm fill; exit 1 ;;\n\
                  *stays*) head -c 200M /dev/zero > fill; for i in {1..50}; do\n\
                  printf 'a word of many %.0s' {1..1000}; echo; sleep 0.1; done; exit 1 ;;\n\
                  esac; echo done";
    let server = Server::with_dbt(&folder, &dbt_script(&folder, script));
    for (step, end) in [
        (
            "dbt build --vars fills",
            "dbt ended with code 1: what it ran has failed, its log says where; there is no space \
             left on the runner's disk",
        ),
        (
            "dbt build --vars stays",
            "the server could not write down what the run did: there is no space left on the disk \
             of its data folder",
        ),
        ("dbt build", ": Success after"),
    ] {
        let job = scripted_job(&folder, &server, &admin, step);
        let log = followed(&server, &admin, &job);
        assert!(log.contains(end), "{step}: {log}");
        assert!(sizes(&folder.data().join("work")).is_empty(), "{step}");
    }
}
