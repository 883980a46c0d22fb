//! The invariants of ARCHITECTURE.md that show in the source text. Those of `domain` are tested
//! there, forging a permit beside `domain::authz::Permit`, and the secret's way in `secrets.rs`.
#![expect(clippy::unwrap_used, reason = "what fails here is a failed test")]

use std::{
    fs,
    path::{Path, PathBuf},
};

fn crates() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
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

/// The signature of each `pub` function of a file, up to its body.
fn public_signatures(text: &str) -> Vec<&str> {
    ["pub fn ", "pub async fn ", "pub const fn "]
        .iter()
        .flat_map(|start| text.match_indices(start).map(|(at, _)| at))
        .filter(|at| text[..*at].ends_with([' ', '\n']))
        .map(|at| text[at..].split(['{', ';']).next().unwrap())
        .collect()
}

/// Invariant 3: what is public on the store is shown a permit, but for five files.
#[test]
fn every_public_function_of_the_store_takes_a_permit() {
    let exempt = ["acceptance.rs", "credential.rs", "events.rs", "bootstrap.rs", "sessions.rs"];
    // The house's own keys, clock and doors: no row of an account is in them.
    // What is read of an artifact is reached with a permit first.
    let plumbing = ["db.rs", "clock.rs", "keyring.rs", "error.rs", "lib.rs", "artifact_store.rs"];
    let mut seen = 0;
    for (path, text) in sources(&crates().join("store/src")) {
        let name = path.file_name().unwrap().to_str().unwrap();
        let private = path.components().any(|part| {
            ["entities", "migrations"].iter().any(|folder| part.as_os_str() == *folder)
        });
        if private || exempt.contains(&name) || plumbing.contains(&name) {
            continue;
        }
        for signature in public_signatures(&text) {
            seen += 1;
            assert!(signature.contains("&Permit<"), "{}: {signature}", path.display());
        }
    }
    assert!(seen > 40, "the walk saw only {seen} functions");
}

/// Invariant 5: faces do not import each other. There is one face so far; its versions share
/// nothing but the framework and the folder above them.
#[test]
fn faces_do_not_import_each_other() {
    let faces = ["admin", "gateway", "discovery", "semantic_layer", "console"];
    for face in faces {
        let folder = crates().join("server/src").join(face);
        if !folder.exists() {
            continue;
        }
        for (path, text) in sources(&folder) {
            for other in faces.iter().filter(|other| **other != face) {
                assert!(!text.contains(&format!("crate::{other}")), "{}: {other}", path.display());
            }
        }
    }
}

/// Invariant 6: the status of an error is chosen in one function.
#[test]
fn the_status_of_an_error_is_chosen_in_one_function() {
    for (path, text) in sources(&crates().join("server/src")) {
        let name = path.file_name().unwrap().to_str().unwrap();
        let chooses = text.contains("StatusCode::");
        let may = match name {
            "error.rs" => true,
            // The good answers: 200, 201, 202, and 304 for what is held already.
            "answer.rs" | "endpoint.rs" => !text
                .replace("StatusCode::OK", "")
                .replace("StatusCode::CREATED", "")
                .replace("StatusCode::ACCEPTED", "")
                .replace("StatusCode::NOT_MODIFIED", "")
                .contains("StatusCode::"),
            _ => !chooses,
        };
        assert!(may, "{} chooses a status", path.display());
    }
}

/// Invariant 7: no `SeaORM` type in a public signature, and what SQLite alone has stands in
/// `dialect.rs`.
#[test]
fn the_database_stays_inside_the_store() {
    for (path, text) in sources(&crates().join("store/src")) {
        let name = path.file_name().unwrap().to_str().unwrap();
        let inside = path.components().any(|part| {
            ["entities", "migrations"].iter().any(|folder| part.as_os_str() == *folder)
        });
        if inside {
            continue;
        }
        for signature in public_signatures(&text) {
            for word in ["sea_orm", "DatabaseConnection", "DatabaseTransaction", "Select<", "DbErr"]
            {
                assert!(!signature.contains(word), "{}: {signature}", path.display());
            }
        }
        if name != "dialect.rs" {
            // What stands above a file's own tests, which may ask SQLite how it was set.
            let text = text.split("#[cfg(test)]").next().unwrap();
            for word in ["PRAGMA", "pragma", "BEGIN IMMEDIATE"] {
                assert!(!text.contains(word), "{}: {word}", path.display());
            }
        }
    }
    for other in ["domain", "wire", "server", "runner", "cli"] {
        let sources = sources(&crates().join(other).join("src"));
        assert!(!sources.is_empty(), "{other} has sources");
        for (path, text) in sources {
            assert!(!text.contains("sea_orm"), "{}", path.display());
        }
    }
}

/// A face asks with the caller's address, so that no account's IP restrictions are passed by.
#[test]
fn every_face_authenticates_with_an_address_in_one_place() {
    let callers: Vec<_> = sources(&crates().join("server/src"))
        .into_iter()
        .filter(|(_, text)| text.contains(".authenticate"))
        .collect();
    let [(path, text)] = callers.as_slice() else { panic!("one place: {callers:?}") };
    assert!(path.ends_with("extract.rs") && !text.contains(".authenticate("), "{}", path.display());
    let doors: Vec<_> = sources(&crates().join("server/src"))
        .into_iter()
        .filter(|(_, text)| text.contains(".session_from("))
        .collect();
    let [(path, _)] = doors.as_slice() else { panic!("one door: {doors:?}") };
    assert!(path.ends_with("console/door.rs"), "{}", path.display());
}

/// The plan of the house: imports point down.
#[test]
fn imports_point_down() {
    let below = [
        ("domain", &[][..]),
        ("store", &["domain"]),
        ("wire", &["domain"]),
        ("server", &["domain", "store", "wire"]),
        ("runner", &["domain", "store"]),
        ("cli", &["domain", "store", "wire", "server", "runner"]),
    ];
    let all = ["domain", "store", "wire", "server", "runner", "testkit"];
    for (name, may) in below {
        let manifest = fs::read_to_string(crates().join(name).join("Cargo.toml")).unwrap();
        let manifest: toml::Table = manifest.parse().unwrap();
        let dependencies = manifest["dependencies"].as_table().unwrap();
        for dependency in all.iter().filter(|dependency| dependencies.contains_key(**dependency)) {
            assert!(may.contains(dependency), "{name} imports {dependency}");
        }
    }
}

/// The page on security names a test for each line, and each of them is there.
#[test]
fn the_page_on_security_names_tests_that_are_there() {
    let page = fs::read_to_string(crates().join("../docs/security.md")).unwrap();
    let all: Vec<_> = sources(&crates()).into_iter().map(|(_, text)| text).collect();
    let mut lines = 0;
    for row in page.lines().filter(|row| row.starts_with("| ") && !row.starts_with("| line")) {
        let tests = row.trim_end_matches(" |").rsplit(" | ").next().unwrap();
        let named: Vec<_> = tests
            .split('`')
            .skip(1)
            .step_by(2)
            .filter(|name| {
                name.contains('_')
                    && name
                        .chars()
                        .all(|c| c.is_ascii_lowercase() || c == '_' || c.is_ascii_digit())
            })
            .collect();
        if row.starts_with("| ---") {
            continue;
        }
        assert!(!named.is_empty(), "a line without a test: {row}");
        for name in named {
            let declared = format!("fn {name}(");
            assert!(all.iter().any(|text| text.contains(&declared)), "no test is called {name}");
        }
        lines += 1;
    }
    assert!(lines >= 26, "{lines}");
}

/// SECURITY line 1: what is minted outside of tests is minted from the system's generator.
#[test]
fn secrets_are_minted_from_the_operating_systems_generator() {
    let mut mints = 0;
    for name in ["store", "wire", "server", "runner", "cli"] {
        for (path, text) in sources(&crates().join(name).join("src")) {
            let text = text.split("#[cfg(test)]").next().unwrap();
            for call in text.split("TokenSecret::mint(").skip(1) {
                let arguments = call.split(';').next().unwrap();
                assert!(arguments.contains("UnwrapErr(SysRng)"), "{}: {arguments}", path.display());
                mints += 1;
            }
        }
    }
    assert!(mints >= 3, "{mints}");
}

/// SECURITY line 15: what is not in the list of routes is public, and is in `public-routes.txt`.
#[test]
fn no_route_is_added_past_the_list() {
    for (path, text) in sources(&crates().join("server/src")) {
        let text = text.split("#[cfg(test)]").next().unwrap();
        let public = server::public_routes().len();
        let may = if path.ends_with("routes/mod.rs") { public + 1 } else { 0 };
        let found = [".route(", ".route_service(", ".nest(", ".fallback_service("]
            .iter()
            .map(|call| text.matches(call).count())
            .sum::<usize>();
        assert_eq!(found, may, "{}", path.display());
    }
}
