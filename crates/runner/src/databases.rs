//! DuckDB files: one run at a time.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex as StdMutex, PoisonError, Weak},
};

use tokio::sync::{Mutex, OwnedMutexGuard};

/// Who uses which DuckDB file. DuckDB lets one process write a file, and refuses a second one at
/// once instead of letting it wait (DuckDB documentation, "Concurrency"); so runs wait here.
#[derive(Debug, Default)]
pub(crate) struct Databases(StdMutex<HashMap<PathBuf, Weak<Mutex<()>>>>);

/// The right to use a file, until it is dropped.
pub(crate) type Turn = OwnedMutexGuard<()>;

impl Databases {
    /// The file's turnstile.
    pub(crate) fn turnstile(&self, file: &Path) -> Arc<Mutex<()>> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, turnstile| turnstile.strong_count() > 0);
        if let Some(turnstile) = known.get(file).and_then(Weak::upgrade) {
            return turnstile;
        }
        let turnstile = Arc::default();
        known.insert(file.to_owned(), Arc::downgrade(&turnstile));
        turnstile
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_file_is_used_by_one_run_at_a_time_and_two_files_by_two() {
        let databases = Databases::default();
        let shop = databases.turnstile(Path::new("/w/shop.duckdb")).try_lock_owned();
        assert!(shop.is_ok());
        assert!(databases.turnstile(Path::new("/w/shop.duckdb")).try_lock_owned().is_err());
        assert!(databases.turnstile(Path::new("/w/other.duckdb")).try_lock_owned().is_ok());
        drop(shop);
        assert!(databases.turnstile(Path::new("/w/shop.duckdb")).try_lock_owned().is_ok());
    }

    #[test]
    fn files_that_nobody_uses_are_forgotten() {
        let databases = Databases::default();
        for n in 0..10 {
            databases.turnstile(Path::new(&format!("/w/{n}.duckdb")));
        }
        assert_eq!(databases.0.lock().unwrap().len(), 1);
    }
}
