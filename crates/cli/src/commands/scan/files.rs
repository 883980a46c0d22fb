//! Files and folders.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use super::{BUFFER, Found, Report, bar, read};
use crate::error::CliError;

/// Every regular file of these, hidden, ignored and binary ones included; symbolic links are not
/// followed. With `skip_ignored`, what git would ignore is left out.
pub(super) fn scan(paths: &[PathBuf], skip_ignored: bool) -> Result<Report, CliError> {
    let mut list = List::default();
    for path in paths {
        if skip_ignored && path.is_dir() {
            for file in not_ignored(path)? {
                list.add(path.join(file), false);
            }
        } else {
            list.add(path.clone(), true);
        }
    }
    Ok(look_through(list))
}

/// What is to be looked through.
#[derive(Default)]
struct List {
    files: Vec<PathBuf>,
    bytes: u64,
    unread: Vec<String>,
}

impl List {
    /// Adds a file, or the files of a folder. What is `named` by whoever asks is told of if it is
    /// neither.
    fn add(&mut self, path: PathBuf, named: bool) {
        let mut open = vec![(path, named)];
        while let Some((path, named)) = open.pop() {
            match fs::symlink_metadata(&path) {
                Ok(found) if found.is_file() => {
                    self.bytes += found.len();
                    self.files.push(path);
                }
                Ok(found) if found.is_dir() => match fs::read_dir(&path) {
                    Ok(entries) => {
                        let entries = entries.filter_map(Result::ok);
                        open.extend(entries.map(|entry| (entry.path(), false)));
                    }
                    Err(error) => self.unread.push(format!("{}: {error}", path.display())),
                },
                Ok(_) if named => {
                    let what = "is no file or folder, and links are not followed";
                    self.unread.push(format!("{} {what}", path.display()));
                }
                Ok(_) => {}
                Err(error) => self.unread.push(format!("{}: {error}", path.display())),
            }
        }
    }
}

fn look_through(List { files, bytes, unread }: List) -> Report {
    let progress = bar(bytes, "{bytes} of {total_bytes}, {bytes_per_sec}");
    let report = Mutex::new(Report { unread, ..Report::default() });
    let next = AtomicUsize::new(0);
    let workers = thread::available_parallelism().map_or(1, usize::from).min(files.len());
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                let mut buffer = vec![0; BUFFER];
                while let Some(path) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let one = look_into(path, &mut buffer);
                    progress.inc(one.bytes);
                    report.lock().unwrap_or_else(PoisonError::into_inner).add(one);
                }
            });
        }
    });
    progress.finish_and_clear();
    report.into_inner().unwrap_or_else(PoisonError::into_inner)
}

fn look_into(path: &Path, buffer: &mut [u8]) -> Report {
    let mut report = Report { looked_through: 1, ..Report::default() };
    let name = path.display().to_string();
    let found = |hit| report.found.push(Found { path: Some(name.clone()), object: None, hit });
    match File::open(path).and_then(|mut file| read(&mut file, buffer, found)) {
        Ok(bytes) => report.bytes = bytes,
        Err(error) => {
            report.looked_through = 0;
            report.unread.push(format!("{name}: {error}"));
        }
    }
    report
}

/// The files of a folder that git does not ignore, tracked or not.
fn not_ignored(folder: &Path) -> Result<Vec<PathBuf>, CliError> {
    let listed = Command::new("git")
        .arg("-C")
        .arg(folder)
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .output();
    let listed = listed.map_err(|error| CliError::Other(format!("git: {error}")))?;
    if !listed.status.success() {
        let reason = String::from_utf8_lossy(&listed.stderr).trim().to_owned();
        let folder = folder.display();
        return Err(CliError::Other(format!(
            "what git ignores in {folder} is not known: {reason}"
        )));
    }
    let paths = listed.stdout.split(|byte| *byte == 0).filter(|path| !path.is_empty());
    Ok(paths.map(path_of).collect())
}

#[cfg(unix)]
fn path_of(bytes: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt as _;
    PathBuf::from(std::ffi::OsStr::from_bytes(bytes))
}
