//! dbt's own log of a command, while dbt writes it.
//!
//! It is a file of JSON, a line an event (dbt's documentation, "Events and logging"), which dbt turns
//! over at 10 MiB. What the events say of nodes tells how far dbt is (`progress`). Their text, in the
//! form that dbt's log files have by default, is the debug log of the step.

use std::{
    borrow::Cow,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use tokio::{fs::File, io::AsyncReadExt as _};

use crate::{
    lines::{BATCH, Bound, Lines, Secrets},
    progress::Nodes,
    run_user::{self, RunUser},
};

/// How much of the debug log of one step is kept, in bytes.
const KEPT: Bound = Bound { head: 4 << 20, tail: 4 << 20 };
/// The longest event that is read as one.
const LONGEST: usize = 4 << 20;
/// How many pieces are read in a row while dbt runs, so that what it says is not kept waiting.
const IN_A_ROW: usize = 64;
/// How many are read after its end: more than dbt leaves of its log.
const LEFT: usize = 2048;

/// The log of one command.
pub(crate) struct DbtLog {
    file: PathBuf,
    /// Whose file it has to be, where runs have a user of their own.
    user: Option<RunUser>,
    /// The file that is being read, and its inode.
    open: Option<(File, u64)>,
    /// The file after it, once dbt has begun one.
    next: Option<(File, u64)>,
    /// The event that has no end yet.
    partial: Vec<u8>,
    /// How far dbt is.
    pub(crate) nodes: Nodes,
    /// The debug log.
    pub(crate) lines: Lines,
}

impl DbtLog {
    /// The log that dbt writes into this folder, which need not be there yet.
    pub(crate) fn new(folder: &Path, user: Option<RunUser>, secrets: Secrets) -> Self {
        Self {
            file: folder.join("dbt.log"),
            user,
            open: None,
            next: None,
            partial: Vec::new(),
            nodes: Nodes::default(),
            lines: Lines::new(secrets, KEPT),
        }
    }

    /// Reads what dbt has written since. A log that cannot be read is no reason to stop dbt.
    pub(crate) async fn read(&mut self) {
        self.read_pieces(IN_A_ROW).await;
    }

    /// Reads the rest, after dbt's end.
    pub(crate) async fn end(&mut self) {
        self.read_pieces(LEFT).await;
        self.take(b"\n");
        self.lines.end();
    }

    async fn read_pieces(&mut self, most: usize) {
        let mut piece = Vec::with_capacity(BATCH);
        for _ in 0..most {
            piece.clear();
            let read = match &mut self.open {
                Some((file, _)) => file.read_buf(&mut piece).await.unwrap_or(0),
                None => 0,
            };
            if read > 0 {
                self.take(&piece);
            } else if let Some(next) = self.next.take() {
                self.open = Some(next);
            } else if let Some(newer) = self.newer().await {
                // What dbt has written into the old one since it was read comes first.
                self.next = Some(newer);
            } else {
                return;
            }
        }
    }

    /// The file with the log's name, if that is another than the one that is read.
    async fn newer(&self) -> Option<(File, u64)> {
        let file = run_user::open(&self.file, self.user).await.ok()?;
        let inode = file.metadata().await.ok()?.ino();
        let is_new = self.open.as_ref().is_none_or(|(_, read)| *read != inode);
        is_new.then_some((file, inode))
    }

    fn take(&mut self, bytes: &[u8]) {
        let before = self.partial.len();
        self.partial.extend_from_slice(bytes);
        if let Some(end) = bytes.iter().rposition(|byte| *byte == b'\n') {
            let rest = self.partial.split_off(before + end + 1);
            let whole = std::mem::replace(&mut self.partial, rest);
            String::from_utf8_lossy(&whole).lines().for_each(|line| self.take_line(line));
        } else if self.partial.len() > LONGEST {
            self.lines.push(&std::mem::take(&mut self.partial));
        }
    }

    /// A line that is no event is kept as it is: a job may ask dbt for another form.
    fn take_line(&mut self, line: &str) {
        match serde_json::from_str::<Event<'_>>(line) {
            Ok(event) => {
                self.nodes.read(&event.info.name, line);
                self.lines.push(event.text().as_bytes());
            }
            Err(_) if line.is_empty() => {}
            Err(_) => self.lines.push(format!("{line}\n").as_bytes()),
        }
    }
}

/// An event of dbt's log.
#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow)]
    info: Info<'a>,
}

#[derive(Deserialize)]
struct Info<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    ts: Cow<'a, str>,
    #[serde(borrow)]
    level: Cow<'a, str>,
    #[serde(borrow, default)]
    thread: Cow<'a, str>,
    #[serde(borrow)]
    msg: Cow<'a, str>,
}

impl Event<'_> {
    /// `12:24:24.642657 [info ] [Thread-1 (worker)]: 1 of 38 OK created …`
    fn text(&self) -> String {
        let Info { ts, level, thread, msg, .. } = &self.info;
        let time = ts.split_once('T').map_or(ts.as_ref(), |(_, time)| time).trim_end_matches('Z');
        format!("{time} [{level:<5}] [{thread:<10}]: {msg}\n")
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn event(name: &str, msg: &str, data: &serde_json::Value) -> String {
        let info = serde_json::json!({
            "name": name, "msg": msg, "level": "info", "thread": "MainThread",
            "ts": "2026-11-24T12:24:24.642657Z",
        });
        format!("{}\n", serde_json::json!({ "data": data, "info": info }))
    }

    fn result(index: u32) -> String {
        let data = serde_json::json!({ "index": index, "total": 3, "status": "OK" });
        event("LogModelResult", "a model", &data)
    }

    fn log(folder: &tempfile::TempDir, secret: &str) -> DbtLog {
        DbtLog::new(folder.path(), None, Secrets::of([secret]))
    }

    #[tokio::test]
    async fn what_dbt_writes_is_read_as_it_comes_also_after_the_file_is_turned_over() {
        let folder = tempfile::tempdir().unwrap();
        let (file, older) = (folder.path().join("dbt.log"), folder.path().join("dbt.log.1"));
        let mut log = log(&folder, "hunter2");
        log.read().await;
        let first = result(1);
        let (begun, rest) = first.split_at(40);
        fs::write(&file, begun).unwrap();
        log.read().await;
        assert_eq!(log.nodes.progress(), None);
        fs::write(&file, format!("{begun}{rest}")).unwrap();
        log.read().await;
        assert_eq!(log.nodes.progress().unwrap().done, 1);

        fs::write(&file, format!("{first}{}", result(2))).unwrap();
        fs::rename(&file, older).unwrap();
        fs::write(&file, event("SQLQuery", "set password 'hunter2'\nnow", &().into())).unwrap();
        log.end().await;

        assert_eq!(log.nodes.progress().unwrap().done, 2);
        let said = "12:24:24.642657 [info ] [MainThread]: ";
        let whole = format!("{said}a model\n{said}a model\n{said}set password '*****'\nnow\n");
        assert_eq!(log.lines.take(), whole);
    }

    #[tokio::test]
    async fn what_is_no_event_is_kept_as_it_is_and_a_pipe_or_a_folder_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let text = "12:00:00 [info ] text\n{\"info\": 1}\n\n\u{1}no end hunter2";
        fs::write(folder.path().join("dbt.log"), text).unwrap();
        let mut read = log(&folder, "hunter2");
        read.end().await;
        let kept = "12:00:00 [info ] text\n{\"info\": 1}\n\u{1}no end *****\n";
        assert_eq!(read.lines.take(), kept);

        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("dbt.log");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let mut read = log(&folder, "hunter2");
        read.end().await;
        fs::remove_file(&pipe).unwrap();
        fs::create_dir(&pipe).unwrap();
        read.end().await;
        assert_eq!((read.lines.take().as_str(), read.nodes.progress()), ("", None));
    }

    #[tokio::test]
    async fn however_much_dbt_writes_little_is_held() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("dbt.log");
        fs::write(&file, vec![b'x'; 20 << 20]).unwrap();
        let mut log = log(&folder, "hunter2");
        log.end().await;
        assert!(log.partial.capacity() <= 4 * LONGEST, "{}", log.partial.capacity());
        let kept = log.lines.take().len();
        assert!((KEPT.head..KEPT.head + KEPT.tail + 1024).contains(&kept), "{kept}");
    }
}
