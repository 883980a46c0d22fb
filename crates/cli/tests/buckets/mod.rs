//! Artifacts in a bucket, as the configuration names it.
#![expect(clippy::unwrap_used, reason = "a failure is a failed test")]

use std::{fs, os::unix::fs::PermissionsExt as _};

use crate::program::Folder;

const KEYS: &str = "access_key_id = \"AKIA1\"\nsecret_access_key = \"a secret of 40 letters\"\n";

/// Writes the configuration and the file with the keys, of this mode.
fn configure(folder: &Folder, bucket: &str, keys: &str, mode: u32) {
    let credentials = folder.path("keys.toml");
    fs::write(&credentials, keys).unwrap();
    fs::set_permissions(&credentials, fs::Permissions::from_mode(mode)).unwrap();
    let credentials = credentials.display();
    let text = format!("[artifacts.s3]\n{bucket}\ncredentials = \"{credentials}\"\n");
    fs::write(folder.data().join("narrowgate.toml"), text).unwrap();
}

#[test]
fn what_is_wrong_with_a_bucket_is_one_line_without_a_secret() {
    let folder = Folder::new();
    folder.init("Acme");
    let fine = "bucket = \"b\"\nendpoint = \"http://127.0.0.1:1\"";
    // With the feature the service is asked, without it there is nobody to ask.
    let last =
        if cfg!(feature = "s3") { "the bucket `b` cannot be used: " } else { "`--features s3`" };
    for (bucket, keys, mode, expected) in [
        ("bucket = \"\"", KEYS, 0o600, "`artifacts.s3.bucket` must be a name"),
        ("", KEYS, 0o600, "missing field `bucket`"),
        ("bucket = \"b\"\nkey = \"x\"", KEYS, 0o600, "unknown field: found `key`"),
        (
            "bucket = \"b\"\nendpoint = \"s3.example.com\"",
            KEYS,
            0o600,
            "must be https:// or http://",
        ),
        ("bucket = \"b\"\nendpoint = \"https://u:p@example.com\"", KEYS, 0o600, "without a login"),
        (fine, KEYS, 0o640, "keys.toml is open to others (mode 640); make it 600"),
        (
            fine,
            "secret_access_key = \"a secret of 40 letters\"",
            0o600,
            "must hold `access_key_id`",
        ),
        (fine, "access_key_id = a secret of 40 letters", 0o600, "must hold `access_key_id`"),
        (fine, KEYS, 0o600, last),
    ] {
        configure(&folder, bucket, keys, mode);
        let said = folder.serve(&["--log", "error"]);
        assert!(matches!(said.code, Some(1 | 2)), "{said:?}");
        assert!(said.err.contains(expected) && said.err.lines().count() == 1, "{said:?}");
        assert!(!said.err.contains("a secret") && !said.err.contains("u:p"), "{said:?}");
    }
}
