//! A script in dbt's place, and a job that it runs: for what is about the server, not about dbt.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test helper fails the test")]

use std::{fs, os::unix::fs::PermissionsExt as _, path::PathBuf, process::Command};

use reqwest::Method;
use serde_json::{Value, json};

use crate::program::{Folder, Server};

/// A job on a repository of its own, run by a script in dbt's place: `dbt build` says `done`,
/// with `--select slow` it says `begun` and goes on. Gives the program and the job's id.
pub(crate) fn scripted_job(folder: &Folder, server: &Server, admin: &Value, step: &str) -> String {
    let repository = folder.path("project");
    fs::create_dir_all(&repository).unwrap();
    fs::write(repository.join("dbt_project.yml"), "name: scripted\n").unwrap();
    for arguments in [
        &["init", "--quiet"][..],
        &["add", "--all"],
        &[
            "-c",
            "user.name=t",
            "-c",
            "user.email=t@example.com",
            "commit",
            "--quiet",
            "--allow-empty",
            "-m",
            "t",
        ],
    ] {
        let git = Command::new("git").current_dir(&repository).args(arguments).status().unwrap();
        assert!(git.success());
    }
    let account = &admin["account_id"];
    let id = |path: &str, body: Value| server.post(admin, path, &body)["data"]["id"].clone();
    let project = id("/projects/", json!({ "name": "scripted" }));
    let remote = json!({ "remote_url": repository.display().to_string() });
    let repository = id(&format!("/projects/{project}/repositories/"), remote);
    let connection = json!({
        "name": "c", "adapter_version": "duckdb_v0", "config": { "path": "x.duckdb" },
    });
    let connection = id("/connections/", connection);
    id(&format!("/projects/{project}/"), json!({ "repository_id": repository }));
    let environment = json!({ "name": "e", "type": "deployment", "connection_id": connection });
    let environment = id(&format!("/projects/{project}/environments/"), environment);
    let job = json!({
        "name": "j", "project_id": project, "environment_id": environment, "execute_steps": [step],
    });
    let path = format!("/api/v2/accounts/{account}/jobs/");
    server.ask(Method::POST, admin, &path, Some(&job))["data"]["id"].to_string()
}

pub(crate) fn scripted_dbt(folder: &Folder) -> PathBuf {
    dbt_script(
        folder,
        "case \"$*\" in\n*slow*) echo begun; exec sleep 600 ;;\n*) echo done ;;\nesac",
    )
}

/// A script in dbt's place. `dbt deps` says `done` and does nothing.
pub(crate) fn dbt_script(folder: &Folder, body: &str) -> PathBuf {
    let program = folder.path("dbt");
    fs::write(&program, format!("#!/bin/bash\n[ \"$1\" = deps ] && echo done && exit 0\n{body}\n"))
        .unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    program
}
