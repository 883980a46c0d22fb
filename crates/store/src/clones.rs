//! What becomes of the clones that runners keep of a repository, once it is not the project's any more.

use std::{
    fs::{self, File, TryLockError},
    io,
    path::Path,
    time::Duration,
};

use domain::ProjectId;
use tokio::time::sleep;

use crate::Store;

/// How often it is tried to get at clones that a run is fetching into, a second apart.
const TRIES: u32 = 600;

impl Store {
    /// Removes the clones of a project, at once or when no run works on them. What stays then is
    /// removed by runners: when a run of the project finds it to be of another repository, or for its
    /// age.
    pub(crate) fn drop_clones(&self, project: ProjectId) {
        let place = self.data_dir().clones_of(project);
        tokio::spawn(async move {
            for _ in 0..TRIES {
                let there = place.clone();
                let removed = tokio::task::spawn_blocking(move || remove(&there)).await;
                match removed {
                    Ok(Err(TryLockError::WouldBlock)) => sleep(Duration::from_secs(1)).await,
                    Ok(Err(TryLockError::Error(error))) => {
                        return tracing::warn!(%project, %error, "its clones are not removed");
                    }
                    Ok(Ok(())) | Err(_) => return,
                }
            }
        });
    }
}

/// Removes all but the lock, if nobody has it.
fn remove(place: &Path) -> Result<(), TryLockError> {
    let lock = match File::options().write(true).open(place.join("lock")) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        opened => opened.map_err(TryLockError::Error)?,
    };
    lock.try_lock()?;
    let clones =
        fs::read_dir(place).map_err(TryLockError::Error)?.flatten().map(|entry| entry.path());
    for clone in clones.filter(|path| path.is_dir()) {
        fs::remove_dir_all(clone).map_err(TryLockError::Error)?;
    }
    Ok(())
}
