//! A step's console text: lines without secrets, in batches, up to a limit.

use std::fmt::Write as _;

use domain::{
    StepId,
    authz::{Permit, Runs, Write},
    kept::Hidden,
    lease::Lease,
};
use store::{Store, StoreError};

/// How much text of one step is kept.
const KEPT: usize = 16 * 1024 * 1024;
/// How much text waits at most before it is written down.
const BATCH: usize = 64 * 1024;
/// What stands in a secret's place; dbt writes the same.
const HIDDEN: &str = "*****";

/// The texts that must not be read in a log.
#[derive(Debug, Clone, Default)]
pub(crate) struct Secrets(Vec<Hidden>);

impl Secrets {
    /// Secrets, each in every form in which a program may print it: as it is, line by line if it
    /// has several, and escaped as in JSON.
    pub(crate) fn of<'a>(secrets: impl IntoIterator<Item = &'a str>) -> Self {
        let mut forms: Vec<Hidden> = secrets.into_iter().flat_map(forms_of).collect();
        // The longest first: one form may hold another.
        forms.sort_by(|a, b| (b.reveal().len(), b.reveal()).cmp(&(a.reveal().len(), a.reveal())));
        forms.dedup();
        Self(forms)
    }

    fn hide(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, secret| {
            if text.contains(secret.reveal()) {
                text.replace(secret.reveal(), HIDDEN)
            } else {
                text
            }
        })
    }

    /// How many bytes at the end of a text may be the beginning of a secret.
    fn longest(&self) -> usize {
        self.0.first().map_or(0, |secret| secret.reveal().len())
    }
}

fn forms_of(text: &str) -> Vec<Hidden> {
    let escaped = serde_json::Value::from(text).to_string();
    let escaped = std::iter::once(escaped.trim_matches('"'));
    let forms = text.lines().chain(escaped).filter(|form| !form.trim().is_empty());
    forms.map(|form| Hidden::new(form.to_owned())).collect()
}

/// What a program says, on its way to the log.
#[derive(Debug)]
struct Lines {
    secrets: Secrets,
    /// The line that has no end yet.
    partial: Vec<u8>,
    /// Whole lines, without secrets.
    ready: String,
    /// How many more bytes are kept.
    room: usize,
    cut: bool,
}

impl Lines {
    fn new(secrets: Secrets, room: usize) -> Self {
        Self { secrets, partial: Vec::new(), ready: String::new(), room, cut: false }
    }

    fn push(&mut self, bytes: &[u8]) {
        let before = self.partial.len();
        self.partial.extend_from_slice(bytes);
        if let Some(end) = bytes.iter().rposition(|byte| *byte == b'\n') {
            let rest = self.partial.split_off(before + end + 1);
            let whole = std::mem::replace(&mut self.partial, rest);
            self.keep(&self.secrets.hide(&String::from_utf8_lossy(&whole)));
        }
        if self.partial.len() > BATCH {
            self.break_line();
        }
    }

    /// Lets go of a line that has grown too long, but for an end that may begin a secret.
    fn break_line(&mut self) {
        let text = self.secrets.hide(&String::from_utf8_lossy(&self.partial));
        let safe = text.floor_char_boundary(text.len().saturating_sub(self.secrets.longest()));
        let (done, rest) = text.split_at(safe);
        self.partial = rest.as_bytes().to_vec();
        self.keep(done);
    }

    /// Takes what is left as a whole line.
    fn end(&mut self) {
        if !self.partial.is_empty() {
            self.push(b"\n");
        }
    }

    /// A line of the runner's own, for which there is always room.
    fn say(&mut self, line: &str) {
        self.end();
        let _ = writeln!(self.ready, "{}", self.secrets.hide(line));
    }

    fn keep(&mut self, text: &str) {
        // PostgreSQL keeps no NUL in a text.
        let text = text.replace('\0', "\u{fffd}");
        let kept = text.get(..text.floor_char_boundary(self.room.min(text.len()))).unwrap_or("");
        self.ready.push_str(kept);
        if kept.len() == text.len() {
            self.room -= kept.len();
        } else if !std::mem::replace(&mut self.cut, true) {
            self.room = 0;
            let _ = writeln!(self.ready, "\n[cut here: of one step {KEPT} bytes of text are kept]");
        }
    }
}

/// The log of one step in the store.
pub(crate) struct StepLog {
    store: Store,
    permit: Permit<Write, Runs>,
    lease: Lease,
    step: StepId,
    lines: Lines,
}

impl StepLog {
    pub(crate) fn new(
        store: Store,
        permit: Permit<Write, Runs>,
        lease: Lease,
        step: StepId,
        secrets: Secrets,
    ) -> Self {
        Self { store, permit, lease, step, lines: Lines::new(secrets, KEPT) }
    }

    /// Takes what a program has said; writes it down when there is much of it.
    pub(crate) async fn push(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.lines.push(bytes);
        if self.lines.ready.len() >= BATCH { self.flush().await } else { Ok(()) }
    }

    /// Adds a line of the runner's own.
    pub(crate) fn say(&mut self, line: impl std::fmt::Display) {
        self.lines.say(&line.to_string());
    }

    /// Writes down every whole line that has come so far.
    pub(crate) async fn flush(&mut self) -> Result<(), StoreError> {
        if self.lines.ready.is_empty() {
            return Ok(());
        }
        let text = std::mem::take(&mut self.lines.ready);
        self.store.append_log(&self.permit, &self.lease, self.step, &text).await
    }

    /// Writes down the rest, a line without an end too.
    pub(crate) async fn end(&mut self) -> Result<(), StoreError> {
        self.lines.end();
        self.flush().await
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lines(secret: &str, room: usize) -> Lines {
        Lines::new(Secrets::of([secret]), room)
    }

    #[test]
    fn a_line_is_kept_when_it_is_whole() {
        let mut lines = lines("s", KEPT);
        lines.push(b"one\ntw");
        assert_eq!(lines.ready, "one\n");
        lines.push(b"o\n");
        assert_eq!(lines.ready, "one\ntwo\n");
        lines.push(b"no end");
        lines.end();
        assert_eq!(lines.ready, "one\ntwo\nno end\n");
    }

    #[test]
    fn a_secret_is_hidden_also_escaped_and_in_parts() {
        let mut said = lines("top\"secret\nsecond", KEPT);
        said.push(b"url=top\"secret {\"p\":\"top\\\"secret\\nsecond\"} second\n");
        assert_eq!(said.ready, "url=***** {\"p\":\"*****\"} *****\n");
    }

    #[test]
    fn beyond_the_limit_a_line_says_that_the_rest_is_cut() {
        let mut lines = lines("s", 10);
        lines.push(b"12345678\n");
        lines.push("äöü\n".as_bytes());
        lines.push(b"more\n");
        lines.say("timed out");
        assert_eq!(
            lines.ready,
            "12345678\n\n[cut here: of one step 16777216 bytes of text are kept]\ntimed out\n"
        );
    }

    #[test]
    fn bytes_that_are_no_text_do_not_stop_a_log() {
        let mut lines = lines("s", KEPT);
        lines.push(b"a\xff\x00b\n");
        assert_eq!(lines.ready, "a\u{fffd}\u{fffd}b\n");
    }

    proptest! {
        /// However the bytes arrive, also in lines that never end.
        #[test]
        fn no_secret_ever_passes(
            chunk in 1_usize..5_000,
            before in 0_usize..70_000,
            lines_end in any::<bool>(),
        ) {
            let secret = "hunter2-hunter2";
            let end = if lines_end { "\n" } else { "" };
            let text = format!("{}{secret}{end}{}{secret}x", "a".repeat(before), "b".repeat(70_000));
            let mut lines = lines(secret, KEPT);
            text.as_bytes().chunks(chunk).for_each(|bytes| lines.push(bytes));
            lines.end();
            prop_assert!(!lines.ready.contains(secret));
            prop_assert_eq!(lines.ready.matches(HIDDEN).count(), 2);
            prop_assert_eq!(lines.ready.matches('b').count(), 70_000);
        }
    }
}
