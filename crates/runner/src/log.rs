//! The log of a step: what its programs say, and dbt's own log of it, in the store.

use domain::{
    StepId,
    authz::{Permit, Runs, Write},
    lease::Lease,
    run::Progress,
};
use store::{Store, StoreError};
use tokio::time::{Duration, Instant};

use crate::{
    dbt_log::DbtLog,
    lines::{BATCH, Bound, Lines, Secrets},
};

/// How much text of one step is kept, in bytes.
const KEPT: Bound = Bound { head: 12 << 20, tail: 4 << 20 };
/// How often it is written down how far dbt is.
const NOTED: Duration = Duration::from_secs(1);

/// The log of one step in the store.
pub(crate) struct StepLog {
    store: Store,
    permit: Permit<Write, Runs>,
    lease: Lease,
    step: StepId,
    lines: Lines,
    /// dbt's own log, if the step runs dbt.
    dbt: Option<DbtLog>,
    /// What was written down last of how far dbt is, and when.
    noted: Option<(Progress, Instant)>,
}

impl StepLog {
    pub(crate) fn new(
        store: Store,
        permit: Permit<Write, Runs>,
        lease: Lease,
        step: StepId,
        secrets: Secrets,
    ) -> Self {
        let lines = Lines::new(secrets, KEPT);
        Self { store, permit, lease, step, lines, dbt: None, noted: None }
    }

    /// Reads dbt's own log along from now on.
    pub(crate) fn follow(&mut self, dbt: DbtLog) {
        self.dbt = Some(dbt);
    }

    /// Takes what a program has said; writes it down when there is much of it.
    pub(crate) async fn push(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.lines.push(bytes);
        if self.lines.ready() >= BATCH { self.write().await } else { Ok(()) }
    }

    /// Adds a line of the runner's own.
    pub(crate) fn say(&mut self, line: impl std::fmt::Display) {
        self.lines.say(&line.to_string());
    }

    /// Writes down every whole line that has come so far; of dbt's own log what has become much,
    /// and once a second how far dbt is.
    pub(crate) async fn flush(&mut self) -> Result<(), StoreError> {
        self.write().await?;
        let Some(dbt) = &mut self.dbt else { return Ok(()) };
        dbt.read().await;
        if dbt.lines.ready() >= BATCH {
            self.write_debug().await?;
        }
        match self.noted {
            Some((_, at)) if at.elapsed() < NOTED => Ok(()),
            _ => self.note().await,
        }
    }

    /// Writes down the rest, a line without an end too.
    pub(crate) async fn end(&mut self) -> Result<(), StoreError> {
        self.lines.end();
        self.write().await?;
        let Some(dbt) = &mut self.dbt else { return Ok(()) };
        dbt.end().await;
        self.write_debug().await?;
        self.note().await
    }

    async fn write(&mut self) -> Result<(), StoreError> {
        for batch in batches(&self.lines.take()) {
            self.store.append_log(&self.permit, &self.lease, self.step, batch).await?;
        }
        Ok(())
    }

    async fn write_debug(&mut self) -> Result<(), StoreError> {
        let text = self.dbt.as_mut().map(|dbt| dbt.lines.take()).unwrap_or_default();
        for batch in batches(&text) {
            self.store.append_debug_log(&self.permit, &self.lease, self.step, batch).await?;
        }
        Ok(())
    }

    /// Writes down how far dbt is, if it is further than was written.
    async fn note(&mut self) -> Result<(), StoreError> {
        let progress = self.dbt.as_ref().and_then(|dbt| dbt.nodes.progress());
        let Some(progress) = progress.filter(|now| self.noted.is_none_or(|(was, _)| was != *now))
        else {
            return Ok(());
        };
        self.noted = Some((progress, Instant::now()));
        self.store.note_progress(&self.permit, &self.lease, self.step, progress).await
    }
}

/// A text in parts of at most 128 KiB: the end of a long one comes all at once.
fn batches(mut rest: &str) -> impl Iterator<Item = &str> {
    std::iter::from_fn(move || {
        let (batch, after) = rest.split_at(rest.floor_char_boundary(2 * BATCH));
        rest = after;
        (!batch.is_empty()).then_some(batch)
    })
}
