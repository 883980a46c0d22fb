//! dbt's selector syntax: <https://docs.getdbt.com/reference/node-selection/syntax>.
//!
//! Words apart by spaces are joined, parts of a word apart by commas must all hold. A part is
//! `[@ or [N]+][method:]value[+[N]]`. As with dbt, the tests of what a part chooses come along.

use super::{ProjectState, ResourceIx, Selection, pick::Pick};

/// A selector that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{part}` in the selector {what}")]
pub struct InvalidSelector {
    /// The part.
    pub part: String,
    /// What is wrong with it.
    pub what: String,
}

/// The most parts of a selector.
const PARTS: usize = 200;

/// What `--select` and `--exclude` take.
#[derive(Debug)]
pub(super) struct Selector<'a> {
    /// Of each word, its parts.
    words: Vec<Vec<Part<'a>>>,
}

#[derive(Debug)]
struct Part<'a> {
    text: &'a str,
    pick: Pick<'a>,
    reach: Reach,
}

/// What comes along with what is picked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// So far up and so far down; without a number however far.
    Around { parents: Option<Depth>, children: Option<Depth> },
    /// All children, and all parents of those: `@`.
    ChildrensParents,
}

type Depth = Option<u32>;

impl<'a> Selector<'a> {
    pub(super) fn parse(text: &'a str) -> Result<Self, InvalidSelector> {
        let mut left = PARTS;
        let mut words = Vec::new();
        for word in text.split_whitespace() {
            let mut parts = Vec::new();
            for part in word.split(',') {
                left = left.checked_sub(1).ok_or_else(|| too_many(part))?;
                parts.push(Part::parse(part)?);
            }
            words.push(parts);
        }
        Ok(Self { words })
    }

    pub(super) fn choose(&self, state: &ProjectState) -> Result<Selection, InvalidSelector> {
        let mut chosen = Selection::none(state.resources.len());
        for word in &self.words {
            let mut of_word: Option<Selection> = None;
            for part in word {
                let of_part = part.choose(state)?;
                match &mut of_word {
                    None => of_word = Some(of_part),
                    Some(of_word) => of_word.meet(&of_part),
                }
            }
            if let Some(of_word) = of_word {
                chosen.join(&of_word);
            }
        }
        Ok(chosen)
    }
}

fn too_many(part: &str) -> InvalidSelector {
    wrong(part, format!("is one part too many: at most {PARTS}"))
}

fn wrong(part: &str, what: impl Into<String>) -> InvalidSelector {
    InvalidSelector { part: part.chars().take(200).collect(), what: what.into() }
}

impl<'a> Part<'a> {
    fn parse(text: &'a str) -> Result<Self, InvalidSelector> {
        let invalid = |what: String| wrong(text, what);
        let (at, rest) = match text.strip_prefix('@') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (parents, rest) = leading(rest).map_err(invalid)?;
        let (children, rest) = trailing(rest).map_err(invalid)?;
        let reach = match (at, parents, children) {
            (false, parents, children) => Reach::Around { parents, children },
            (true, None, None) => Reach::ChildrensParents,
            (true, ..) => return Err(wrong(text, "has both `@` and `+`")),
        };
        if rest.starts_with('@') {
            return Err(wrong(text, "has `@` elsewhere than at its start"));
        }
        let pick = Pick::parse(rest).map_err(invalid)?;
        Ok(Self { text, pick, reach })
    }

    fn choose(&self, state: &ProjectState) -> Result<Selection, InvalidSelector> {
        let picked = self.pick.choose(state).map_err(|what| wrong(self.text, what))?;
        let mut chosen = Selection::none(state.resources.len());
        chosen.add(picked.iter().copied());
        match self.reach {
            Reach::Around { parents, children } => {
                if let Some(depth) = parents {
                    chosen.add(state.parents.reached(picked.iter().copied(), depth));
                }
                if let Some(depth) = children {
                    chosen.add(state.children.reached(picked, depth));
                }
            }
            Reach::ChildrensParents => {
                let children = state.children.reached(picked.iter().copied(), None);
                chosen.add(children.iter().copied());
                chosen.add(state.parents.reached(picked.into_iter().chain(children), None));
            }
        }
        let tests: Vec<ResourceIx> = chosen.iter().flat_map(|ix| state.tests(ix)).collect();
        chosen.add(tests);
        Ok(chosen)
    }
}

/// `2+` and `+` before the value.
fn leading(text: &str) -> Result<(Option<Depth>, &str), String> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, rest) = text.split_at(digits);
    match rest.strip_prefix('+') {
        Some(rest) => Ok((Some(depth(number)?), rest)),
        None => Ok((None, text)),
    }
}

/// `+2` and `+` after the value.
fn trailing(text: &str) -> Result<(Option<Depth>, &str), String> {
    let rest = text.trim_end_matches(|c: char| c.is_ascii_digit());
    let (_, number) = text.split_at(rest.len());
    match rest.strip_suffix('+') {
        Some(rest) => Ok((Some(depth(number)?), rest)),
        None => Ok((None, text)),
    }
}

fn depth(number: &str) -> Result<Depth, String> {
    if number.is_empty() {
        return Ok(None);
    }
    number.parse().map(Some).map_err(|_| format!("has a depth that is too large: {number}"))
}
