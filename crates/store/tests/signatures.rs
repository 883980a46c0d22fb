//! What the crate's public signatures promise: a permit for everything, and no SeaORM type.
#![expect(clippy::unwrap_used, reason = "a failure is a failed test")]

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Files whose functions come before there is a permit, or are about the store itself.
const WITHOUT_PERMIT: [&str; 5] =
    ["credential.rs", "events.rs", "bootstrap.rs", "acceptance.rs", "sessions.rs"];
/// An artifact's content (`artifact_store.rs`) is given for a permit, and then read on without one.
const OF_THE_STORE_ITSELF: [&str; 4] = ["db.rs", "clock.rs", "keyring.rs", "artifact_store.rs"];

/// File and signature of every public function of the crate.
fn signatures() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for path in sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")) {
        let file = path.file_name().unwrap().to_string_lossy().into_owned();
        let text = fs::read_to_string(&path).unwrap();
        for start in ["    pub async fn ", "    pub fn "] {
            for (at, _) in text.match_indices(start) {
                let signature = text[at..].split(" {\n").next().unwrap();
                found.push((file.clone(), signature.trim().to_owned()));
            }
        }
    }
    found
}

/// Every source file below a folder.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] })
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect()
}

#[test]
fn every_function_asks_for_a_permit_except_those_of_five_files() {
    let all = signatures();
    assert!(all.len() > 60, "{} functions were found", all.len());
    let excused =
        |file: &str| WITHOUT_PERMIT.contains(&file) || OF_THE_STORE_ITSELF.contains(&file);
    let forgotten: Vec<_> =
        all.iter().filter(|(file, sig)| !excused(file) && !sig.contains("&Permit<")).collect();
    assert!(forgotten.is_empty(), "{forgotten:#?}");
    for file in WITHOUT_PERMIT {
        let with: Vec<_> =
            all.iter().filter(|(of, sig)| of == file && sig.contains("Permit<")).collect();
        assert!(with.is_empty(), "{with:#?}");
    }
}

#[test]
fn no_sea_orm_type_is_in_a_public_signature() {
    const THEIRS: [&str; 7] =
        ["sea_orm", "DbErr", "Database", "Select<", "ActiveModel", "Entity", "::Model"];
    for (file, signature) in signatures() {
        assert!(!THEIRS.iter().any(|theirs| signature.contains(theirs)), "{file}: {signature}");
    }
}
