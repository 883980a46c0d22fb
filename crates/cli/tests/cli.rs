//! The real program, as a user or a script meets it.

#[cfg(feature = "s3")]
mod bucket_runs;
mod buckets;
mod cancelling;
mod dbts;
mod faults;
mod following;
mod kills;
mod many;
mod program;
mod receiver;
mod runners;
mod scripted;
mod tls;
mod token_files;
mod tokens_page;

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    process::Command,
    time::{Duration, Instant},
};

use program::{Folder, Server, dbt, narrowgate};
use receiver::delivery;
use reqwest::Method;
use scripted::{dbt_script, scripted_dbt, scripted_job};
use serde_json::{Value, json};

#[test]
fn init_prints_one_object_and_a_second_one_adds_an_account() {
    let folder = Folder::new();
    let first = folder.init("Acme");
    let keys: BTreeSet<_> = first.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["account_id", "personal_token", "sign_in_link", "user_id"].into());
    let link = first["sign_in_link"].as_str().unwrap();
    assert!(link.starts_with("http://127.0.0.1:8580/console/welcome#ngit_"), "{link}");
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
fn what_cannot_be_is_one_clear_line_and_exit_code_1_or_2_for_wrong_settings() {
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
        (1, other.serve(&["--listen", &taken]), "cannot listen on"),
        (2, other.serve(&["--listen", "nowhere"]), "(from the option --listen)"),
        (2, other.serve(&["--listen", "0.0.0.0:0"]), "--allow-plain-http"),
        (2, other.serve(&["--workers", "0"]), "`workers` must be 1 or more"),
        (2, other.serve(&["--niceness", "20"]), "`niceness` must be 0 to 19"),
        (2, other.serve(&["--sandbox", "on"]), "`sandbox` must be auto, bubblewrap or off"),
        (
            2,
            other.serve(&["--keep-artifacts-days", "0"]),
            "`keep_artifacts_days` must be 1 or more",
        ),
        (
            2,
            other.serve(&["--keep-token-uses-days", "89"]),
            "`keep_token_uses_days` must be 90 to 400",
        ),
        (2, other.serve(&["--log", "a=b=c"]), "`log`"),
        (2, other.serve(&["--config", "/no/such/file"]), "/no/such/file is not there"),
        (
            1,
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
            1,
            narrowgate(&["serve", "--no-runner", "--data-dir", &inside.display().to_string()]),
            "a-file",
        ),
        (2, narrowgate(&["serve", "--no-runner"]), "data_dir"),
    ];
    for (code, said, words) in cases {
        assert_eq!(said.code, Some(code), "{words}: {said:?}");
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
    let no_key = "[leak_keys]\nk1 = \"no key\"\n";
    std::fs::write(folder.data().join("narrowgate.toml"), no_key).unwrap();
    let said = folder.serve(&["--listen", "127.0.0.1:0"]);
    assert!(said.err.contains("`leak_keys`") && said.err.contains("`k1`"), "{said:?}");
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
    let serve = narrowgate(&["serve", "--help"]).out;
    assert!(serve.contains("NARROWGATE_LISTEN"));
    let (options, of_runs) = serve.split_once("Programs of runs:").unwrap();
    assert!(options.contains("--log <FILTER>") && of_runs.contains("--max-file-size-mib <MIB>"));
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
    // A canary is made by a name alone, is shown as one, and opens nothing.
    let canary = run(&["token", "canary", "--json", "backup host"]);
    let canary: Value = serde_json::from_str(&canary.out).unwrap();
    assert_eq!((&canary["canary"], &canary["expires_at"]), (&json!(true), &Value::Null));
    token["personal_token"] = canary["token_string"].clone();
    assert_eq!(server.client(&token, &["check", "--resource", "jobs"]).err, after.err);
    assert!(run(&["token", "list"]).out.contains("canary"));
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
    let (from_json, list) = (
        folder.path("tokens.json"),
        json!([
            { "name": "from json", "created_at": "2023-01-01", "permissions": ["job_admin", "readonly"] },
        ]),
    );
    std::fs::write(&from_json, list.to_string()).unwrap();
    let from_json = from_json.display().to_string();
    let said = folder.run(&["token", "import", "--account", "1", &from_json]);
    assert!(said.out.contains("1 tokens imported"), "{said:?}");
    let audit = "/api/v3/accounts/1/audit-logs/?limit=1";
    let audit = server.ask(Method::GET, &admin, audit, None);
    assert_eq!(audit["data"][0]["event_type"], "service_token.imported");
    assert_eq!(audit["data"][0]["actor"], json!({ "type": "system", "id": "importer" }));
    let shown = server.client(&admin, &["token", "list"]).out;
    assert!(shown.contains("from json") && shown.contains("rotate before use"), "{shown}");
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
    let two = folder.run(&["audit", "verify", "--json", "--account", "2"]);
    let two: Value = serde_json::from_str(&two.out).unwrap();
    assert_eq!(two.as_array().unwrap().len(), 1);
    assert_eq!((&two[0]["account_id"], &two[0]["whole"]), (&json!(2), &json!(true)));
    let nobody = folder.run(&["audit", "verify", "--account", "3"]);
    assert_eq!(nobody.code, Some(1), "{nobody:?}");
    folder.sql("UPDATE audit_records SET actor = 'user:2' WHERE account_id = 2 AND seq = 1");
    let broken = folder.run(&["audit", "verify"]);
    assert_eq!(broken.code, Some(1), "{broken:?}");
    assert!(broken.out.contains("account 1: ") && broken.out.contains("is whole"), "{broken:?}");
    assert!(broken.out.contains("BROKEN: record 1 of account 2 was changed"), "{broken:?}");
}

#[test]
fn an_export_of_the_audit_log_verifies_without_its_server_and_a_changed_one_does_not() {
    let folder = Folder::new();
    let acme = folder.init("Acme");
    let server = Server::start_with(&folder, &["--log", "error", "--trusted-proxy", "10.0.0.0/8"]);
    let asked = server.post(&acme, "/audit-logs/export/", &json!({}));
    let job = asked["data"]["job_id"].as_str().unwrap();
    let status = "/api/v3/accounts/1/audit-logs/export/";
    while server.ask(Method::GET, &acme, status, None)["data"]["is_running"] == true {
        pause();
    }
    let kept = folder.data().join(format!("artifacts/audit-exports/1/{job}.jsonl"));
    let text = std::fs::read_to_string(kept).unwrap();
    let export = folder.path("export.jsonl");
    let verify = |text: &str| {
        std::fs::write(&export, text).unwrap();
        narrowgate(&["audit", "verify", "--file", export.to_str().unwrap()])
    };
    let whole = verify(&text);
    assert_eq!(whole.code, Some(0), "{whole:?}");
    assert!(whole.out.contains("account 1: ") && whole.out.contains("the chain is whole"));
    let changed = verify(&text.replacen("user:1", "user:2", 1));
    assert_eq!(changed.code, Some(1), "{changed:?}");
    assert!(changed.out.contains("BROKEN: record"), "{changed:?}");
    let mut lines: Vec<_> = text.lines().collect();
    lines.pop();
    let cut = verify(&lines.join("\n"));
    assert!(cut.code == Some(1) && cut.out.contains("should end with record"), "{cut:?}");
    let nonsense = verify("a,b,c");
    assert!(nonsense.code == Some(1) && nonsense.err.contains("is no export"), "{nonsense:?}");
    let nothing = narrowgate(&["audit", "verify"]);
    assert!(nothing.code == Some(2) && nothing.err.contains("--data-dir"), "{nothing:?}");
}

#[test]
fn a_trusted_proxy_that_is_no_network_is_refused_by_name() {
    let folder = Folder::new();
    folder.init("Acme");
    let said = folder.serve(&["--trusted-proxy", "10.0.0.0/8", "--trusted-proxy", "front"]);
    assert_eq!(said.code, Some(2), "{said:?}");
    assert!(said.err.contains("trusted_proxy") && said.err.contains("10.0.0.0/8"), "{said:?}");
}

#[test]
fn an_option_wins_over_the_environment_and_the_environment_over_the_file() {
    let folder = Folder::new();
    let (data, keyring) = (folder.path("2026"), folder.path("elsewhere.json"));
    std::fs::create_dir(&data).unwrap();
    let config = folder.path("a.toml");
    std::fs::write(
        &config,
        format!(
            "listen = \"127.0.0.2:0\"\npublic_url = \"https://file.example\"\n\
             keyring = \"{}\"\nno_openapi = true\nno_runner = true\n",
            keyring.display()
        ),
    )
    .unwrap();
    // A folder whose name reads as a number, given by the environment alone.
    let start = |options: &[&str], environment: &[(&str, &str)]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_narrowgate"));
        command.current_dir(folder.path("")).args(["serve", "--log", "error"]).args(options);
        command.env("NARROWGATE_DATA_DIR", "2026").env("NARROWGATE_CONFIG", &config);
        command.env_remove("NARROWGATE_LISTEN").envs(environment.iter().copied());
        Server::started(&mut command)
    };
    let listens = |server: &Server, address: &str| {
        assert!(server.url.starts_with(&format!("http://{address}:")), "{}", server.url);
    };
    listens(&start(&[], &[]), "127.0.0.2");
    assert!(keyring.exists() && !data.join("keyring.json").exists(), "the file's keyring");
    listens(&start(&[], &[("NARROWGATE_LISTEN", "127.0.0.3:0")]), "127.0.0.3");
    let environment = [("NARROWGATE_LISTEN", "127.0.0.3:0"), ("NARROWGATE_NO_OPENAPI", "false")];
    let server = start(&["--listen", "127.0.0.1:0"], &environment);
    listens(&server, "127.0.0.1");
    let nobody = json!({ "personal_token": "" });
    let answered = server.ask(Method::GET, &nobody, "/api/openapi.json", None);
    let said: Value = serde_json::from_str(&narrowgate(&["openapi"]).out).unwrap();
    assert_eq!(answered, said, "`narrowgate openapi` prints what is served");
}

#[test]
fn links_begin_with_the_public_url_and_the_test_clock_stands_still() {
    let folder = Folder::new();
    let admin = folder.init("Acme");
    let options =
        ["--public-url", "https://dbt.example.com/", "--test-clock", "2023-07-18T10:00:00Z"];
    let mut command = folder.command(&["serve", "--no-runner", "--listen", "127.0.0.1:0"]);
    let server = Server::started(command.args(options));
    let made = server.post(&admin, "/service-tokens/", &json!({ "name": "old" }));
    assert_eq!(made["data"]["created_at"], "2023-07-18T10:00:00.000000+00:00");
    assert_eq!(made["data"]["advisory"]["action"], "rotate");
    let job = scripted_job(&folder, &server, &admin, "dbt build");
    let path = format!("/api/v2/accounts/1/jobs/{job}/run/");
    let run = server.ask(Method::POST, &admin, &path, Some(&json!({ "cause": "c" })));
    let href = run["data"]["href"].as_str().unwrap();
    assert!(href.starts_with("https://dbt.example.com/") && !href.contains("com//"), "{href}");
    assert!(!narrowgate(&["serve", "--help"]).out.contains("test-clock"), "it is hidden");
}

#[test]
fn init_without_json_speaks_to_a_person_and_migrate_to_whoever_updates() {
    let folder = Folder::new();
    let init = ["init", "--account-name", "Acme", "--admin-email", "ada@example.com"];
    let said = folder.run(&init);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.out.contains("account 1 `Acme`, plan enterprise"), "{said:?}");
    assert_eq!(said.out.matches("ngpt_").count(), 1, "{said:?}");
    for _ in 0..2 {
        let said = folder.run(&["migrate"]);
        assert_eq!(said.code, Some(0), "{said:?}");
        assert!(said.out.contains("is up to date"), "{said:?}");
    }
}

#[test]
fn a_sign_in_link_is_made_for_a_user_of_the_account_alone() {
    let folder = Folder::new();
    folder.init("Acme");
    let ask = |email: &str| {
        let public = ["--public-url", "https://ng.example/"];
        folder.run(&[&["sign-in-link", "--email", email][..], &public].concat())
    };
    let said = ask("ADA@example.com");
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.out.contains("\nhttps://ng.example/console/welcome#ngit_"), "{said:?}");
    let said = ask("eve@example.com");
    assert_eq!((said.code, said.out.as_str()), (Some(1), ""), "{said:?}");
    assert!(said.err.contains("account 1 has no user `eve@example.com`"), "{said:?}");
}

#[test]
fn a_folder_that_may_not_be_written_is_named_in_one_line() {
    let folder = Folder::new();
    let closed = folder.path("closed");
    std::fs::create_dir(&closed).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o500);
    std::fs::set_permissions(&closed, mode).unwrap();
    if std::fs::write(closed.join("probe"), "").is_ok() {
        println!("skipped: this user may write anywhere");
        return;
    }
    let data = closed.join("data").display().to_string();
    let said = narrowgate(&["serve", "--no-runner", "--data-dir", &data]);
    assert_eq!((said.code, said.err.trim_end().lines().count()), (Some(1), 1), "{said:?}");
    assert!(said.err.contains("closed"), "{said:?}");
}

#[test]
fn check_asks_about_another_token_and_about_one_project() {
    let folder = Folder::new();
    let admin = folder.init("Acme");
    let server = Server::start(&folder);
    let project = |name: &str| {
        server.post(&admin, "/projects/", &json!({ "name": name }))["data"]["id"].to_string()
    };
    let (sales, hr) = (project("sales"), project("hr"));
    let grant = format!("job_admin:{sales}");
    let made = ["token", "create", "--json", "--name", "t", "--grant", &grant];
    let made: Value = serde_json::from_str(&server.client(&admin, &made).out).unwrap();
    let id = made["id"].to_string();
    let ask = |project: &str| {
        let about = ["check", "--service-token", &id, "--resource", "jobs", "--access", "write"];
        server.client(&admin, &[&about[..], &["--project", project]].concat())
    };
    assert_eq!((ask(&sales).code, ask(&hr).code), (Some(0), Some(3)));
    assert!(ask(&hr).out.contains(&format!("not on project {hr}")), "{:?}", ask(&hr));
    let unknown = server.client(&admin, &["check", "--resource", "jobbs"]);
    assert_eq!(unknown.code, Some(1), "{unknown:?}");
    assert!(unknown.err.contains("`resource`"), "{unknown:?}");
}

#[test]
fn a_token_is_held_to_restrictions_and_let_go_of_them() {
    let folder = Folder::new();
    let admin = folder.init("Acme");
    let server = Server::start(&folder);
    let run = |arguments: &[&str]| server.client(&admin, arguments);
    let made = ["token", "create", "--json", "--name", "t", "--grant", "job_admin", "--read-only"];
    let made: Value = serde_json::from_str(&run(&made).out).unwrap();
    let (id, secret) = (made["id"].to_string(), made["token_string"].clone());
    let mut token = admin.clone();
    token["personal_token"] = secret;
    let may_write =
        || server.client(&token, &["check", "--resource", "jobs", "--access", "write"]).code;
    assert_eq!(
        (run(&["token", "restrictions", &id]).out.trim(), may_write()),
        ("read-only", Some(3))
    );
    let held = ["--address", "127.0.0.0/8", "--rate", "100", "--burst", "50"];
    let held = run(&[&["token", "restrictions", &id][..], &held].concat());
    assert_eq!(held.out, "from 127.0.0.0/8 only\n100 requests a second, 50 at once\n", "{held:?}");
    assert_eq!(may_write(), Some(0));
    let shut = run(&["token", "restrictions", &id, "--address", "192.0.2.1"]);
    assert_eq!(shut.code, Some(1));
    assert!(shut.err.contains("would shut out your own address"), "{shut:?}");
    let both = run(&["token", "restrictions", &id, "--none", "--read-only"]);
    assert_eq!(both.code, Some(2), "{both:?}");
    let free = run(&["token", "restrictions", &id, "--none"]);
    assert_eq!(free.out, "held to nothing beside its grants\n");
}

#[test]
fn a_script_says_in_one_line_which_program_is_missing() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    let folder = Folder::new();
    let bin = folder.path("bin");
    std::fs::create_dir(&bin).unwrap();
    let program = |name: &str, text: &str| {
        let file = bin.join(name);
        std::fs::write(&file, format!("#!/bin/sh\n{text}\n")).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(&file, mode).unwrap();
    };
    for name in ["dirname", "sed", "cut", "sort", "head"] {
        let found = std::env::split_paths(&std::env::var_os("PATH").unwrap())
            .map(|folder| folder.join(name))
            .find(|file| file.is_file())
            .unwrap();
        std::os::unix::fs::symlink(found, bin.join(name)).unwrap();
    }
    let said = |script: &str, words: &str| {
        let output = Command::new("/bin/bash")
            .arg(format!("{root}/scripts/{script}"))
            .env("PATH", &bin)
            .output()
            .unwrap();
        let err = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), err.lines().count()), (Some(1), 1), "{err}");
        assert!(err.starts_with(&format!("scripts/{script}: ")) && err.contains(words), "{err}");
    };
    for script in ["demo", "test"] {
        said(script, "cargo is missing: install Rust");
    }
    program("cargo", "exit 0");
    program("rustc", "echo rustc 1.60.0");
    said("demo", "rustc is 1.60.0: install Rust");
    program("rustc", "echo rustc 99.0.0");
    said("demo", "cc is missing: install a C compiler");
    program("cc", "exit 0");
    said("demo", "git is missing");
    program("git", "exit 0");
    said("demo", "Python 3.11, 3.12 or 3.13");
}

#[test]
fn a_token_that_cannot_be_read_is_not_repeated_and_blanks_around_one_do_no_harm() {
    let folder = Folder::new();
    let admin = folder.init("Acme");
    let server = Server::start(&folder);
    let secret = admin["personal_token"].as_str().unwrap().to_owned();
    let mut other = admin.clone();
    other["personal_token"] = json!(format!("{secret}\r\n"));
    assert_eq!(server.client(&other, &["token", "list"]).code, Some(0));
    for wrong in [format!("{secret}x"), "dbtc_somebody-elses-secret".to_owned()] {
        other["personal_token"] = json!(wrong);
        let said = server.client(&other, &["token", "list"]);
        assert_eq!(said.code, Some(2), "{said:?}");
        assert!(said.err.contains("NARROWGATE_TOKEN"), "{said:?}");
        assert!(!said.err.contains(&wrong) && !said.out.contains(&wrong), "{said:?}");
        let said = server.client(&admin, &["token", "list", "--token", &wrong]);
        assert!(!said.err.contains(&wrong) && said.code == Some(2), "{said:?}");
    }
}

#[test]
fn a_signal_right_after_the_first_line_ends_the_server_well() {
    let folder = Folder::new();
    folder.init("Acme");
    for _ in 0..10 {
        assert_eq!(Server::start(&folder).terminate(), Some(0));
    }
}

#[test]
fn a_request_in_flight_when_the_server_is_asked_to_end_is_answered() {
    let folder = Folder::new();
    let admin = folder.init("Acme");
    let mut server = Server::start(&folder);
    let body = r#"{ "name": "late" }"#;
    let mut connection = TcpStream::connect(server.url.trim_start_matches("http://")).unwrap();
    let head = format!(
        "POST /api/v3/accounts/1/projects/ HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\nExpect: 100-continue\r\n\r\n",
        admin["personal_token"].as_str().unwrap(),
        body.len(),
    );
    connection.write_all(head.as_bytes()).unwrap();
    let mut waits = [0; "HTTP/1.1 100 Continue\r\n\r\n".len()];
    connection.read_exact(&mut waits).unwrap();
    assert!(waits.starts_with(b"HTTP/1.1 100 "), "the handler waits for the body");
    server.signal();
    // It takes no new connection any more, and waits for the one that has begun.
    let address = server.url.trim_start_matches("http://").to_owned();
    let asked = Instant::now();
    while TcpStream::connect(&address).is_ok() && asked.elapsed() < Duration::from_secs(5) {
        pause();
    }
    connection.write_all(body.as_bytes()).unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    assert_eq!(server.ended(), Some(0));
    let again = Server::start(&folder);
    let kept = again.ask(Method::GET, &admin, "/api/v3/accounts/1/projects/", None);
    assert_eq!(kept["data"][0]["name"], "late");
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_narrowgate"))
        .arg("openapi")
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let ended = child.wait_with_output().unwrap();
    let said = String::from_utf8(ended.stderr).unwrap();
    assert_eq!((ended.status.code(), said.as_str()), (Some(0), ""));
}

#[test]
fn a_data_folder_without_its_keyring_is_left_alone() {
    let folder = Folder::new();
    folder.init("Acme");
    let (keyring, aside) = (folder.data().join("keyring.json"), folder.path("aside.json"));
    std::fs::rename(&keyring, &aside).unwrap();
    let commands: [&[&str]; 3] = [
        &["serve", "--no-runner", "--listen", "127.0.0.1:0"],
        &["audit", "verify"],
        &["init", "--account-name", "B", "--admin-email", "b@example.com"],
    ];
    for arguments in commands {
        let said = folder.run(arguments);
        assert_eq!(said.code, Some(1), "{arguments:?}: {said:?}");
        assert_eq!(said.err.trim_end().lines().count(), 1, "{said:?}");
        assert!(said.err.contains("keyring.json: is missing"), "{said:?}");
        assert!(!keyring.exists(), "no new keyring takes its place");
    }
    let elsewhere = aside.display().to_string();
    assert_eq!(folder.run(&["audit", "verify", "--keyring", &elsewhere]).code, Some(0));
}

#[test]
fn a_folder_that_is_no_data_folder_is_not_made_one_by_looking_at_it() {
    let folder = Folder::new();
    let csv = folder.path("tokens.csv");
    std::fs::write(&csv, "name,created_at\nloader,2024-01-01\n").unwrap();
    let csv = csv.display().to_string();
    let commands: [&[&str]; 3] =
        [&["audit", "verify"], &["migrate"], &["token", "import", "--account", "1", &csv]];
    for arguments in commands {
        let said = folder.run(arguments);
        assert_eq!(said.code, Some(1), "{arguments:?}: {said:?}");
        assert!(said.err.contains("is no data folder"), "{said:?}");
        assert!(!folder.data().exists(), "{arguments:?}");
    }
}

#[test]
fn every_permission_of_a_token_is_shown_and_all_can_be_taken_away() {
    let folder = Folder::new();
    let admin = folder.init("Acme");
    let server = Server::start(&folder);
    let projects: Vec<_> = (0..52)
        .map(|n| server.post(&admin, "/projects/", &json!({ "name": format!("p{n}") })))
        .map(|made| made["data"]["id"].to_string())
        .collect();
    let projects = projects.join(",");
    let (admins, viewers) = (format!("job_admin:{projects}"), format!("job_viewer:{projects}"));
    let run = |arguments: &[&str]| {
        let said = server.client(&admin, arguments);
        assert_eq!(said.code, Some(0), "{said:?}");
        serde_json::from_str::<Value>(&said.out).unwrap()
    };
    let made =
        run(&["token", "create", "--json", "--name", "t", "--grant", &admins, "--grant", &viewers]);
    let id = made["id"].to_string();
    let shown = run(&["token", "permissions", &id, "--json"]);
    assert_eq!(shown.as_array().unwrap().len(), 104);
    assert_eq!(run(&["token", "permissions", &id, "--json", "--none"]), json!([]));
    assert_eq!(run(&["token", "permissions", &id, "--json"]), json!([]));
    let said = server.client(&admin, &["token", "permissions", &id, "--none", "--grant", "owner"]);
    assert_eq!(said.code, Some(2), "{said:?}");
}

/// Nothing is lost: what was answered with success survives kill -9 right after.
#[test]
fn kill_9_right_after_an_answer_loses_none_of_200() {
    let folder = Folder::new();
    let admin = folder.init("Acme");
    let tokens = format!("/api/v3/accounts/{}/service-tokens/", admin["account_id"]);
    let grant = |set: &str| json!([{ "permission_set": set, "all_projects": true }]);
    let sets = ["job_viewer", "metadata_only", "job_admin"];
    // What was answered: the tokens and the set of each.
    let mut known: BTreeMap<i64, String> = BTreeMap::new();
    let listed = |server: &Server| -> BTreeMap<i64, String> {
        let path = format!("{tokens}?limit=100");
        let list = server.ask(Method::GET, &admin, &path, None);
        let row = |token: &Value| {
            let set = token["permission_grants"][0]["permission_set"].as_str().unwrap();
            (token["id"].as_i64().unwrap(), set.to_owned())
        };
        list["data"].as_array().unwrap().iter().map(row).collect()
    };
    for change in 0..200 {
        let mut server = Server::start(&folder);
        assert_eq!(listed(&server), known, "after change {change}");
        // Created, created, changed, deleted, and so on; the oldest stays and is changed often.
        match (change % 4, known.keys().next().copied(), known.keys().last().copied()) {
            (2, Some(oldest), _) => {
                let set = sets[change / 4 % sets.len()];
                let path = format!("{tokens}{oldest}/permissions/");
                server.ask(Method::POST, &admin, &path, Some(&grant(set)));
                known.insert(oldest, set.to_owned());
            }
            (3, _, Some(newest)) => {
                server.ask(Method::DELETE, &admin, &format!("{tokens}{newest}/"), None);
                known.remove(&newest);
            }
            _ => {
                let body = json!({ "name": "t", "permission_grants": grant("job_runner") });
                let made = server.ask(Method::POST, &admin, &tokens, Some(&body));
                known.insert(made["data"]["id"].as_i64().unwrap(), "job_runner".to_owned());
            }
        }
        server.kill();
    }
    assert_eq!(listed(&Server::start(&folder)), known);
    assert_eq!(folder.run(&["audit", "verify"]).code, Some(0));
}

#[test]
fn a_run_is_triggered_shown_listed_and_followed() {
    let folder = Folder::new();
    let admin = folder.init("Acme");
    let results = json!({ "args": { "which": "build" }, "results": [
        { "unique_id": "model.s.a", "status": "success" },
        { "unique_id": "test.s.b", "status": "warn" },
    ] });
    let script = format!("echo done; mkdir target; echo '{results}' > target/run_results.json");
    let server = Server::with_dbt(&folder, &dbt_script(&folder, &script));
    let job = scripted_job(&folder, &server, &admin, "dbt build");
    let run = |arguments: &[&str]| {
        let said = server.client(&admin, arguments);
        assert_eq!(said.code, Some(0), "{arguments:?}: {said:?}");
        said.out
    };
    let triggered = run(&["run", "trigger", &job, "--cause", "by a test", "--json"]);
    let id = serde_json::from_str::<Value>(&triggered).unwrap()["id"].to_string();
    let followed = run(&["run", "logs", &id, "--follow"]);
    assert!(followed.contains("done") && followed.contains(": Success after"), "{followed}");
    assert_eq!(
        run(&["run", "logs", &id]).matches("done").count(),
        followed.matches("done").count()
    );
    let shown = run(&["run", "show", &id]);
    assert!(shown.contains("dbt build") && shown.contains("Success"), "{shown}");
    assert!(shown.contains("models: 1 passed, 0 warned, 0 failed, 0 skipped\n"), "{shown}");
    assert!(shown.contains("tests: 0 passed, 1 warned, 0 failed, 0 skipped\n"), "{shown}");
    assert!(run(&["run", "show", &id, "--json"]).contains("\"run_steps\""));
    assert!(run(&["run", "trigger", &job, "--follow"]).contains("is queued"));
    assert_eq!(run(&["run", "list"]).matches("Success").count(), 2);
    let listed: Value = serde_json::from_str(&run(&["run", "list", "--json"])).unwrap();
    assert_eq!(listed.as_array().unwrap().len(), 2);
    let nobody = server.client(&admin, &["run", "trigger", "999999"]);
    assert_eq!(nobody.code, Some(1), "{nobody:?}");
    assert!(nobody.err.contains("404"), "{nobody:?}");
}

/// The server goes away in the middle of a run: killed, or asked to end.
#[test]
fn a_run_under_way_when_the_server_ends_is_an_error_with_its_reason_and_its_log() {
    for (killed, reason) in [(true, "stopped answering at"), (false, "the server was stopped")] {
        let folder = Folder::new();
        let admin = folder.init("Acme");
        let dbt = scripted_dbt(&folder);
        let mut server = Server::with_dbt(&folder, &dbt);
        let job = scripted_job(&folder, &server, &admin, "dbt build --select slow");
        let triggered = server.client(&admin, &["run", "trigger", &job, "--json"]);
        let triggered: Value = serde_json::from_str(&triggered.out).unwrap();
        let id = triggered["id"].to_string();
        let begun = || server.client(&admin, &["run", "logs", &id]).out.contains("begun");
        assert!((0..600).any(|_| begun()), "the run begins");
        if killed {
            server.kill();
        } else {
            assert_eq!(server.terminate(), Some(0));
        }
        let server = Server::with_dbt(&folder, &dbt);
        let mut shown = server.client(&admin, &["run", "show", &id]);
        let asked = std::time::Instant::now();
        while !shown.out.contains(": Error after") && asked.elapsed().as_secs() < 30 {
            pause();
            shown = server.client(&admin, &["run", "show", &id]);
        }
        assert!(shown.out.contains(": Error after"), "{shown:?}");
        assert!(shown.out.contains(reason), "{shown:?}");
        let logs = server.client(&admin, &["run", "logs", &id]);
        assert!(logs.out.contains("begun") && logs.code == Some(1), "{logs:?}");
    }
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
            ": Success after",
            ": Error after",
            "curl -X POST",
            "narrowgate demo: ended well",
        ] {
            assert!(said.out.contains(words), "{words}: {said:?}");
        }
        for (token, status, answer) in [
            ("Job Admin on shop", "200", "is queued"),
            (
                "Job Viewer on shop",
                "403",
                "needs write on `runs`: the permission set Job Runner holds it",
            ),
            (
                "Metadata Only on shop",
                "403",
                "needs write on `runs`: the permission set Job Runner holds it",
            ),
            (
                "Billing Admin",
                "403",
                "needs write on `runs`: the permission set Job Runner holds it",
            ),
            ("Job Admin on another project", "404", "not found"),
        ] {
            let row = said.out.lines().find(|line| line.contains(token) && line.contains(status));
            let row = row.unwrap_or_else(|| panic!("{token} {status}: {said:?}"));
            assert!(row.contains(answer), "{row}");
        }
        assert!(!said.out.contains("ngst_"), "no token is printed");
    }
    let token = folder.data().join("job-admin.token");
    assert!(std::fs::read_to_string(token).unwrap().starts_with("ngst_"));
    let listed = Command::new("ls").arg(folder.data().join("work")).output().unwrap();
    assert_eq!(String::from_utf8(listed.stdout).unwrap().trim(), "", "working copies are gone");
}

/// A moment, before the program is asked again.
#[expect(clippy::disallowed_methods, reason = "the test's own thread waits for a process")]
fn pause() {
    std::thread::sleep(std::time::Duration::from_millis(20));
}

/// A server is killed while a webhook's delivery is on its way; the next one sends it again.
#[test]
fn a_delivery_that_kill_9_cuts_off_is_sent_again_as_the_same_event() {
    let folder = Folder::new();
    let admin = folder.init("Acme");
    let receiver = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = |time: &str| {
        Server::start_with(
            &folder,
            &["--log", "error", "--allow-private-webhooks", "--test-clock", time],
        )
    };
    let mut server = at("2023-07-18T10:00:00Z");
    let id = |path: &str, body: Value| server.post(&admin, path, &body)["data"]["id"].clone();
    let url = format!("http://{}/hook", receiver.local_addr().unwrap());
    let events = ["job.run.completed"];
    id("/webhooks/subscriptions", json!({ "name": "w", "client_url": url, "event_types": events }));
    let project = id("/projects/", json!({ "name": "p" }));
    let environment = json!({ "name": "e", "type": "deployment" });
    let environment = id(&format!("/projects/{project}/environments/"), environment);
    let account = &admin["account_id"];
    let ask = |path: &str, body: Value| {
        let path = format!("/api/v2/accounts/{account}{path}");
        server.ask(Method::POST, &admin, &path, Some(&body))["data"]["id"].clone()
    };
    let job = json!({ "name": "j", "project_id": project, "environment_id": environment });
    let job = ask("/jobs/", job);
    let run = ask(&format!("/jobs/{job}/run/"), json!({ "cause": "x" }));
    ask(&format!("/runs/{run}/cancel/"), json!({}));

    // It is on its way, and nobody answers.
    let (stream, first) = delivery(&receiver);
    server.kill();
    drop(stream);
    // A minute later it is nobody's any more.
    let _server = at("2023-07-18T10:01:00Z");
    let (mut stream, second) = delivery(&receiver);
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").unwrap();

    assert_eq!(first["eventType"], "job.run.completed");
    assert_eq!(second, first);
}
