//! Tokens as a file, secrets that go to no terminal, and what is done to many tokens at once.
#![expect(clippy::unwrap_used, reason = "what fails here is a failed test")]

use std::{os::unix::fs::PermissionsExt as _, process::Command};

use serde_json::{Value, json};

use super::program::{Folder, PROGRAM, Server};

/// A folder, a server on it, and the admin of its account.
fn house() -> (Folder, Server, Value) {
    let folder = Folder::new();
    let admin = folder.init("Acme");
    let server = Server::start(&folder);
    (folder, server, admin)
}

fn named(server: &Server, admin: &Value) -> Vec<String> {
    let listed = server.client(admin, &["token", "list", "--json"]);
    let listed: Vec<Value> = serde_json::from_str(&listed.out).unwrap();
    listed.iter().map(|token| token["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_new_secret_goes_to_a_file_that_only_its_owner_reads_and_to_no_terminal() {
    let (folder, server, admin) = house();
    let file = folder.path("nightly.token").display().to_string();
    let create = ["token", "create", "--name", "nightly", "--grant", "job_viewer"];
    let to_file =
        |more: &[&str]| server.client(&admin, &[&create[..], &["--to-file", &file], more].concat());

    let made = to_file(&[]);
    assert_eq!(made.code, Some(0), "{made:?}");
    assert!(made.out.contains(&file) && !made.out.contains("ngst_"), "{made:?}");
    let secret = std::fs::read_to_string(&file).unwrap();
    assert!(secret.starts_with("ngst_"), "{secret}");
    let rights = std::fs::metadata(&file).unwrap().permissions().mode() & 0o777;
    assert_eq!(rights, 0o600);

    // One that is there is refused before a token is made.
    let refused = to_file(&[]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.err.contains("--overwrite"), "{refused:?}");
    assert_eq!(named(&server, &admin), ["nightly"]);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), secret);
    let replaced = to_file(&["--overwrite", "--json"]);
    let told: Value = serde_json::from_str(&replaced.out).unwrap();
    assert_eq!((&told["secret_in"], &told["token_string"]), (&json!(file), &Value::Null));
    let nowhere = folder.path("no/such/folder/x").display().to_string();
    let lost = server.client(&admin, &[&create[..], &["--to-file", &nowhere]].concat());
    assert_eq!(lost.code, Some(1), "{lost:?}");
    assert_eq!(named(&server, &admin), ["nightly", "nightly"], "none was made for it");

    // A file of variables keeps its other lines; what is no terminal gets it as before.
    let env = folder.path(".env");
    std::fs::write(&env, "PATH_TO=x\n").unwrap();
    let env_path = env.display().to_string();
    let made = server.client(&admin, &[&create[..], &["--to-env", &env_path]].concat());
    assert_eq!(made.code, Some(0), "{made:?}");
    let lines = std::fs::read_to_string(&env).unwrap();
    assert!(lines.starts_with("PATH_TO=x\nNARROWGATE_TOKEN_3=ngst_"), "{lines}");
    let shown = server.client(&admin, &create);
    assert!(shown.out.contains("shown this once:\nngst_"), "{shown:?}");
}

#[test]
fn a_terminal_is_shown_a_secret_only_if_it_is_asked_for() {
    let (folder, server, admin) = house();
    // `script` gives the program a terminal.
    let on_a_terminal = |arguments: &str| {
        let output = Command::new("script")
            .args(["-qec", &format!("{PROGRAM} {arguments}"), "/dev/null"])
            .env("NARROWGATE_URL", &server.url)
            .env("NARROWGATE_ACCOUNT", admin["account_id"].to_string())
            .env("NARROWGATE_TOKEN", admin["personal_token"].as_str().unwrap())
            .output()
            .unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let data = folder.data().display().to_string();
    let init = format!("init --data-dir {data} --account-name More --admin-email eve@example.com");
    for command in ["token create --name t --json", "token create --name t", &init] {
        let (code, said) = on_a_terminal(command);
        assert_eq!(code, Some(2), "{command}: {said}");
        assert!(said.contains("--show") && !said.contains("ngst_"), "{command}: {said}");
    }
    assert!(named(&server, &admin).is_empty());
    assert_eq!(folder.number("SELECT count(*) FROM accounts"), 1, "no account was made for it");
    let (code, said) = on_a_terminal("token create --name t --show");
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("ngst_"), "{said}");
    let (code, said) = on_a_terminal("token rotate 1");
    assert_eq!(code, Some(2), "{said}");
}

#[test]
fn tokens_are_exported_and_applied_with_a_plan_in_rights_and_a_second_time_changes_nothing() {
    let (folder, server, admin) = house();
    server.post(&admin, "/projects/", &json!({ "name": "sales" }));
    let made = json!({
        "name": "nightly", "expires_at": "2099-01-31",
        "permission_grants": [
            { "permission_set": "developer", "project_id": 1,
              "writable_environment_categories": ["development", "staging"] },
            { "permission_set": "metadata_only", "all_projects": true },
        ],
        "restrictions": { "addresses": ["127.0.0.0/8", "10.0.0.0/8"], "rate": { "per_second": 5 } },
    });
    server.post(&admin, "/service-tokens/", &made);
    server.post(&admin, "/service-tokens/", &json!({ "name": "=odd \"name\"", "disabled": true }));
    let file = folder.path("tokens.toml");
    let path = file.display().to_string();
    let apply = |more: &[&str]| server.client(&admin, &[&["token", "apply", &path], more].concat());

    let exported = server.client(&admin, &["token", "export"]);
    assert_eq!(exported.code, Some(0), "{exported:?}");
    assert!(!exported.out.contains("ngst_"), "{exported:?}");
    std::fs::write(&file, &exported.out).unwrap();
    let same = apply(&[]);
    assert_eq!(same.code, Some(0), "{same:?}");
    assert!(same.out.contains("0 to create, 0 to change, 0 to delete, 2 unchanged"), "{same:?}");

    let edited = "
        [[token]]
        name = 'nightly'
        [[token.grant]]
        permission_set = 'job_admin'
        projects = [1]

        [[token]]
        name = 'fresh'
        expires_at = 'never'
        disabled = true
        [token.restrictions]
        read_only = true
        [[token.grant]]
        permission_set = 'job_viewer'
    ";
    std::fs::write(&file, edited).unwrap();
    let plan = apply(&["--prune"]);
    assert_eq!(plan.code, Some(3), "{plan:?}");
    for line in
        ["+ create `fresh`", "~ change `nightly`", "- delete `=odd", "held to: held to nothing"]
    {
        assert!(plan.out.contains(line), "{line}: {plan:?}");
    }
    let told: Value = serde_json::from_str(&apply(&["--prune", "--json"]).out).unwrap();
    let holds = |list: &Value, action: &str| list.as_array().unwrap().contains(&json!(action));
    assert!(holds(&told[0]["gains"], "write on jobs"), "{told}");
    assert!(holds(&told[0]["loses"], "read on repositories"), "{told}");
    assert!(!holds(&told[1]["gains"], "write on jobs"), "{told}");
    assert_eq!(named(&server, &admin).len(), 2, "nothing is done by a plan");

    let homeless = apply(&["--yes"]);
    assert_eq!(homeless.code, Some(2), "{homeless:?}");
    assert_eq!(named(&server, &admin).len(), 2, "nothing is done before it is known where to");
    let secrets = folder.path("secrets").display().to_string();
    let done = apply(&["--prune", "--yes", "--to-dir", &secrets]);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(!done.out.contains("ngst_"), "{done:?}");
    assert_eq!(named(&server, &admin), ["nightly", "fresh"]);
    assert!(std::fs::read_to_string(folder.path("secrets/3")).unwrap().starts_with("ngst_"));
    let again = apply(&["--prune", "--yes", "--json"]);
    assert_eq!(again.code, Some(0), "{again:?}");
    let told: Vec<Value> = serde_json::from_str(&again.out).unwrap();
    assert!(told.iter().all(|one| one["outcome"] == "unchanged"), "{told:?}");
    let exported = server.client(&admin, &["token", "export"]);
    std::fs::write(&file, &exported.out).unwrap();
    assert_eq!(apply(&["--prune"]).code, Some(0), "{}", exported.out);
}

#[test]
fn a_file_that_cannot_be_meant_is_told_with_its_line_and_nothing_is_done() {
    let (folder, server, admin) = house();
    let file = folder.path("tokens.toml");
    let path = file.display().to_string();
    let grant = "[[token]]\nname = 'a'\n[[token.grant]]\n";
    for (text, line, why) in [
        ("[[token]]\nname = 'a'\n[[token]]\nname = 'a'\n".to_owned(), 3, "stands twice"),
        (format!("{grant}permission_set = 'jobadmin'\n"), 3, "permission_set"),
        (format!("{grant}permission_set = 'job_admin'\nprojects = []\n"), 3, "projects"),
        (format!("{grant}permission_set = 'job_admin'\nprojects = [0]\n"), 3, "projects"),
        (
            format!(
                "{grant}permission_set='job_admin'\n[[token.grant]]\npermission_set='job_admin'"
            ),
            5,
            "twice",
        ),
        ("[[token]]\nname = 'a'\nexpires_at = 'soon'\n".to_owned(), 1, "expires_at"),
        ("[[token]]\nname = ''\n".to_owned(), 1, "name"),
        ("[[token]]\nname = 'a'\nscret = 1\n".to_owned(), 3, "scret"),
        (
            "[[token]]\nname = 'a'\n\n[token.restrictions]\naddresses = ['x']\n".to_owned(),
            4,
            "addresses",
        ),
        ("[[token]\n".to_owned(), 1, ""),
    ] {
        std::fs::write(&file, &text).unwrap();
        let said = server.client(&admin, &["token", "apply", &path, "--yes", "--to-dir", "/tmp"]);
        assert_eq!(said.code, Some(1), "{text}: {said:?}");
        let place = format!("tokens.toml:{line}: ");
        assert!(said.err.contains(&place) && said.err.contains(why), "{text}: {said:?}");
    }
    assert!(named(&server, &admin).is_empty());
}

#[test]
fn many_tokens_are_revoked_by_a_plan_and_questions_are_asked_by_the_file() {
    let (folder, server, admin) = house();
    for name in ["ci-1", "ci-2", "nightly"] {
        let grants = json!([{ "permission_set": "job_viewer", "all_projects": true }]);
        server.post(
            &admin,
            "/service-tokens/",
            &json!({ "name": name, "permission_grants": grants }),
        );
    }
    let revoke = |more: &[&str]| {
        server.client(&admin, &[&["token", "revoke", "--name-prefix", "ci-"], more].concat())
    };
    let plan = revoke(&["--dry-run"]);
    assert!(plan.out.contains("2 tokens would be revoked"), "{plan:?}");
    assert!(revoke(&["--unused-for", "90"]).out.contains("0 tokens would be revoked"));
    assert_eq!(named(&server, &admin).len(), 3);
    let everything = server.client(&admin, &["token", "revoke", "--yes"]);
    assert_eq!(everything.code, Some(1), "without a condition: {everything:?}");
    let done = revoke(&["--yes"]);
    assert!(done.out.contains("2 tokens are revoked"), "{done:?}");
    assert_eq!(named(&server, &admin), ["nightly"]);

    let file = folder.path("questions.json");
    let path = file.display().to_string();
    let read = "{\"resource\": \"jobs\", \"action\": \"read\"}";
    let write = "{\"resource\": \"jobs\", \"action\": \"write\"}";
    let ask = |text: &str| {
        std::fs::write(&file, text).unwrap();
        server.client(&admin, &["check", "--service-token", "3", "--questions", &path])
    };
    let asked = ask(&format!("{read}\n{write}\n"));
    assert_eq!(asked.code, Some(3), "{asked:?}");
    let answers: Value = serde_json::from_str(&asked.out).unwrap();
    assert_eq!((&answers[0]["allowed"], &answers[1]["allowed"]), (&json!(true), &json!(false)));
    let all_good = ask(&format!("[{}]", vec![read; 1_000].join(",")));
    assert_eq!(all_good.code, Some(0), "{}", all_good.err);
    for (wrong, why) in [
        (format!("[{}]", vec![read; 1_001].join(",")), "1 to 1000"),
        ("{\"resource\": ".to_owned(), "questions.json"),
        ("[{\"resorce\": 1}]".to_owned(), "resorce"),
    ] {
        let said = ask(&wrong);
        assert_eq!(said.code, Some(1), "{said:?}");
        assert!(said.err.contains(why), "{why}: {}", said.err);
    }
}

#[test]
fn what_a_second_person_accepts_is_said_to_be_proposed() {
    let (_folder, server, admin) = house();
    server.post(&admin, "/service-tokens/", &json!({ "name": "nightly" }));
    server.post(&admin, "/service-token-policy/", &json!({ "widening_is_proposed": true }));
    let widen = ["token", "permissions", "1", "--grant", "job_admin"];
    let said = server.client(&admin, &widen);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.out.contains("proposed as 1, not done"), "{said:?}");
    let listed = server.client(&admin, &["token", "proposals"]);
    assert!(listed.out.contains("job_admin on all projects"), "{listed:?}");
    let own = server.client(&admin, &["token", "accept", "1"]);
    assert_eq!(own.code, Some(1), "{own:?}");
    assert!(own.err.contains("another person"), "{own:?}");
    let back = server.client(&admin, &["token", "reject", "1"]);
    assert!(back.out.contains("is withdrawn"), "{back:?}");
}
