//! A run's own folder in the data folder.

use std::{
    fs::{self, DirBuilder},
    io,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

use domain::RunId;

/// Everything that a run has on disk while it is under way, for the server's user alone (0700):
/// the working copy, and beside it what dbt is given as home, temporary folder and profiles.
///
/// Removed when it is dropped; what a killed server leaves is removed at the next start.
#[derive(Debug)]
pub(crate) struct RunFolder {
    root: PathBuf,
}

impl RunFolder {
    /// Makes the folder of a run in `work`, empty.
    pub(crate) fn make(work: &Path, run: RunId) -> io::Result<Self> {
        let folder = Self { root: work.join(format!("run-{run}")) };
        if folder.root.exists() {
            fs::remove_dir_all(&folder.root)?;
        }
        private(&folder.root)?;
        for place in [folder.home(), folder.temporary(), folder.profiles()] {
            private(&place)?;
        }
        Ok(folder)
    }

    /// The folder itself.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The name of the working copy in [`RunFolder::root`].
    pub(crate) const WORKING_COPY: &str = "code";

    /// Where git checks the code out; `git clone` makes it.
    pub(crate) fn working_copy(&self) -> PathBuf {
        self.root.join(Self::WORKING_COPY)
    }

    /// dbt's `HOME`, so that it does not see the server's.
    pub(crate) fn home(&self) -> PathBuf {
        self.root.join("home")
    }

    /// dbt's `TMPDIR`.
    pub(crate) fn temporary(&self) -> PathBuf {
        self.root.join("tmp")
    }

    /// Where `profiles.yml` is: outside of the working copy, so that no project brings its own.
    pub(crate) fn profiles(&self) -> PathBuf {
        self.root.join("profiles")
    }
}

impl Drop for RunFolder {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.root) {
            tracing::warn!(folder = %self.root.display(), %error, "a run's folder stays behind");
        }
    }
}

/// Removes the folders of all runs; for a start, when none is under way.
pub(crate) fn remove_all(work: &Path) -> io::Result<()> {
    if !work.exists() {
        return Ok(());
    }
    for entry in fs::read_dir(work)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with("run-") {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

/// A folder as every process sees it, wherever it stands.
pub(crate) fn absolute(path: &Path) -> PathBuf {
    path.canonicalize().or_else(|_| std::path::absolute(path)).unwrap_or_else(|_| path.to_owned())
}

/// Makes a folder and those above it that only their owner can look into.
pub(crate) fn private(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_runs_folder_is_private_and_goes_with_it() {
        let work = tempfile::tempdir().unwrap();
        let folder = RunFolder::make(work.path(), RunId::new(7).unwrap()).unwrap();
        let root = folder.root().to_owned();
        for place in [root.clone(), folder.home(), folder.profiles(), folder.temporary()] {
            assert_eq!(fs::metadata(place).unwrap().permissions().mode() & 0o777, 0o700);
        }
        drop(folder);
        assert!(!root.exists());
    }

    #[test]
    fn what_a_killed_server_left_is_removed_and_nothing_else() {
        let work = tempfile::tempdir().unwrap();
        fs::create_dir_all(work.path().join("run-3/code/models")).unwrap();
        fs::create_dir_all(work.path().join("mine")).unwrap();
        remove_all(work.path()).unwrap();
        assert!(!work.path().join("run-3").exists());
        assert!(work.path().join("mine").exists());
    }
}
