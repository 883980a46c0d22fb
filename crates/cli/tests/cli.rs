//! The real program, as a user or a script meets it.

mod program;
mod tls;

use std::{
    collections::{BTreeMap, BTreeSet},
    process::Command,
};

use program::{Folder, Server, dbt, narrowgate};
use serde_json::{Value, json};

#[test]
fn init_prints_one_object_and_a_second_one_adds_an_account() {
    let folder = Folder::new();
    let first = folder.init("Acme");
    let keys: BTreeSet<_> = first.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["account_id", "personal_token", "user_id"].into());
    assert!(first["personal_token"].as_str().unwrap().starts_with("ngpt_"));
    let second = folder.init("Umbrella");
    assert_eq!((first["account_id"].clone(), second["account_id"].clone()), (json!(1), json!(2)));
    assert_ne!(first["personal_token"], second["personal_token"]);
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &std::fs::metadata(folder.data().join("keyring.json")).unwrap().permissions(),
    );
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn serve_says_where_it_listens_and_ends_well_when_asked() {
    let folder = Folder::new();
    folder.init("Acme");
    let mut server = Server::start(&folder);
    assert!(server.url.starts_with("http://127.0.0.1:"));
    assert_eq!(server.terminate(), Some(0));
}

#[test]
fn two_servers_never_share_a_folder_and_init_may_stand_beside_one() {
    let folder = Folder::new();
    folder.init("Acme");
    let _server = Server::start(&folder);
    let second = folder.serve(&[]);
    assert_eq!(second.code, Some(1), "{second:?}");
    assert!(second.err.contains("another server is running"), "{second:?}");
    assert_eq!(folder.init("Umbrella")["account_id"], 2);
}

#[test]
fn what_cannot_be_is_one_clear_line_and_exit_code_1() {
    let folder = Folder::new();
    folder.init("Acme");
    let server = Server::start(&folder);
    let other = Folder::new();
    other.init("Other");
    let taken = server.url.trim_start_matches("http://").to_owned();
    let file = folder.path("a-file");
    std::fs::write(&file, "x").unwrap();
    let inside = file.join("data");
    let cases = [
        (other.serve(&["--listen", &taken]), "cannot listen on"),
        (other.serve(&["--listen", "nowhere"]), "(from the option --listen)"),
        (other.serve(&["--listen", "0.0.0.0:0"]), "--allow-plain-http"),
        (other.serve(&["--workers", "0"]), "`workers` must be 1 or more"),
        (
            narrowgate(&[
                "serve",
                "--data-dir",
                &other.data().display().to_string(),
                "--dbt",
                "/no/such/dbt",
            ]),
            "the dbt program `/no/such/dbt` is not there",
        ),
        (
            narrowgate(&["serve", "--no-runner", "--data-dir", &inside.display().to_string()]),
            "a-file",
        ),
        (narrowgate(&["serve", "--no-runner"]), "data_dir"),
    ];
    for (said, words) in cases {
        assert_eq!(said.code, Some(1), "{words}: {said:?}");
        assert_eq!(said.err.trim_end().lines().count(), 1, "{words}: {said:?}");
        assert!(
            said.err.starts_with("narrowgate: ") && said.err.contains(words),
            "{words}: {said:?}"
        );
    }
}

#[test]
fn a_wrong_value_says_where_it_came_from() {
    let folder = Folder::new();
    folder.init("Acme");
    std::fs::write(folder.data().join("narrowgate.toml"), "workers = \"many\"\n").unwrap();
    let said = folder.serve(&["--listen", "127.0.0.1:0"]);
    assert!(said.err.contains("`workers`") && said.err.contains("narrowgate.toml"), "{said:?}");
    std::fs::write(folder.data().join("narrowgate.toml"), "wokers = 3\n").unwrap();
    let said = folder.serve(&["--listen", "127.0.0.1:0"]);
    assert!(said.err.contains("wokers"), "{said:?}");
    std::fs::remove_file(folder.data().join("narrowgate.toml")).unwrap();
    let said = folder.command(&["serve", "--no-runner"]).env("NARROWGATE_LISTEN", "x").output();
    let said = String::from_utf8(said.unwrap().stderr).unwrap();
    assert!(said.contains("the environment variable NARROWGATE_LISTEN"), "{said}");
}

#[test]
fn a_database_of_a_newer_version_is_left_alone() {
    let folder = Folder::new();
    folder.init("Acme");
    folder.sql("INSERT INTO seaql_migrations (version, applied_at) VALUES ('m9999_future', 0)");
    let said = folder.serve(&["--listen", "127.0.0.1:0"]);
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("newer version") && said.err.contains("m9999_future"), "{said:?}");
}

#[test]
fn wrong_arguments_are_exit_code_2_and_help_teaches() {
    for arguments in [&["nonsense"][..], &["init"], &["init", "--plan", "gold"], &["token", "show"]]
    {
        assert_eq!(narrowgate(arguments).code, Some(2), "{arguments:?}");
    }
    for arguments in [&["--help"][..], &["serve", "--help"], &["token", "create", "--help"]] {
        let said = narrowgate(arguments);
        assert_eq!(said.code, Some(0));
        assert!(!said.out.contains("ngst_") && !said.out.contains("--token ng"), "{said:?}");
    }
    assert!(narrowgate(&["serve", "--help"]).out.contains("NARROWGATE_LISTEN"));
    assert!(narrowgate(&["openapi"]).out.contains("\"openapi\": \"3.1.0\""));
}

#[test]
fn a_token_is_made_listed_shown_changed_and_deleted() {
    let folder = Folder::new();
    let admin = folder.init("Acme");
    let server = Server::start(&folder);
    let run = |arguments: &[&str]| server.client(&admin, arguments);
    let made = run(&["token", "create", "--json", "--name", "nightly", "--grant", "job_admin"]);
    let made: Value = serde_json::from_str(&made.out).unwrap();
    let (id, secret) = (made["id"].to_string(), made["token_string"].as_str().unwrap().to_owned());
    assert!(run(&["token", "list"]).out.contains("nightly"));
    assert!(!run(&["token", "list"]).out.contains(&secret));
    assert!(run(&["token", "show", &id]).out.contains("job_admin on all projects"));
    let changed = run(&["token", "permissions", &id, "--json", "--grant", "job_viewer"]);
    assert!(changed.out.contains("job_viewer"), "{changed:?}");
    let wrong = run(&["token", "permissions", &id, "--grant", "job_admin:x"]);
    assert_eq!(wrong.code, Some(1));
    assert!(wrong.err.contains("project_ids"), "{wrong:?}");
    let mut token = admin.clone();
    token["personal_token"] = json!(secret);
    let may =
        |access: &str| server.client(&token, &["check", "--resource", "jobs", "--access", access]);
    assert_eq!((may("read").code, may("write").code), (Some(0), Some(3)));
    assert!(may("write").out.starts_with("no: no grant holds write on jobs"), "{:?}", may("write"));
    assert_eq!(run(&["token", "delete", &id]).code, Some(0));
    let after = server.client(&token, &["check", "--resource", "jobs"]);
    assert_eq!(after.code, Some(1));
    assert!(after.err.contains("401"), "{after:?}");
    assert_eq!(run(&["token", "show", &id]).code, Some(1));
}

#[test]
fn old_tokens_are_imported_without_a_secret_and_told_to_rotate() {
    let folder = Folder::new();
    let admin = folder.init("Acme");
    let csv = folder.path("tokens.csv");
    let text = "name,created_at,last_used,permissions\n\
                loader,2023-07-18,2026-11-01,job_admin;metadata_only\n\
                \"=cmd(),x\",2024-01-01,,readonly\n";
    std::fs::write(&csv, text).unwrap();
    let file = csv.display().to_string();
    let said = folder.run(&["token", "import", "--account", "1", "--json", &file]);
    assert_eq!(said.code, Some(0), "{said:?}");
    let server = Server::start(&folder);
    let listed = server.client(&admin, &["token", "list", "--json"]);
    let listed: Value = serde_json::from_str(&listed.out).unwrap();
    assert_eq!(listed[0]["advisory"]["action"], "rotate");
    assert_eq!(listed[0]["created_at"], "2023-07-18T00:00:00.000000+00:00");
    assert_eq!(listed[0]["awaits_rotation"], true);
    assert_eq!((&listed[1]["name"], &listed[1]["advisory"]), (&json!("=cmd(),x"), &Value::Null));
    std::fs::write(&csv, "name,created_at\nx,yesterday\n").unwrap();
    let said = folder.run(&["token", "import", "--account", "1", &file]);
    assert!(said.err.contains("row 1") && said.err.contains("created_at"), "{said:?}");
}

#[test]
fn audit_verify_names_the_first_record_that_was_changed() {
    let folder = Folder::new();
    folder.init("Acme");
    folder.init("Umbrella");
    let whole = folder.run(&["audit", "verify"]);
    assert_eq!(whole.code, Some(0), "{whole:?}");
    assert!(whole.out.contains("account 2") && whole.out.contains("the chain is whole"));
    folder.sql("UPDATE audit_records SET actor = 'user:2' WHERE account_id = 2 AND seq = 1");
    let broken = folder.run(&["audit", "verify"]);
    assert_eq!(broken.code, Some(1), "{broken:?}");
    assert!(broken.out.contains("account 1: ") && broken.out.contains("is whole"), "{broken:?}");
    assert!(broken.out.contains("BROKEN: record 1 of account 2 was changed"), "{broken:?}");
}

/// Nothing is lost: what was answered with success survives kill -9 right after.
#[test]
fn kill_9_right_after_an_answer_loses_none_of_200() {
    const ROUNDS: usize = 20;
    let folder = Folder::new();
    let admin = folder.init("Acme");
    let mut tokens: BTreeMap<i64, Option<&str>> = BTreeMap::new();
    let mut answered = 0;
    for round in 0..ROUNDS {
        let mut server = Server::start(&folder);
        for turn in 0..10 {
            let (path, body) = match (turn % 3, tokens.iter().find(|(_, set)| set.is_some())) {
                (1, Some((id, _))) => (
                    format!("/{id}/permissions/"),
                    json!([{ "permission_set": "metadata_only", "all_projects": true }]),
                ),
                (2, Some((id, _))) => (format!("/{id}/"), json!({ "state": 2 })),
                _ => (
                    "/".to_owned(),
                    json!({ "name": format!("t{round}"), "permission_grants": [
                        { "permission_set": "job_admin", "all_projects": true },
                    ]}),
                ),
            };
            let answer = server.post(&admin, &format!("/service-tokens{path}"), &body);
            answered += 1;
            let id = path.trim_matches('/').split('/').next().unwrap().parse::<i64>();
            match (id, path.contains("permissions")) {
                (Ok(id), true) => tokens.insert(id, Some("metadata_only")),
                (Ok(id), false) => tokens.insert(id, None),
                (Err(_), _) => {
                    tokens.insert(answer["data"]["id"].as_i64().unwrap(), Some("job_admin"))
                }
            };
            // Each kind of change comes last in some round.
            if turn == 9 - round % 3 {
                break;
            }
        }
        server.kill();
    }
    while answered < 200 {
        let mut server = Server::start(&folder);
        let body = json!({ "name": "more", "permission_grants": [
            { "permission_set": "job_admin", "all_projects": true },
        ]});
        let answer = server.post(&admin, "/service-tokens/", &body);
        tokens.insert(answer["data"]["id"].as_i64().unwrap(), Some("job_admin"));
        answered += 1;
        server.kill();
    }
    let server = Server::start(&folder);
    let listed = server.client(&admin, &["token", "list", "--json"]);
    let listed: Vec<Value> = serde_json::from_str(&listed.out).unwrap();
    let there: BTreeMap<i64, Option<&str>> = listed
        .iter()
        .map(|token| {
            let set = token["permission_grants"][0]["permission_set"].as_str();
            (token["id"].as_i64().unwrap(), set)
        })
        .collect();
    let expected: BTreeMap<_, _> = tokens.into_iter().filter(|(_, set)| set.is_some()).collect();
    assert_eq!(there, expected);
    assert!(answered >= 200);
    drop(server);
    assert_eq!(folder.run(&["audit", "verify"]).code, Some(0));
}

#[test]
fn the_demo_shows_what_it_should_and_a_second_one_works_too() {
    let Some(dbt) = dbt() else {
        println!("skipped: no dbt (scripts/test installs it and sets NARROWGATE_TEST_DBT)");
        return;
    };
    let folder = Folder::new();
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/shop");
    for _ in 0..2 {
        let data = folder.data().display().to_string();
        let said = narrowgate(&[
            "demo",
            "--exit",
            "--listen",
            "127.0.0.1:0",
            "--data-dir",
            &data,
            "--dbt",
            &dbt,
            "--example",
            example,
        ]);
        assert_eq!(said.code, Some(0), "{said:?}");
        for words in [
            "Job Admin on shop",
            "Job Admin on another project",
            ": Success after",
            ": Error after",
            "curl -X POST",
            "narrowgate demo: ended well",
        ] {
            assert!(said.out.contains(words), "{words}: {said:?}");
        }
        assert!(!said.out.contains("ngst_"), "no token is printed");
    }
    let token = folder.data().join("job-admin.token");
    assert!(std::fs::read_to_string(token).unwrap().starts_with("ngst_"));
    let listed = Command::new("ls").arg(folder.data().join("work")).output().unwrap();
    assert_eq!(String::from_utf8(listed.stdout).unwrap().trim(), "", "working copies are gone");
}
