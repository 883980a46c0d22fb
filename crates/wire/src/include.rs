//! `include_related`: which related objects a caller wants along.

use std::collections::BTreeSet;

/// The names that a caller asked for. Unknown ones mean nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Include(BTreeSet<String>);

impl Include {
    /// Adds one value of the parameter, in any of the five spellings that real clients use:
    /// `a,b`, a repeated key, `["a","b"]`, `['a','b']` and `[a,b]` (contract, section 4).
    pub fn add(&mut self, value: &str) {
        let names = value
            .trim()
            .trim_start_matches('[')
            .trim_end_matches(']')
            .split(',')
            .map(|name| name.trim().trim_matches(['"', '\'']).trim())
            .filter(|name| !name.is_empty())
            .map(str::to_owned);
        self.0.extend(names);
    }

    /// Whether it was asked for.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.0.contains(name)
    }
}
