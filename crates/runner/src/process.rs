//! One program of a step: its process group, what it says, its end.

use std::{io, process::ExitStatus, time::Duration};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::{
    io::AsyncReadExt as _,
    net::unix::pipe,
    process::{Child, Command},
    time::{Instant, MissedTickBehavior, interval, sleep_until, timeout_at},
};

use crate::{
    interrupt::{Halt, Interrupts},
    log::StepLog,
};

/// How long a program may take to end in order before it is killed.
const GRACE: Duration = Duration::from_secs(5);
/// How often what a program says is written down.
const FLUSH: Duration = Duration::from_millis(250);
/// How long the last words of a program may take, after its end.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// How much of what a program said is remembered to its end, in bytes.
const REMEMBERED: usize = 16 * 1024;

/// How a program ended.
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) status: ExitStatus,
    /// The end of what it said.
    pub(crate) last_words: String,
}

/// Runs a program to its end, with all that it says in the step's log.
///
/// It leads a process group of its own. An interrupt sends the group SIGTERM, and SIGKILL 5 s
/// later; whatever of the group outlives its leader is killed.
///
/// # Errors
/// [`Halt::Interrupted`]; [`Halt::Store`] if the log cannot be written; [`Halt::Failed`] if the
/// program cannot be started.
pub(crate) async fn run(
    mut command: Command,
    log: &mut StepLog,
    interrupts: &mut Interrupts,
) -> Result<End, Halt> {
    interrupts.check()?;
    let program = command.as_std().get_program().to_string_lossy().into_owned();
    let started = start(&mut command);
    // It holds the writing end of the pipe, whose other copies end with the group.
    drop(command);
    let mut running = started.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Halt::Failed(format!("the program `{program}` is not there")),
        _ => Halt::Failed(format!("the program `{program}` cannot be started: {error}")),
    })?;
    let ended = running.attend(log, interrupts).await;
    running.group.signal(Signal::KILL);
    running.last_words(log).await?;
    let last_words = String::from_utf8_lossy(&running.remembered).into_owned();
    ended.map(|status| End { status, last_words })
}

/// A program under way, and the reading end of its output.
struct Running {
    child: Child,
    group: Group,
    output: pipe::Receiver,
    said: Vec<u8>,
    remembered: Vec<u8>,
}

fn start(command: &mut Command) -> io::Result<Running> {
    // One pipe for both, so that lines stay in the order in which they were written.
    let (output, said) = io::pipe()?;
    command.process_group(0).stdin(std::process::Stdio::null());
    command.stdout(said.try_clone()?).stderr(said);
    let output = pipe::Receiver::from_owned_fd(output.into())?;
    let child = command.spawn()?;
    let group = Group::led_by(&child);
    let (said, remembered) = (Vec::with_capacity(64 * 1024), Vec::new());
    Ok(Running { child, group, output, said, remembered })
}

impl Running {
    async fn attend(
        &mut self,
        log: &mut StepLog,
        interrupts: &mut Interrupts,
    ) -> Result<ExitStatus, Halt> {
        let mut flush = interval(FLUSH);
        flush.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut speaks, mut interrupted, mut kill_at) = (true, None, None);
        let status = loop {
            tokio::select! {
                read = self.output.read_buf(&mut self.said), if speaks => {
                    speaks = read.map_err(Halt::failed)? > 0;
                    self.note(log).await?;
                }
                status = self.child.wait() => break status.map_err(Halt::failed)?,
                interrupt = interrupts.raised(), if interrupted.is_none() => {
                    interrupted = Some(interrupt);
                    kill_at = Some(Instant::now() + GRACE);
                    self.group.signal(Signal::TERM);
                }
                () = sleep_until(kill_at.unwrap_or_else(Instant::now)), if kill_at.is_some() => {
                    kill_at = None;
                    self.group.signal(Signal::KILL);
                }
                _ = flush.tick() => log.flush().await?,
            }
        };
        interrupted.map_or(Ok(status), |interrupt| Err(Halt::Interrupted(interrupt)))
    }

    /// Reads on until everyone who could write is gone, but not for ever: a process that left the
    /// group may hold the pipe.
    async fn last_words(&mut self, log: &mut StepLog) -> Result<(), Halt> {
        let end = Instant::now() + LAST_WORDS;
        while let Ok(Ok(1..)) = timeout_at(end, self.output.read_buf(&mut self.said)).await {
            self.note(log).await?;
        }
        Ok(log.flush().await?)
    }

    /// Writes down what was read, and remembers its end.
    async fn note(&mut self, log: &mut StepLog) -> Result<(), Halt> {
        log.push(&self.said).await?;
        self.remembered.append(&mut self.said);
        let old = self.remembered.len().saturating_sub(REMEMBERED);
        self.remembered.drain(..old);
        Ok(())
    }
}

/// A process group. Dropping it kills it, so that no error or panic leaves one behind.
pub(crate) struct Group(Option<Pid>);

impl Group {
    pub(crate) fn led_by(child: &Child) -> Self {
        Self(child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw))
    }

    /// A group that is gone cannot be signalled, and need not.
    fn signal(&mut self, signal: Signal) {
        if let Some(group) = self.0 {
            let _ = kill_process_group(group, signal);
        }
        if signal == Signal::KILL {
            self.0 = None;
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}
