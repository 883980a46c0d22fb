//! The data folder and the database in it.

use std::{
    collections::HashMap,
    fs::{DirBuilder, File, OpenOptions, TryLockError},
    io,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use domain::{AccountId, ProjectId, ip_restriction::AddressRules};
use object_store::ObjectStore;
use sea_orm::{
    ConnectOptions, ConnectionTrait as _, Database, DatabaseConnection, DatabaseTransaction,
    TransactionTrait as _,
};
use tokio::sync::{Mutex as Turnstile, Notify, OwnedMutexGuard};

use crate::{
    ArtifactPlace, Clock, Keyring, StoreError, dialect, discovery::States, last_used::LastUsed,
    migrations, principals::Principals,
};

/// The folder that holds everything a server keeps, and the places in it.
#[derive(Debug, Clone)]
pub struct DataDir(PathBuf);

impl DataDir {
    /// Names the folder; nothing is looked up.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }
    /// The folder itself.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }
    /// The SQLite database.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.0.join("narrowgate.db")
    }
    /// Whether there is a database in it.
    #[must_use]
    pub fn is_made(&self) -> bool {
        self.database().exists()
    }
    /// The keyring, unless the environment names another (`NARROWGATE_KEYRING`).
    #[must_use]
    pub fn keyring(&self) -> PathBuf {
        self.0.join("keyring.json")
    }
    /// Artifacts of runs.
    #[must_use]
    pub fn artifacts(&self) -> PathBuf {
        self.0.join("artifacts")
    }
    /// DuckDB databases, one folder an account.
    #[must_use]
    pub fn warehouses(&self) -> PathBuf {
        self.0.join("warehouses")
    }
    /// Virtual environments with a dbt, one folder a version.
    #[must_use]
    pub fn dbt(&self) -> PathBuf {
        self.0.join("dbt")
    }
    /// Clones that runners keep of repositories, one folder a project.
    #[must_use]
    pub fn clones(&self) -> PathBuf {
        self.0.join("clones")
    }
    /// The clones of a project's repository, and the file `lock` that who works on them has locked.
    #[must_use]
    pub fn clones_of(&self, project: ProjectId) -> PathBuf {
        self.clones().join(project.to_string())
    }
    /// Working copies of runs; each is removed when its run ends.
    #[must_use]
    pub fn work(&self) -> PathBuf {
        self.0.join("work")
    }
}

/// Everything that is kept. Cheap to clone; one for a process.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    dir: DataDir,
    keyring: Keyring,
    clock: Clock,
    /// One connection: SQLite has one writer at a time.
    writer: DatabaseConnection,
    /// Writers of this process pass one by one, in the order in which they came.
    turnstile: Arc<Turnstile<()>>,
    readers: DatabaseConnection,
    statements: Arc<AtomicU64>,
    appended: Notify,
    posted: Notify,
    logged: Notify,
    last_used: LastUsed,
    principals: Principals,
    address_rules: AddressRuleCache,
    states: States,
    serving: Mutex<Option<File>>,
    artifacts: Arc<dyn ObjectStore>,
}

/// The IP restrictions of accounts, as they were at a revision; `None` cannot be read.
pub(crate) type AddressRuleCache = Mutex<HashMap<AccountId, (i64, Option<Arc<AddressRules>>)>>;

impl Store {
    /// Opens the data folder (made if it is missing, 0700) and brings its database up to date.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the folder cannot be used (the message names it and why);
    /// [`StoreError::Newer`].
    pub async fn open(dir: &DataDir, keyring: Keyring, clock: Clock) -> Result<Self, StoreError> {
        Self::open_with(dir, keyring, clock, ArtifactPlace::Folder).await
    }

    /// The same, with artifacts in a place of their own.
    ///
    /// # Errors
    /// As [`Store::open`]; [`StoreError::Unavailable`] if the place cannot be used.
    pub async fn open_with(
        dir: &DataDir,
        keyring: Keyring,
        clock: Clock,
        artifacts: ArtifactPlace,
    ) -> Result<Self, StoreError> {
        dir.prepare()?;
        let artifacts = artifacts.open(dir).await?;
        // One process at a time: two that turn the same new file into a log-writing one (WAL) do not
        // wait for each other, one of them is refused.
        let _opening = dir.opening().await?;
        let statements = Arc::new(AtomicU64::new(0));
        let database = dir.database();
        let writer = connect(dialect::writer(&database), &statements).await;
        let writer = writer.map_err(|err| dir.unusable(&err))?;
        let tx = writer.begin_with_options(dialect::write_mode()).await.map_err(StoreError::db)?;
        migrations::migrate(&tx).await?;
        tx.commit().await.map_err(StoreError::db)?;
        let readers = connect(dialect::readers(&database), &statements).await;
        let readers = readers.map_err(|err| dir.unusable(&err))?;
        let inner = Inner {
            dir: dir.clone(),
            keyring,
            clock,
            writer,
            turnstile: Arc::default(),
            readers,
            statements,
            appended: Notify::new(),
            posted: Notify::new(),
            logged: Notify::new(),
            last_used: LastUsed::default(),
            principals: Principals::default(),
            address_rules: AddressRuleCache::default(),
            states: States::default(),
            serving: Mutex::new(None),
            artifacts,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Makes this process the one that serves the folder, until it ends. Commands that only look
    /// or add (`init`, `audit verify`) need not be alone.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if another process serves it.
    pub fn lock_for_serving(&self) -> Result<(), StoreError> {
        let dir = &self.inner.dir;
        let file = private_file(&dir.0.join("serve.lock")).map_err(|err| dir.unusable(&err))?;
        file.try_lock().map_err(|err| match err {
            TryLockError::WouldBlock => dir.unusable("another server is running on it"),
            TryLockError::Error(err) => dir.unusable(err),
        })?;
        *lock(&self.inner.serving) = Some(file);
        Ok(())
    }

    /// The clock that it stamps rows with.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.inner.clock
    }

    /// The data folder.
    #[must_use]
    pub fn data_dir(&self) -> &DataDir {
        &self.inner.dir
    }

    /// The states of environments that were asked for last.
    pub(crate) fn states(&self) -> &States {
        &self.inner.states
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.inner.readers.execute_unprepared("SELECT 1").await.map_err(StoreError::db)?;
        Ok(())
    }

    /// Ends well: last-used times are flushed, the log is folded into the database, and the folder
    /// is free for another server.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn close(&self) -> Result<(), StoreError> {
        self.flush_last_used().await?;
        let _turn = Arc::clone(&self.inner.turnstile).lock_owned().await;
        self.inner.readers.close_by_ref().await.map_err(StoreError::db)?;
        let writer = &self.inner.writer;
        writer.execute_unprepared(dialect::CHECKPOINT).await.map_err(StoreError::db)?;
        writer.close_by_ref().await.map_err(StoreError::db)?;
        *lock(&self.inner.serving) = None;
        Ok(())
    }

    /// How many statements this store has sent to the database (for tests and metrics).
    #[must_use]
    pub fn statements(&self) -> u64 {
        self.inner.statements.load(Ordering::Relaxed)
    }

    pub(crate) fn artifact_store(&self) -> &dyn ObjectStore {
        self.inner.artifacts.as_ref()
    }

    pub(crate) fn artifact_store_handle(&self) -> Arc<dyn ObjectStore> {
        Arc::clone(&self.inner.artifacts)
    }

    pub(crate) fn keyring(&self) -> &Keyring {
        &self.inner.keyring
    }

    /// What reads outside of a transaction are sent with; it refuses to write.
    pub(crate) fn reader(&self) -> &DatabaseConnection {
        &self.inner.readers
    }

    pub(crate) fn last_used(&self) -> &LastUsed {
        &self.inner.last_used
    }

    pub(crate) fn principals(&self) -> &Principals {
        &self.inner.principals
    }

    pub(crate) fn address_rules(&self) -> &AddressRuleCache {
        &self.inner.address_rules
    }

    /// Waits for its turn and begins to write.
    pub(crate) async fn write(
        &self,
    ) -> Result<(OwnedMutexGuard<()>, DatabaseTransaction), StoreError> {
        let turn = Arc::clone(&self.inner.turnstile).lock_owned().await;
        let tx = self.inner.writer.begin_with_options(dialect::write_mode()).await;
        Ok((turn, tx.map_err(StoreError::db)?))
    }

    /// Wakes those that wait for events.
    pub(crate) fn announce(&self) {
        self.inner.appended.notify_waiters();
    }

    pub(crate) fn appended(&self) -> &Notify {
        &self.inner.appended
    }

    /// Wakes those that wait for something to send.
    pub(crate) fn announce_post(&self) {
        self.inner.posted.notify_waiters();
    }

    pub(crate) fn posted(&self) -> &Notify {
        &self.inner.posted
    }

    /// Wakes those that follow the log of a step.
    pub(crate) fn announce_log(&self) {
        self.inner.logged.notify_waiters();
    }

    pub(crate) fn logged(&self) -> &Notify {
        &self.inner.logged
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Store({})", self.inner.dir.0.display())
    }
}

impl DataDir {
    /// Makes the folder and the places in it, for their owner alone.
    fn prepare(&self) -> Result<(), StoreError> {
        for folder in [self.0.clone(), self.artifacts(), self.warehouses(), self.work()] {
            private_folder(&folder).map_err(|err| self.unusable(err))?;
        }
        // SQLite gives its log the mode of the database.
        private_file(&self.database()).map_err(|err| self.unusable(err))?;
        Ok(())
    }

    /// Waits until no other process is opening the folder; it is kept so until this is dropped.
    async fn opening(&self) -> Result<File, StoreError> {
        let path = self.0.join("open.lock");
        let locked = tokio::task::spawn_blocking(move || {
            let file = private_file(&path)?;
            file.lock()?;
            Ok(file)
        });
        locked.await.map_err(StoreError::corrupt)?.map_err(|err: io::Error| self.unusable(err))
    }

    fn unusable(&self, reason: impl std::fmt::Display) -> StoreError {
        StoreError::Unavailable(format!(
            "data folder `{}` cannot be used: {reason}",
            self.0.display()
        ))
    }
}

/// Makes a folder and those above it, 0700; one that is there stays as it is.
pub(crate) fn private_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Opens a file for writing, made 0600 if it is missing.
fn private_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)
}

/// A lock's content, also if a thread died holding it: what is in it is whole at all times.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

async fn connect(
    options: ConnectOptions,
    statements: &Arc<AtomicU64>,
) -> Result<DatabaseConnection, sea_orm::DbErr> {
    let mut connection = Database::connect(options).await?;
    let statements = Arc::clone(statements);
    connection.set_metric_callback(move |_| {
        statements.fetch_add(1, Ordering::Relaxed);
    });
    Ok(connection)
}

#[cfg(test)]
mod tests {
    use sea_orm::Statement;

    use super::*;

    async fn pragma(db: &DatabaseConnection, name: &str) -> String {
        let sql = format!("SELECT CAST({name} AS TEXT) FROM pragma_{name}");
        let row = db.query_one_raw(Statement::from_string(db.get_database_backend(), sql));
        row.await.unwrap().unwrap().try_get_by_index(0).unwrap()
    }

    #[tokio::test]
    async fn a_commit_is_on_the_disk_before_it_is_answered() {
        let folder = tempfile::TempDir::new().unwrap();
        let dir = DataDir::new(folder.path());
        let keyring = Keyring::load_or_create(&dir.keyring()).unwrap();
        let store = Store::open(&dir, keyring, Clock::System).await.unwrap();
        let writer = &store.inner.writer;

        assert_eq!(pragma(writer, "journal_mode").await, "wal");
        assert_eq!(pragma(writer, "synchronous").await, "2", "full");
        assert_eq!(pragma(writer, "foreign_keys").await, "1");
        assert_eq!(pragma(&store.inner.readers, "query_only").await, "1");
    }
}
