//! The clone that is kept of a project's repository, so that a run fetches only what is new.
//!
//! `clones/PROJECT/` in the data folder has a folder for each clone, named by the lease under which it
//! was made: `repository.git` (bare, of single commits without their history), `remote` (what it is a
//! clone of) and `used` (when a run last took something out of it). One of them is in use, the one whose
//! `remote` is the project's; the others are remains. While git writes into a clone its `remote` is not
//! there: if its worker dies, nobody takes it for a whole one, and the next run makes another.
//!
//! `lock` in the project's folder is held by all who read the clones, and by one alone who changes them.

use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use domain::{LeaseId, Timestamp};
use store::DataDir;
use tokio::time::sleep;

use crate::{
    checkout::{Commit, no_such_commit},
    folder::{self, RunFolder},
    git::Git,
    interrupt::{Halt, Interrupts},
    log::StepLog,
};

/// How often a run that waits for another's fetch looks.
const LOOK: Duration = Duration::from_millis(20);
/// The most commits that are fetched into a clone before a new one is begun: each is a pack of its own.
const COMMITS: usize = 64;
/// After how long without use a clone is removed, in seconds: 30 days.
const AGE: i64 = 30 * 24 * 60 * 60;

/// The clones of one project, for one run.
#[derive(Debug)]
pub(crate) struct Clones<'a> {
    pub(crate) git: &'a Git<'a>,
    /// Where they are.
    pub(crate) place: PathBuf,
    pub(crate) remote: &'a str,
    /// The run's lease, and the name of a clone that it makes.
    pub(crate) maker: LeaseId,
    /// When the run began.
    pub(crate) now: Timestamp,
}

/// One clone.
#[derive(Debug)]
struct Clone(PathBuf);

/// How a repository names its objects; a clone has to do likewise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Sha1,
    Sha256,
}

impl Format {
    fn of(commit: &Commit) -> Self {
        match commit {
            Commit::Id(id) | Commit::Begins(id) if id.len() > 40 => Self::Sha256,
            Commit::Id(_) | Commit::Begins(_) => Self::Sha1,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Sha1 => "sha1",
            Self::Sha256 => "sha256",
        }
    }
}

/// Why a commit is not in a clone after it was fetched.
#[derive(Debug)]
enum Refused {
    /// The host has no such commit.
    Unknown,
    /// The host gives commits by the names of branches and tags alone.
    ByNameAlone,
    /// Something else, with git's last words.
    Other(String),
}

impl Refused {
    /// By what git says last, which is what the host says.
    fn by(last_words: &str) -> Self {
        if last_words.contains("not our ref") || last_words.contains("couldn't find remote ref") {
            Self::Unknown
        } else if last_words.contains("unadvertised object") {
            Self::ByNameAlone
        } else {
            Self::Other(last_words.to_owned())
        }
    }
}

impl Clones<'_> {
    /// Writes the files of a commit into the run's working copy; gives the commit's id, and whether it
    /// was there already.
    ///
    /// # Errors
    /// [`Halt::Failed`] if there is no such commit, or git or the disk fails;
    /// [`Halt::Interrupted`], [`Halt::Store`].
    pub(crate) async fn lay_out(
        &self,
        commit: &Commit,
        folder: &RunFolder,
        log: &mut StepLog,
        interrupts: &mut Interrupts,
    ) -> Result<(String, bool), Halt> {
        folder::private(&self.place).map_err(|error| unwritable(&error))?;
        if let Commit::Id(id) = commit {
            let _reading = self.lock(File::try_lock_shared, log, interrupts).await?;
            if let Some(clone) = self.whole(Format::of(commit)).filter(|clone| clone.has(id))
                && self.write_files(&clone, id, folder, log, interrupts).await?
            {
                return Ok((id.clone(), true));
            }
        }
        let _alone = self.lock(File::try_lock, log, interrupts).await?;
        let format = Format::of(commit);
        if let Some(clone) = self.whole(format).filter(Clone::has_room) {
            match self.get(&clone, commit, log, interrupts).await {
                Ok(id) if self.write_files(&clone, &id, folder, log, interrupts).await? => {
                    return Ok((id, false));
                }
                Err(Halt::Failed(reason)) if self.is_sound(&clone, log, interrupts).await? => {
                    return Err(Halt::Failed(reason));
                }
                Ok(_) | Err(Halt::Failed(_)) => {}
                Err(halt) => return Err(halt),
            }
            log.say("the clone that was kept of the repository is broken: it is made anew");
        }
        let clone = self.anew(format, log, interrupts).await?;
        let id = self.get(&clone, commit, log, interrupts).await?;
        if self.write_files(&clone, &id, folder, log, interrupts).await? {
            return Ok((id, false));
        }
        Err(Halt::Failed(format!("git could not write the files of `{id}`, its log says why")))
    }

    /// Waits for its turn on the project's clones, which ends when the file is dropped.
    async fn lock(
        &self,
        try_lock: fn(&File) -> Result<(), TryLockError>,
        log: &mut StepLog,
        interrupts: &mut Interrupts,
    ) -> Result<File, Halt> {
        let file = lock_file(&self.place).map_err(|error| unwritable(&error))?;
        let mut waits = false;
        loop {
            match try_lock(&file) {
                Ok(()) => return Ok(file),
                Err(TryLockError::WouldBlock) if waits => {}
                Err(TryLockError::WouldBlock) => {
                    waits = true;
                    log.say("another run fetches from this repository: waiting for it");
                    log.flush().await?;
                }
                Err(TryLockError::Error(error)) => return Err(unwritable(&error)),
            }
            tokio::select! {
                () = sleep(LOOK) => {}
                interrupt = interrupts.raised() => return Err(interrupt.into()),
            }
        }
    }

    /// What is written into `remote`.
    fn title(&self, format: Format) -> String {
        format!("{}\n{}\n", format.name(), self.remote)
    }

    /// The clone of the repository, if there is one and nobody died writing it.
    fn whole(&self, format: Format) -> Option<Clone> {
        let title = self.title(format);
        clones(&self.place).find(|clone| {
            fs::read(clone.0.join("remote")).is_ok_and(|found| found == title.as_bytes())
        })
    }

    /// Begins a new one, and removes the others.
    async fn anew(
        &self,
        format: Format,
        log: &mut StepLog,
        interrupts: &mut Interrupts,
    ) -> Result<Clone, Halt> {
        for old in clones(&self.place) {
            old.remove();
        }
        let clone = Clone(self.place.join(self.maker.to_string()));
        folder::private(&clone.0).map_err(|error| unwritable(&error))?;
        let mut init = self.git.command(&["init", "--quiet", "--bare", "--template="]);
        init.arg(format!("--object-format={}", format.name())).arg(clone.repository());
        if self.git.run(init, log, interrupts).await?.status.success() {
            return Ok(clone);
        }
        Err(Halt::Failed("git could not begin a clone, its log says why".to_owned()))
    }

    /// Fetches what of the commit is not there yet; gives its id.
    async fn get(
        &self,
        clone: &Clone,
        commit: &Commit,
        log: &mut StepLog,
        interrupts: &mut Interrupts,
    ) -> Result<String, Halt> {
        let remote = self.remote;
        let id = match commit {
            Commit::Id(id) if clone.has(id) => return Ok(id.clone()),
            Commit::Id(id) => id,
            Commit::Begins(begin) => {
                return self.with_history(clone, (commit, begin), log, interrupts).await;
            }
        };
        log.say(format_args!("fetching {id} from {remote}"));
        let wanted = format!("+{id}:{}", Clone::kept(id));
        let wanted = ["--depth=1", "--", "origin", &wanted];
        match self.fetch(clone, Format::of(commit), &wanted, log, interrupts).await? {
            Ok(()) => Ok(id.clone()),
            Err(Refused::ByNameAlone) => {
                self.with_history(clone, (commit, id), log, interrupts).await
            }
            Err(Refused::Unknown) => Err(no_such_commit(remote, id)),
            Err(Refused::Other(said)) => Err(self.git.shut_out(&said).unwrap_or_else(|| {
                Halt::Failed(format!(
                    "git could not fetch `{id}` from `{remote}`, its log says why"
                ))
            })),
        }
    }

    /// Fetches all branches, tags and requests to merge with their history, which the commit is looked
    /// for in by the beginning of its id.
    async fn with_history(
        &self,
        clone: &Clone,
        (commit, begin): (&Commit, &str),
        log: &mut StepLog,
        interrupts: &mut Interrupts,
    ) -> Result<String, Halt> {
        const ALL: [&str; 4] = ["heads/*", "tags/*", "pull/*/head", "merge-requests/*/head"];
        let remote = self.remote;
        log.say(format_args!("fetching all of {remote}, to find {begin}"));
        let all = ALL.map(|place| format!("+refs/{place}:refs/all/{place}"));
        let shallow = clone.repository().join("shallow").exists();
        let mut wanted = if shallow { vec!["--unshallow"] } else { Vec::new() };
        wanted.extend(["--prune", "--", "origin"]);
        wanted.extend(all.iter().map(String::as_str));
        let fetched = self.fetch(clone, Format::of(commit), &wanted, log, interrupts).await?;
        fetched.map_err(|_| {
            Halt::Failed(format!("git could not fetch all of `{remote}`, its log says why"))
        })?;
        let wanted = format!("{begin}^{{commit}}");
        let arguments = ["rev-parse", "--verify", "--quiet", "--end-of-options", &wanted];
        let found = self.git.ask(self.inside(clone, &arguments), log, interrupts).await?;
        let id = found.map_err(|_| no_such_commit(remote, begin))?.trim().to_owned();
        let note = self.inside(clone, &["update-ref", &Clone::kept(&id), &id]);
        let noted = self.git.ask(note, log, interrupts).await?;
        noted.map_err(|_| Halt::failed("git could not keep the commit, its log says why"))?;
        Ok(id)
    }

    /// Fetches. Until git has come back by itself the clone is not whole.
    async fn fetch(
        &self,
        clone: &Clone,
        format: Format,
        wanted: &[&str],
        log: &mut StepLog,
        interrupts: &mut Interrupts,
    ) -> Result<Result<(), Refused>, Halt> {
        let title = clone.0.join("remote");
        remove(&title).map_err(|error| unwritable(&error))?;
        let mut command = self.inside(clone, &["fetch", "--quiet", "--no-tags", "--force"]);
        command.args(["--no-write-fetch-head", "--no-auto-maintenance", "--no-recurse-submodules"]);
        command.args(wanted);
        let end = self.git.run(command, log, interrupts).await?;
        fs::write(title, self.title(format)).map_err(|error| unwritable(&error))?;
        let done = end.status.success();
        Ok(if done { Ok(()) } else { Err(Refused::by(&end.last_words)) })
    }

    /// Writes the files of a commit that is there; gives whether git could, and notes the use.
    async fn write_files(
        &self,
        clone: &Clone,
        id: &str,
        folder: &RunFolder,
        log: &mut StepLog,
        interrupts: &mut Interrupts,
    ) -> Result<bool, Halt> {
        let mut command = self.inside(clone, &["read-tree", "--reset", "-u", id]);
        // Its list of files is the run's own, as its files are.
        command.env("GIT_INDEX_FILE", folder.root().join("index"));
        command.env("GIT_WORK_TREE", folder.working_copy());
        let written = self.git.run(command, log, interrupts).await?.status.success();
        if written {
            clone.note_use(self.now).map_err(|error| unwritable(&error))?;
        }
        Ok(written)
    }

    /// Whether everything is there that is pointed to.
    async fn is_sound(
        &self,
        clone: &Clone,
        log: &mut StepLog,
        interrupts: &mut Interrupts,
    ) -> Result<bool, Halt> {
        let arguments = ["fsck", "--connectivity-only", "--no-dangling", "--no-progress"];
        Ok(self.git.ask(self.inside(clone, &arguments), log, interrupts).await?.is_ok())
    }

    fn inside(&self, clone: &Clone, arguments: &[&str]) -> tokio::process::Command {
        let mut command = self.git.command(arguments);
        command.env("GIT_DIR", clone.repository());
        command
    }
}

impl Clone {
    fn repository(&self) -> PathBuf {
        self.0.join("repository.git")
    }

    /// The ref that keeps a commit, and tells that it is there.
    fn kept(id: &str) -> String {
        format!("refs/kept/{id}")
    }

    fn has(&self, id: &str) -> bool {
        self.repository().join(Self::kept(id)).is_file()
    }

    fn has_room(&self) -> bool {
        let kept = fs::read_dir(self.repository().join("refs/kept"));
        kept.into_iter().flatten().count() < COMMITS
    }

    fn note_use(&self, now: Timestamp) -> io::Result<()> {
        fs::write(self.0.join("used"), now.micros().to_string())
    }

    /// When it was used last, in microseconds; 0 if it never was.
    fn used(&self) -> i64 {
        let noted = fs::read_to_string(self.0.join("used")).ok();
        noted.and_then(|text| text.parse().ok()).unwrap_or(0)
    }

    /// Removes it; what cannot be removed is not taken for a clone any more.
    fn remove(self) {
        let removed = remove(&self.0.join("remote")).and_then(|()| fs::remove_dir_all(&self.0));
        if let Err(error) = removed {
            tracing::warn!(clone = %self.0.display(), %error, "a clone is not removed");
        }
    }
}

/// The clones in the folder of a project, and remains of some.
fn clones(place: &Path) -> impl Iterator<Item = Clone> {
    let entries = fs::read_dir(place).into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| Clone(entry.path()))
}

fn lock_file(place: &Path) -> io::Result<File> {
    File::options().write(true).create(true).truncate(false).open(place.join("lock"))
}

fn remove(file: &Path) -> io::Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

fn unwritable(error: &io::Error) -> Halt {
    Halt::Failed(format!("the clone that is kept of the repository cannot be written: {error}"))
}

/// Removes the clones of projects that were used last more than 30 days ago, and those that were used
/// longest ago until all together are no larger than `most` bytes. One that is being used stays.
pub(crate) fn evict(dir: &DataDir, most: u64, now: Timestamp) {
    let places = fs::read_dir(dir.clones()).into_iter().flatten().flatten();
    let mut all: Vec<_> = places
        .map(|entry| entry.path())
        .map(|place| (clones(&place).map(|clone| clone.used()).max(), size(&place), place))
        .filter_map(|(used, size, place)| Some((used?, size, place)))
        .collect();
    all.sort();
    let mut total: u64 = all.iter().map(|(_, size, _)| size).sum();
    for (used, size, place) in all {
        if total <= most && now.micros() - used < AGE * 1_000_000 {
            continue;
        }
        let Ok(lock) = lock_file(&place) else { continue };
        if lock.try_lock().is_ok() {
            tracing::info!(clone = %place.display(), size, "the clone of a repository is removed");
            clones(&place).for_each(Clone::remove);
            total -= size;
        }
    }
}

/// How much all files in a folder have, in bytes.
fn size(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let sizes = entries.filter_map(|entry| {
        let meta = entry.metadata().ok()?;
        Some(if meta.is_dir() { size(&entry.path()) } else { meta.len() })
    });
    sizes.sum()
}

#[cfg(test)]
mod tests {
    use domain::ProjectId;

    use super::*;

    const DAY: i64 = 24 * 60 * 60 * 1_000_000;

    fn day(day: i64) -> Timestamp {
        Timestamp::from_micros(day * DAY).unwrap()
    }

    /// A clone of a thousand bytes, used on a day.
    fn used_on(dir: &DataDir, project: i64, on: i64) -> Clone {
        let clone = Clone(dir.clones_of(ProjectId::new(project).unwrap()).join("7"));
        fs::create_dir_all(clone.repository()).unwrap();
        fs::write(clone.repository().join("pack"), [0; 1000]).unwrap();
        clone.note_use(day(on)).unwrap();
        clone
    }

    #[test]
    fn old_clones_are_removed_and_those_used_longest_ago_make_room() {
        let folder = tempfile::tempdir().unwrap();
        let dir = DataDir::new(folder.path());
        let on = |project, on| used_on(&dir, project, on);
        let all = [on(1, 10), on(2, 50), on(3, 48), on(4, 49)];
        let left = || all.iter().map(|clone| clone.0.exists()).collect::<Vec<_>>();
        let roomy = u64::MAX;
        evict(&dir, roomy, day(39));
        assert_eq!(left(), [true; 4]);
        evict(&dir, roomy, day(50));
        assert_eq!(left(), [false, true, true, true]);
        evict(&dir, 2500, day(50));
        assert_eq!(left(), [false, true, false, true]);
        let place = dir.clones_of(ProjectId::new(2).unwrap());
        let reading = lock_file(&place).unwrap();
        reading.lock_shared().unwrap();
        evict(&dir, 0, day(50));
        assert_eq!(left(), [false, true, false, false], "one that is being read stays");
        drop(reading);
        evict(&dir, 0, day(50));
        assert_eq!(left(), [false; 4]);
    }
}
