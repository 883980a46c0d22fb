//! `docs/tokens.md`, run: each `$` line is done in its turn, and says the lines under it.

use std::{os::unix::fs::symlink, process::Command};

use serde_json::Value;

use super::program::{Folder, PROGRAM, Server};

#[test]
fn the_commands_of_the_page_on_tokens_do_what_it_says() {
    let folder = Folder::new();
    let admin = folder.init("Acme");
    let server = Server::start(&folder);
    let bin = folder.path("bin");
    std::fs::create_dir(&bin).expect("a folder can be made");
    symlink(PROGRAM, bin.join("narrowgate")).expect("a link can be made");
    let csv = "name,created_at,last_used,permissions\nnightly,2023-05-04,2026-11-01,job_admin\n";
    std::fs::write(folder.path("old-tokens.csv"), csv).expect("a file can be written");

    let page = include_str!("../../../../docs/tokens.md");
    let blocks = page.split("```console\n").skip(1);
    let lines = blocks.filter_map(|rest| rest.split("```").next()).flat_map(str::lines);
    let (mut run, mut said) = (0, String::new());
    for line in lines {
        if let Some(command) = line.strip_prefix("$ ") {
            said = shell(&folder, &server, &admin, command);
            run += 1;
        } else {
            assert!(said.contains(line), "the page says `{line}`, the program: {said}");
        }
    }
    assert!(run > 15, "{run} commands");
    let mode = |name: &str| {
        let metadata = std::fs::metadata(folder.path(name)).expect("it is there");
        std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o777
    };
    assert_eq!((mode("nightly.token"), mode("successors/1")), (0o600, 0o600));
}

/// Does it in the folder, as the admin; it has to end well. Gives what it said.
fn shell(folder: &Folder, server: &Server, admin: &Value, command: &str) -> String {
    let path = std::env::var("PATH").unwrap_or_default();
    let output = Command::new("bash")
        .args(["-euo", "pipefail", "-c", command])
        .current_dir(folder.path(""))
        .env("PATH", format!("{}:{path}", folder.path("bin").display()))
        .env("NARROWGATE_URL", &server.url)
        .env("NARROWGATE_ACCOUNT", admin["account_id"].to_string())
        .env("NARROWGATE_TOKEN", admin["personal_token"].as_str().unwrap_or_default())
        .output()
        .expect("bash is there");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let said = text(&output.stdout);
    assert!(output.status.success(), "{command}: {said} {}", text(&output.stderr));
    assert!(!said.contains("ngst_"), "{command} shows a secret: {said}");
    said
}
