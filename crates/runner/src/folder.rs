//! A run's own folder in the data folder.

use std::{
    fs::{self, DirBuilder},
    io,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

use domain::{LeaseId, RunId};

use crate::run_user::RunUser;

/// Everything that a run has on disk while it is under way, for the server's user alone (0700):
/// the working copy, and beside it what dbt is given as home, temporary folder and profiles.
///
/// Removed when it is dropped; what a dead worker leaves is removed by whoever finds its run.
#[derive(Debug)]
pub(crate) struct RunFolder {
    root: PathBuf,
}

impl RunFolder {
    /// Makes the folder of a run in `work`, empty. It is the lease's own: another worker that takes
    /// the run later has another.
    pub(crate) fn make(work: &Path, run: RunId, lease: LeaseId) -> io::Result<Self> {
        let folder = Self { root: place(work, run, lease) };
        if folder.root.exists() {
            fs::remove_dir_all(&folder.root)?;
        }
        private(&folder.root)?;
        for place in [folder.home(), folder.temporary(), folder.profiles(), folder.logs()] {
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

    /// Where dbt writes its own log of the step with this index; dbt makes it.
    pub(crate) fn dbt_log(&self, index: u32) -> PathBuf {
        self.logs().join(index.to_string())
    }

    /// Where the logs that dbt writes by itself are.
    pub(crate) fn logs(&self) -> PathBuf {
        self.root.join("logs")
    }

    /// What an earlier run left, for dbt to defer to and compare with.
    pub(crate) fn state(&self) -> PathBuf {
        self.root.join("state")
    }

    /// What `dbt retry` goes on from, where the server does not write into the working copy.
    pub(crate) fn retried(&self) -> PathBuf {
        self.root.join("retried")
    }

    /// Gives the user of runs what is in it: working copy, home, temporary folder and dbt's logs to
    /// change, profiles and state to read. Until then nobody but the server gets in.
    pub(crate) fn give_to(&self, user: RunUser) -> io::Result<()> {
        for place in [self.working_copy(), self.home(), self.temporary(), self.logs()] {
            user.own(&place)?;
        }
        for place in [self.profiles(), self.state()] {
            if place.exists() {
                user.lend(&place)?;
            }
        }
        user.let_through(&self.root)
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

/// Where the folder of a run is, under a lease.
fn place(work: &Path, run: RunId, lease: LeaseId) -> PathBuf {
    work.join(format!("run-{run}-{lease}"))
}

/// Removes the folder that a dead worker has left of a run.
pub(crate) fn remove(work: &Path, run: RunId, lease: LeaseId) -> io::Result<()> {
    match fs::remove_dir_all(place(work, run, lease)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
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

    fn ids() -> (RunId, LeaseId) {
        (RunId::new(3).unwrap(), LeaseId::new(7).unwrap())
    }

    #[test]
    fn a_runs_folder_is_private_and_goes_with_it() {
        let work = tempfile::tempdir().unwrap();
        let (run, lease) = ids();
        let folder = RunFolder::make(work.path(), run, lease).unwrap();
        let root = folder.root().to_owned();
        for place in [root.clone(), folder.home(), folder.profiles(), folder.temporary()] {
            assert_eq!(fs::metadata(place).unwrap().permissions().mode() & 0o777, 0o700);
        }
        drop(folder);
        assert!(!root.exists());
    }

    #[test]
    fn what_a_dead_worker_left_is_removed_and_nothing_else() {
        let work = tempfile::tempdir().unwrap();
        let (run, lease) = ids();
        for left in ["run-3-7/code/models", "run-3-8/code", "mine"] {
            fs::create_dir_all(work.path().join(left)).unwrap();
        }
        remove(work.path(), run, lease).unwrap();
        remove(work.path(), run, lease).unwrap();
        let left = |name: &str| work.path().join(name).exists();
        assert_eq!([left("run-3-7"), left("run-3-8"), left("mine")], [false, true, true]);
    }
}
