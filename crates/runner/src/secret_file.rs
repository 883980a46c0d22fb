//! Secrets on disk, for programs that take them from a file.

use std::{
    fs,
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use domain::kept::Hidden;

/// A secret on disk, for the server's user alone (0600), while a program needs it.
#[derive(Debug)]
pub(crate) struct SecretFile(PathBuf);

impl SecretFile {
    pub(crate) fn write(file: PathBuf, secret: &Hidden) -> std::io::Result<Self> {
        let mut options = fs::OpenOptions::new();
        let mut opened = options.write(true).create_new(true).mode(0o600).open(&file)?;
        let written = Self(file);
        opened.write_all(secret.reveal().as_bytes())?;
        Ok(written)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for SecretFile {
    fn drop(&mut self) {
        match fs::remove_file(&self.0) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                tracing::warn!(%error, "a secret stays on disk until its run ends");
            }
            _ => {}
        }
    }
}
