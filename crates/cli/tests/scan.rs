//! `narrowgate scan`, on folders, histories and streams.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failure is a failed test")]

use std::{
    fs,
    io::Write as _,
    path::Path,
    process::{Command, Output, Stdio},
};

use domain::secret::{TokenKind, TokenSecret};
use rand::{SeedableRng as _, rngs::StdRng};
use serde_json::Value;
use tempfile::TempDir;

/// What the program said, in which no token may stand as a whole.
struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Said {
    fn of(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let (out, err) = (text(output.stdout), text(output.stderr));
        for secret in (0..20).map(token) {
            assert!(!out.contains(&secret[..12]) && !err.contains(&secret[..12]), "{out}{err}");
        }
        Self { code: output.status.code(), out, err }
    }
}

fn token(seed: u64) -> String {
    let kind = TokenKind::ALL[usize::try_from(seed % 3).unwrap()];
    TokenSecret::mint(kind, &mut StdRng::seed_from_u64(seed)).reveal().to_owned()
}

fn told(seed: u64) -> String {
    format!("{}…", &token(seed)[..9])
}

fn scan(folder: &Path, arguments: &[&str]) -> Said {
    let mut program = Command::new(env!("CARGO_BIN_EXE_narrowgate"));
    Said::of(program.arg("scan").args(arguments).current_dir(folder).output().unwrap())
}

fn git(folder: &Path, arguments: &[&str]) {
    let output = Command::new("git")
        .args(["-c", "user.name=Ada", "-c", "user.email=ada@example.com"])
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(output.status.success(), "{arguments:?}: {output:?}");
}

fn write(folder: &Path, name: &str, bytes: impl AsRef<[u8]>) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

#[test]
fn every_kind_of_token_is_found_in_every_kind_of_file_and_told_by_its_place() {
    let folder = TempDir::new().unwrap();
    let here = folder.path();
    git(here, &["init", "-q"]);
    write(here, ".gitignore", "ignored/\n*.log\n");
    write(here, "src/deploy.sh", format!("#!/bin/sh\n  export T={}\n", token(0)));
    write(here, ".env", format!("A=1\r\nTOKEN=\"{}\"\r\n", token(1)));
    write(here, "ignored/notes.txt", format!("%3D{}", token(2)));
    let binary = [&[0, 255, 254, 0][..], token(3).as_bytes(), &[0, 200]].concat();
    write(here, "core.bin", binary);
    let long = format!("{}{}\n{}", "x".repeat(300_000), "\n".repeat(41), token(4));
    write(here, "run.log", long);
    // No tokens: a wrong checksum, a longer word, a beginning.
    let mut damaged = token(5);
    damaged.pop();
    damaged.push(if token(5).ends_with('0') { '1' } else { '0' });
    write(here, "fine.txt", format!("{damaged}\n{}x\n{}", token(6), &token(7)[..40]));
    std::os::unix::fs::symlink(here.join(".env"), here.join("link.txt")).unwrap();
    std::os::unix::fs::symlink(here, here.join("src/loop")).unwrap();

    let said = scan(here, &["."]);
    assert_eq!((said.code, said.err.as_str()), (Some(1), ""));
    let mut lines: Vec<_> = said.out.lines().collect();
    let summary = lines.pop().unwrap();
    assert!(summary.starts_with("5 tokens in "), "{summary}");
    assert_eq!(
        lines,
        [
            format!("./.env:2:8: {}", told(1)),
            format!("./core.bin:1:5: {}", told(3)),
            format!("./ignored/notes.txt:1:4: {}", told(2)),
            format!("./run.log:43:1: {}", told(4)),
            format!("./src/deploy.sh:2:12: {}", told(0)),
        ]
    );
    let without = scan(here, &["--skip-ignored", "."]);
    assert_eq!(without.out.lines().count(), 3 + 1, "{}", without.out);
    assert!(!without.out.contains("ignored/") && !without.out.contains("run.log"));
    let json: Value = serde_json::from_str(&scan(here, &["--json", "src"]).out).unwrap();
    let found = &json["found"][0];
    assert_eq!((&found["path"], &found["line"]), (&"src/deploy.sh".into(), &2.into()));
    assert_eq!((&found["column"], &found["prefix"]), (&12.into(), &"ngst_".into()));
    assert_eq!(json["looked_through"], 1);
}

#[test]
fn where_there_is_none_it_says_so_and_what_cannot_be_read_is_not_passed_over() {
    let folder = TempDir::new().unwrap();
    let here = folder.path();
    write(here, "fine.txt", "ngst_ is how they begin");
    let said = scan(here, &["."]);
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""));
    assert!(said.out.starts_with("no token in 1 files"), "{}", said.out);

    let missing = scan(here, &["fine.txt", "nowhere.txt"]);
    assert_eq!(missing.code, Some(2));
    assert!(missing.err.contains("nowhere.txt"), "{}", missing.err);
    std::os::unix::fs::symlink("fine.txt", here.join("link.txt")).unwrap();
    let link = scan(here, &["link.txt"]);
    assert_eq!(link.code, Some(2));
    assert!(link.err.contains("links are not followed"), "{}", link.err);
    assert_eq!(scan(here, &[]).code, Some(2), "a place has to be named");
    let no_repository = scan(here, &["--git"]);
    assert_eq!(no_repository.code, Some(1));
    assert!(no_repository.err.contains("no git repository"), "{}", no_repository.err);
}

#[test]
fn a_stream_is_looked_through_as_it_comes() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_narrowgate"))
        .args(["scan", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut pipe = child.stdin.take().unwrap();
    let writing = std::thread::spawn(move || {
        let (first, second) = (token(1), token(2));
        // Cut where it hurts.
        for piece in ["a\nb ", &first[..20], &first[20..], "\n", &second] {
            pipe.write_all(piece.as_bytes()).unwrap();
            pipe.flush().unwrap();
        }
    });
    writing.join().unwrap();
    let said = Said::of(child.wait_with_output().unwrap());
    assert_eq!(said.code, Some(1));
    let lines: Vec<_> = said.out.lines().take(2).collect();
    assert_eq!(lines, [format!("-:2:3: {}", told(1)), format!("-:3:1: {}", told(2))]);
}

#[test]
fn a_history_gives_up_what_was_removed_rewritten_and_only_said() {
    let folder = TempDir::new().unwrap();
    let here = folder.path();
    git(here, &["init", "-q", "-b", "main"]);
    write(here, "conf/prod.yml", format!("a: 1\ntoken: {}\n", token(0)));
    git(here, &["add", "."]);
    git(here, &["commit", "-q", "-m", "first"]);
    write(here, "conf/prod.yml", "a: 1\n");
    git(here, &["commit", "-q", "-a", "-m", &format!("forget {}", token(1))]);
    write(here, "note.txt", token(2));
    git(here, &["add", "."]);
    git(here, &["commit", "-q", "-m", "by mistake"]);
    git(here, &["reset", "-q", "--hard", "HEAD~1"]);
    git(here, &["reflog", "expire", "--expire=now", "--all"]);
    assert_eq!(scan(here, &["conf"]).code, Some(0), "the files of today are clean");

    let said = scan(here, &["--git"]);
    assert_eq!((said.code, said.err.as_str()), (Some(1), ""), "{}", said.out);
    let line = |seed| said.out.lines().find(|line| line.contains(&told(seed))).unwrap();
    assert!(line(0).contains(":conf/prod.yml:2:8: "), "{}", said.out);
    assert!(line(1).contains(":(no path):"), "a commit's message: {}", said.out);
    assert!(line(2).contains(":(no path):1:1: "), "in no branch any more: {}", said.out);
    assert!(said.out.contains("3 tokens in "), "{}", said.out);
    // Packed, and from elsewhere.
    git(here, &["gc", "-q"]);
    let json = scan(Path::new("/"), &["--git", "--json", here.to_str().unwrap()]);
    let json: Value = serde_json::from_str(&json.out).unwrap();
    assert!(json["found"].as_array().unwrap().len() >= 2, "{json}");
    assert_eq!(json["found"][0]["object"].as_str().unwrap().len(), 40);
}
