//! `narrowgate dbt`: with a Python of the test's own, and once with what there really is.
#![expect(clippy::unwrap_used, reason = "a test helper fails the test")]

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use reqwest::Method;
use serde_json::json;

use crate::{
    program::{Folder, Said, Server, dbt},
    scripted::{scripted_dbt, scripted_job},
};

/// A Python that makes environments whose pip notes what it is asked for, and installs a dbt that
/// says this version.
fn python(folder: &Folder, version: &str) -> PathBuf {
    let (file, asked) = (folder.path("python"), folder.path("asked"));
    let text = format!(
        "#!/bin/sh\nset -e\nbin=\"$3/bin\"; mkdir -p \"$bin\"\ncat > \"$bin/python\" <<'END'\n\
         #!/bin/sh\necho \"$*\" > '{}'\ncat > \"${{0%python}}dbt\" <<'DBT'\n#!/bin/sh\n\
         echo '  - installed: {version}'\nDBT\nchmod +x \"${{0%python}}dbt\"\nEND\n\
         chmod +x \"$bin/python\"\n",
        asked.display()
    );
    fs::write(&file, text).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    file
}

fn install(folder: &Folder, python: &Path, more: &[&str]) -> Said {
    let python = python.display().to_string();
    folder.run(&[&["dbt", "install", "--python", &python], more].concat())
}

#[test]
fn an_installed_dbt_is_listed_and_a_second_one_is_refused() {
    let folder = Folder::new();
    folder.init("Acme");
    let python = python(&folder, "1.11.7");
    let said = install(&folder, &python, &["1.11", "--adapter", "duckdb"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.out.starts_with("installed 1.11.7: runs that ask for dbt 1.11 use "), "{said:?}");
    let asked = fs::read_to_string(folder.path("asked")).unwrap();
    assert!(
        asked.starts_with("-m pip install ") && asked.ends_with("dbt-core~=1.11.0 dbt-duckdb\n")
    );
    let listed = folder.run(&["dbt", "list"]).out;
    assert!(listed.contains("1.11.7") && listed.contains("dbt/1.11/bin/dbt"), "{listed}");
    let again = install(&folder, &python, &["1.11"]);
    assert_eq!(again.code, Some(1));
    assert!(again.err.contains("dbt 1.11 is installed (1.11.7): remove `"), "{again:?}");
}

#[test]
fn an_installation_that_fails_leaves_nothing_and_says_what_failed() {
    let folder = Folder::new();
    folder.init("Acme");
    for (python, more, words) in [
        ("false".into(), "1.11", "`false -m venv "),
        ("/nowhere/python".into(), "1.11", "cannot be started"),
        (python(&folder, "no version"), "1.11", "is no dbt"),
        ("false".into(), "newest", "`newest` is no version: write 1.11, or 1.11.2"),
    ] {
        let said = install(&folder, &python, &[more]);
        assert_eq!(said.code, Some(1), "{said:?}");
        assert!(said.err.contains(words), "{said:?}");
        assert!(!folder.data().join("dbt").join(more).exists());
    }
}

/// Python's package index has to be there.
#[test]
fn a_real_dbt_1_11_is_installed_and_runs_that_ask_for_its_version_use_it() {
    let folder = Folder::new();
    let admin = folder.init("Acme");
    let python =
        dbt().map_or_else(|| "python3".into(), |dbt| Path::new(&dbt).with_file_name("python"));
    let said = install(&folder, &python, &["1.11", "--adapter", "duckdb"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.out.starts_with("installed 1.11."), "{said:?}");
    let program = folder.data().join("dbt/1.11/bin/dbt");
    let version = Command::new(&program).arg("--version").output().unwrap();
    let version = String::from_utf8_lossy(&[version.stdout, version.stderr].concat()).into_owned();
    assert!(version.contains("installed: 1.11.") && version.contains("duckdb: "), "{version}");

    // By its own name, and by one that the configuration gives it.
    let table = format!("[dbt_versions]\n\"1.9\" = {program:?}\n");
    fs::write(folder.data().join("narrowgate.toml"), table).unwrap();
    let server = Server::with_dbt(&folder, &scripted_dbt(&folder));
    let job = scripted_job(&folder, &server, &admin, "dbt parse");
    for (run, asked) in [(1, "1.11"), (2, "1.9")] {
        let trigger = json!({ "cause": "by hand", "dbt_version_override": asked });
        let path = format!("/api/v2/accounts/1/jobs/{job}/run/");
        server.ask(Method::POST, &admin, &path, Some(&trigger));
        let log = server.client(&admin, &["run", "logs", &run.to_string(), "--follow"]).out;
        assert!(log.contains(&format!("dbt {asked} is asked for: ")), "{log}");
        assert!(log.contains("Running with dbt=1.11.") && log.contains("Success after"), "{log}");
    }
}
