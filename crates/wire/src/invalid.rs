//! What is wrong with a request, field by field.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A request that cannot be read: each wrong field with what would be right. Never empty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{}", self.summary())]
pub struct Invalid {
    /// Field (as the wire names it, with its path: `execute_steps[1]`) → what would be right.
    pub reasons: BTreeMap<String, String>,
}

impl Invalid {
    /// One wrong field.
    #[expect(clippy::needless_pass_by_value, reason = "callers pass what they have at hand")]
    pub fn field(field: impl Into<String>, reason: impl ToString) -> Self {
        Self { reasons: BTreeMap::from([(field.into(), reason.to_string())]) }
    }

    /// The reasons in one line.
    #[must_use]
    pub fn summary(&self) -> String {
        let parts: Vec<_> =
            self.reasons.iter().map(|(field, reason)| format!("`{field}` {reason}")).collect();
        parts.join("; ")
    }

    /// Collects what is wrong while a body is read, so that all of it is told at once.
    #[must_use]
    pub fn collector() -> Collector {
        Collector(BTreeMap::new())
    }
}

/// Collects wrong fields; see [`Invalid::collector`].
#[derive(Debug, Default)]
pub struct Collector(BTreeMap<String, String>);

impl Collector {
    /// Takes a field's value, or notes why there is none.
    pub fn take<T, E: ToString>(&mut self, field: &str, value: Result<T, E>) -> Option<T> {
        value.map_err(|error| self.note(field, error)).ok()
    }

    /// Notes that a field is wrong; the first reason for a field stays.
    #[expect(clippy::needless_pass_by_value, reason = "callers pass what they have at hand")]
    pub fn note(&mut self, field: &str, reason: impl ToString) {
        self.0.entry(field.to_owned()).or_insert_with(|| reason.to_string());
    }

    /// Ends the collecting.
    ///
    /// # Errors
    /// [`Invalid`] if any field was wrong.
    pub fn finish(self) -> Result<(), Invalid> {
        if self.0.is_empty() { Ok(()) } else { Err(Invalid { reasons: self.0 }) }
    }
}
