//! What a program says, on its way to a log: whole lines without secrets, up to a bound.
//!
//! Of a text that is longer, the beginning is kept and the end: what a program says last is what
//! tells how it went. The beginning is ready as it comes; the end waits in memory.

use std::fmt::Write as _;

use domain::kept::Hidden;

/// How much text waits at most for the end of its line.
pub(crate) const BATCH: usize = 64 * 1024;
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

/// How much of a text is kept: what comes first, and what comes last.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bound {
    pub(crate) head: usize,
    pub(crate) tail: usize,
}

/// What a program says, on its way to the log.
#[derive(Debug)]
pub(crate) struct Lines {
    secrets: Secrets,
    /// The line that has no end yet.
    partial: Vec<u8>,
    /// Whole lines, without secrets.
    ready: String,
    bound: Bound,
    /// How many more bytes of the beginning are kept.
    room: usize,
    /// The end, once the beginning is full: at most twice as much as is kept of it.
    tail: Option<String>,
    /// How many bytes between the two are left out.
    left_out: usize,
}

impl Lines {
    pub(crate) fn new(secrets: Secrets, bound: Bound) -> Self {
        let (partial, ready) = (Vec::new(), String::new());
        Self { secrets, partial, ready, bound, room: bound.head, tail: None, left_out: 0 }
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) {
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
    fn end_line(&mut self) {
        if !self.partial.is_empty() {
            self.push(b"\n");
        }
    }

    /// Takes what is left, and the end of the text that waited for this.
    pub(crate) fn end(&mut self) {
        self.end_line();
        if let Some(tail) = self.tail.take() {
            let last = self.last(&tail);
            if self.left_out == 0 && last.len() < tail.len() {
                self.note_cut();
            }
            self.left_out += tail.len() - last.len();
            if self.left_out > 0 {
                let _ = writeln!(self.ready, "[left out: {} bytes]", self.left_out);
            }
            self.ready.push_str(last);
        }
    }

    /// A line of the runner's own.
    pub(crate) fn say(&mut self, line: &str) {
        self.end_line();
        let line = format!("{}\n", self.secrets.hide(line));
        self.tail.as_mut().unwrap_or(&mut self.ready).push_str(&line);
    }

    /// How many bytes are ready.
    pub(crate) fn ready(&self) -> usize {
        self.ready.len()
    }

    /// Takes what is ready.
    pub(crate) fn take(&mut self) -> String {
        std::mem::take(&mut self.ready)
    }

    fn keep(&mut self, text: &str) {
        // PostgreSQL keeps no NUL in a text.
        let text = text.replace('\0', "\u{fffd}");
        let tail = match &mut self.tail {
            None if text.len() <= self.room => {
                self.room -= text.len();
                return self.ready.push_str(&text);
            }
            None => {
                // Lines stay whole, unless one alone has no room.
                let room = text.floor_char_boundary(self.room);
                let cut = text.get(..room).and_then(|text| text.rfind('\n'));
                let (first, rest) = text.split_at(cut.map_or(room, |end| end + 1));
                self.ready.push_str(first);
                self.tail.insert(rest.to_owned())
            }
            Some(tail) => {
                tail.push_str(&text);
                tail
            }
        };
        if tail.len() > 2 * self.bound.tail {
            let tail = std::mem::take(tail);
            let last = self.last(&tail).to_owned();
            if self.left_out == 0 {
                self.note_cut();
            }
            self.left_out += tail.len() - last.len();
            self.tail = Some(last);
        }
    }

    /// What is kept of the end of a text: whole lines, unless there is no end of one in it.
    fn last<'a>(&self, tail: &'a str) -> &'a str {
        let start = tail.ceil_char_boundary(tail.len().saturating_sub(self.bound.tail));
        let last = tail.get(start..).unwrap_or_default();
        let begun = start > 0 && !tail.get(..start).unwrap_or_default().ends_with('\n');
        match last.split_once('\n') {
            Some((_, whole)) if begun && !whole.is_empty() => whole,
            _ => last,
        }
    }

    /// Says at once that there is more than is kept: it may be long until the end comes.
    fn note_cut(&mut self) {
        let Bound { head, tail } = self.bound;
        let line_end = if self.ready.is_empty() || self.ready.ends_with('\n') { "" } else { "\n" };
        let _ = writeln!(
            self.ready,
            "{line_end}[cut here: of one step the first {head} bytes of text are kept and, when it \
             ends, the last {tail}]"
        );
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEPT: Bound = Bound { head: 12 << 20, tail: 4 << 20 };

    fn lines(secret: &str, bound: Bound) -> Lines {
        Lines::new(Secrets::of([secret]), bound)
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
        let mut lines = lines("\u{1}", Bound { head: 10, tail: 16 });
        lines.push(b"12345678\n");
        lines.push("äöü\nline 1\nline 2\nline 3\n".as_bytes());
        assert_eq!(lines.ready, "12345678\n");
        lines.push(b"line 4\n");
        let note = "[cut here: of one step the first 10 bytes of text are kept and, when it ends, \
                    the last 16]\n";
        assert_eq!(lines.ready, format!("12345678\n{note}"));
        lines.push(b"no end");
        lines.say("timed out");
        lines.end();
        let left_out = "[left out: 42 bytes]\n";
        assert_eq!(lines.ready, format!("12345678\n{note}{left_out}timed out\n"));
    }

    #[test]
    fn a_text_that_fits_into_both_parts_is_whole() {
        let mut lines = lines("\u{1}", Bound { head: 10, tail: 8 });
        for line in ["1234567\n", "abcd\n", "x\n"] {
            lines.push(line.as_bytes());
        }
        lines.end();
        assert_eq!(lines.ready, "1234567\nabcd\nx\n");
    }

    #[test]
    fn a_line_without_an_end_is_cut_between_characters() {
        let mut lines = lines("\u{1}", Bound { head: 9, tail: 7 });
        lines.push("ä".repeat(BATCH).as_bytes());
        lines.end();
        assert!(lines.ready.starts_with("ääää\n[cut here"), "{}", lines.ready);
        assert!(lines.ready.ends_with(" bytes]\näää\n"), "{}", lines.ready);
    }

    #[test]
    fn however_much_is_said_little_is_held() {
        let mut lines = lines("\u{1}", KEPT);
        let chunk = "a line of a chatty program\n".repeat(1000);
        for _ in 0..4_000 {
            lines.push(chunk.as_bytes());
            lines.ready.clear();
            let held = lines.tail.as_ref().map_or(0, String::len);
            assert!(held <= 2 * KEPT.tail + chunk.len(), "{held}");
        }
        lines.end();
        let whole = 4_000 * chunk.len();
        assert!(whole > 6 * (KEPT.head + KEPT.tail));
        assert!(lines.ready.len() <= KEPT.tail + 40, "{}", lines.ready.len());
        assert!(lines.left_out + KEPT.head + KEPT.tail >= whole - 2 * 27);
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
