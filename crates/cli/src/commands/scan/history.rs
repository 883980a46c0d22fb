//! Every object of a git repository: what is in no branch any more, too.

use std::{
    collections::HashMap,
    io::{BufRead as _, BufReader, Read as _},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
};

use super::{BUFFER, Found, Report, bar, read};
use crate::error::CliError;

/// Looks through commits, tags, trees and files of all times, as one stream of `git cat-file`.
pub(super) fn scan(repository: &Path) -> Result<Report, CliError> {
    let total = count(repository)?;
    let mut git = git(repository)
        .args(["cat-file", "--batch", "--batch-all-objects", "--unordered", "--buffer"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| CliError::Other(format!("git: {error}")))?;
    let mut report = Report::default();
    let looked = match git.stdout.take() {
        Some(stdout) => look_through(stdout, total, &mut report),
        None => Ok(()),
    };
    end(git, repository, looked)?;
    name(repository, &mut report)?;
    Ok(report)
}

fn look_through(stdout: ChildStdout, total: u64, report: &mut Report) -> std::io::Result<()> {
    let mut stream = BufReader::with_capacity(BUFFER, stdout);
    let (mut buffer, mut head) = (vec![0; BUFFER], String::new());
    let progress = bar(total, "{pos} of {len} objects, {per_sec}");
    while stream.read_line(&mut head)? > 0 {
        let mut words = head.split_whitespace();
        let (id, _, size) = (words.next(), words.next(), words.next());
        let size = size.and_then(|size| size.parse().ok());
        let (Some(id), Some(size)) = (id, size) else {
            return Err(std::io::Error::other(format!("git said `{}`", head.trim())));
        };
        let found = |hit| {
            report.found.push(Found { path: None, object: Some(id.to_owned()), hit });
        };
        report.bytes += read(&mut stream.by_ref().take(size), &mut buffer, found)?;
        report.looked_through += 1;
        // The line's end behind the object.
        stream.read_exact(&mut [0])?;
        progress.inc(1);
        head.clear();
    }
    progress.finish_and_clear();
    Ok(())
}

fn end(mut git: Child, repository: &Path, looked: std::io::Result<()>) -> Result<(), CliError> {
    let failed = |reason: String| {
        Err(CliError::Other(format!("the history of {}: {reason}", repository.display())))
    };
    if let Err(error) = looked {
        let _ = git.kill();
        let _ = git.wait();
        return failed(error.to_string());
    }
    match git.wait() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => failed(format!("git ended with {status}")),
        Err(error) => failed(error.to_string()),
    }
}

/// How many objects there are.
fn count(repository: &Path) -> Result<u64, CliError> {
    let said = told(repository, &["count-objects", "-v"])?;
    let number = |key: &str| {
        let line = said.lines().find_map(|line| line.strip_prefix(key));
        line.and_then(|number| number.trim().parse::<u64>().ok()).unwrap_or_default()
    };
    Ok(number("count:") + number("in-pack:"))
}

/// The paths of what was found, where a path still leads to it; the rest keeps none.
fn name(repository: &Path, report: &mut Report) -> Result<(), CliError> {
    if report.found.is_empty() {
        return Ok(());
    }
    let said = told(repository, &["rev-list", "--objects", "--all", "--reflog"])?;
    let paths: HashMap<_, _> = said.lines().filter_map(|line| line.split_once(' ')).collect();
    for found in &mut report.found {
        let path = found.object.as_deref().and_then(|id| paths.get(id));
        found.path = path.filter(|path| !path.is_empty()).map(ToString::to_string);
    }
    Ok(())
}

/// What git prints.
fn told(repository: &Path, args: &[&str]) -> Result<String, CliError> {
    let said = git(repository).args(args).stderr(Stdio::piped()).output();
    let said = said.map_err(|error| CliError::Other(format!("git: {error}")))?;
    if said.status.success() {
        return Ok(String::from_utf8_lossy(&said.stdout).into_owned());
    }
    let reason = String::from_utf8_lossy(&said.stderr).trim().to_owned();
    Err(CliError::Other(format!("{} is no git repository: {reason}", repository.display())))
}

fn git(repository: &Path) -> Command {
    let mut git = Command::new("git");
    git.arg("-C").arg(repository).stderr(Stdio::inherit());
    git
}
