//! SSH keys that this server makes: Ed25519, in OpenSSH's own form (`PROTOCOL.key` of OpenSSH).

use aws_lc_rs::{
    encoding::AsBigEndian as _,
    signature::{Ed25519KeyPair, KeyPair as _},
};
use domain::kept::Hidden;
use zeroize::Zeroizing;

use crate::StoreError;

/// A key of which the private half is sealed by whoever keeps it.
#[derive(Debug)]
pub(crate) struct SshKey {
    /// One line, as `authorized_keys` has it.
    pub(crate) public: String,
    /// What a file for `ssh -i` holds.
    pub(crate) private: Hidden,
}

const KIND: &[u8] = b"ssh-ed25519";

/// Makes a key; `comment` says whose it is.
///
/// # Errors
/// [`StoreError::Unavailable`] if the machine gives no random bytes.
pub(crate) fn generate(comment: &str) -> Result<SshKey, StoreError> {
    let failed = |_| StoreError::Unavailable("an SSH key could not be made".to_owned());
    let pair = Ed25519KeyPair::generate().map_err(failed)?;
    let seed = pair.seed().and_then(|seed| seed.as_be_bytes()).map_err(failed)?;
    let public = pair.public_key().as_ref();
    let blob = [field(KIND), field(public)].concat();
    let both = Zeroizing::new([seed.as_ref(), public].concat());
    Ok(SshKey {
        public: format!("ssh-ed25519 {} {comment}", base64(&blob)),
        private: armoured(&private(&blob, public, &both, comment)),
    })
}

fn private(blob: &[u8], public: &[u8], both: &[u8], comment: &str) -> Zeroizing<Vec<u8>> {
    // Two equal numbers tell a reader that it has decrypted well; nothing is encrypted here.
    let check = [0x6e, 0x61, 0x72, 0x72, 0x6e, 0x61, 0x72, 0x72];
    let mut inner = Zeroizing::new(
        [&check[..], &field(KIND), &field(public), &field(both), &field(comment.as_bytes())]
            .concat(),
    );
    for padding in 1_u8.. {
        if inner.len().is_multiple_of(8) {
            break;
        }
        inner.push(padding);
    }
    let (none, one) = (field(b"none"), 1_u32.to_be_bytes());
    Zeroizing::new(
        [
            b"openssh-key-v1\0".as_slice(),
            &none,
            &none,
            &field(b""),
            &one,
            &field(blob),
            &field(&inner),
        ]
        .concat(),
    )
}

/// A text of the SSH protocol: its length in 4 bytes, then itself.
fn field(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    [&length.to_be_bytes()[..], bytes].concat()
}

fn armoured(bytes: &[u8]) -> Hidden {
    let text = Zeroizing::new(base64(bytes));
    let mut armoured = String::with_capacity(text.len() + 128);
    armoured.push_str("-----BEGIN OPENSSH PRIVATE KEY-----\n");
    for (at, letter) in text.chars().enumerate() {
        if at > 0 && at.is_multiple_of(70) {
            armoured.push('\n');
        }
        armoured.push(letter);
    }
    armoured.push_str("\n-----END OPENSSH PRIVATE KEY-----\n");
    Hidden::new(armoured)
}

/// RFC 4648, section 4.
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let byte = |at: usize| u32::from(group.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for at in 0..4_usize {
            let index = bits >> (18 - 6 * at) & 63;
            let letter = LETTERS.get(usize::try_from(index).unwrap_or(0)).copied().unwrap_or(b'A');
            text.push(if at > group.len() { '=' } else { char::from(letter) });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _, process::Command};

    use super::*;

    #[test]
    fn openssh_reads_the_key_and_finds_its_public_half() {
        for _ in 0..8 {
            let key = generate("narrowgate").unwrap();
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("key");
            fs::write(&file, key.private.reveal()).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
            let output = Command::new("ssh-keygen").arg("-y").arg("-f").arg(&file).output();
            let output = output.unwrap();
            let told = String::from_utf8_lossy(&output.stdout).trim().to_owned();
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{said}");
            assert_eq!(told, key.public);
        }
    }

    #[test]
    fn base64_is_that_of_the_rfc() {
        let told =
            ["", "f", "fo", "foo", "foob", "fooba", "foobar"].map(|text| base64(text.as_bytes()));
        assert_eq!(told, ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"]);
    }
}
