//! Who may do what, as a text that a person reads: `authz-matrix.txt`. A change of policy is a
//! difference in it.
//!
//! `NARROWGATE_BLESS=1 cargo test -p domain --test matrix` writes it anew.
#![expect(clippy::unwrap_used, reason = "a failure is a failed test")]

#[path = "matrix/text.rs"]
mod text;

use std::{env, fs, path::Path};

#[test]
fn the_matrix_of_who_may_do_what_is_as_it_was_reviewed() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/authz-matrix.txt");
    let now = text::matrix();
    if env::var_os("NARROWGATE_BLESS").is_some() {
        fs::write(&golden, &now).unwrap();
    }
    let reviewed = fs::read_to_string(&golden).unwrap_or_default();
    for (number, (now, reviewed)) in now.lines().zip(reviewed.lines()).enumerate() {
        assert_eq!(now, reviewed, "line {} of authz-matrix.txt", number + 1);
    }
    assert_eq!(now.lines().count(), reviewed.lines().count(), "lines of authz-matrix.txt");
}
