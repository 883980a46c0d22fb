//! The keyring file: keys that live outside the database.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::Path,
    sync::Arc,
};

use aws_lc_rs::{aead, hkdf, hmac, rand};
use domain::secret::DigestKey;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize as _, Zeroizing};

use crate::{DataDir, db::private_folder};

/// Keys for token digests and sealed secrets. The newest is used for new ones; the others are
/// kept for what was made with them.
///
/// Each key of the file is only a root: what is used are sub-keys of it (HKDF-SHA-256), one for
/// each purpose.
#[derive(Clone)]
pub struct Keyring {
    /// INVARIANT: not empty; newest first.
    keys: Arc<[Keys]>,
}

/// The sub-keys of one key of the file.
pub(crate) struct Keys {
    id: u32,
    digest: DigestKey,
    seal: aead::LessSafeKey,
    audit: hmac::Key,
}

/// Why a keyring cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the keyring {path}: {reason}")]
pub struct KeyringError {
    /// The file.
    pub path: String,
    /// What is wrong with it.
    pub reason: String,
}

/// The file: JSON.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyringFile {
    version: u32,
    /// The newest first.
    keys: Vec<KeyText>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyText {
    /// 1 or more, never used twice.
    id: u32,
    /// 32 bytes in hexadecimal.
    key: String,
}

impl Drop for KeyText {
    fn drop(&mut self) {
        self.key.zeroize();
    }
}

impl Keyring {
    /// Reads the file; makes one (0600, 32 random bytes) if there is none.
    ///
    /// # Errors
    /// [`KeyringError`] if it cannot be read, is readable by others, or is no keyring.
    pub fn load_or_create(path: &Path) -> Result<Self, KeyringError> {
        let error = |reason: String| KeyringError { path: path.display().to_string(), reason };
        if !path.try_exists().map_err(|err| error(format!("cannot be looked up: {err}")))? {
            create(path).map_err(|err| error(format!("cannot be made: {err}")))?;
        }
        Self::load(path).map_err(error)
    }

    /// The keyring of a data folder, at `path`; a new folder gets a new one.
    ///
    /// # Errors
    /// As [`Keyring::load_or_create`]; and if the folder has a database and its keyring is not
    /// there: with another one, no token of it would work and no secret could be opened.
    pub fn of(dir: &DataDir, path: &Path) -> Result<Self, KeyringError> {
        if dir.is_made() && !path.try_exists().unwrap_or(true) {
            let database = dir.database();
            let reason = format!(
                "is missing, and {} cannot be used without it: put it back, or name its place \
                 with --keyring",
                database.display()
            );
            return Err(KeyringError { path: path.display().to_string(), reason });
        }
        Self::load_or_create(path)
    }

    fn load(path: &Path) -> Result<Self, String> {
        let file = File::open(path).map_err(|err| format!("cannot be read: {err}"))?;
        let mode = file.metadata().map_err(|err| format!("cannot be read: {err}"))?.mode();
        if mode & 0o077 != 0 {
            return Err(format!("is open to others (mode {:03o}); make it 600", mode & 0o777));
        }
        let text = io::read_to_string(file).map_err(|err| format!("cannot be read: {err}"))?;
        let text = Zeroizing::new(text);
        let file: KeyringFile =
            serde_json::from_str(&text).map_err(|err| format!("is not a keyring: {err}"))?;
        Self::from_file(&file).ok_or_else(|| {
            "is not a keyring: version 1, and one key or more with an id of its own and 64 \
             hexadecimal digits"
                .to_owned()
        })
    }

    fn from_file(file: &KeyringFile) -> Option<Self> {
        let keys: Vec<Keys> = file
            .keys
            .iter()
            .map(KeyText::keys)
            .collect::<Option<_>>()
            .filter(|_| file.version == 1)?;
        let mut ids: Vec<u32> = keys.iter().map(|key| key.id).collect();
        ids.sort_unstable();
        ids.dedup();
        (!keys.is_empty() && ids.len() == keys.len()).then(|| Self { keys: keys.into() })
    }

    /// The key for new digests.
    #[must_use]
    pub fn digest_key(&self) -> &DigestKey {
        &self.newest().digest
    }

    /// Every digest key, the newest first.
    pub fn digest_keys(&self) -> impl Iterator<Item = &DigestKey> {
        self.keys.iter().map(|keys| &keys.digest)
    }

    /// The keys for what is made now.
    pub(crate) fn newest(&self) -> &Keys {
        self.keys.first().expect("a keyring is not empty")
    }

    /// The keys with this id.
    pub(crate) fn key(&self, id: i64) -> Option<&Keys> {
        self.keys.iter().find(|keys| i64::from(keys.id) == id)
    }
}

impl Keys {
    fn new(id: u32, root: &[u8]) -> Self {
        let root = hkdf::Salt::new(hkdf::HKDF_SHA256, b"narrowgate keyring").extract(root);
        let seal = sub_key(&root, "seal");
        let seal = aead::UnboundKey::new(&aead::AES_256_GCM, &*seal).expect("32 bytes are its key");
        Self {
            id,
            digest: DigestKey::new(id, &sub_key(&root, "digest")),
            seal: aead::LessSafeKey::new(seal),
            audit: hmac::Key::new(hmac::HMAC_SHA256, &*sub_key(&root, "audit head")),
        }
    }

    /// The id that is kept beside whatever was made with them.
    pub(crate) fn id(&self) -> u32 {
        self.id
    }

    /// The key that secrets are sealed with.
    pub(crate) fn seal(&self) -> &aead::LessSafeKey {
        &self.seal
    }

    /// The key that the heads of audit chains are signed with.
    pub(crate) fn audit(&self) -> &hmac::Key {
        &self.audit
    }
}

/// 32 bytes for one purpose.
fn sub_key(root: &hkdf::Prk, purpose: &str) -> Zeroizing<[u8; 32]> {
    let mut key = Zeroizing::new([0; 32]);
    root.expand(&[purpose.as_bytes()], hkdf::HKDF_SHA256)
        .and_then(|okm| okm.fill(&mut *key))
        .expect("HKDF gives up to 255 times 32 bytes");
    key
}

impl KeyText {
    fn keys(&self) -> Option<Keys> {
        let digits = self.key.as_bytes();
        let (pairs, []) = digits.as_chunks::<2>() else { return None };
        let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|d| u8::try_from(d).ok());
        let root: Vec<u8> = pairs
            .iter()
            .map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?))
            .collect::<Option<_>>()?;
        let root = Zeroizing::new(root);
        (root.len() == 32 && self.id > 0).then(|| Keys::new(self.id, &root))
    }
}

/// Makes a keyring with one random key. If another process makes one first, that one stays.
fn create(path: &Path) -> io::Result<()> {
    use std::fmt::Write as _;

    let mut root = Zeroizing::new([0_u8; 32]);
    rand::fill(&mut *root).map_err(|_| io::Error::other("no random bytes"))?;
    let mut key = KeyText { id: 1, key: String::with_capacity(64) };
    for byte in *root {
        write!(key.key, "{byte:02x}").map_err(io::Error::other)?;
    }
    let file = KeyringFile { version: 1, keys: vec![key] };
    let text = Zeroizing::new(serde_json::to_string_pretty(&file)?);

    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    private_folder(folder)?;
    let mut suffix = [0_u8; 8];
    rand::fill(&mut suffix).map_err(|_| io::Error::other("no random bytes"))?;
    let draft = path.with_extension(format!("new-{:016x}", u64::from_be_bytes(suffix)));
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&draft)
        .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()))
        // A link, unlike a rename, never takes the place of a keyring that is there.
        .and_then(|()| match fs::hard_link(&draft, path) {
            Err(err) if err.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            other => other,
        });
    let removed = fs::remove_file(&draft);
    written.and(removed)?;
    File::open(folder)?.sync_all()
}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Keyring({} keys, hidden)", self.keys.len())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn made() -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("new/keyring.json");
        Keyring::load_or_create(&path).unwrap();
        (folder, path)
    }

    fn refusal(text: &str) -> String {
        let (_folder, path) = made();
        fs::write(&path, text).unwrap();
        Keyring::load_or_create(&path).unwrap_err().reason
    }

    #[test]
    fn a_new_keyring_is_for_its_owner_alone_and_stays_the_same() {
        let (folder, path) = made();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(folder.path().join("new")).unwrap().mode() & 0o777, 0o700);
        let text = fs::read_to_string(&path).unwrap();
        Keyring::load_or_create(&path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
        let draft_is_gone = fs::read_dir(path.parent().unwrap()).unwrap().count() == 1;
        assert!(draft_is_gone);
    }

    #[test]
    fn two_keyrings_have_different_keys() {
        let [(_a, first), (_b, second)] = [made(), made()];
        assert_ne!(fs::read(first).unwrap(), fs::read(second).unwrap());
    }

    #[test]
    fn a_keyring_that_others_may_read_is_refused() {
        for mode in [0o640, 0o604, 0o666] {
            let (_folder, path) = made();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let refused = Keyring::load_or_create(&path).unwrap_err().to_string();
            assert!(refused.contains("is open to others"), "{refused}");
        }
    }

    #[test]
    fn what_is_no_keyring_is_refused_without_repeating_a_key() {
        let key = "ab".repeat(32);
        let cases = [
            String::new(),
            "{}".to_owned(),
            r#"{"version":1,"keys":[]}"#.to_owned(),
            format!(r#"{{"version":2,"keys":[{{"id":1,"key":"{key}"}}]}}"#),
            format!(r#"{{"version":1,"keys":[{{"id":0,"key":"{key}"}}]}}"#),
            format!(r#"{{"version":1,"keys":[{{"id":1,"key":"{key}00"}}]}}"#),
            format!(
                r#"{{"version":1,"keys":[{{"id":1,"key":"{key}"}},{{"id":1,"key":"{key}"}}]}}"#
            ),
            format!(r#"{{"version":1,"keys":[{{"id":1,"key":"é{}"}}]}}"#, &key[2..]),
        ];
        for text in cases {
            let reason = refusal(&text);
            assert!(reason.starts_with("is not a keyring"), "{text}: {reason}");
            assert!(!reason.contains("abab"), "{reason}");
        }
    }

    #[test]
    fn sub_keys_differ_by_purpose_and_by_root() {
        let root = |byte: u8| {
            hkdf::Salt::new(hkdf::HKDF_SHA256, b"narrowgate keyring").extract(&[byte; 32])
        };
        let keys = [
            sub_key(&root(1), "digest"),
            sub_key(&root(1), "seal"),
            sub_key(&root(1), "audit head"),
            sub_key(&root(2), "digest"),
        ];
        for (n, key) in keys.iter().enumerate() {
            assert!(keys[..n].iter().all(|other| **other != **key));
        }
    }

    #[test]
    fn debug_shows_no_key() {
        let (_folder, path) = made();
        let keyring = Keyring::load_or_create(&path).unwrap();
        assert_eq!(format!("{keyring:?}"), "Keyring(1 keys, hidden)");
    }
}
