//! Invariants 1 and 2 of ARCHITECTURE.md, as they show in manifests and sources.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failure is a failed test")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use domain::authz::PermissionSet;
use regex::Regex;
use toml::{Table, Value};

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn toml(path: &str) -> Table {
    fs::read_to_string(workspace().join(path)).unwrap().parse().unwrap()
}

/// What does I/O, waits, speaks HTTP or SQL.
const WORLDLY: [&str; 31] = [
    "async-std",
    "async-trait",
    "axum",
    "diesel",
    "futures",
    "futures-core",
    "futures-util",
    "git2",
    "h2",
    "http",
    "http-body",
    "hyper",
    "mio",
    "native-tls",
    "object_store",
    "reqwest",
    "rusqlite",
    "rustls",
    "sea-orm",
    "sea-query",
    "smol",
    "socket2",
    "sqlx",
    "sqlx-core",
    "tokio",
    "tokio-util",
    "tonic",
    "tower",
    "tower-http",
    "tracing-subscriber",
    "ureq",
];

/// What only builds for a browser have: `chrono` asks it for the time zone there.
const ELSEWHERE: [&str; 2] = ["js-sys", "wasm-bindgen"];

/// Invariant 1: what is true without disk, socket, clock or thread needs no crate that has them.
#[test]
fn domain_depends_on_no_runtime_database_or_http_crate() {
    let manifest = toml("crates/domain/Cargo.toml");
    let direct = manifest["dependencies"].as_table().unwrap();
    let versions = locked();

    let mut reached = BTreeSet::new();
    let mut ahead: Vec<String> = direct.keys().cloned().collect();
    while let Some(name) = ahead.pop() {
        if ELSEWHERE.contains(&name.as_str()) {
            continue;
        }
        let below = versions.get(&name).unwrap_or_else(|| panic!("`{name}` is not in Cargo.lock"));
        if reached.insert(name) {
            ahead.extend(below.iter().cloned());
        }
    }

    assert!(direct.len() > 5 && reached.len() > direct.len(), "{reached:?}");
    let worldly: Vec<_> = WORLDLY.iter().filter(|name| reached.contains(**name)).collect();
    assert!(worldly.is_empty(), "domain reaches {worldly:?}");
    assert!(!reached.contains("domain"), "domain imports a crate of this house");
}

/// Each locked package, and the names of those it depends on, of whatever version.
fn locked() -> BTreeMap<String, BTreeSet<String>> {
    let mut below: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for package in toml("Cargo.lock")["package"].as_array().unwrap() {
        let name = package["name"].as_str().unwrap().to_owned();
        let names = package.get("dependencies").and_then(Value::as_array).into_iter().flatten();
        let names = names.map(|it| it.as_str().unwrap().split(' ').next().unwrap().to_owned());
        below.entry(name).or_default().extend(names);
    }
    below
}

/// The time of day, the generator and the environment are parameters.
#[test]
fn domain_asks_nothing_of_the_world_around_it() {
    let world = [
        "std::fs",
        "std::env",
        "std::net::Tcp",
        "std::process",
        "std::thread",
        "SystemTime",
        "Instant",
        "Utc::now",
        "async fn",
        "rand::rng()",
        "SysRng",
    ];
    for (path, text) in sources(&workspace().join("crates/domain/src")) {
        for word in world {
            assert!(!text.contains(word), "{} has `{word}`", path.display());
        }
    }
}

fn sources(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            found.push((path, text));
        }
    }
    found
}

/// Where code names a permission set, and why that decides nothing.
const NAMED: [(&str, &str); 9] = [
    // A licence and a plan that are called like a set.
    ("domain/src/authz/license.rs", "developer"),
    ("domain/src/authz/license.rs", "analyst"),
    ("domain/src/plan.rs", "developer"),
    // Two fields of the API document are named after sets, and say whether a token holds no other.
    ("wire/src/v3/service_token.rs", "metadata_only"),
    ("wire/src/v3/service_token.rs", "webhooks_only"),
    // The demonstration asks for tokens over HTTP, as any client would.
    ("cli/src/commands/demo.rs", "job_admin"),
    ("cli/src/commands/demo.rs", "job_viewer"),
    ("cli/src/commands/demo.rs", "metadata_only"),
    ("cli/src/commands/demo.rs", "billing_admin"),
];

/// Invariant 2: who may do what is decided from `catalogue.toml`; no other line names a set.
#[test]
fn no_code_outside_the_catalogue_names_a_permission_set() {
    let keys: Vec<_> = PermissionSet::all().map(PermissionSet::key).collect();
    let mut walked = 0;
    let mut found = Vec::new();
    for entry in fs::read_dir(workspace().join("crates")).unwrap() {
        // The tests' own builders speak of sets as people do.
        let folder = entry.unwrap().path();
        let of_tests = folder.file_name().is_some_and(|name| name == "testkit");
        if of_tests || !folder.join("src").exists() {
            continue;
        }
        for (path, text) in sources(&folder.join("src")) {
            walked += 1;
            let path = path.to_string_lossy().into_owned();
            for key in named(&text, &keys) {
                let excused = |(file, of): &(&str, &str)| path.ends_with(file) && *of == key;
                if !NAMED.iter().any(excused) {
                    found.push(format!("{path} names `{key}`"));
                }
            }
        }
    }
    assert!(walked > 50, "{walked} files were walked");
    assert!(found.is_empty(), "{found:#?}");
}

/// The keys that stand in a string literal of the code: not in its comments and tests. A key of
/// one word (`admin`) counts where it is the whole literal, any other wherever it stands in one.
fn named<'a>(text: &str, keys: &[&'a str]) -> Vec<&'a str> {
    let literal = Regex::new(r#""((?:[^"\\]|\\.)*)""#).unwrap();
    let word = Regex::new(r"[A-Za-z0-9_]+").unwrap();
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    let mut found = Vec::new();
    for line in lines {
        for literal in literal.captures_iter(line).filter_map(|it| it.get(1)) {
            let words: Vec<_> = word.find_iter(literal.as_str()).map(|it| it.as_str()).collect();
            let named = |key: &&&str| {
                literal.as_str() == **key || key.contains('_') && words.contains(*key)
            };
            found.extend(keys.iter().filter(named).copied());
        }
    }
    found
}

#[test]
fn a_named_set_is_found_wherever_code_can_name_it() {
    let keys = ["admin", "job_admin"];
    let code = r#"
        // "job_admin" in a comment
        if set.key() == "job_admin" || set.label() == "admin" {}
        let all = ["x", "job_admin, admin"];
        let other = "administrator";
        #[cfg(test)]
        mod tests { const SET: &str = "admin"; }
    "#;
    assert_eq!(named(code, &keys), ["job_admin", "admin", "job_admin"]);
}

#[test]
fn every_excuse_is_still_needed() {
    let crates = workspace().join("crates");
    for (file, key) in NAMED {
        let text = fs::read_to_string(crates.join(file)).unwrap();
        assert_eq!(named(&text, &[key]).first(), Some(&key), "{file}");
    }
}
