//! The log of a step, line by line.

/// A line, as dbt writes it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct LogLine {
    /// `09:42:04`; empty where the line has none.
    pub(super) time: String,
    /// Before the word that is marked; all of it where none is.
    pub(super) before: String,
    /// `OK`, `WARN`, `ERROR`, …
    pub(super) word: String,
    /// How that word is marked: `good`, `warn` or `bad`.
    pub(super) class: &'static str,
    /// Behind the word.
    pub(super) after: String,
}

/// The words that are marked where a line has one that stands by itself, as `console.js` marks them.
const WORDS: [(&str, &str); 6] = [
    ("OK", "good"),
    ("PASS", "good"),
    ("WARN", "warn"),
    ("ERROR", "bad"),
    ("FAIL", "bad"),
    ("SKIP", "warn"),
];

/// A text, line by line.
pub(super) fn lines(text: &str) -> Vec<LogLine> {
    text.lines().map(LogLine::read).collect()
}

impl LogLine {
    fn read(line: &str) -> Self {
        let (time, text) = match line.split_once("  ") {
            Some((time, text)) if is_time(time) => (time.to_owned(), text),
            _ if is_time(line) => (line.to_owned(), ""),
            _ => (String::new(), line),
        };
        let found = WORDS.iter().filter_map(|(word, class)| {
            let at = place_of(word, text)?;
            Some((at, *word, *class))
        });
        let Some((at, word, class)) = found.min() else {
            return Self { time, before: text.to_owned(), ..Self::default() };
        };
        let (before, rest) = text.split_at(at);
        let (_, after) = rest.split_at(word.len());
        let [before, word, after] = [before, word, after].map(str::to_owned);
        Self { time, before, word, class, after }
    }
}

fn is_time(text: &str) -> bool {
    let digits = |part: &str| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
    text.len() == 8 && text.split(':').count() == 3 && text.split(':').all(digits)
}

/// Where a word stands by itself.
fn place_of(word: &str, text: &str) -> Option<usize> {
    let alone = |at: usize| {
        let (before, after) = (text.get(..at), text.get(at + word.len()..));
        let apart = |letter: Option<char>| {
            letter.is_none_or(|letter| !letter.is_alphanumeric() && !"_-=".contains(letter))
        };
        apart(before.and_then(|text| text.chars().next_back()))
            && apart(after.and_then(|text| text.chars().next()))
    };
    text.match_indices(word).map(|(at, _)| at).find(|at| alone(*at))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> (String, String, String, &'static str, String) {
        let LogLine { time, before, word, class, after } = LogLine::read(line);
        (time, before, word, class, after)
    }

    #[test]
    fn a_line_of_dbt_has_a_time_and_its_word_marked() {
        let told = read("15:50:24  36 of 38 PASS unique_a ... [PASS in 0.08s]");
        let whole = ("15:50:24", "36 of 38 ", "PASS", "good", " unique_a ... [PASS in 0.08s]");
        let told = (&*told.0, &*told.1, &*told.2, told.3, &*told.4);
        assert_eq!(told, whole);
        assert_eq!(read("15:50:24  ERROR=1 WARN 3").2, "WARN");
        assert_eq!(read("BACKUP OK-ISH FAILED").2, "");
    }

    #[test]
    fn any_other_line_is_kept_as_it_is() {
        for line in ["", "   ", "Cloning <b>…", "12:3:45  a", "ß:OKÄ"] {
            assert_eq!(
                read(line),
                (String::new(), line.to_owned(), String::new(), "", String::new())
            );
        }
        assert_eq!(read("15:50:24").0, "15:50:24");
    }
}
