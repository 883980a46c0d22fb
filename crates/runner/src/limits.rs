//! What a run's programs may take of the machine.

use std::{ffi::OsString, fmt, path::Path};

use rustix::process::{Resource, Signal, getrlimit};
use tokio::process::Command;

use crate::program::find_program;

/// A mebibyte, in bytes.
const MIB: u64 = 1024 * 1024;

/// The bounds of each program that a run starts, dbt and git. 0 is no bound.
///
/// They hold for each process by itself, as the kernel has it (`setrlimit(2)`): a run of several
/// processes may take more in all. Core dumps are always off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How much nicer than the server they are, 0 to 19.
    pub niceness: u8,
    /// The largest file that is written, in MiB; the DuckDB file is one.
    pub max_file_size_mib: u64,
    /// The most processes and threads of their user, all runs and whatever else that user has
    /// together. The kernel does not hold root to it.
    pub max_processes: u64,
    /// The largest address space, in MiB. None unless given: Python, Arrow and DuckDB map many times
    /// what they use, so that no number is both safe for them and of use.
    pub max_memory_mib: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { niceness: 5, max_file_size_mib: 65_536, max_processes: 4096, max_memory_mib: 0 }
    }
}

/// A bound that a program may run into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bound {
    FileSize,
    Processes,
    Memory,
}

/// What the system, Python and DuckDB say when they run into one.
const COMPLAINTS: [(&str, Bound); 8] = [
    ("File too large", Bound::FileSize),
    ("File size limit exceeded", Bound::FileSize),
    ("Resource temporarily unavailable", Bound::Processes),
    ("Cannot fork", Bound::Processes),
    ("can't start new thread", Bound::Processes),
    ("Cannot allocate memory", Bound::Memory),
    ("MemoryError", Bound::Memory),
    ("std::bad_alloc", Bound::Memory),
];

/// The limits as they hold on this machine.
///
/// They are set by `prlimit` and `nice`, which each command begins with and which become the
/// command: there is no moment at which it runs without.
#[derive(Debug)]
pub(crate) struct Bounds {
    limits: Limits,
    words: Vec<OsString>,
    missing: Vec<&'static str>,
}

impl Bounds {
    /// Looks for what sets them.
    pub(crate) fn of(limits: Limits) -> Self {
        let mut bounds = Self { limits, words: Vec::new(), missing: Vec::new() };
        if let Some(prlimit) = bounds.tool("prlimit") {
            let set = [
                ("fsize", Resource::Fsize, limits.max_file_size_mib.saturating_mul(MIB)),
                ("nproc", Resource::Nproc, limits.max_processes),
                ("as", Resource::As, limits.max_memory_mib.saturating_mul(MIB)),
            ];
            bounds.words.extend([prlimit, "--core=0".into()]);
            let set = set.into_iter().filter(|(_, _, most)| *most > 0);
            bounds.words.extend(set.map(|(name, resource, most)| {
                // More than the server's own bound cannot be given.
                let most = getrlimit(resource).maximum.map_or(most, |own| own.min(most));
                format!("--{name}={most}").into()
            }));
        }
        if limits.niceness > 0
            && let Some(nice) = bounds.tool("nice")
        {
            bounds.words.extend([nice, "-n".into(), limits.niceness.to_string().into()]);
        }
        bounds
    }

    fn tool(&mut self, name: &'static str) -> Option<OsString> {
        let found = find_program(Path::new(name)).map(Into::into);
        if found.is_none() {
            self.missing.push(name);
        }
        found
    }

    /// A command that is held to the bounds. One whose program is not there is not, so that its own
    /// name is told when it is started.
    pub(crate) fn command(&self, program: &Path) -> Command {
        self.command_in(&[], program)
    }

    /// The same within something else, such as a sandbox, whose words stand before the program's.
    pub(crate) fn command_in(&self, within: &[OsString], program: &Path) -> Command {
        let Some(found) = find_program(program) else {
            return Command::new(program);
        };
        let mut words = self.words.iter().chain(within);
        let Some(first) = words.next() else { return Command::new(program) };
        let mut command = Command::new(first);
        command.args(words).arg(found);
        command
    }

    /// The bound that a program has run into, as its end and its last words tell, in a sentence's
    /// second half; `None` if it was none.
    pub(crate) fn met(&self, signal: Option<i32>, last_words: &str) -> Option<String> {
        let by_signal = (signal == Some(Signal::XFSZ.as_raw())).then_some(Bound::FileSize);
        let said = || COMPLAINTS.into_iter().find(|(text, _)| last_words.contains(text));
        let bound = by_signal.or_else(|| Some(said()?.1))?;
        let Limits { max_file_size_mib, max_processes, max_memory_mib, .. } = self.limits;
        let (most, what, setting) = match bound {
            Bound::FileSize => (max_file_size_mib, "MiB a file", "max_file_size_mib"),
            Bound::Processes => (max_processes, "processes and threads", "max_processes"),
            Bound::Memory => (max_memory_mib, "MiB of memory", "max_memory_mib"),
        };
        let holds = most > 0 && !self.missing.contains(&"prlimit");
        holds.then(|| {
            format!("it met the runner's bound of {most} {what} (`{setting}`, set where it runs)")
        })
    }
}

/// For the line at start-up.
impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Limits { niceness, max_file_size_mib, max_processes, max_memory_mib } = self.limits;
        let or_any = |most: u64, unit: &str| match most {
            0 => "any".to_owned(),
            most => format!("{most}{unit}"),
        };
        write!(
            f,
            "niceness {niceness}, file size {}, processes {}, memory {}, no core dumps",
            or_any(max_file_size_mib, " MiB"),
            or_any(max_processes, ""),
            or_any(max_memory_mib, " MiB")
        )?;
        match self.missing.as_slice() {
            [] => Ok(()),
            missing => {
                let missing = missing.join(" and ");
                write!(f, "; but what {missing} would set does not hold: not in PATH")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(command: &Command) -> Vec<String> {
        let command = command.as_std();
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        words.map(|word| word.to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn a_bound_of_0_is_none_and_core_dumps_are_off_all_the_same() {
        let none =
            Limits { niceness: 0, max_file_size_mib: 0, max_processes: 0, max_memory_mib: 0 };
        let words = words(&Bounds::of(none).command(Path::new("true")));
        assert!(words[0].ends_with("/prlimit"), "{words:?}");
        assert_eq!(words[1], "--core=0");
        assert!(words[2].ends_with("/true") && words.len() == 3, "{words:?}");
    }

    #[test]
    fn what_a_program_ran_into_is_told_by_its_signal_or_its_words() {
        let bounds = Bounds::of(Limits { max_file_size_mib: 7, ..Limits::default() });
        let told = bounds.met(Some(25), "").unwrap();
        assert!(told.contains("7 MiB a file (`max_file_size_mib`"), "{told}");
        assert_eq!(bounds.met(None, "OSError: [Errno 27] File too large: 'x'").unwrap(), told);
        let told = bounds.met(None, "RuntimeError: can't start new thread").unwrap();
        assert!(told.contains("4096 processes and threads (`max_processes`"), "{told}");
        assert_eq!(bounds.met(Some(9), "Database Error in model a"), None);
        assert_eq!(bounds.met(None, "MemoryError"), None, "there is no such bound");
    }
}
