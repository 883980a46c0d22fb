//! Processes that outlived the run or the worker that started them.

use std::{fs, path::Path};

use domain::LeaseId;
use rustix::process::{Pid, Signal, getpgid, kill_process, kill_process_group};

use crate::surroundings::marks_in_environ;

/// Kills every process of a run that a worker has started under its lease, whatever group or session
/// it has moved to. Gives how many there were.
///
/// They are told by the marks in their environment, which `/proc` shows; on a system without it
/// none is found.
pub(crate) fn kill(data_dir: &Path, lease: LeaseId) -> usize {
    let marks = marks_in_environ(data_dir, lease);
    let found: Vec<Pid> = processes().filter(|pid| bears(*pid, &marks)).collect();
    for pid in &found {
        end(*pid);
    }
    found.len()
}

fn processes() -> impl Iterator<Item = Pid> {
    let own = i32::try_from(std::process::id()).ok();
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(move |pid: &i32| Some(*pid) != own)
        .filter_map(Pid::from_raw)
}

/// Whether a process was started with all of these variables. One that is not ours to look into
/// was not.
fn bears(pid: Pid, marks: &[Vec<u8>; 2]) -> bool {
    let Ok(environ) = fs::read(format!("/proc/{}/environ", pid.as_raw_nonzero())) else {
        return false;
    };
    marks.iter().all(|mark| environ.split(|byte| *byte == 0).any(|variable| variable == mark))
}

/// Kills its whole group, unless that is the server's own.
fn end(pid: Pid) {
    let own = getpgid(None).ok();
    if let Some(group) = getpgid(Some(pid)).ok().filter(|group| Some(*group) != own) {
        let _ = kill_process_group(group, Signal::KILL);
    }
    let _ = kill_process(pid, Signal::KILL);
}
