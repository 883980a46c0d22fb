//! What a step leaves in `target/`.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use domain::{
    RunId,
    authz::{Permit, Read, Runs},
    lease::Lease,
};
use futures_util::TryStreamExt as _;
use store::{ArtifactContent, Store, StoreError};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::{
    interrupt::Halt,
    log::StepLog,
    run_user::{self, RunUser},
    worker::Permits,
};

/// The largest JSON file that is kept.
const JSON_FILE: u64 = 256 * 1024 * 1024;
/// How much SQL of one step is kept, all files together.
const SQL_TOTAL: u64 = 32 * 1024 * 1024;
/// dbt's documentation in one file, as large as the JSON files that it holds.
const DOCS: &str = "static_index.html";
/// The most files that are looked at.
const FILES: usize = 50_000;

/// Tells whether a file was written again: inode, size, and when (nanoseconds).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    size: u64,
    seconds: i64,
    nanoseconds: i64,
}

/// The files of a target folder that may be kept, by their path in it.
#[derive(Debug, Default)]
pub(crate) struct Target {
    folder: PathBuf,
    files: BTreeMap<String, Stamp>,
}

impl Target {
    /// Looks at the folder, which may be missing. Links are not followed, and it is none itself: dbt may
    /// have put one in its place.
    pub(crate) async fn look(folder: PathBuf) -> Self {
        tokio::task::spawn_blocking(move || {
            let mut files = BTreeMap::new();
            if folder.canonicalize().is_ok_and(|real| real == folder) {
                visit(&folder, "", &mut files);
            }
            Self { folder, files }
        })
        .await
        .unwrap_or_default()
    }

    /// The files that were written since `before`, JSON first.
    fn written_since(&self, before: &Self) -> Vec<(&str, u64)> {
        let mut written: Vec<_> = self
            .files
            .iter()
            .filter(|(path, stamp)| before.files.get(*path) != Some(stamp))
            .map(|(path, stamp)| (path.as_str(), stamp.size))
            .collect();
        written.sort_by_key(|(path, _)| !is_json(path));
        written
    }

    /// Keeps what was written since `before` as artifacts of the step; what is too large is named
    /// in the step's log. Where runs have a user of their own, only files of that user are kept.
    pub(crate) async fn keep(
        &self,
        before: &Self,
        user: Option<RunUser>,
        (store, permits, lease): (&Store, &Permits, &Lease),
        step: u32,
        log: &mut StepLog,
    ) -> Result<(), StoreError> {
        let mut sql_room = SQL_TOTAL;
        for (path, size) in self.written_since(before) {
            let whole = is_json(path) || path == DOCS;
            let room = if whole { JSON_FILE } else { sql_room };
            if size > room {
                log.say(format_args!("[not kept, since it is too large: {path}, {size} bytes]"));
                continue;
            }
            if !whole {
                sql_room -= size;
            }
            let Ok(file) = run_user::open(&self.folder.join(path), user).await else { continue };
            // No more than was looked at, whatever may still be writing to it.
            let file = file.take(size);
            match store.put_artifact(&permits.write, lease, step, path, file).await {
                Err(StoreError::Invalid { message, .. }) => {
                    log.say(format_args!("[not kept: {path}: {message}]"));
                }
                kept => kept?,
            }
        }
        Ok(())
    }
}

/// Puts the results of a step of an earlier run, and the manifest that they speak of, into a target
/// folder: what `dbt retry` goes on from.
pub(crate) async fn put_back(
    store: &Store,
    permit: &Permit<Read, Runs>,
    (run, step): (RunId, u32),
    target: &Path,
) -> Result<(), Halt> {
    tokio::fs::create_dir_all(target).await.map_err(Halt::failed)?;
    if !target.canonicalize().is_ok_and(|real| real == target) {
        return Err(Halt::failed("the folder `target` of the repository is a link: remove it"));
    }
    for path in ["run_results.json", "manifest.json"] {
        if !fetch(store, permit, (run, Some(step)), path, target).await? {
            let gone = format!("{path} of step {step} of run {run} is not there any more");
            return Err(Halt::Failed(gone));
        }
    }
    Ok(())
}

/// Puts what a run left last into a folder, for dbt to defer to and compare with: its manifest, and
/// its results where there are some.
pub(crate) async fn put_state(
    store: &Store,
    permit: &Permit<Read, Runs>,
    run: RunId,
    state: &Path,
) -> Result<(), Halt> {
    tokio::fs::create_dir_all(state).await.map_err(Halt::failed)?;
    for path in ["manifest.json", "run_results.json", "sources.json"] {
        let found = fetch(store, permit, (run, None), path, state).await?;
        if !found && path == "manifest.json" {
            let gone = format!("the manifest of run {run} is not there any more");
            return Err(Halt::Failed(gone));
        }
    }
    Ok(())
}

/// Writes an artifact of a run (of one of its steps, or the last by its name) into a folder; gives
/// whether it is there still.
async fn fetch(
    store: &Store,
    permit: &Permit<Read, Runs>,
    (run, step): (RunId, Option<u32>),
    path: &str,
    folder: &Path,
) -> Result<bool, Halt> {
    match store.artifact(permit, run, path, step).await {
        Ok(content) => {
            // What stands there may be a link, out of the repository.
            let _ = tokio::fs::remove_file(folder.join(path)).await;
            write(content, &folder.join(path)).await?;
        }
        Err(StoreError::NotFound | StoreError::Missing(_)) => return Ok(false),
        Err(error) => return Err(error.into()),
    }
    Ok(true)
}

async fn write(content: ArtifactContent, path: &Path) -> Result<(), Halt> {
    let mut file = tokio::fs::File::create_new(path).await.map_err(Halt::failed)?;
    let mut pieces = content.into_pieces();
    while let Some(piece) = pieces.try_next().await? {
        file.write_all(&piece).await.map_err(Halt::failed)?;
    }
    file.flush().await.map_err(Halt::failed)
}

fn visit(folder: &Path, inside: &str, files: &mut BTreeMap<String, Stamp>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let (Ok(meta), Ok(name)) = (entry.metadata(), entry.file_name().into_string()) else {
            continue;
        };
        let path = if inside.is_empty() { name } else { format!("{inside}/{name}") };
        if meta.is_dir() && is_kept_folder(&path) {
            visit(&entry.path(), &path, files);
        } else if meta.is_file() && is_kept(&path) && files.len() < FILES {
            let (seconds, nanoseconds) = (meta.mtime(), meta.mtime_nsec());
            let stamp = Stamp { inode: meta.ino(), size: meta.len(), seconds, nanoseconds };
            files.insert(path, stamp);
        }
    }
}

/// What dbt compiled, and what it ran.
fn is_kept_folder(path: &str) -> bool {
    matches!(path.split('/').next(), Some("compiled" | "run"))
}

fn is_kept(path: &str) -> bool {
    is_json(path)
        || path == DOCS
        || (is_kept_folder(path) && (ends(path, "sql") || ends(path, "py")))
}

/// `manifest.json`, `run_results.json`, `catalog.json`, `sources.json` and the like.
fn is_json(path: &str) -> bool {
    !path.contains('/') && ends(path, "json")
}

fn ends(path: &str, extension: &str) -> bool {
    Path::new(path).extension().is_some_and(|found| found == extension)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(target: &Path, path: &str, text: &str) {
        let path = target.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[tokio::test]
    async fn a_step_keeps_what_it_wrote_and_no_more() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("target");
        for path in ["manifest.json", "run_results.json", "graph.gpickle", "compiled/a/m.sql"] {
            write(&target, path, "old");
        }
        let before = Target::look(target.clone()).await;
        write(&target, "run_results.json", "new");
        write(&target, "catalog.json", "{}");
        write(&target, "static_index.html", "<html>");
        write(&target, "index.html", "<html>");
        write(&target, "partial_parse.msgpack", "new");
        write(&target, "run/shop/models/m.sql", "select 1");
        write(&target, "dbt_packages/x.json", "{}");
        let after = Target::look(target).await;
        let written: Vec<_> =
            after.written_since(&before).into_iter().map(|(path, _)| path).collect();
        assert_eq!(
            written,
            ["catalog.json", "run_results.json", "run/shop/models/m.sql", "static_index.html"]
        );
    }

    #[tokio::test]
    async fn links_out_of_the_target_folder_are_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "outside/keyring.json", "{}");
        let target = folder.path().join("target");
        fs::create_dir(&target).unwrap();
        std::os::unix::fs::symlink("../outside/keyring.json", target.join("manifest.json"))
            .unwrap();
        std::os::unix::fs::symlink("../outside", target.join("compiled")).unwrap();
        assert!(Target::look(target).await.files.is_empty());
    }

    #[tokio::test]
    async fn a_missing_target_folder_is_an_empty_one() {
        assert!(Target::look("/nowhere/target".into()).await.files.is_empty());
    }
}
