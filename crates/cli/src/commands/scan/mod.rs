//! `narrowgate scan`: tokens where they should not be.

mod files;
mod history;

use std::{
    io::{self, Read},
    path::PathBuf,
    process::ExitCode,
};

use domain::scan::{Hit, Scan};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::{args::ScanArgs, error::CliError, output};

/// The exit code where something could not be read and nothing was found in the rest.
const NOT_ALL: u8 = 2;
/// How much is read at once.
const BUFFER: usize = 256 << 10;

/// A token, and where it was found.
#[derive(Debug, Clone, Serialize)]
struct Found {
    /// The file; of history, the last path that the object had, if it is reachable by one.
    path: Option<String>,
    /// The object of a git repository.
    #[serde(skip_serializing_if = "Option::is_none")]
    object: Option<String>,
    #[serde(flatten)]
    hit: Hit,
}

/// What came of it.
#[derive(Debug, Default, Serialize)]
struct Report {
    found: Vec<Found>,
    /// How many files or objects were looked through.
    looked_through: u64,
    bytes: u64,
    /// What could not be read, and why.
    unread: Vec<String>,
}

pub(super) fn run(args: &ScanArgs) -> Result<ExitCode, CliError> {
    let here = [PathBuf::from(".")];
    let paths = if args.paths.is_empty() && args.git { &here[..] } else { &args.paths };
    let mut report = Report::default();
    if args.git {
        for path in paths {
            report.add(history::scan(path)?);
        }
    } else {
        let (streams, paths): (Vec<_>, Vec<_>) =
            paths.iter().cloned().partition(|path| path.as_os_str() == "-");
        if !streams.is_empty() {
            report.add(standard_input()?);
        }
        report.add(files::scan(&paths, args.skip_ignored)?);
    }
    report.found.sort_by(|one, other| {
        let place = |found: &Found| (found.path.clone(), found.object.clone(), found.hit.line);
        place(one).cmp(&place(other))
    });
    tell(&report, args.json)?;
    Ok(match (report.found.is_empty(), report.unread.is_empty()) {
        (false, _) => ExitCode::FAILURE,
        (true, false) => ExitCode::from(NOT_ALL),
        (true, true) => ExitCode::SUCCESS,
    })
}

fn tell(report: &Report, json: bool) -> Result<(), CliError> {
    for reason in &report.unread {
        output::complain(&CliError::Other(format!("not read: {reason}")));
    }
    if json {
        return output::json(report);
    }
    for Found { path, object, hit } in &report.found {
        let path = path.as_deref().unwrap_or("(no path)");
        let object = object.as_deref().and_then(|object| object.get(..12));
        let object = object.map(|object| format!("{object}:")).unwrap_or_default();
        let (line, column, redacted) = (hit.line, hit.column, &hit.redacted);
        output::line(format!("{object}{path}:{line}:{column}: {redacted}"));
    }
    let (found, looked) = (report.found.len(), report.looked_through);
    let what = match found {
        0 => "no token".to_owned(),
        1 => "1 token".to_owned(),
        many => format!("{many} tokens"),
    };
    let size = indicatif::HumanBytes(report.bytes);
    output::line(format!("{what} in {looked} files or objects ({size})"));
    Ok(())
}

fn standard_input() -> Result<Report, CliError> {
    let mut report = Report { looked_through: 1, ..Report::default() };
    let found = |hit| {
        report.found.push(Found { path: Some("-".to_owned()), object: None, hit });
    };
    report.bytes =
        read(&mut io::stdin().lock(), &mut vec![0; BUFFER], found).map_err(CliError::other)?;
    Ok(report)
}

/// Looks through all that there is to read; gives how many bytes that were.
fn read(reader: &mut impl Read, buffer: &mut [u8], mut found: impl FnMut(Hit)) -> io::Result<u64> {
    let (mut scan, mut held, mut bytes) = (Scan::default(), 0, 0);
    loop {
        let more = match reader.read(buffer.get_mut(held..).unwrap_or_default()) {
            Ok(more) => more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        bytes += more as u64;
        let end = held + more;
        let done = scan.feed(buffer.get(..end).unwrap_or_default(), more == 0, &mut found);
        if more == 0 {
            return Ok(bytes);
        }
        buffer.copy_within(done..end, 0);
        held = end - done;
    }
}

/// A bar on standard error, if that is a terminal.
fn bar(total: u64, of: &str) -> ProgressBar {
    let template = format!("{{elapsed}} {{wide_bar}} {of} {{eta}}");
    let style = ProgressStyle::with_template(&template);
    let bar = ProgressBar::new(total);
    style.map_or_else(|_| bar.clone(), |style| bar.clone().with_style(style))
}

impl Report {
    fn add(&mut self, other: Self) {
        self.found.extend(other.found);
        self.looked_through += other.looked_through;
        self.bytes += other.bytes;
        self.unread.extend(other.unread);
    }
}
